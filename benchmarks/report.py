"""From measurements to the tables of benchmarks/README.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from tabulate import tabulate

from alignlib.step_times import PARTS

Results = dict[str, Any]


def fill(text: str, results: Results) -> str:
    """Return the README with everything between its markers ``<!-- NAME -->`` and ``<!-- end -->`` made anew."""
    tables = {
        "machine": machine(results),
        "goals": goals(results),
        "steps": steps(results),
        "growth": growth(results),
        "shares": shares(results),
        "threads": threads(results),
        "jobs": jobs(results),
    }
    for name, table in tables.items():
        text, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda m, table=table: m[1] + "\n" + table + "\n\n" + m[2],
            text,
            flags=re.S,
        )
        if found != 1:
            raise SystemExit(f"benchmarks/README.md needs one place <!-- {name} --> … <!-- end -->; found {found}.")
    return text


def _rounds(results: Results, network: str, batch: int, optimizer: str, step: str) -> np.ndarray | None:
    key = {"network": network, "batch": batch, "optimizer": optimizer, "step": step}
    for row in results["steps"]:
        if all(row[name] == value for name, value in key.items()):
            return np.array(row["rounds"])
    return None


def ratio(results: Results, above: tuple[Any, ...], below: tuple[Any, ...]) -> np.ndarray | None:
    """Return how many times as long the first takes as the second, round by round; None if one was not measured."""
    a, b = _rounds(results, *above), _rounds(results, *below)
    return None if a is None or b is None else a / b


def goals(results: Results) -> str:
    """Return the table of what was to be reached."""
    rows = [_goal(*goal) for goal in _step_goals(results) + _job_goals(results)]
    return tabulate(
        rows, ["", "at least", "aim", "measured", "quartiles", ""], tablefmt="github", disable_numparse=True
    )


def _step_goals(results: Results) -> list[tuple[str, Any, Any, Any, str]]:
    found: list[tuple[str, Any, Any, Any, str]] = []
    for network, least, aim in (("64-128-128-10", 3, 4), ("784-800-800-10", 1.4, 1.8), ("784-7×240-10", 1.3, 2)):
        key = (network, 64, "rmsprop")
        found.append(
            (
                f"PyTorch BP / our BP, {network}, batch 64, RMSprop",
                least,
                aim,
                _rated(results, key, "PyTorch bp", "bp"),
                "×",
            )
        )
    hooks = _all_ratios(results, "PyTorch dfa", "dfa")
    worst_case, slowest = min(hooks.items(), key=lambda case: float(np.median(case[1])), default=("", None))
    found.append(
        (f"DFA by hooks in PyTorch / our DFA, the worst of {len(hooks)} cases: {worst_case}", 2, 3, slowest, "×")
    )
    bounds = [_rated(results, ("784-800-800-10", batch, "sgd"), "bound bp", "bp") for batch in (64, 256)]
    worst = min((100 * bound for bound in bounds if bound is not None), key=np.median)
    found.append(("bound / our BP, 784-800-800-10, SGD, batch 64 and 256, the worse", 80, 90, worst, " %"))
    for optimizer in ("sgd", "rmsprop"):
        dfa = _rated(results, ("784-7×240-10", 64, optimizer), "dfa", "bp")
        saving = None if dfa is None else 100 * (1 - dfa)
        found.append((f"saved by DFA against our BP, 784-7×240-10, batch 64, {optimizer}", 20, None, saving, " %"))
    return found


def _rated(results: Results, key: tuple[Any, ...], above: str, below: str) -> np.ndarray | None:
    return ratio(results, (*key, above), (*key, below))


def _all_ratios(results: Results, above: str, below: str) -> dict[str, np.ndarray]:
    keys = dict.fromkeys((row["network"], row["batch"], row["optimizer"]) for row in results["steps"])
    ratios = {
        f"{n}, batch {batch}, {optimizer}": _rated(results, (n, batch, optimizer), above, below)
        for n, batch, optimizer in keys
    }
    return {case: each for case, each in ratios.items() if each is not None}


def _job_goals(results: Results) -> list[tuple[str, Any, Any, Any, str]]:
    books, mnist = results.get("books", {}), results["mnist_mebibytes"]
    slower = books["peer"] / books["cold"] if books else None
    goals = [
        ("Jupyter Book's own execution / ours, digits book", 1.7, 1.9, slower, "×"),
        ("warm rebuild, nothing changed", -10, -5, results.get("warm"), " s"),
        ("memory of the build, all processes", -2048, None, books.get("memory"), " MiB"),
        ("memory of a 2×800 run on MNIST", -500, -300, mnist, " MiB"),
    ]
    found = [("two workers / one, digits experiments", 1.8, 1.95, np.array(results["jobs"]["speedup"]), "×")]
    return found + [(*goal[:3], None if goal[3] is None else np.array([goal[3]]), goal[4]) for goal in goals]


def _goal(what: str, least: float, aim: float | None, measured: np.ndarray | None, unit: str) -> list[str]:
    """Format one row; a negative goal is a limit not to be passed."""
    sign = "≤ " if least < 0 else "≥ "
    wanted = [f"{sign}{abs(value):g}{unit}" if value is not None else "" for value in (least, aim)]
    if measured is None:
        return [what, *wanted, "not measured", "", ""]
    low, middle, high = np.percentile(measured, (25, 50, 75))
    met = middle <= -least if least < 0 else middle >= least
    digits = 2 if unit == "×" else 0 if unit == " MiB" else 1
    spread = f"{low:.{digits}f}–{high:.{digits}f}" if measured.size > 1 else ""
    return [what, *wanted, f"**{middle:.{digits}f}{unit}**", spread, "met" if met else "not met"]


def steps(results: Results) -> str:
    """Return milliseconds a step, one row a network, batch and optimiser."""
    names = list(dict.fromkeys(row["step"] for row in results["steps"]))
    rows: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in results["steps"]:
        rows.setdefault((row["network"], row["batch"], row["optimizer"]), {})[row["step"]] = row["ms"]
    lines = [[*key, *[f"{by[name]:.3g}" if name in by else "–" for name in names]] for key, by in rows.items()]
    return tabulate(lines, ["network", "batch", "optimiser", *names], tablefmt="github", disable_numparse=True)


def growth(results: Results) -> str:
    """Return the slopes."""
    rows = [[row["what"], ", ".join(map(str, row["values"])), f"{row['slope']:.2f}"] for row in results["growth"]]
    return tabulate(rows, ["what grows", "values", "slope"], tablefmt="github", disable_numparse=True)


def shares(results: Results) -> str:
    """Return where the time of a step goes, in percent."""
    rows = [
        [row["dataset"], "-".join(map(str, row["hidden"])), row["rule"], *[f"{100 * row[part]:.0f}" for part in PARTS]]
        for row in results["shares"]
    ]
    return tabulate(rows, ["data", "hidden", "rule", *PARTS], tablefmt="github", disable_numparse=True)


def threads(results: Results) -> str:
    """Return what two threads make of the independence of DFA's layers."""
    rows = [
        [
            row["width"],
            "error pass and gradients" if row["gradients"] else "error pass",
            f"{middle:.2f} ({low:.2f}–{high:.2f})",
        ]
        for row in results["threads"]
        for low, middle, high in [row["quartiles"]]
    ]
    header = ["units in each of eight layers", "what is shared out", "one thread / two (quartiles)"]
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)


def jobs(results: Results) -> str:
    """Return whole jobs."""
    rates = {int(workers): float(np.median(rate)) for workers, rate in results["jobs"]["rates"].items()}
    rows = [
        [f"digits experiments (2×128, 40 epochs) a minute, {n} worker(s)", f"{rate:.0f}"] for n, rate in rates.items()
    ]
    if books := results.get("books"):
        rows += [
            ["digits book, everything executed and built", f"{books['cold']:.0f} s"],
            ["the same notebooks, executed and built by Jupyter Book", f"{books['peer']:.0f} s"],
        ]
    if warm := results.get("warm"):
        rows.append(["digits book, nothing changed", f"{warm:.1f} s"])
    return _table(rows)


def machine(results: Results) -> str:
    """Return one sentence on the machine."""
    m = results["machine"]
    torch = f"PyTorch {m['torch']}" if m["torch"] else "no PyTorch (its rows are missing)"
    return (
        f"Measured on {results['date']}: {m['cpu']}, {m['cores']} cores, {m['system']}; Python {m['python']}, "
        f"NumPy {m['numpy']} with {m['blas']}, {torch}; one BLAS thread a process."
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, ["job", ""], tablefmt="github", disable_numparse=True)
