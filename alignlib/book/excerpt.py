"""The part of a chapter that one figure needs: its cells, taken from the notebook, none written a second time.

A cell with the tag ``run-here`` makes a figure that readers can compute again in the page. What it needs is read
from the code: going upwards, a cell is kept if it gives a value to a name that a kept cell below it uses.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alignlib.errors import AlignlibError

TAG = "run-here"
PARAMETERS = "parameters"
INJECTED = "injected-parameters"

Notebook = Mapping[str, Any]


@dataclass(frozen=True)
class Names:
    """What a cell does with the notebook's names: needs them from above, makes them anew, changes what they mean."""

    needed: frozenset[str]
    made: frozenset[str]
    changed: frozenset[str]


def names(source: str) -> Names:
    """Return what the source of a cell does with the names of the notebook.

    A statement that is only a method call (``rows.append(…)``), an assignment to an entry (``found[key] = …``) or
    to an attribute, and ``+=`` change what they start from; a name so changed is needed from above as well.
    """
    needed, made, changed = set[str](), set[str](), set[str]()
    _follow(ast.parse(source).body, needed, made)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            changed.add(_root(node))
        elif isinstance(node, ast.AugAssign):
            changed.add(_root(node.target))
        elif (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            changed.add(_root(node.value.func))
    changed &= needed
    return Names(frozenset(needed), frozenset(made - changed), frozenset(changed))


def _follow(statements: Sequence[ast.stmt], needed: set[str], made: set[str]) -> None:
    """Go through statements in their order: what is read before it is made is needed from above."""
    for statement in statements:
        if isinstance(statement, ast.For):
            needed |= _scope(statement.iter)[0] - made
            made |= _named(statement.target)
            _follow([*statement.body, *statement.orelse], needed, made)
        elif isinstance(statement, ast.With):
            for item in statement.items:
                needed |= _scope(item.context_expr)[0] - made
                made |= {
                    node.id for node in ast.walk(item.optional_vars or item) if isinstance(node, ast.Name)
                } - needed
            _follow(statement.body, needed, made)
        elif isinstance(statement, ast.If | ast.While):
            needed |= _scope(statement.test)[0] - made
            _follow([*statement.body, *statement.orelse], needed, made)
        else:
            read, stored = _scope(statement)
            read |= {_root(node.target) for node in ast.walk(statement) if isinstance(node, ast.AugAssign)}
            needed |= read - made
            made |= stored


def _named(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _scope(node: ast.AST) -> tuple[set[str], set[str]]:
    """The names of the notebook that a piece of code reads, also inside functions, and those that it assigns."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    read = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    stored = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    inner = list(table.get_children())
    while inner:
        scope = inner.pop()
        read |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        inner += scope.get_children()
    return read, stored


def _root(node: ast.expr) -> str:
    """The name that ``a.b[c].d`` starts from."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def excerpt(notebook: Notebook, chapter: str) -> dict[str, Any] | None:
    """Return the excerpt of a chapter as plain JSON, None if no cell has the tag.

    ``cells`` holds id, source and whether the cell makes a figure; the cell of the parameters comes as it stands in
    the notebook. ``uses`` names the parameters that the other cells read.

    Raises
    ------
    AlignlibError
        If there is no cell of parameters.
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and INJECTED not in _tags(cell)]
    if not any(TAG in _tags(cell) for cell in cells):
        return None
    if not any(PARAMETERS in _tags(cell) for cell in cells):
        raise AlignlibError(f"chapter {chapter}: a cell is tagged `{TAG}`, but none `{PARAMETERS}`.")
    kept = _kept(cells)
    read = {name for cell in kept if PARAMETERS not in _tags(cell) for name in names(_source(cell)).needed}
    declared = names(next(_source(cell) for cell in kept if PARAMETERS in _tags(cell))).made
    return {
        "chapter": chapter,
        "cells": [
            {
                "id": str(cell.get("id", "")),
                "source": _source(cell),
                "parameters": PARAMETERS in _tags(cell),
                "figure": TAG in _tags(cell),
            }
            for cell in kept
        ],
        "uses": sorted(read & declared),
    }


def _kept(cells: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The cells that the tagged ones need, in their order."""
    needed, kept = set[str](), []
    for cell in reversed(cells):
        found = names(_source(cell))
        if {TAG, PARAMETERS} & _tags(cell) or (found.made | (found.changed - {"chapter"})) & needed:
            kept.append(cell)
            needed = (needed - found.made) | found.needed
    return kept[::-1]


def _tags(cell: Mapping[str, Any]) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
