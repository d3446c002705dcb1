"""Run an excerpt of a chapter with the reader's parameters: in the browser, and natively when the book is built.

It is the chapter's own code on the chapter's own package. This module and all that it imports need NumPy alone.
"""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from alignlib import book, datasets
from alignlib.book.differences import Difference, differences
from alignlib.book.figure import Figure
from alignlib.book.interactive import payload
from alignlib.book.parameters import Parameter, Value, parse_values, read_parameters
from alignlib.errors import AlignlibError, InvalidValue

JSON = dict[str, Any]
Given = Sequence[tuple[str, str]]
#: Told after each run of an experiment: how many are done, and how many the chapter asked for at once.
Say = Callable[[int, int], object]


def answer(request: str, say: Say) -> str:
    """Return the answer to a panel's request; both are JSON, so that nothing else crosses the border of languages.

    The request holds an ``excerpt``, the parameters ``given`` as pairs of texts, and the ``book``'s figures by
    identifier. The answer holds ``figures`` (the reader's and the book's as the page draws them, and where they are
    furthest apart), or in ``refused`` or ``failed`` says in words why there are none.
    """
    asked = json.loads(request)
    try:
        figures = run(asked["excerpt"], asked["given"], say)
    except InvalidValue as refusal:
        return json.dumps({"refused": str(refusal)})
    except Exception as problem:
        words = str(problem) if isinstance(problem, AlignlibError) else f"{type(problem).__name__}: {problem}"
        return json.dumps({"failed": words})
    return json.dumps({"figures": [_compared(figure, asked["book"].get(figure.id)) for figure in figures]})


def run(excerpt: Mapping[str, Any], given: Given = (), say: Say = lambda done, of: None) -> list[Figure]:
    """Execute the cells of an excerpt and return the figures of those that make one.

    Raises
    ------
    InvalidValue
        For parameters that the chapter does not accept, in the words of ``alignlib run``, and for data that would
        have to be fetched.
    """
    namespace: JSON = {"__name__": "__main__"}
    figures = []
    with _watched(say):
        for cell in excerpt["cells"]:
            shown = _execute(cell["source"], namespace, cell["id"])
            if cell["parameters"]:
                namespace.update(checked(excerpt, given))
            if cell["figure"] and isinstance(shown, Figure):
                figures.append(shown)
    return figures


def declared(excerpt: Mapping[str, Any]) -> list[Parameter]:
    """Return the parameters of an excerpt, those of its chapter."""
    source = next(cell["source"] for cell in excerpt["cells"] if cell["parameters"])
    return read_parameters(source, f"{excerpt['chapter']}, the cell of parameters")


def checked(excerpt: Mapping[str, Any], given: Given) -> dict[str, Value]:
    """Return the parameters given as texts; InvalidValue for what the chapter does not accept."""
    values = parse_values(declared(excerpt), given, f"Chapter {excerpt['chapter'][:2]}")
    data = values.get("dataset", "digits")
    if data not in at_hand():
        raise InvalidValue(
            f"parameter 'dataset' got {data!r}, which would have to be fetched. Accepted in the page: "
            f"{', '.join(at_hand())}. The command below runs it on your machine."
        )
    return values


def at_hand() -> list[str]:
    """Return the data sets that need no file from elsewhere."""
    return ["digits", *datasets.DRAWN]


class WatchedChapter(book.Chapter):
    """A chapter whose runs go one after the other in this process, and tell how many are done."""

    def __init__(self, name: str, namespace: Mapping[str, Any], *, say: Say):
        super().__init__(name, namespace)
        self._say = say

    def run(self, experiments: Iterable[Any], **options: Any) -> list[Any]:
        """Run experiments as the chapter does, with the same results."""
        listed = list(experiments)
        distinct = list(dict.fromkeys(listed))
        done = {}
        for number, experiment in enumerate(distinct):
            self._say(number, len(distinct))
            (done[experiment],) = super().run([experiment], workers=1)
        return [done[experiment] for experiment in listed]


@contextmanager
def _watched(say: Say) -> Iterator[None]:
    """Let ``book.Chapter``, which the cells call, make a chapter that tells how far it is."""
    before = book.Chapter
    book.Chapter = partial(WatchedChapter, say=say)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        book.Chapter = before  # type: ignore[misc]


def _execute(source: str, namespace: JSON, name: str) -> Any:
    """Execute a cell and return the value of its last expression, as a notebook does."""
    body = ast.parse(source).body
    last = body[-1] if body else None
    shown = last if isinstance(last, ast.Expr) else None
    exec(compile(ast.Module(body[:-1] if shown else body, []), f"<cell {name}>", "exec"), namespace)
    return eval(compile(ast.Expression(shown.value), f"<cell {name}>", "eval"), namespace) if shown else None


def _compared(figure: Figure, of_book: JSON | None) -> JSON:
    found = differences(figure.id, of_book, figure.to_json()) if of_book else []
    return {
        "id": figure.id,
        "yours": payload(figure),
        "book": payload(Figure.from_json(of_book)) if of_book else None,
        "differences": [_row(difference) for difference in found],
    }


def _row(difference: Difference) -> JSON:
    _, series, book_value, yours, apart, where = difference.row
    numbers = {"book": book_value, "yours": yours, "difference": apart, "at": where}
    distance = abs(difference.yours - difference.book)
    return {"series": series, **numbers, "distance": None if difference.note else distance}


def _natively() -> None:
    """Run the excerpt on standard input; print its figures, the seconds of a core and the modules used as JSON."""
    taken = json.load(sys.stdin)
    started = time.process_time()
    figures = {figure.id: figure.to_json() for figure in run(taken)}
    seconds = time.process_time() - started
    modules = [name for name in sorted(sys.modules) if name.partition(".")[0] == "alignlib"]
    print(json.dumps({"figures": figures, "seconds": seconds, "modules": modules}))


if __name__ == "__main__":
    _natively()
