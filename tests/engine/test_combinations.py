"""Features of the engine together: every source × operator × precision × option × samples, against a dense twin.

Each works alone; faults lived where two meet (the file's constant in ranges of points, what is not finite under
an intercept, clipping of deviations). The product is small enough to be run whole.
"""

from __future__ import annotations

import functools
import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage, sparse

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.extract import Request, extract, stream
from brainsieve.engine.source import Block, Source, open_source, value_range
from brainsieve.engine.source.sequence import SequenceSource
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.clipped import Clipped
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import Chain
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import smooth
from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning

GRID = VoxelGrid((4, 3, 5), np.diag([2.0, 2, 2, 1]))
P, T = GRID.n_points, 9
RNG = np.random.default_rng(7)
# Empty at the end: a region that lies outside the image.
CODES = RNG.integers(-1, 4, P)
N_REGIONS = 5

# -- operators, and what they mean ---------------------------------------------------------------------------

# Rows sum to 1 and overshoot, as weights of splines do.
SHARP = sparse.csr_array(3.0 * np.eye(P) - 2.0 * np.roll(np.eye(P), 1, axis=1))
MEANS = np.stack([(f == CODES) / max(1, (f == CODES).sum()) for f in range(N_REGIONS)])
WEIGHTS = MEANS @ SHARP.toarray()
MAPS = RNG.normal(size=(4, P)) * (RNG.random((4, P)) < 0.6)
POINTS = RNG.permutation(P)[:17]


def reduced(x):
    """Medians of regions, each written out; NaN where there is no point."""
    regions = [x[:, f == CODES] for f in range(N_REGIONS)]
    none = np.full(len(x), np.nan)
    return np.stack([np.median(r, axis=1) if r.shape[1] else none for r in regions], axis=1)


OPERATORS = {
    "select": (Select(POINTS, P), lambda x: x[:, POINTS]),
    "average": (SparseOperator(sparse.csr_array(WEIGHTS)), lambda x: x @ WEIGHTS.T),
    "sharp": (Chain([SparseOperator(SHARP), SparseOperator(MEANS)]), lambda x: x @ WEIGHTS.T),
    "maps": (LeastSquares.from_maps(MAPS), lambda x: np.linalg.lstsq(MAPS.T, x.T, rcond=None)[0].T),
    "reduce": (Reduce.from_codes(CODES, N_REGIONS, "median"), reduced),
}
ALL = ("neither", "clip", "omit")
OPTIONS = {"select": ALL, "average": ALL, "sharp": ALL, "maps": ("neither", "clip"), "reduce": ("neither",)}


def dense_twin(values, name, option, kept, clean):
    """What a request means, on the whole run in float64."""
    x = values[kept]
    finite = np.isfinite(x)
    zeroed = np.where(finite, x, 0.0)
    low, high = min(zeroed.min(), 0), max(zeroed.max(), 0)
    if option == "omit" and name == "select":
        out = np.where(finite[:, POINTS], x[:, POINTS], np.nan)
    elif option == "omit":
        with np.errstate(invalid="ignore", divide="ignore"):
            left = finite.astype(float) @ WEIGHTS.T
            left[np.abs(left) < 1e-12] = np.nan
            out = zeroed @ WEIGHTS.T / left * WEIGHTS.sum(axis=1)
    else:
        out = OPERATORS[name][1](zeroed)
    if option == "clip":
        out = np.clip(out, low, high)
    if clean:
        out = out - out.mean(axis=0)
        spread = out.std(axis=0, ddof=1)
        out = out / np.where(spread > 1e-9, spread, np.inf)
    return out


# -- sources -------------------------------------------------------------------------------------------------


class PointsFirst(Source):
    """A file in which time runs fastest, in blocks of 23 points."""

    points_first = True

    def __init__(self, stored, slope, inter):
        self.domain, self.n_samples, self.slope, self.inter = GRID, T, slope, inter
        self._by_point = np.ascontiguousarray(stored.T)
        self.dtype = self._by_point.dtype

    def blocks(self, samples_per_block=None, samples=None):
        for start in range(0, P, 23):
            part = slice(start, min(start + 23, P))
            yield Block(slice(0, T), part, self._by_point[part].T)

    @property
    def identity(self):
        return "points first"


def samples_first(stored, slope, inter, path):
    header = nib.Nifti1Header(endianness=stored.dtype.byteorder.replace("=", "<").replace("|", "<"))
    header.set_data_dtype(stored.dtype)
    header.set_data_shape((*GRID.shape, T))
    header.set_sform(GRID.affine, 1)
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path.write_bytes(header.binaryblock + bytes(4) + stored.tobytes())
    return open_source(path)


def stored_values(dtype, with_nan):
    stored = RNG.normal(900, 60, (T, P)).astype(dtype)
    # What is stored as 0 is a value under an intercept, and a value may be 0 that is not stored as 0.
    stored[:, 13], stored[:, 19] = 0, 1800
    stored[::3, 19] = 1010  # the range of a block is not that of the run
    if with_nan:
        stored[1, WEIGHTS[2] != 0] = np.nan  # all that a region weighs, once
        stored[4, :3] = np.inf
        stored[:, 11] = -np.inf  # a point that never has a value
        stored[0, 7], stored[8, 30] = np.nan, np.nan
    return stored


STORED = [(dtype, False) for dtype in ("<i2", "<u2", "<f4", "<f8", ">i2", ">f4")]
STORED += [(dtype, True) for dtype in ("<f4", "<f8", ">f4")]
# Headers hold these as float32: -40.7 / 0.3, which stands for 0, is then inexact.
SCALINGS = [(1.0, 0.0), (float(np.float32(0.3)), float(np.float32(40.7))), (0.5, -900.0)]
KEPT = {"all samples": None, "some samples": np.array([1, 2, 4, 7, 8])}


@functools.cache
def plan(kept, clean):
    settings = CleaningSettings(standardize="zscore_sample" if clean else None)
    return plan_cleaning(T, settings, sample_mask=None if kept is None else np.array(kept))


def requests_of(name, option, kept, dtype, several):
    """(operator, option, samples, dtype, clean) of each request of a pass."""
    asked = [(name, option, kept, dtype, False)]
    if several:
        other = np.array([0, 3, 4, 5, 6, 7])
        asked += [
            ("average", "neither", other, np.float64, True),
            ("average", "neither", None, np.float64, False),
        ]
        asked += [("maps", "neither", kept, np.float32, True)]
    return asked


@pytest.fixture(autouse=True)
def blocks_of_four_samples_and_tiles_of_three_columns(monkeypatch):
    monkeypatch.setattr("brainsieve.engine.source.file.BUFFER_BYTES", 4 * 8 * P)
    monkeypatch.setattr("brainsieve.engine.sinks.TILE_COLUMNS", 3)


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("dtype, with_nan", STORED, ids=lambda v: {True: "nan", False: "finite"}.get(v, v))
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_what_is_extracted_is_the_dense_twin(scaling, dtype, with_nan, points_first, tmp_path):
    stored = stored_values(dtype, with_nan)
    native = stored.astype(stored.dtype.newbyteorder("="))
    source = (
        PointsFirst(native, *scaling)
        if points_first
        else samples_first(stored, *scaling, tmp_path / "run.nii")
    )
    assert (source.slope, source.inter) == scaling
    values = stored.astype(np.float64) * scaling[0] + scaling[1]
    asked_for = ((name, option) for name in OPERATORS for option in OPTIONS[name])
    for i, ((name, option), samples, held) in enumerate(
        itertools.product(asked_for, KEPT, (np.float32, np.float64))
    ):
        # One request alone and several in turn, so that each operator and option meets both.
        asked = requests_of(name, option, KEPT[samples], held, several=bool((i + i // 2) % 2))
        requests = [
            Request(
                OPERATORS[operator][0],
                plan(None if kept is None else tuple(kept), clean),
                np.dtype(dtype_),
                clip=what == "clip",
                omit_nonfinite=what == "omit",
                watched=np.arange(P),
            )
            for operator, what, kept, dtype_, clean in asked
        ]
        answers = extract(source, requests, n_threads=1)
        for (operator, what, kept, dtype_, clean), answer in zip(asked, answers, strict=True):
            rows = np.arange(T) if kept is None else kept
            expected = dense_twin(values, operator, what, rows, clean)
            # float32 has seven digits; what stands for NaN in float32 files is rounded to it, too.
            narrow = dtype_ == np.float32 or "f4" in dtype
            largest = 1.0 if clean else np.abs(np.where(np.isfinite(values), values, 0)).max()
            tolerance = ((1e-5 if clean else 3e-6) if narrow else 1e-10) * largest
            where = f"{operator} {what} {samples} {dtype_.__name__} clean={clean} of {len(asked)}"
            assert answer.values.dtype == dtype_, where
            assert_within(answer.values, expected, tolerance, where)
            x = values[rows]
            assert np.array_equal(answer.has_data, (np.isfinite(x) & (x != 0)).any(axis=0)), where
        needed = np.unique(np.concatenate([np.arange(T) if a[2] is None else a[2] for a in asked]))
        assert answers[0].n_read == len(needed)
        counted = answers[0].n_nonfinite
        assert np.array_equal(
            np.zeros(P) if counted is None else counted, (~np.isfinite(values[needed])).sum(axis=0)
        )


def assert_within(found, expected, tolerance, where):
    assert found.shape == expected.shape, where
    assert np.array_equal(np.isnan(found), np.isnan(expected)), where
    assert np.nanmax(np.abs(found - expected)) <= tolerance, where


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
def test_streamed_features_are_those_of_the_run(block, points_first, scaling, dtype, tmp_path):
    stored = stored_values(dtype, dtype == "<f4")
    source = (
        PointsFirst(stored, *scaling)
        if points_first
        else samples_first(stored, *scaling, tmp_path / "run.nii")
    )
    values = stored.astype(np.float64) * scaling[0] + scaling[1]
    for name, held in itertools.product(OPERATORS, (np.float32, np.float64)):
        for option in OPTIONS[name]:
            # What is done in time needs the whole run: streams leave it out.
            time = plan(None, True)
            request = Request(OPERATORS[name][0], time, np.dtype(held), option == "clip", option == "omit")
            parts = list(stream(source, request, block))
            assert [len(part) for part in parts] == [min(block, T - i) for i in range(0, T, block)]
            expected = dense_twin(values, name, option, np.arange(T), clean=False)
            assert_within(np.vstack(parts), expected, 3e-6 * 900, f"{name} {option}")


WIDE = [("<i4", 1.0, 0.0), (">u4", 1.0, 0.0), ("<f8", 1.0, 0.0), ("<i4", 0.5, 0.0), ("<i2", 1.0, 2e8)]


@pytest.mark.parametrize("with_nan", [False, True], ids=["finite", "nan"])
@pytest.mark.parametrize("dtype, slope, inter", WIDE, ids=str)
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_what_float32_does_not_hold_is_cleaned_with_all_its_digits(
    points_first, dtype, slope, inter, with_nan, tmp_path
):
    """float32 steps by 16 at 2e8: of series that vary by 30 it would hold a few steps, in voxels and their sums."""
    mean = 0 if inter else 2e8 / slope
    stored = (mean + np.random.default_rng(2).normal(0, 30 / slope, (T, P))).astype(dtype)
    if with_nan:
        if stored.dtype.kind != "f":
            pytest.skip("integers are finite")
        stored[0, 2:9], stored[4, 20] = np.nan, np.inf
    native = stored.astype(stored.dtype.newbyteorder("="))
    if points_first:
        source = PointsFirst(native, slope, inter)
    else:
        source = samples_first(stored, slope, inter, tmp_path / "run.nii")
    values = stored.astype(np.float64) * slope + inter
    for name, samples in itertools.product(("select", "average", "sharp", "maps"), KEPT):
        kept = np.arange(T) if KEPT[samples] is None else KEPT[samples]
        for option in OPTIONS[name]:
            request = Request(
                OPERATORS[name][0],
                plan(tuple(kept), True),
                np.dtype(np.float32),
                clip=option == "clip",
                omit_nonfinite=option == "omit",
            )
            (answer,) = extract(source, [request], n_threads=1)
            expected = dense_twin(values, name, option, kept, clean=True)
            assert_within(answer.values, expected, 1e-5, f"{name} {option} {samples}")


@pytest.mark.parametrize("held", [np.float32, np.float64])
def test_smoothed_voxels_of_float32_keep_the_digits_that_float32_has(held):
    """Smoothing works in float32, which would take three digits from what varies, whatever it is held in."""
    stored = (20_000 + np.random.default_rng(3).normal(0, 30, (T, P))).astype(np.float32)
    space = fold([smooth(GRID, 5.0), Select(POINTS, P)], "stepwise")
    for source in (PointsFirst(stored, 0.5, 3e4), PointsFirst(stored, 1.0, 0.0)):
        (answer,) = extract(source, [Request(space, plan(None, True), np.dtype(held))])
        sigma = 5.0 / np.sqrt(8 * np.log(2)) / 2
        values = stored.astype(np.float64) * source.slope + source.inter
        volumes = [row.reshape(GRID.shape, order="F") for row in values]
        smoothed = np.stack([ndimage.gaussian_filter(v, sigma, truncate=4).ravel(order="F") for v in volumes])
        x = smoothed[:, POINTS]
        np.testing.assert_allclose(answer.values, (x - x.mean(0)) / x.std(0, ddof=1), atol=5e-6)


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_what_is_not_finite_is_no_value_that_is_counted(points_first, tmp_path):
    """The stored number that stands for 0 is not exactly 0 once it is scaled."""
    stored = stored_values("<f4", True)
    scaling = SCALINGS[1]
    source = (
        PointsFirst(stored, *scaling)
        if points_first
        else samples_first(stored, *scaling, tmp_path / "run.nii")
    )
    (answer,) = extract(source, [Request(Reduce.from_codes(CODES, N_REGIONS, "count"))])
    finite = np.isfinite(stored)
    expected = np.stack([finite[:, f == CODES].sum(axis=1) for f in range(N_REGIONS - 1)], axis=1)
    np.testing.assert_array_equal(answer.values[:, :-1], expected)


def test_a_region_of_which_rounding_alone_is_left_has_no_value():
    """Weights of points without a value are taken off the whole, range by range: what stays is not 0 to the bit."""
    rng = np.random.default_rng(0)
    weights = rng.random((40, P)) * (rng.random((40, P)) < 0.5)
    stored = rng.normal(100, 5, (T, P))
    for region, row in enumerate(weights):
        stored[3] = 1.0
        stored[3, row != 0] = np.nan
        (answer,) = extract(
            PointsFirst(stored, 1.0, 0.0),
            [Request(SparseOperator(sparse.csr_array(weights)), omit_nonfinite=True)],
        )
        assert np.isnan(answer.values[3, region])
        assert np.isfinite(answer.values[4]).all()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_stacked_sums_of_many_weights_are_shared_among_threads(n_threads, monkeypatch):
    monkeypatch.setattr("brainsieve.engine.spatial.average.COSTLY_WEIGHTS", 0)
    stored = stored_values("<i2", False)
    source = PointsFirst(stored, 0.5, 7.0)
    source.points_first = False
    source.blocks = lambda *_, **__: iter_blocks(stored)
    requests = [Request(SparseOperator(sparse.csr_array(m))) for m in (WEIGHTS, MAPS, MEANS)]
    for answer, matrix in zip(
        extract(source, requests, n_threads=n_threads), (WEIGHTS, MAPS, MEANS), strict=True
    ):
        np.testing.assert_allclose(answer.values, (stored * 0.5 + 7.0) @ matrix.T)


def iter_blocks(stored):
    for start in range(0, T, 4):
        yield Block(slice(start, min(start + 4, T)), slice(0, P), stored[start : start + 4])


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_progress_is_told_in_samples_and_ends_with_all(points_first, tmp_path):
    stored, told = stored_values("<f4", False), []
    source = PointsFirst(stored, 1, 0) if points_first else samples_first(stored, 1, 0, tmp_path / "run.nii")
    extract(
        source, [Request(OPERATORS["average"][0])], progress=lambda done, whole: told.append((done, whole))
    )
    assert [whole for _, whole in told] == [T] * len(told)
    done = [n for n, _ in told]
    assert done == sorted(set(done)) and done[0] < T and done[-1] == T


@pytest.mark.parametrize("name", ["maps", "reduce"])
def test_operators_that_have_no_share_of_finite_points_refuse_omit(name):
    source = PointsFirst(stored_values("<f4", True), 1.0, 0.0)
    with pytest.raises(ValueError, match="omit_nonfinite is for averages and selections"):
        extract(source, [Request(OPERATORS[name][0], omit_nonfinite=True)])
    with pytest.raises(ValueError, match="omit_nonfinite is for averages and selections"):
        stream(source, Request(OPERATORS[name][0], omit_nonfinite=True), 2)


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
def test_what_a_reduction_sees_is_clipped_to_the_range_of_the_samples_kept(
    points_first, dtype, scaling, tmp_path
):
    stored = stored_values(dtype, dtype == "<f4")
    source = (
        PointsFirst(stored, *scaling)
        if points_first
        else samples_first(stored, *scaling, tmp_path / "run.nii")
    )
    kept = KEPT["some samples"]
    x = (stored.astype(np.float64) * scaling[0] + scaling[1])[kept]
    zeroed = np.where(np.isfinite(x), x, 0)
    limits = min(zeroed.min(), 0), max(zeroed.max(), 0)
    maxima = Reduce.from_codes(CODES, N_REGIONS, "maximum")
    space = Clipped.between(SparseOperator(SHARP), [maxima]).within(*value_range(source, kept))
    (answer,) = extract(source, [Request(space, plan_cleaning(T, CleaningSettings(), sample_mask=kept))])
    sharp = np.clip(zeroed @ SHARP.toarray().T, *limits)
    regions = [sharp[:, f == CODES].max(axis=1) for f in range(N_REGIONS - 1)]
    np.testing.assert_allclose(answer.values[:, :-1], np.stack(regions, axis=1), rtol=1e-6, atol=1e-3)
    with pytest.raises(ValueError, match="clip is for linear operators"):
        extract(source, [Request(maxima, clip=True)])


@pytest.mark.parametrize("held", [np.float32, np.float64])
def test_what_varies_by_the_rounding_of_the_files_dtype_is_constant(held):
    """1e-8 of a value is signal in a file of float64, and noise in one of float32."""
    clean = plan_cleaning(T, CleaningSettings(standardize="zscore_sample"))
    request = Request(OPERATORS["average"][0], clean, np.dtype(held))
    wiggle = 1000 * (1 + 1e-8 * RNG.normal(size=(T, P)))
    (fine,) = extract(PointsFirst(wiggle, 1.0, 0.0), [Request(request.space, clean)])
    np.testing.assert_allclose(fine.values[:, :4].std(axis=0, ddof=1), 1)
    steps = np.where(
        RNG.random((T, P)) < 0.5, np.float32(1000), np.nextafter(np.float32(1000), np.float32(2000))
    )
    (coarse,) = extract(PointsFirst(steps, 1.0, 0.0), [request])
    np.testing.assert_array_equal(coarse.values, 0)


@pytest.mark.parametrize("dtypes", [("<i2", "<i2"), ("<i2", "<f4"), (">f4", "<f4"), ("<u2", ">i2")], ids=str)
@pytest.mark.parametrize(
    "scalings", [((0.5, 10.0), (0.5, -70.0)), ((0.5, 10.0), (2.0, 10.0)), ((1.0, 0.0), (1.0, 3.0))], ids=str
)
@pytest.mark.parametrize("held", [np.float32, np.float64])
def test_images_of_a_list_keep_their_own_scaling(dtypes, scalings, held, tmp_path):
    parts, values = [], []
    for i, (dtype, (slope, inter)) in enumerate(zip(dtypes, scalings, strict=True)):
        stored = stored_values(dtype, dtype.endswith("f4"))
        parts.append(samples_first(stored, slope, inter, tmp_path / f"{i}.nii"))
        values.append(stored.astype(np.float64) * slope + inter)
    kept = np.array([0, 3, 8, 9, 10, 16])
    requests = [
        Request(space, plan_cleaning(2 * T, CleaningSettings(), sample_mask=kept), np.dtype(held))
        for space, _ in OPERATORS.values()
    ]
    for name, answer in zip(OPERATORS, extract(SequenceSource(parts), requests), strict=True):
        expected = dense_twin(np.vstack(values), name, "neither", kept, clean=False)
        assert_within(answer.values, expected, 3e-6 * 4000, name)
