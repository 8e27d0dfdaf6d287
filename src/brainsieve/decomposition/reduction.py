"""From runs to a few maps: each run is reduced by itself, then the reduced runs of all subjects together.

A run X (n_samples, n_points) is reduced to its first k principal maps, rows of variance S_i² that are S_i u_iᵀ in the
singular value decomposition X = Σ v_i S_i u_iᵀ. They are v_iᵀ X with the eigenvectors v_i of the small matrix X Xᵀ.
The rows of all runs are stacked in a file, and the group's maps come of the eigenvectors of the stack's own products:
memory holds one run and the maps, however many subjects there are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from brainsieve.logs import warn

# Points that are brought to float64 at a time.
TILE_POINTS = 4096
# A direction of which the singular value is so small a share of the largest is rounding: eigenvalues of X Xᵀ are
# squares, known to 1e-16 of the largest.
NO_VARIANCE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 3e-8}
# Rows whose products with one another are kept, at most; of more, the maps are found by iterated passes.
N_ROWS_AT_ONCE = 1500
MAX_PASSES = 200


def reduced_run(signals: NDArray, n_components: int | None = None) -> NDArray:
    """The first principal maps of a run, each times its singular value.

    Parameters
    ----------
    signals : array of shape (n_samples, n_points)
    n_components : int, optional
        How many; at most n_samples. Default: n_samples, which is the run rotated.

    Returns
    -------
    rows : array of shape (min(n_components, n_samples), n_points)
        In the dtype of the signals, largest singular value first. A row of which the singular value is rounding is 0.
    """
    n_samples, n_points = signals.shape
    k = n_samples if n_components is None else min(n_components, n_samples)
    gram = np.zeros((n_samples, n_samples))
    for tile in tiles(n_points):
        block = signals[:, tile].astype(np.float64)
        gram += block @ block.T
    eigenvalues, vectors = linalg.eigh(gram, subset_by_index=(n_samples - k, n_samples - 1))
    rotation = vectors[:, ::-1].T
    rotation[eigenvalues[::-1] <= least_share(signals.dtype) ** 2 * np.trace(gram)] = 0
    rows = np.empty((k, n_points), dtype=signals.dtype)
    for tile in tiles(n_points):
        rows[:, tile] = rotation @ signals[:, tile].astype(np.float64)
    return rows


def tiles(n_points: int, width: int = TILE_POINTS) -> Iterator[slice]:
    """Ranges of points, one after the other."""
    for start in range(0, n_points, width):
        yield slice(start, min(start + width, n_points))


def least_share(dtype: np.dtype) -> float:
    """The share of the largest singular value below which one is rounding."""
    return NO_VARIANCE.get(np.dtype(dtype), NO_VARIANCE[np.dtype(np.float64)])


class Stack:
    """Rows of many runs over the same points, kept in a file without a name and read range by range.

    Parameters
    ----------
    n_points : int

    Attributes
    ----------
    n_rows : int
    dtype : numpy.dtype
        float32 if the rows of all runs are.
    norms : array of shape (n_rows,)
        Euclidean norms of the rows.
    """

    def __init__(self, n_points: int) -> None:
        self.n_points = n_points
        self.norms: NDArray[np.float64] = np.zeros(0)
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the stack)
        # Of each row: where it starts in the file, in bytes, and its dtype.
        self._rows: list[tuple[int, np.dtype]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def n_rows(self) -> int:
        return len(self._rows)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.result_type(*{dtype for _, dtype in self._rows}))

    def append(self, rows: NDArray) -> None:
        """Add the rows (k, n_points) of a run."""
        if rows.shape[1] != self.n_points:
            raise ValueError(f"A run has {rows.shape[1]} points, those before it {self.n_points}.")
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(rows).data)
        size = self.n_points * rows.itemsize
        self._rows += [(start + i * size, rows.dtype) for i in range(len(rows))]
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        self.norms = np.concatenate([self.norms, norms])

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Ranges of points, and all rows there: (n_rows, width)."""
        width = max(256, min(TILE_POINTS, 2**21 // max(1, self.n_rows)))
        for tile in tiles(self.n_points, width):
            block = np.empty((self.n_rows, tile.stop - tile.start))
            for i in range(self.n_rows):
                block[i] = self._read(i, tile)
            yield tile, block

    def rows(self, start: int, stop: int) -> NDArray[np.float64]:
        """Some rows at all points: (stop - start, n_points)."""
        everywhere = slice(0, self.n_points)
        return np.stack([self._read(i, everywhere) for i in range(start, stop)]).astype(np.float64)

    def at(self, points: NDArray[np.intp]) -> NDArray[np.float64]:
        """All rows at some points, a point in each row: (len(points), n_rows)."""
        found = np.empty((len(points), self.n_rows))
        everywhere = slice(0, self.n_points)
        for i in range(self.n_rows):
            found[:, i] = self._read(i, everywhere)[points]
        return found

    def _read(self, row: int, points: slice) -> NDArray:
        start, dtype = self._rows[row]
        self._file.seek(start + points.start * dtype.itemsize)
        return np.frombuffer(self._file.read((points.stop - points.start) * dtype.itemsize), dtype=dtype)

    def combined(self, weights: NDArray) -> NDArray[np.float64]:
        """Sums of the rows: weights @ stack, of shape (len(weights), n_points)."""
        sums = np.empty((len(weights), self.n_points))
        for tile, block in self.blocks():
            sums[:, tile] = weights @ block
        return sums

    def onto(self, maps: NDArray) -> NDArray[np.float64]:
        """Products of maps with the rows: maps @ stackᵀ, of shape (n_maps, n_rows)."""
        products = np.zeros((len(maps), self.n_rows))
        for tile, block in self.blocks():
            products += maps[:, tile].astype(np.float64) @ block.T
        return products


def group_maps(
    stack: Stack, n_components: int, *, equal_rows: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Principal maps of the rows of all runs.

    Parameters
    ----------
    stack : Stack
    n_components : int
    equal_rows : bool, default=True
        Give each row norm 1 before, so that the maps are those that runs have in common, as in canonical correlation.

    Returns
    -------
    maps : array of shape (n_found, n_points)
        Orthonormal; the largest value of each is positive. Fewer than asked for if the stack has no more.
    singular_values : array of shape (n_found,)
        Descending.

    Raises
    ------
    ValueError
        If all rows are 0.
    """
    scale = np.ones(stack.n_rows)
    if equal_rows:
        scale = np.divide(1.0, stack.norms, out=scale, where=stack.norms > 0)
    if not stack.norms.any():
        raise ValueError("No component found: every series is constant, or explained by confounds or trends.")
    k = min(n_components, stack.n_rows, stack.n_points)
    decompose = _by_products if stack.n_rows <= N_ROWS_AT_ONCE else _by_passes
    maps, singular_values = decompose(stack, scale, k)
    found = singular_values > least_share(stack.dtype) * singular_values[0]
    maps, singular_values = maps[found], singular_values[found]
    largest = np.take_along_axis(maps, np.abs(maps).argmax(axis=1)[:, None], axis=1)
    maps *= np.sign(largest)
    return maps, singular_values


def _by_products(stack: Stack, scale: NDArray, k: int) -> tuple[NDArray, NDArray]:
    """From the eigenvectors of the products of rows: two passes."""
    gram = np.zeros((stack.n_rows, stack.n_rows))
    for _, block in stack.blocks():
        block *= scale[:, None]
        gram += block @ block.T
    n = stack.n_rows
    eigenvalues, vectors = linalg.eigh(gram, subset_by_index=(n - k, n - 1))
    singular_values = np.sqrt(np.maximum(eigenvalues[::-1], 0))
    weights = (vectors[:, ::-1] * scale[:, None]).T
    weights /= np.maximum(singular_values, np.finfo(float).tiny)[:, None]
    return stack.combined(weights), singular_values


def _by_passes(stack: Stack, scale: NDArray, k: int) -> tuple[NDArray, NDArray]:
    """By subspace iteration (Rutishauser 1970, doi:10.1007/BF02219773), whose memory does not grow with the rows."""
    size = min(2 * k + 10, stack.n_points, stack.n_rows)
    basis = np.random.RandomState(0).normal(size=(stack.n_points, size))
    before = np.zeros(k)
    for _ in range(MAX_PASSES):
        basis = linalg.qr(basis, mode="economic", check_finite=False)[0]
        image = _image_of(stack, scale, basis)
        eigenvalues, vectors = linalg.eigh(basis.T @ image)
        now = eigenvalues[::-1][:k]
        if np.abs(now - before).max() <= 1e-10 * now[0]:
            break
        basis, before = image, now
    else:
        warn(f"The group's maps had not settled after {MAX_PASSES} passes over {stack.n_rows} rows.")
    maps = np.ascontiguousarray((basis @ vectors[:, ::-1][:, :k]).T)
    return maps, np.sqrt(np.maximum(now, 0))


def _image_of(stack: Stack, scale: NDArray, basis: NDArray) -> NDArray[np.float64]:
    """stackᵀ stack basis, a few rows at a time."""
    image = np.zeros(basis.shape)
    step = max(1, basis.shape[1])
    for start in range(0, stack.n_rows, step):
        stop = min(start + step, stack.n_rows)
        rows = stack.rows(start, stop) * scale[start:stop, None]
        image += rows.T @ (rows @ basis)
    return image
