"""Reports of models by a function."""

from __future__ import annotations

from typing import Any, Literal

from brainsieve.checks import found
from brainsieve.pages import HTMLReport


def make_glm_report(
    model: Any,
    contrasts: Any = None,
    first_level_contrast: Any = None,
    title: str | None = None,
    bg_img: Any = "MNI152TEMPLATE",
    threshold: float | None = 3.09,
    alpha: float = 0.001,
    cluster_threshold: int = 0,
    height_control: Literal["fpr", "fdr", "bonferroni"] | None = "fpr",
    two_sided: bool = False,
    min_distance: float = 8.0,
    plot_type: Literal["slice", "glass"] = "slice",
    cut_coords: Any = None,
    display_mode: Any = None,
    report_dims: tuple[int, int] = (800, 800),
) -> HTMLReport:
    """Make the report of a model, by its own `generate_report`.

    Parameters
    ----------
    model : FirstLevelModel or SecondLevelModel
        Fitted.
    contrasts : str, array, list or dict of name to contrast, default=None
        None: designs and parameters only.
    first_level_contrast : str or array, default=None
        Of a group of models, or of a table of maps.
    title : str, default=None
        None: the name of the class.
    bg_img : image-like or None, default="MNI152TEMPLATE"
        What slices lie on; None: nothing.
    threshold : float, default=3.09
        Of z, where `height_control` is None.
    alpha : float, default=0.001
        The rate that `height_control` controls.
    cluster_threshold : int, default=0
        Clusters of fewer voxels or vertices are left out.
    height_control : {"fpr", "fdr", "bonferroni"} or None, default="fpr"
    two_sided : bool, default=False
        Large and small z both count.
    min_distance : float, default=8.0
        Between the peaks of a cluster that are listed, in mm.
    plot_type : {"slice", "glass"}, default="slice"
        Glass brains are not drawn here; slices are, with a warning.
    cut_coords : default=None
        Slices are at even distances; a warning says so where others are asked for.
    display_mode : default=None
        Slices are of three planes; a warning says so where others are asked for.
    report_dims : (int, int), default=(800, 800)
        Of the frame in notebooks, in pixels.

    Returns
    -------
    report : HTMLReport

    Raises
    ------
    TypeError, ValueError
        For a model that is none or is not fitted, and contrasts and thresholds that are none.
    """
    if not hasattr(model, "generate_report") or not hasattr(model, "compute_contrast"):
        raise TypeError(f"model must be a FirstLevelModel or a SecondLevelModel; {found(model)} was given.")
    return model.generate_report(
        contrasts,
        first_level_contrast,
        title,
        bg_img,
        threshold,
        alpha,
        cluster_threshold,
        height_control,
        two_sided,
        min_distance,
        plot_type,
        cut_coords,
        display_mode,
        report_dims,
    )
