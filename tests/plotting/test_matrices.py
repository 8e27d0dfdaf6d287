"""Pictures of matrices, by their numbers, and by the peer's."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from nilearn import plotting as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import leaves_list, linkage

from brainsieve import plotting

NAMES = list("abcdef")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


@pytest.fixture
def matrix(rng=None):
    values = np.random.default_rng(3).normal(size=(6, 6))
    return values + values.T


@pytest.fixture
def design():
    values = np.random.default_rng(0).normal(size=(50, 4))
    return pd.DataFrame(values, columns=["left button", "right", "drift_1", "constant"]).assign(constant=1.0)


def labels_of(axes):
    return [text.get_text() for text in axes.get_xticklabels()]


@pytest.mark.parametrize("tri", ["full", "lower", "diag"])
@pytest.mark.parametrize("vmax", [None, 0.8])
def test_a_matrix_has_the_cells_and_the_range_of_the_peers(matrix, tri, vmax):
    limits = {} if vmax is None else {"vmin": -vmax, "vmax": vmax}
    ours = plotting.plot_matrix(matrix, labels=NAMES, tri=tri, **limits)
    theirs = peer.plot_matrix(matrix, labels=NAMES, tri=tri, **limits)
    assert_array_equal(np.ma.getmaskarray(ours.get_array()), np.ma.getmaskarray(theirs.get_array()))
    assert_allclose(ours.get_array(), theirs.get_array())
    assert ours.get_clim() == theirs.get_clim()
    assert labels_of(ours.axes) == labels_of(theirs.axes) == NAMES
    assert_allclose(ours.figure.get_size_inches(), theirs.figure.get_size_inches())


@pytest.mark.parametrize(
    ("reorder", "method"), [(True, "average"), ("single", "single"), ("complete", "complete")]
)
def test_reordered_rows_are_the_leaves_of_the_tree_with_their_names(matrix, reorder, method):
    before = matrix.copy()
    image = plotting.plot_matrix(matrix, labels=NAMES, reorder=reorder)
    order = leaves_list(linkage(matrix, method, optimal_ordering=True))
    assert_allclose(image.get_array(), matrix[order][:, order])
    assert labels_of(image.axes) == [NAMES[k] for k in order]
    assert_array_equal(matrix, before)


def test_a_grid_of_a_triangle_has_no_line_beside_it(matrix):
    image = plotting.plot_matrix(matrix, tri="lower", grid=True)
    lines = image.axes.collections[0].get_segments()
    assert len(lines) == 14
    assert all(segment[:, 0].max() <= segment[:, 1].max() + 1e-9 for segment in lines)


def test_frames_name_their_own_cells_and_axes_and_figures_are_used(matrix):
    figure, axes = plt.subplots()
    image = plotting.plot_matrix(pd.DataFrame(matrix, NAMES, NAMES), axes=axes, colorbar=False, title="own")
    assert image.axes is axes
    assert labels_of(axes) == NAMES
    assert axes.get_title() == "own"
    assert len(figure.axes) == 1
    assert_allclose(plotting.plot_matrix(matrix, figure=(9, 7)).figure.get_size_inches(), (9, 7))
    assert plotting.plot_matrix(matrix, figure=figure).figure is figure


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (np.zeros(3), {}, r"it has shape \(3,\)"),
        (np.zeros((2, 3)), {"tri": "lower"}, r"shape \(2, 3\); only a square"),
        (np.eye(3), {"labels": ["a"]}, "1 names, mat 3 rows"),
        (np.eye(3), {"reorder": True}, "reorder needs labels"),
        (np.diag([1, np.nan, 2]), {"reorder": True, "labels": list("abc")}, "finite"),
        (np.eye(3), {"reorder": "ward", "labels": list("abc")}, "'average'"),
        (np.eye(3), {"tri": "uper"}, "'full', 'lower', 'diag'"),
        (np.eye(3), {"figure": 1, "axes": "both"}, "give one of the two"),
        (np.eye(3), {"axes": "ax"}, "axes must be matplotlib axes"),
        (np.array([["a", "b"], ["c", "d"]]), {}, "real numbers"),
    ],
)
def test_bad_matrices_are_told_of(given, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plotting.plot_matrix(given, **options)


@pytest.mark.parametrize("rescale", [True, False])
def test_a_design_has_the_values_of_the_peers(design, rescale, tmp_path):
    ours = plotting.plot_design_matrix(design, rescale=rescale, output_file=tmp_path / "new" / "design.png")
    theirs = peer.plot_design_matrix(design, rescale=rescale)
    assert_allclose(ours.images[0].get_array(), theirs.images[0].get_array())
    assert_allclose(ours.images[0].get_clim(), theirs.images[0].get_clim())
    assert labels_of(ours) == list(design.columns)
    assert (tmp_path / "new" / "design.png").stat().st_size > 1000


def test_an_empty_column_of_a_design_stays_0_when_columns_are_rescaled(design):
    image = plotting.plot_design_matrix(design.assign(right=0.0)).images[0]
    assert_array_equal(image.get_array()[:, 1], 0)


def test_designs_are_read_from_tables(design, tmp_path):
    design.to_csv(tmp_path / "design.csv", index=False)
    axes = plotting.plot_design_matrix(tmp_path / "design.csv", rescale=False)
    assert_allclose(axes.images[0].get_array(), design)


@pytest.mark.parametrize(
    ("contrast", "weights"),
    [
        ([1, -1], [[1, -1, 0, 0]]),
        ("`left button` - right", [[1, -1, 0, 0]]),
        ([[1, 0, 0, 0], [0, 2]][0], [[1, 0, 0, 0]]),
        (np.array([[1.0, 0], [0, 3]]), [[1, 0, 0, 0], [0, 3, 0, 0]]),
    ],
)
def test_a_contrast_is_padded_as_models_pad_it_and_symmetric_in_colour(design, contrast, weights):
    image = plotting.plot_contrast_matrix(contrast, design).images[0]
    assert_array_equal(image.get_array(), weights)
    assert image.get_clim() == (-np.max(np.abs(weights)), np.max(np.abs(weights)))


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ([1, 2, 3, 4, 5], "5 weights, the design 4 columns"),
        ([1, np.nan], "NaN"),
        ([["a"]], "expression or an array"),
        ("left", "left"),
        ([], "shape"),
    ],
)
def test_bad_contrasts_are_told_of(design, contrast, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_contrast_matrix(contrast, design)


def test_regressors_correlate_without_constants_and_drifts(design):
    image = plotting.plot_design_matrix_correlation(design)
    assert_allclose(image.get_array(), np.corrcoef(design.iloc[:, :2].T))
    assert image.get_clim() == (-1, 1)
    with pytest.raises(ValueError, match="no regressor beside"):
        plotting.plot_design_matrix_correlation(design[["constant", "drift_1"]])


@pytest.fixture
def events():
    return pd.DataFrame({"onset": [0, 5, 10, 20], "duration": [1, 2, 0, 3], "trial_type": list("abab")})


def test_events_are_where_the_peers_are(events):
    ours, theirs = (package.plot_event([events, events[:2]]) for package in (plotting, peer))
    mine, other = ours.axes[0], theirs.axes[0]
    assert [p.get_x() for p in mine.patches] == [p.get_x() for p in other.patches]
    assert [p.get_width() for p in mine.patches] == [p.get_width() for p in other.patches]
    assert_allclose([p.get_facecolor() for p in mine.patches], [p.get_facecolor() for p in other.patches])
    assert len(mine.lines) == len(other.lines) == 1
    assert mine.get_xlim() == other.get_xlim()
    assert [t.get_text() for t in mine.get_legend().get_texts()] == ["a", "b"]
    assert [t.get_text() for t in mine.get_yticklabels()] == ["1", "2"]


def test_rows_of_runs_lie_at_their_ticks(events):
    axes = plotting.plot_event([events, events, events]).axes[0]
    middles = sorted({round((p.get_y() + p.get_height() / 2) * 3, 6) for p in axes.patches})
    assert_allclose(middles, axes.get_yticks())


def test_continuous_colours_of_events_differ_as_far_as_they_can(events):
    patches = plotting.plot_event(events, cmap="viridis").axes[0].patches
    viridis = plt.get_cmap("viridis")
    assert {p.get_facecolor() for p in patches} == {viridis(0.0), viridis(1.0)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"onset": [1]}), "lacks the column 'duration'"),
        (pd.DataFrame({"onset": [1.0, np.nan], "duration": [1, 1]}), "onset must be finite"),
        (pd.DataFrame({"onset": range(21), "duration": 1, "trial_type": range(21)}), "21 types"),
        ([], "empty list"),
        (3, "data frame"),
    ],
)
def test_bad_events_are_told_of(table, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plotting.plot_event(table)
