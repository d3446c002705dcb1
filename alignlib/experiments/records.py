"""Records: finished runs kept in files, with what is needed to trust them and to check them without the hours.

A long run is one JSON file, ``records/<study>/<name>.json``, with all its curves. Many short runs share a file of JSON
lines, ``records/<study>/<name>.jsonl``: a first line for what they have in common, then one line a run with its last
numbers. Both hold a checksum of their own content: nobody edits a record by hand unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue, choose, nearest
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.fields import FORMAT, Fields, RecordError, floats
from alignlib.experiments.floor import changed_files, floor_digest, run_code
from alignlib.experiments.result import Result

JSON = dict[str, Any]

STOPPED, USED_UP = "stop reached", "epochs used up"
ENDS = (STOPPED, USED_UP)
#: Losses kept of a long run and of one of many.
LOSSES, FEW_LOSSES = 50, 10
#: Of the last numbers of a short run: more would be read by nobody.
DIGITS = 8


@dataclass(frozen=True)
class Verified:
    """That the first steps of a run were computed again, by which lower floor, and how far they were off.

    ``worst`` is the largest relative difference of a loss, among ``steps`` of them; ``whole`` says that the run was
    repeated to its end.
    """

    floor: str
    date: str
    steps: int
    worst: float
    whole: bool = False


@dataclass(frozen=True, eq=False)
class Record:
    """A finished run with its papers.

    Attributes
    ----------
    id
        "study/name", and for one of many "study/name/run"; where its file is follows from it.
    label
        What was run, in words; says what is reduced where the run is not the full one.
    result
        What came out. Of one of many only the last entry of each curve is kept.
    first_losses
        Mean loss on the mini-batch of each of the first updates, just before it; nats.
    ended
        How the run ended, one of ``ENDS``.
    code
        Digest of each file that computed it (:func:`alignlib.experiments.floor.run_code`).
    machine, date
        Where and when ("2026-11-24"), without names of hosts or people.
    verified
        The last time that its first steps were computed again, if ever.
    """

    id: str
    label: str
    result: Result
    first_losses: tuple[float, ...]
    ended: str
    code: Mapping[str, str]
    machine: Mapping[str, str | int]
    date: str
    verified: Verified | None = None

    @property
    def experiment(self) -> Experiment:
        """What was run."""
        return self.result.experiment

    @property
    def curves(self) -> dict[str, Array]:
        """The curves of the result; one entry each if the record is one of many."""
        return self.result.curves

    @property
    def seconds(self) -> float:
        """How long the training took, without the measurements."""
        return self.result.seconds

    def final(self, curve: str) -> float:
        """Return the last value of a curve.

        Raises
        ------
        InvalidValue
            If it has no such curve, with the nearest name.
        """
        choose(f"curve of record {self.id}", curve, self.curves)
        return self.result.final(curve)

    @property
    def floor(self) -> str:
        """The digest of the lower floor that made it."""
        return floor_digest(self.code)

    @property
    def doubt(self) -> str:
        """Why it should be verified; empty if the present lower floor made or verified it."""
        now = floor_digest(run_code())
        if now == self.floor or (self.verified and self.verified.floor == now):
            return ""
        changed = changed_files(self.code)
        more = f" and {len(changed) - 2} more files" if len(changed) > 2 else ""
        return f"{' and '.join(changed[:2]) if not more else ', '.join(changed[:2])}{more} changed since"


def record(id: str, label: str, result: Result, first_losses: Iterable[float], date: str) -> Record:
    """Return the record of a run that this machine and this lower floor just made; ``date`` is "2026-11-24"."""
    losses = tuple(float(loss) for loss in first_losses)
    return Record(id, label, result, losses, how_it_ended(result), run_code(), machine(), date)


def how_it_ended(result: Result) -> str:
    """Return whether a run reached its stop or used up its epochs."""
    return USED_UP if result.final("epoch") >= result.experiment.epochs else STOPPED


def machine() -> dict[str, str | int]:
    """Return what a reader may want to know of this machine: processor, cores, system, BLAS and its threads."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    threads = next((os.environ[n] for n in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if os.environ.get(n)), "")
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "blas_threads": int(threads) if threads.isdecimal() else "all",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def summary(records: Iterable[Record]) -> list[JSON]:
    """Return where numbers that come from records come from: one entry a file, with its runs, dates, machines, hours.

    ``hours`` are those of the training; ``verified`` counts the runs that the present lower floor made or verified.
    """
    files: dict[str, list[Record]] = {}
    for record in records:
        files.setdefault("/".join(record.id.split("/")[:2]), []).append(record)
    return [
        {
            "id": name,
            "label": runs[0].label,
            "runs": len(runs),
            "hours": round(sum(run.seconds for run in runs) / 3600, 3),
            "dates": sorted({run.date for run in runs}),
            "machines": sorted({str(run.machine.get("cpu", "unknown")) for run in runs}),
            "verified": sum(not run.doubt for run in runs),
        }
        for name, runs in sorted(files.items())
    ]


# ---------------------------------------------------------------- reading


def read(folder: str | os.PathLike[str], pattern: str = "*") -> list[Record]:
    """Return the records below a folder whose id fits a pattern, in the order of their ids.

    ``*`` stands for anything, slashes included; the name of a file of many, without suffix, means all its runs.

    Raises
    ------
    RecordError
        If a file cannot be trusted.
    InvalidValue
        If none fits, with the nearest id.
    """
    home = Path(folder)
    found = [record for path in files(home, pattern) for record in read_file(path, home) if _fits(record.id, pattern)]
    if not found:
        known = [name for path in files(home) for name in (_name(path, home), _name(path.parent, home) + "/*")]
        raise InvalidValue(
            f"no record fits {pattern!r}{nearest(pattern, known) or '.'} "
            f"In {home.name}/: {', '.join(dict.fromkeys(known)) or 'nothing'}."
        )
    return sorted(found, key=lambda record: record.id)


def files(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the files below a folder in which a record can fit a pattern, sorted."""
    paths = [path for suffix in ("json", "jsonl") for path in folder.glob(f"*/*.{suffix}")]
    return sorted(path for path in paths if _may_hold(path, _name(path, folder), pattern))


def read_file(path: Path, folder: Path) -> list[Record]:
    """Return the records in one file below ``folder``: one, or many.

    Raises
    ------
    RecordError
        If it is not readable, was edited, or has a field that is missing, unknown or of another kind.
    """
    place = f"{folder.name}/{path.relative_to(folder).as_posix()}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise RecordError(f"{place} cannot be read: {problem}.") from None
    if path.suffix == ".jsonl":
        return _read_lines(text, _name(path, folder), place)
    return [_read_one(_parsed(text, place), _name(path, folder), place)]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _fits(id: str, pattern: str) -> bool:
    return fnmatchcase(id, pattern) or fnmatchcase(id, f"{pattern}/*")


def _may_hold(path: Path, name: str, pattern: str) -> bool:
    if path.suffix == ".json" or _fits(name, pattern):
        return _fits(name, pattern)
    fixed = pattern[: min((pattern.find(c) for c in "*?[" if c in pattern), default=len(pattern))]
    return fixed.startswith(f"{name}/") or (f"{name}/".startswith(fixed) and fixed != pattern)


def _parsed(text: str, place: str) -> JSON:
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except ValueError as problem:
        raise RecordError(f"{place}: not JSON ({problem}).") from None
    if not isinstance(content, dict):
        raise RecordError(f"{place}: a record is a JSON object; received {text[:40]!r}.")
    return content


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number; what is not finite is null")


def _read_one(content: JSON, id: str, place: str) -> Record:
    _check_sum(content, [], place)
    fields = Fields(content, place)
    fields.is_format()
    if fields.text("id") != id:
        raise RecordError(f"{place}: field 'id': {content['id']!r}, but a record of this name has the id {id!r}.")
    made = _read_result(fields, fields.mapping("experiment"), fields.curves("curves"), fields.texts("versions"))
    papers = {"code": fields.texts("code"), "machine": fields.machine("machine"), "date": fields.text("date")}
    return _read_record(fields, id, fields.text("label"), made, papers)


def _read_lines(text: str, name: str, place: str) -> list[Record]:
    lines = [_parsed(line, f"{place}, line {number}") for number, line in enumerate(text.splitlines(), start=1)]
    if not lines:
        raise RecordError(f"{place}: empty; the first line says what the runs have in common.")
    _check_sum(lines[0], lines[1:], place)
    head = Fields(lines[0], f"{place}, line 1")
    head.is_format()
    label, base = head.text("label"), head.mapping("base")
    made = [_read_making(Fields(each, f"{place}, line 1, 'made'")) for each in head.objects("made")]
    head.end()
    runs = [
        _read_run(Fields(line, f"{place}, line {number}"), name, label, base, made)
        for number, line in enumerate(lines[1:], start=2)
    ]
    if twice := _twice(run.id for run in runs):
        raise RecordError(f"{place}: field 'id': two runs are called {twice!r}.")
    return runs


def _read_making(fields: Fields) -> JSON:
    made = {"code": fields.texts("code"), "machine": fields.machine("machine"), "date": fields.text("date")}
    made["versions"] = fields.texts("versions")
    fields.end()
    return made


def _read_run(fields: Fields, name: str, label: str, base: JSON, made: Sequence[JSON]) -> Record:
    id, number = f"{name}/{fields.text('id')}", fields.whole("made")
    if number >= len(made):
        raise RecordError(f"{fields.place}: field 'made': {number}, but line 1 lists {len(made)}.")
    curves = {curve: np.array([value]) for curve, value in fields.numbers("final").items()}
    papers = dict(made[number])
    result = _read_result(fields, {**base, **fields.mapping("changes")}, curves, papers.pop("versions"))
    return _read_record(fields, id, label, result, papers)


def _read_result(fields: Fields, experiment: JSON, curves: dict[str, Array], versions: dict[str, str]) -> Result:
    try:
        made = Experiment(**experiment)
    except InvalidValue as problem:
        raise RecordError(f"{fields.place}: the experiment: {problem}") from None
    checksum, seconds = fields.text("data_checksum"), fields.number("seconds")
    return Result(made, curves, checksum, seconds, fields.whole("n_parameters"), versions)


def _read_record(fields: Fields, id: str, label: str, result: Result, papers: JSON) -> Record:
    losses, ended = tuple(fields.list_of_numbers("first_losses")), fields.text("ended")
    if ended not in ENDS:
        raise RecordError(f"{fields.place}: field 'ended': {ended!r}; accepted: {', '.join(ENDS)}.")
    verified = _read_verified(fields.part("verified"))
    fields.end()
    return Record(id, label, result, losses, ended, verified=verified, **papers)


def _read_verified(fields: Fields | None) -> Verified | None:
    if fields is None:
        return None
    floor, date, whole = fields.text("floor"), fields.text("date"), fields.flag("whole")
    made = Verified(floor, date, fields.whole("steps"), fields.number("worst"), whole)
    fields.end()
    return made


# ---------------------------------------------------------------- writing


def write(folder: str | os.PathLike[str], record: Record) -> Path:
    """Write a long run to ``<folder>/<id>.json``, aside and renamed; return the path.

    Raises
    ------
    InvalidValue
        If the id is not of the form study/name.
    """
    path = _place(Path(folder), record.id, ".json")
    result = record.result
    content: JSON = {
        "format": FORMAT,
        "id": record.id,
        "label": record.label,
        "ended": record.ended,
        "date": record.date,
        "seconds": result.seconds,
        "n_parameters": result.n_parameters,
        "verified": _plain_verified(record),
        "experiment": asdict(result.experiment),
        "machine": dict(record.machine),
        "versions": result.versions,
        "data_checksum": result.data_checksum,
        "code": dict(record.code),
        "first_losses": _finite(record.first_losses),
        "curves": {name: _finite(values.tolist()) for name, values in result.curves.items()},
    }
    content["checksum"] = checksum(content)
    _write_aside(path, _readable(content))
    return path


def write_many(folder: str | os.PathLike[str], name: str, label: str, records: Sequence[Record]) -> Path:
    """Write many short runs to ``<folder>/<name>.jsonl``, aside and renamed; return the path.

    Of each run the last entry of the curves and the first few losses are kept. Ids start with ``name``.

    Raises
    ------
    InvalidValue
        If the name is not of the form study/name, an id does not start with it or stands twice, or there is no run.
    """
    path = _place(Path(folder), name, ".jsonl")
    ids = [record.id for record in records]
    wrong = next((id for id in ids if not id.startswith(f"{name}/")), _twice(ids))
    if wrong or not records:
        what = f"received {wrong!r}" if records else "received none"
        raise InvalidValue(f"the runs of {name!r} need ids of their own that start with '{name}/'; {what}.")
    base = asdict(records[0].experiment)
    made: list[JSON] = []
    lines = [_line(record, name, base, made) for record in sorted(records, key=lambda record: record.id)]
    head: JSON = {"format": FORMAT, "label": label, "base": base, "made": made}
    head = json.loads(json.dumps(head))  # lists for tuples: what the checksum is made of is what will be read
    head["checksum"] = checksum(head, *lines)
    _write_aside(path, "".join(_json(line) + "\n" for line in [head, *lines]))
    return path


def _line(record: Record, name: str, base: JSON, made: list[JSON]) -> JSON:
    result = record.result
    making = {
        "date": record.date,
        "machine": dict(record.machine),
        "versions": result.versions,
        "code": dict(record.code),
    }
    if making not in made:
        made.append(making)
    line = {
        "id": record.id.removeprefix(f"{name}/"),
        "changes": {key: value for key, value in asdict(result.experiment).items() if base[key] != value},
        "final": {curve: _short(float(values[-1])) for curve, values in result.curves.items()},
        "ended": record.ended,
        "seconds": round(result.seconds, 3),
        "n_parameters": result.n_parameters,
        "data_checksum": result.data_checksum,
        "made": made.index(making),
        "verified": _plain_verified(record),
        "first_losses": _finite(record.first_losses[:FEW_LOSSES]),
    }
    plain: JSON = json.loads(json.dumps(line, allow_nan=False))
    return plain


def rewrite(folder: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Write records anew into the files that they were read from: the others in a file of many stay as they are."""
    home = Path(folder)
    new = {record.id: record for record in records}
    for path in files(home):
        name = _name(path, home)
        if path.suffix == ".json":
            if name in new:
                write(home, new[name])
        elif any(id.startswith(f"{name}/") for id in new):
            old = read_file(path, home)
            write_many(home, name, old[0].label, [new.get(record.id, record) for record in old])


def checksum(*contents: JSON) -> str:
    """Return the digest of a record's content, its own field "checksum" left out."""
    plain = [{key: value for key, value in content.items() if key != "checksum"} for content in contents]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _twice(names: Iterable[str]) -> str:
    """Return a name that occurs more than once, or nothing."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def short(record: Record) -> Record:
    """Return a record as a file of many keeps it: last numbers, few losses."""
    curves = {curve: np.array(floats([_short(float(values[-1]))])) for curve, values in record.curves.items()}
    return replace(record, result=replace(record.result, curves=curves), first_losses=record.first_losses[:FEW_LOSSES])


def _check_sum(content: JSON, more: Sequence[JSON], place: str) -> None:
    if "checksum" not in content:
        raise RecordError(f"{place}: field 'checksum' is missing: no record without one.")
    if content["checksum"] != checksum(content, *more):
        raise RecordError(
            f"{place}: the content does not fit its checksum, so it was edited or cut off. "
            "Take it from git again, or make it anew with `alignlib record`; records are not edited by hand."
        )


def _place(folder: Path, id: str, suffix: str) -> Path:
    parts = id.split("/")
    if len(parts) != 2 or not all(part and set(part) <= _ID_SIGNS and part[0].isalnum() for part in parts):
        raise InvalidValue(
            f"{id!r} cannot name a record: write study/name, each of lower-case letters, digits and `-_.=,+`."
        )
    return folder / parts[0] / f"{parts[1]}{suffix}"


_ID_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.=,+")


def _plain_verified(record: Record) -> JSON | None:
    return asdict(record.verified) if record.verified else None


def _finite(values: Iterable[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS - 1}e}") if np.isfinite(value) else None


def _readable(content: JSON) -> str:
    """Return JSON with one field a line, and one curve a line: differences can be read, and files stay short."""
    lines = [
        f" {_json(key)}: {_curve_lines(value) if key == 'curves' else _json(value)}" for key, value in content.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _curve_lines(curves: Mapping[str, Any]) -> str:
    lines = [f"  {_json(name)}: {_json(values)}" for name, values in curves.items()]
    return "{\n" + ",\n".join(lines) + "\n }"


def _write_aside(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as part:
        part.write(text)
    Path(part.name).chmod(0o644)  # temporary files are private, records are not
    Path(part.name).replace(path)
