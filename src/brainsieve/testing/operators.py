"""The contract of spatial operators, linear or not."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.operator import MatrixWeights, SpatialOperator
from brainsieve.testing.claims import assert_refused

# Sums of some hundred terms in float64, relative to the largest of them.
ROUNDING = 1e-11
# Weights that folding may drop, as a share of the largest of their feature.
DROPPED = 1e-6


class OperatorContract(ABC):
    """What every `SpatialOperator` keeps. Subclasses say how one is made, and what it means."""

    seed = 0
    # Relative to the largest result; operators with a solution inside lose more than sums do.
    tolerance = ROUNDING

    @abstractmethod
    def make(self) -> SpatialOperator:
        """An operator with at most some thousand points; the same at each call."""

    def meaning(self, block: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """What a float64 block of shape (n_samples, n_points) gives, written plainly; None: not checked."""
        return None

    # -- numbers -------------------------------------------------------------------------------------------

    def test_it_gives_what_it_means(self) -> None:
        _operator, block, got, size = self._tried()
        expected = self.meaning(block)
        if expected is not None:
            assert_allclose(got, expected, atol=self.tolerance * size)

    def test_shapes_and_dtypes(self) -> None:
        operator, block, got, _ = self._tried()
        assert got.shape == (len(block), operator.n_features)
        assert got.dtype == np.float64
        assert operator.forward(block[:0]).shape == (0, operator.n_features)

    def test_the_input_is_neither_changed_nor_needed_contiguous(self) -> None:
        operator, block, expected, size = self._tried()
        read_only = block.copy()
        read_only.setflags(write=False)
        assert_array_equal(operator.forward(read_only), expected)
        assert_array_equal(read_only, block)
        # As CIFTI files are read: samples run fastest.
        assert_allclose(operator.forward(np.asfortranarray(block)), expected, atol=ROUNDING * size)
        wider = np.full((2 * len(block), operator.n_points + 3), np.nan)
        wider[::2, :-3] = block
        assert_array_equal(operator.forward(wider[::2, :-3]), expected)

    def test_every_dtype_gives_what_float64_gives(self) -> None:
        operator, block, _, size = self._tried()
        for dtype in (bool, np.uint8, np.int16, np.uint16, np.int32, np.float32):
            typed = np.clip(block, 0, None).astype(dtype)
            got = operator.forward(typed)
            assert got.dtype == np.float64 or dtype is np.float32
            tolerance = 1e-5 if dtype is np.float32 else ROUNDING
            assert_allclose(got, operator.forward(typed.astype(np.float64)), atol=tolerance * size)

    def test_results_are_cast_into_what_is_given(self) -> None:
        operator, block, expected, size = self._tried()
        out = np.full(expected.shape, np.nan, dtype=np.float32)
        operator.forward_into(block, out)
        assert_allclose(out, expected, rtol=1e-6, atol=1e-6 * size)

    def test_samples_do_not_mix(self) -> None:
        operator, block, expected, size = self._tried()
        one_by_one = np.vstack([operator.forward(row[None]) for row in block])
        assert_allclose(one_by_one, expected, atol=ROUNDING * size)
        assert_allclose(operator.forward(block[::-1]), expected[::-1], atol=ROUNDING * size)

    def test_points_outside_of_the_support_cannot_matter(self) -> None:
        operator, block, expected, size = self._tried()
        support = operator.support
        if support is None:
            return
        other = np.full_like(block, 1e9)
        other[:, support] = block[:, support]
        assert_array_equal(operator.forward(other), expected)
        moved = operator.renumbered(lambda points: points + 2, operator.n_points + 4)
        shifted = np.pad(other, [(0, 0), (2, 2)], constant_values=-5)
        assert moved.n_points == operator.n_points + 4
        assert_allclose(moved.forward(shifted), expected, atol=ROUNDING * size)

    def test_wrong_widths_are_refused(self) -> None:
        operator = self.make()
        wrong = np.zeros((2, operator.n_points + 1))
        assert_refused(lambda: operator.forward(wrong), ValueError, str(operator.n_points), str(wrong.shape))
        signals = np.zeros((2, operator.n_features + 1))
        if operator.is_linear:
            assert_refused(lambda: operator.adjoint(signals), ValueError, str(operator.n_features))
        else:
            assert_refused(lambda: operator.adjoint(signals), TypeError, "not linear")

    # -- what it promises ----------------------------------------------------------------------------------

    def test_copies_and_threads_give_the_same(self) -> None:
        operator, block, expected, _ = self._tried()
        assert_array_equal(pickle.loads(pickle.dumps(operator)).forward(block), expected)
        with ThreadPoolExecutor(4) as pool:
            for result in pool.map(operator.forward, [block] * 8):
                assert_array_equal(result, expected)

    def test_it_says_what_it_costs(self) -> None:
        operator = self.make()
        assert isinstance(operator.nbytes, int | np.integer) and operator.nbytes >= 0
        assert np.isfinite(operator.work) and operator.work >= 0
        assert operator.steps

    def test_it_is_linear_and_its_adjoint_moves_across_the_inner_product(self) -> None:
        operator, block, expected, size = self._tried()
        if not operator.is_linear:
            return
        rng = np.random.default_rng(self.seed + 1)
        other = rng.normal(size=block.shape)
        mixed = operator.forward(2 * block - other)
        assert_allclose(mixed, 2 * expected - operator.forward(other), atol=10 * ROUNDING * size)
        signals = rng.normal(size=expected.shape)
        back = operator.adjoint(signals)
        assert back.shape == block.shape
        scale = np.abs(expected * signals).sum() + np.abs(block * back).sum() + 1
        assert_allclose((expected * signals).sum(), (block * back).sum(), atol=ROUNDING * scale)

    def test_its_matrix_is_what_it_does(self) -> None:
        operator, block, expected, size = self._tried()
        if not operator.is_sparse:
            assert_refused(operator.tosparse, TypeError, type(operator).__name__)
            return
        matrix = operator.tosparse()
        assert matrix.shape == (operator.n_features, operator.n_points)
        assert_allclose(block @ matrix.toarray().T, expected, atol=ROUNDING * size)
        for row, (points, weights) in zip(matrix.toarray(), operator.rows(), strict=True):
            assert_allclose(np.bincount(points, weights, minlength=operator.n_points), row)

    def test_values_that_are_not_mixed_are_those_of_the_support(self) -> None:
        operator, block, expected, _ = self._tried()
        if not operator.mixes_points:
            assert_array_equal(expected, block[:, operator.support])
        if operator.is_identity:
            assert_array_equal(expected, block)

    # -- how it folds --------------------------------------------------------------------------------------

    def test_weights_behind_it_move_before_it(self) -> None:
        operator, block, expected, size = self._tried()
        if not operator.is_linear:
            return
        rng = np.random.default_rng(self.seed + 2)
        dense = rng.random((3, operator.n_features)) * (rng.random((3, operator.n_features)) > 0.5)
        moved = operator.weights_before(MatrixWeights(sparse.csr_array(dense)), np.inf)
        if moved is None:
            return
        sums = np.abs(dense).sum(axis=1).max(initial=1.0)
        assert_allclose(block @ moved.toarray().T, expected @ dense.T, atol=DROPPED * size * sums)

    def test_a_part_of_its_features_is_what_the_whole_has_there(self) -> None:
        operator, block, expected, size = self._tried()
        rng = np.random.default_rng(self.seed + 3)
        wanted = rng.permutation(operator.n_features)[: max(1, operator.n_features // 7)]
        restricted = operator.restricted(wanted) if operator.n_features else None
        if restricted is None:
            return
        part, renumber = restricted
        got = part.forward(block)[:, renumber(wanted)]
        assert_allclose(got, expected[:, wanted], atol=ROUNDING * size)
        reach = part.on_reach()
        if reach is not None:
            on_reach, points = reach
            assert_allclose(on_reach.forward(block[:, points]), part.forward(block), atol=ROUNDING * size)

    def test_ranges_of_its_points_add_up(self) -> None:
        operator, block, expected, size = self._tried()
        if not operator.takes_ranges_of_points:
            assert_refused(operator.ranges, TypeError, type(operator).__name__)
            return
        ranges = operator.ranges()
        total = np.zeros((len(block), ranges.sums.n_features))
        ends = np.linspace(0, operator.n_points, 4).astype(int)
        for start, stop in zip(ends[:-1], ends[1:], strict=True):
            rows, part = ranges.at(slice(int(start), int(stop)))
            total[:, rows] += part.forward(block[:, start:stop])
        solved = total if ranges.solution is None else total @ ranges.solution
        assert_allclose(solved, expected, atol=self.tolerance * size)

    def test_its_sums_can_be_put_back(self) -> None:
        operator, block, expected, size = self._tried()
        if operator.sums is not None:
            assert_allclose(operator.on_sums(operator.sums).forward(block), expected, atol=ROUNDING * size)
        assert_allclose(operator.as_applied().forward(block), expected, atol=ROUNDING * size)

    def _tried(self) -> tuple[SpatialOperator, NDArray, NDArray, float]:
        operator = self.make()
        block = np.random.default_rng(self.seed).normal(10, 3, (3, operator.n_points))
        result = operator.forward(block)
        return operator, block, result, 1 + float(np.nanmax(np.abs(result), initial=0))


def check_operator(operator: SpatialOperator, seed: int = 0, **attributes: Any) -> None:
    """Hold one operator to the contract: for those that are made at random.

    Parameters
    ----------
    operator : SpatialOperator
    seed : int, default=0
        Of the numbers that it is tried on.
    **attributes
        Of `OperatorContract`, in place of its own.

    Raises
    ------
    AssertionError
        At the first thing that an operator keeps and this one does not.
    """
    contract = type(
        "Contract", (OperatorContract,), {"make": lambda self: operator, "seed": seed, **attributes}
    )()
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()
