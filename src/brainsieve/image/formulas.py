"""Formulas on arrays: what may stand in one, and its value.

A formula is parsed and walked, never handed to the interpreter: what is not listed here does not exist for it.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
BUILTINS = {name: getattr(builtins, name) for name in "abs bool float int len max min round sum".split()}
# What computes on arrays or makes one of its arguments: nothing that reads, writes, calls back or sees memory.
NUMPY_NAMES = frozenset(
    """
    abs absolute add all amax amin any append arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax
    argmin argsort argwhere around array asarray atleast_1d atleast_2d atleast_3d average bitwise_and bitwise_not
    bitwise_or bitwise_xor broadcast_to cbrt ceil clip concatenate copysign corrcoef cos cosh count_nonzero cov cross
    cumprod cumsum deg2rad degrees diff digitize divide dot dstack e equal exp exp2 expand_dims expm1 eye fabs fix flip
    fliplr flipud floor floor_divide fmax fmin fmod full full_like gradient greater greater_equal heaviside histogram
    hstack hypot identity imag inf inner interp invert isclose isfinite isin isinf isnan less less_equal linspace log
    log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logspace matmul max maximum
    mean median meshgrid min minimum mod moveaxis multiply nan nan_to_num nanargmax nanargmin nancumsum nanmax nanmean
    nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar negative newaxis nonzero not_equal ones
    ones_like outer percentile pi positive power prod ptp quantile rad2deg radians ravel real reciprocal remainder
    repeat reshape rint roll rollaxis rot90 round searchsorted select sign signbit sin sinc sinh sort sqrt square
    squeeze stack std subtract sum swapaxes take tan tanh tensordot tile transpose trapezoid tril triu true_divide
    trunc unique unravel_index var vstack where zeros zeros_like
    bool_ complex128 complex64 float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8
    linalg.det linalg.eigh linalg.inv linalg.norm linalg.pinv linalg.svd
    """.split()
)
ARRAY_NAMES = frozenset(
    """
    T all any argmax argmin argsort astype clip conj copy cumprod cumsum dot dtype flatten imag item max mean min ndim
    nonzero prod ptp ravel real repeat reshape round shape size sort squeeze std sum swapaxes take tolist trace
    transpose var
    """.split()
)
# Products of numbers grow beyond any memory in a few characters: 9**9**9.
MOST_DIGITS = 1000


class FormulaError(ValueError):
    """A formula has something that is not allowed, or is none."""


def evaluated(formula: str, arrays: Mapping[str, NDArray]) -> Any:
    """The value of a formula.

    Parameters
    ----------
    formula : str
        Arithmetic, comparisons, boolean and bit operators, indexing, choices (``a if n > 1 else b``); the names given,
        some of numpy's functions as ``np.…``, the usual methods of arrays, and ``abs``, ``bool``, ``float``, ``int``,
        ``len``, ``max``, ``min``, ``round``, ``sum``.
    arrays : mapping of str to array
        What its names stand for.

    Raises
    ------
    FormulaError
        For anything else; the message has the piece.
    """
    try:
        tree = ast.parse(formula.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"it is no expression: {error}") from None
    try:
        return _Walk(arrays).value(tree.body)
    except RecursionError:
        raise FormulaError("it is nested too deeply") from None


class _Walk:
    """Computes the value of a tree, node by node."""

    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        self._arrays = arrays

    def value(self, node: ast.AST) -> Any:
        method = getattr(self, f"_of_{type(node).__name__}", None)
        if method is None:
            raise FormulaError(f"{_text(node)!r} ({type(node).__name__}) is not allowed")
        return method(node)

    def _of_Constant(self, node: ast.Constant) -> Any:  # noqa: N802 - names of ast
        return node.value

    def _of_Name(self, node: ast.Name) -> Any:  # noqa: N802
        if node.id in self._arrays:
            return self._arrays[node.id]
        if node.id in BUILTINS:
            return BUILTINS[node.id]
        known = ", ".join(self._arrays)
        raise FormulaError(f"the name {node.id!r} is not known; the images are {known}, numpy is np")

    def _of_Attribute(self, node: ast.Attribute) -> Any:  # noqa: N802
        name = _numpy_name(node, self._arrays)
        if name is not None:
            if name not in NUMPY_NAMES:
                raise FormulaError(f"{'np.' + name!r} is not among the functions of numpy that are allowed")
            return operator.attrgetter(name)(np)
        if node.attr not in ARRAY_NAMES:
            raise FormulaError(f"the attribute {node.attr!r} in {_text(node)!r} is not allowed")
        owner = self.value(node.value)
        if not isinstance(owner, np.ndarray | np.generic):
            raise FormulaError(f"{_text(node)!r}: {_text(node.value)!r} is no array")
        return getattr(owner, node.attr)

    def _of_Call(self, node: ast.Call) -> Any:  # noqa: N802
        if not isinstance(node.func, ast.Name | ast.Attribute):
            raise FormulaError(f"{_text(node)!r} calls what is no function")
        function = self.value(node.func)
        if not callable(function):
            raise FormulaError(f"{_text(node.func)!r} is no function")
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise FormulaError(f"{_text(node)!r}: stars are not allowed")
        given = {}
        for keyword in node.keywords:
            # out= would write into the images.
            if keyword.arg is None or keyword.arg == "out":
                raise FormulaError(
                    f"{_text(node)!r}: {'stars are' if keyword.arg is None else 'out= is'} not allowed"
                )
            given[keyword.arg] = self.value(keyword.value)
        values = [self.value(argument) for argument in node.args]
        return function(*values, **given)

    def _of_BinOp(self, node: ast.BinOp) -> Any:  # noqa: N802
        compute = BINARY.get(type(node.op))
        if compute is None:
            raise FormulaError(f"the operator of {_text(node)!r} is not allowed")
        left, right = self.value(node.left), self.value(node.right)
        _refuse_huge(node, left, right)
        return compute(left, right)

    def _of_UnaryOp(self, node: ast.UnaryOp) -> Any:  # noqa: N802
        return UNARY[type(node.op)](self.value(node.operand))

    def _of_BoolOp(self, node: ast.BoolOp) -> Any:  # noqa: N802
        value = None
        for part in node.values:
            value = self.value(part)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _of_Compare(self, node: ast.Compare) -> Any:  # noqa: N802
        left, result = self.value(node.left), None
        for kind, part in zip(node.ops, node.comparators, strict=True):
            compare = COMPARISONS.get(type(kind))
            if compare is None:
                raise FormulaError(f"the comparison in {_text(node)!r} is not allowed")
            right = self.value(part)
            one = compare(left, right)
            result = one if result is None else result and one
            left = right
        return result

    def _of_IfExp(self, node: ast.IfExp) -> Any:  # noqa: N802
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _of_Subscript(self, node: ast.Subscript) -> Any:  # noqa: N802
        return self.value(node.value)[self.value(node.slice)]

    def _of_Slice(self, node: ast.Slice) -> slice:  # noqa: N802
        ends = (node.lower, node.upper, node.step)
        return slice(*(None if end is None else self.value(end) for end in ends))

    def _of_Tuple(self, node: ast.Tuple) -> tuple[Any, ...]:  # noqa: N802
        return tuple(self.value(part) for part in node.elts)

    def _of_List(self, node: ast.List) -> list[Any]:  # noqa: N802
        return [self.value(part) for part in node.elts]


def _numpy_name(node: ast.Attribute, arrays: Mapping[str, NDArray]) -> str | None:
    """What follows ``np.``; None where this is something else."""
    names = [node.attr]
    inner: ast.AST = node.value
    while isinstance(inner, ast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    is_numpy = isinstance(inner, ast.Name) and inner.id in ("np", "numpy") and inner.id not in arrays
    return ".".join(reversed(names)) if is_numpy else None


def _refuse_huge(node: ast.BinOp, left: Any, right: Any) -> None:
    """Refuse numbers and lists that grow out of hand: arrays have a size of their own, these have none."""
    if isinstance(node.op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
        if left.bit_length() * abs(right) > 4 * MOST_DIGITS:
            raise FormulaError(f"{_text(node)!r} has more than {MOST_DIGITS} digits")
    if isinstance(node.op, ast.Mult) and any(isinstance(side, str | list | tuple) for side in (left, right)):
        raise FormulaError(f"{_text(node)!r} repeats what is no array")


def _text(node: ast.AST) -> str:
    return ast.unparse(node)
