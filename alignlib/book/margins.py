"""How far a claim is from turning: read off the comparison that decides it.

A chapter writes ``chapter.claim(…, holds=worst < 8 and np.all(gaps > 2), …)``. The outcome is one bit; whether it is a
near thing stands in the numbers that were compared. So the expression after ``holds=`` is taken from the source of the
calling cell and evaluated once more, with each comparison a < b replaced by its distance (b − a) / (|a| + |b|), *and*
by the smallest and *or* by the largest of them. From a zero that is written down the distance is b − a itself. What is
no comparison of numbers (an equality, a word) has no distance.
"""

from __future__ import annotations

import ast
import linecache
import math
from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import islice, pairwise
from types import FrameType
from typing import Any

import numpy as np

_SMALLER, _GREATER = (ast.Lt, ast.LtE), (ast.Gt, ast.GtE)
_EVERY, _SOME = ("all",), ("any",)


def margin(frame: FrameType, holds: bool) -> float | None:
    """Return the margin of the call that ``frame`` is executing, by the expression of its argument ``holds``.

    Positive where the claim holds. None where the source is not at hand, or no number decides, or the expression does
    not give the same outcome twice.
    """
    call = _call(frame)
    given = [each.value for each in call.keywords if each.arg == "holds"] if call else []
    if not given:
        return None
    try:
        found = evaluate(given[0], {**frame.f_globals, **frame.f_locals})
    except Exception:  # whatever the cell's own expression may raise the second time: a margin is an extra
        return None
    contradicted = found < 0 if holds else found > 0
    return found if math.isfinite(found) and not contradicted else None


def evaluate(expression: ast.expr, names: Mapping[str, Any]) -> float:
    """Return the margin of an expression: infinite, with the sign of its truth, where no number decides."""
    tree = ast.fix_missing_locations(ast.Expression(_margin(expression)))
    helpers = {each.__name__: each for each in (_share, _units, _truth, _each_least, _each_most, _least, _most)}
    return _least(eval(compile(tree, "<margin>", "eval"), {**names, **helpers}))


def _call(frame: FrameType) -> ast.Call | None:
    """Return the syntax tree of the call that a frame is in the middle of."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    if not source or None in positions:
        return None
    for node in ast.walk(ast.parse(source)):
        place = (getattr(node, name, None) for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"))
        if isinstance(node, ast.Call) and tuple(place) == positions:
            return node
    return None


def _margin(node: ast.expr) -> ast.expr:
    """Return an expression that computes the margin of ``node``."""
    match node:
        case ast.Compare():
            sides = pairwise([node.left, *node.comparators])
            pairs = [_compared(op, a, b) for op, (a, b) in zip(node.ops, sides, strict=True)]
            return _helper("_each_least", *pairs)
        case ast.BoolOp():
            every = isinstance(node.op, ast.And)
            return _helper("_least" if every else "_most", *(_margin(value) for value in node.values))
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            every = isinstance(node.op, ast.BitAnd)
            return _helper("_each_least" if every else "_each_most", _margin(node.left), _margin(node.right))
        case ast.UnaryOp(op=ast.Not()):
            return ast.UnaryOp(ast.USub(), _margin(node.operand))
        case ast.IfExp():
            return ast.IfExp(node.test, _margin(node.body), _margin(node.orelse))
        case ast.Call(args=[argument], keywords=[]) if _name(node.func) in ("bool", "bool_"):
            return _margin(argument)
        case ast.Call(args=[argument], keywords=[]) if _name(node.func) in (*_EVERY, *_SOME):
            helper = "_least" if _name(node.func) in _EVERY else "_most"
            if isinstance(argument, ast.GeneratorExp | ast.ListComp):
                return _helper(helper, ast.GeneratorExp(_margin(argument.elt), argument.generators))
            if isinstance(argument, ast.Compare | ast.BinOp):
                return _helper(helper, _margin(argument))
    return _helper("_truth", node)


def _compared(operator: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
    distance = "_units" if _is_zero(left) or _is_zero(right) else "_share"
    if isinstance(operator, _SMALLER):
        return _helper(distance, left, right)
    if isinstance(operator, _GREATER):
        return _helper(distance, right, left)
    return _helper("_truth", ast.Compare(left, [operator], [right]))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _helper(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _share(smaller: Any, larger: Any) -> Any:
    """The distance by which ``smaller`` is the smaller one, as a share of both; 0 where both are zero."""
    smaller, larger = np.asarray(smaller, np.float64), np.asarray(larger, np.float64)
    size = np.abs(smaller) + np.abs(larger)
    with np.errstate(all="ignore"):  # infinities have no distance, and a chapter shows no warning of ours
        return (larger - smaller) / np.where(size == 0, 1.0, size)


def _units(smaller: Any, larger: Any) -> Any:
    """The same from zero, of which no share can be taken: the distance itself."""
    with np.errstate(all="ignore"):
        return np.asarray(larger, np.float64) - np.asarray(smaller, np.float64)


def _truth(value: Any) -> Any:
    return np.where(value if isinstance(value, np.ndarray) else bool(value), math.inf, -math.inf)


def _each_least(*margins: Any) -> Any:
    return reduce(np.minimum, margins)


def _each_most(*margins: Any) -> Any:
    return reduce(np.maximum, margins)


def _least(*margins: Any) -> float:
    return float(np.min([np.min(each) for each in _listed(margins) if np.size(each)] or [math.inf]))


def _most(*margins: Any) -> float:
    return float(np.max([np.max(each) for each in _listed(margins) if np.size(each)] or [-math.inf]))


def _listed(margins: Iterable[Any]) -> Iterable[Any]:
    for each in margins:
        yield from each if hasattr(each, "__next__") else (each,)
