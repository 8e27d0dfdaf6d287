"""Contrasts as text: sums, differences and multiples of columns, by a grammar of our own.

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }         one factor at most is of columns; "/" is by numbers
    factor  = ("+" | "-") factor | number | name | `any name` | "(" sum ")"

Nothing of it is run as code. What means no contrast (a power, a comparison, a number that is added) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import nearest

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)"
    r"|(?P<name>[^\W\d][\w.]*)|`(?P<quoted>[^`]*)`|(?P<sign>[-+*/()]))"
)
# A number, or a vector over the columns.
_Term = float | NDArray[np.float64]


def expression_to_contrast_vector(expression: str, design_columns: Sequence[str]) -> NDArray[np.float64]:
    """The weights of columns that an expression stands for.

    Parameters
    ----------
    expression : str
        The name of a column, or names with ``+``, ``-``, ``* number``, ``/ number`` and parentheses. Names that are no
        words stand in backticks: ```face-1` - house``.
    design_columns : sequence of str

    Returns
    -------
    weights : array of shape (n_columns,)

    Raises
    ------
    ValueError
        For a name that is no column, and for all that is not such a sum; the message lists the columns.
    """
    names = [str(name) for name in design_columns]
    if expression in names:
        return np.eye(len(names))[names.index(expression)]
    return _Reader(expression, names).weights()


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, expression: str, names: list[str]) -> None:
        self._expression = expression
        self._names = names
        self._tokens = list(self._split())
        self._at = 0

    def weights(self) -> NDArray[np.float64]:
        term = self._sum()
        if self._peek() is not None:
            self._refuse(f"{self._peek()!r} is not expected there")
        if isinstance(term, float):
            self._refuse("it has no column")
        assert not isinstance(term, float)
        return term

    def _split(self) -> list[tuple[str, str]]:
        tokens, at, text = [], 0, self._expression.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self._refuse(f"{text[at:].strip()[0]!r} means nothing in a contrast")
            assert match is not None and match.lastgroup is not None
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        return tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _takes(self, *signs: str) -> str | None:
        """The next token, where it is one of these signs."""
        if self._at < len(self._tokens) and self._tokens[self._at] in [("sign", sign) for sign in signs]:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return None

    def _sum(self) -> _Term:
        left = self._product()
        while sign := self._takes("+", "-"):
            right = self._product()
            if isinstance(left, float) != isinstance(right, float):
                self._refuse("a number is added to columns")
            left = left + right if sign == "+" else left - right
        return left

    def _product(self) -> _Term:
        left = self._factor()
        while sign := self._takes("*", "/"):
            right = self._factor()
            if sign == "/":
                left = self._quotient(left, right)
            elif isinstance(left, float) or isinstance(right, float):
                left = left * right
            else:
                self._refuse("columns are multiplied with each other")
        return left

    def _quotient(self, left: _Term, right: _Term) -> _Term:
        if not isinstance(right, float):
            self._refuse("it divides by a column")
        if isinstance(right, float) and right == 0:
            self._refuse("it divides by 0")
        return left / right

    def _factor(self) -> _Term:
        if self._takes("-"):
            return -self._factor()
        if self._takes("+"):
            return self._factor()
        if self._takes("("):
            inner = self._sum()
            if not self._takes(")"):
                self._refuse("a parenthesis is not closed")
            return inner
        if self._at == len(self._tokens):
            self._refuse("it ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return float(text)
        if kind == "sign":
            self._refuse(f"{text!r} is not expected there")
        return self._column(text)

    def _column(self, name: str) -> NDArray[np.float64]:
        if name not in self._names:
            self._refuse(f"there is no column {name!r}.{nearest(name, self._names)}".rstrip("."))
        return np.eye(len(self._names))[self._names.index(name)]

    def _refuse(self, why: str) -> None:
        odd = [name for name in self._names if not re.fullmatch(r"[^\W\d][\w.]*", name)]
        hint = f" Names that are no words stand in backticks: `{odd[0]}`." if odd else ""
        raise ValueError(
            f"The contrast {self._expression!r} cannot be read: {why}. A contrast is a sum of columns and multiples of "
            f"columns, such as a - b or 0.5 * (a + b). The columns are {', '.join(self._names)}.{hint}"
        )
