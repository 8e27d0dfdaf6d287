"""Reports of models of both levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import found, one_of
from brainsieve.drawing import Layer
from brainsieve.engine.domain import Domain
from brainsieve.engine.source import read_all
from brainsieve.exceptions import NotImplementedWarning
from brainsieve.image.forms import ImageForm, SurfaceForm, VolumeForm, opened
from brainsieve.logs import collected_warnings, warn
from brainsieve.maskers.kinds import ImageKind
from brainsieve.maskers.reports import template
from brainsieve.maskers.surface import Surfaces
from brainsieve.maskers.volumes import Volumes
from brainsieve.pages import HTMLReport
from brainsieve.pages.model_report import ContrastContent, DesignContent, ModelContent, model_report
from brainsieve.stat_maps import get_clusters_table
from brainsieve.stat_maps.models import (
    designs_of,
    height_of,
    is_of_group,
    maps_of,
    named_contrasts,
    settings_table,
)
from brainsieve.stat_maps.thresholds import HeightControl

TEMPLATE = "MNI152TEMPLATE"


class ReportedModel:
    """A model that can make a report of itself."""

    def generate_report(
        self,
        contrasts: Any = None,
        first_level_contrast: str | ArrayLike | None = None,
        title: str | None = None,
        bg_img: Any = "MNI152TEMPLATE",
        threshold: float | None = None,
        alpha: float = 0.001,
        cluster_threshold: int = 0,
        height_control: HeightControl | None = "fpr",
        two_sided: bool = False,
        min_distance: float = 8.0,
        plot_type: Literal["slice", "glass"] = "slice",
        cut_coords: Any = None,
        display_mode: Any = None,
        report_dims: tuple[int, int] = (1600, 800),
    ) -> HTMLReport:
        """Make a page that shows designs, and of each contrast the map of z with its clusters.

        Parameters
        ----------
        contrasts : str, array, list or dict of name to contrast, default=None
            None: designs and parameters only.
        first_level_contrast : str or array, default=None
            Of a group of models, or of a table of maps.
        title : str, default=None
            None: the name of the class.
        bg_img : image-like or None, default="MNI152TEMPLATE"
            What slices lie on; None: nothing. Surfaces are drawn on their meshes.
        threshold : float, default=None
            Of z, where `height_control` is None; default 3.
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
        report_dims : (int, int), default=(1600, 800)
            Of the frame in notebooks, in pixels.

        Returns
        -------
        report : HTMLReport
            Self-contained; equal models give equal pages.

        Raises
        ------
        TypeError, ValueError
            For a model that is not fitted, contrasts and thresholds that are none.
        """
        one_of("slice", "glass")("plot_type", plot_type)
        asked = {"plot_type": plot_type != "slice", "cut_coords": cut_coords is not None}
        for name, is_asked in {**asked, "display_mode": display_mode is not None}.items():
            if is_asked:
                said = f"{name} is not available here: slices of three planes at even distances are drawn."
                warn(said, NotImplementedWarning)
        options = {
            "threshold": threshold,
            "alpha": alpha,
            "cluster_threshold": cluster_threshold,
            "height_control": height_control,
            "two_sided": two_sided,
            "min_distance": min_distance,
        }
        width, height = _size(report_dims)
        with collected_warnings() as heard:
            shown = [
                _contrast(self, name, definition, first_level_contrast, bg_img, options)
                for name, definition in named_contrasts(contrasts).items()
            ]
        designs = designs_of(self)
        names = ["the group"] if is_of_group(self) else [f"run {i + 1}" for i in range(len(designs))]
        n_points = getattr(self, "n_elements_", None) if not is_of_group(self) or not shown else None
        kind = type(self).__name__
        content = ModelContent(
            title=title or kind,
            kind=f"{kind}: {len(designs)} design{'s' if len(designs) > 1 else ''}",
            facts={
                "rows": f"{sum(map(len, designs)):,}",
                **({"points": f"{n_points:,}"} if n_points else {}),
            },
            designs=[
                DesignContent(name, design.to_numpy(dtype=float), [str(column) for column in design.columns])
                for name, design in zip(names, designs, strict=True)
            ],
            contrasts=shown,
            parameters=self.get_params(deep=False),  # type: ignore[attr-defined]
            warnings=list(dict.fromkeys(text for text, _ in heard)),
        )
        return model_report(content, (width, height))


def _size(report_dims: Any) -> tuple[int, int]:
    try:
        width, height = (int(size) for size in report_dims)
    except (TypeError, ValueError):
        raise TypeError(
            f"report_dims must be two numbers of pixels; {found(report_dims)} was given."
        ) from None
    return width, height


def _contrast(
    model: Any, name: str, definition: Any, first_level: Any, bg_img: Any, options: Mapping[str, Any]
) -> ContrastContent:
    z_img = maps_of(model, definition, first_level)["z_score"]
    cut, height = height_of(z_img, dict(options))
    finite = height if np.isfinite(height) else float(np.finfo(np.float32).max)
    clusters = get_clusters_table(
        z_img, finite, options["cluster_threshold"], options["two_sided"], options["min_distance"]
    )
    domain, values = _read(cut)
    kind = _kind_of(opened(cut)[1])
    weights = [
        ([str(column) for column in design.columns], matrix)
        for design, matrix in zip(designs_of(model), model.contrast_weights(definition), strict=True)
        if matrix is not None
    ]
    return ContrastContent(
        name=name,
        weights=weights,
        canvas=kind.canvas(domain, _background(bg_img, cut)),
        layer=Layer(f"z of {name}", kind.shaped(np.asarray(values, dtype=np.float64), domain), "weights"),
        settings=settings_table(dict(options), height),
        clusters=clusters,
    )


def _kind_of(form: ImageForm) -> ImageKind:
    """What maps of a model are drawn by."""
    if isinstance(form, VolumeForm):
        return Volumes("report", None)
    assert isinstance(form, SurfaceForm)
    return Surfaces("report", form.domain, form.mesh)


def _read(img: Any) -> tuple[Domain, NDArray]:
    source, _ = opened(img)
    return source.domain, read_all(source)[0]


def _background(bg_img: Any, img: Any) -> tuple[Domain, NDArray] | None:
    if bg_img is None or not isinstance(opened(img)[1], VolumeForm):
        return None
    if isinstance(bg_img, str) and bg_img == TEMPLATE:
        return template()
    domain, values = _read(bg_img)
    return domain, np.where(np.isfinite(values), values, 0).astype(np.float64)
