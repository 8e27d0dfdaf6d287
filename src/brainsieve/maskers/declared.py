"""The parameters of the maskers, each declared once: what it may be, where it acts, and its words.

Constructors keep plain signatures, which editors read; that their defaults are the declared ones is checked when a
class is made. Where a kind of image or a masker deviates, it says the deviation alone. Docstrings are put together of
this in `documented.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from joblib import Memory

from brainsieve.atlas.labels import STRATEGIES
from brainsieve.checks import (
    Check,
    a_bool,
    a_bool_or_int,
    a_dict_or_none,
    a_number_or_none,
    a_share_or_none,
    an_integer,
    found,
    one_of,
)
from brainsieve.engine.spatial.mesh_smoothing import METHODS
from brainsieve.engine.spatial.smooth import checked_fwhm
from brainsieve.engine.temporal.settings import CHECKS as CHECKS_IN_TIME

# What a change after `fit` takes: "atlas" another fit; "space" and "time" nothing, it acts on the next call; "none"
# changes no number.
Role = Literal["atlas", "space", "time", "none"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of maskers.

    `kind` and `words` are of the documentation: its type, and what it means. ``{point}``, ``{img}``, … are filled in
    with the words that a kind of image has (`Kind`).
    """

    name: str
    role: Role
    kind: str
    words: str
    default: Any = None
    check: Check | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of image: its words, and where its maskers deviate from the common declarations."""

    words: Mapping[str, str]
    deviations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def a_dtype(name: str, value: Any) -> None:
    if value is None or (isinstance(value, str) and value == "auto"):
        return
    if isinstance(value, bool) or value is bool:
        raise TypeError(f"{name} must be a numpy dtype, 'auto' or None; {found(value)} was given.")
    try:
        kind = np.dtype(value).kind
    except TypeError:
        raise TypeError(f"{name} must be a numpy dtype, 'auto' or None; {found(value)} was given.") from None
    if kind not in "iuf":
        raise TypeError(f"{name} must be an integer or floating dtype; {found(value)} was given.")


def a_memory(name: str, value: Any) -> None:
    if value is None or isinstance(value, Memory):
        return
    if not isinstance(value, str | Path):
        raise TypeError(f"{name} must be None, a path or a joblib.Memory; {found(value)} was given.")
    parent = Path(value).expanduser().absolute().parent
    if not parent.is_dir():
        raise ValueError(f"{name}={str(value)!r}: the folder {parent} in which to make it does not exist.")


def an_fwhm(name: str, value: Any) -> None:
    checked_fwhm(value, name)


def an_isotropic_fwhm(name: str, value: Any) -> None:
    """Check for a number of mm: meshes have no axes."""
    try:
        a_number_or_none(name, value)
    except TypeError:
        raise TypeError(
            f"{name} must be a number in mm or None here: meshes have no axes; {found(value)} was given."
        ) from None


def choice(name: str, role: Role, choices: Iterable[str | None], default: str, words: str) -> Parameter:
    """The declaration of a choice between a few words."""
    return Parameter(name, role, **choosing(*choices), words=words, default=default)


def choosing(*choices: str | None) -> dict[str, Any]:
    """Type and check of a choice between a few words."""
    return {"kind": "{" + ", ".join(map(shown, choices)) + "}", "check": one_of(*choices)}


def shown(value: Any) -> str:
    """A value as documentation writes it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


MASK_STRATEGIES = ("background", "epi", "whole-brain-template", "gm-template", "wm-template")
MAPS_STRATEGY = {
    **choosing("least_squares", "weighted_mean"),
    "default": "least_squares",
    "words": '"least_squares": the signals whose sum of maps is nearest to the image. "weighted_mean": the mean of the '
    "{points} with each map's weights, which are not to sum to 0.",
}

_IN_ORDER = [
    # What is extracted, and where.
    Parameter("mask_img", "atlas", "{img}", "{Points} outside are left out{dropped}."),
    choice(
        "mask_strategy",
        "atlas",
        MASK_STRATEGIES,
        "background",
        "How the mask is computed where none is given: see `brainsieve.masking`.",
    ),
    Parameter(
        "mask_args",
        "atlas",
        "dict",
        "Keywords for that function. Keys it does not know are dropped with a warning.",
        check=a_dict_or_none,
    ),
    Parameter(
        "target_affine",
        "atlas",
        "array of shape (3, 3) or (4, 4)",
        "Grid of the mask, hence of the images, in mm.",
    ),
    Parameter(
        "target_shape", "atlas", "tuple of 3 int", "Its shape; needs a `target_affine` of shape (4, 4)."
    ),
    Parameter(
        "labels_img", "atlas", "{img}", "3-D image (or 4-D of one volume) whose values are ids of regions."
    ),
    Parameter(
        "labels",
        "atlas",
        "list of str",
        "Names of the regions in ascending order of the ids that are in the image; the name of the background may "
        "come first. Exclusive with `lut`.",
    ),
    Parameter(
        "lut",
        "atlas",
        "pandas.DataFrame or path",
        "Table (TSV or CSV) with columns ``index`` and ``name``. Exclusive with `labels`.",
    ),
    Parameter("background_label", "atlas", "number", "The value that is no region.", default=0),
    Parameter(
        "keep_masked_labels",
        "atlas",
        "bool",
        "Keep a column of zeros for a region wholly outside `mask_img`.",
        default=False,
        check=a_bool,
    ),
    Parameter("maps_img", "atlas", "{img}", "4-D image, one map in each volume; a 3-D image is one map."),
    Parameter(
        "keep_masked_maps",
        "atlas",
        "bool",
        "Keep a column of zeros for a map without weight in `mask_img`.",
        default=False,
        check=a_bool,
    ),
    Parameter(
        "seeds",
        "atlas",
        "list of (x, y, z)",
        "Centres in the world coordinates of the images, in mm.",
    ),
    Parameter(
        "radius",
        "atlas",
        "float or sequence of float",
        "In mm, one for all seeds or one for each. None or 0: the voxel nearest to the seed.",
    ),
    choice(
        "resampling_target",
        "atlas",
        ("data", "labels", None),
        "data",
        '"data" brings the atlas to the image (nearest voxel); "labels" brings the image to the atlas (cubic splines, '
        "folded into the regions' weights); None refuses images on another grid.",
    ),
    Parameter(
        "structures",
        "atlas",
        "str or list of str",
        'Names of brain structures as "CORTEX_LEFT", "THALAMUS_RIGHT", with or without "CIFTI_STRUCTURE_"; "cortex" '
        'stands for all surfaces and "subcortex" for all structures of voxels. None: all.',
    ),
    Parameter(
        "surfaces",
        "atlas",
        "PolyMesh",
        "Meshes of the density of the file, in mm: for smoothing and for pictures.",
    ),
    Parameter(
        "labels_map",
        "atlas",
        "int or str",
        "Which map of a file of several: its position from 0, or its name.",
        default=0,
    ),
    # How points become columns.
    choice(
        "strategy",
        "space",
        STRATEGIES,
        "mean",
        "How the {points} of a region make one number. Variance and standard deviation divide by their number. The "
        "trimmed mean leaves out a tenth at each end, the winsorized mean sets it to the nearest value kept; "
        '"mode" is the most frequent value, "count" the number of {points} that are not 0. "eigenvariate" is the '
        "first principal component of the region's cleaned {points}, with the scale and sign of SPM's "
        "(`brainsieve.maskers.eigenvariate.first_eigenvariate`).",
    ),
    Parameter(
        "allow_overlap",
        "space",
        "bool",
        "False: `{overlap_at}` raises an error if a {point} has a positive weight in more than one map.",
        default=True,
        check=a_bool,
    ),
    choice(
        "nonfinite",
        "space",
        ("zero", "omit"),
        "zero",
        "What a {point} that is NaN or infinite counts as in a mean: 0, or not at all. A warning names the regions "
        "touched in both cases.",
    ),
    Parameter(
        "smoothing_fwhm",
        "space",
        'float, triple of float or "fast"',
        "Full width at half maximum in mm of a Gaussian applied to the whole images before extraction.",
        check=an_fwhm,
    ),
    choice(
        "smoothing_method",
        "space",
        METHODS,
        "neighbours",
        '{how_smoothed}"neighbours": rounds of averaging with the neighbours, as many as the mean area of a vertex '
        'asks for; a width of less than one round smooths nothing, and a warning says so. "heat": the heat kernel of '
        "the mesh, whose width is the one asked for everywhere.",
    ),
    # What is done in time.
    Parameter(
        "runs",
        "time",
        "array of shape (n_samples,)",
        "Run of each sample; each run is cleaned alone.",
    ),
    Parameter(
        "standardize",
        "time",
        '{"zscore_sample", "psc", True, False, None}',
        "z-score (ddof 1; also True) or percent signal change of each series.",
        default=False,
    ),
    Parameter(
        "standardize_confounds",
        "time",
        "bool",
        "z-score confounds before they are regressed out.",
        default=True,
    ),
    Parameter(
        "high_variance_confounds",
        "time",
        "bool",
        "Also regress out five components of the most variable {points} of the image.",
        default=False,
        check=a_bool,
    ),
    Parameter("detrend", "time", "bool", "Remove a linear trend.", default=False),
    Parameter("low_pass", "time", "float", "Cut-off in hertz, above which nothing is kept; needs `t_r`."),
    Parameter("high_pass", "time", "float", "Cut-off in hertz, below which nothing is kept; needs `t_r`."),
    Parameter("t_r", "time", "float", "Repetition time in seconds. Never taken from the image."),
    Parameter(
        "clean_args",
        "time",
        "dict",
        "More options of `brainsieve.signal.clean`: ``filter``, ``ensure_finite``, ``extrapolate``, "
        "``butterworth__*``.",
    ),
    Parameter(
        "dtype",
        "time",
        'dtype or "auto"',
        'Of the signals. None: {natural_dtype}. "auto": float32, or int32 for integers that nothing was computed on.',
        check=a_dtype,
    ),
    Parameter(
        "min_coverage",
        "time",
        "float",
        "From 0 to 1. A {covered} an image covers less has a column of NaN, and a warning names it.",
        check=a_share_or_none,
    ),
    # What changes no number.
    Parameter(
        "memory",
        "none",
        "path or joblib.Memory",
        "Where to cache signals. The folder is trusted code (pickles): nobody else may write to it.",
        check=a_memory,
    ),
    Parameter(
        "memory_level",
        "none",
        "int",
        "0 caches nothing unless `memory` is given, more caches signals.",
        default=1,
        check=an_integer,
    ),
    Parameter(
        "verbose",
        "none",
        "int",
        "1 tells the steps, more tells the images.",
        default=0,
        check=a_bool_or_int,
    ),
    Parameter("reports", "none", "bool", "Keep what `generate_report` shows.", default=True, check=a_bool),
    Parameter("cmap", "none", "matplotlib colour map or name", "For reports."),
    Parameter(
        "n_jobs",
        "none",
        "int",
        "Images at a time, through joblib.",
        default=1,
        check=an_integer,
    ),
]
PARAMETERS = {
    each.name: replace(each, check=each.check or CHECKS_IN_TIME.get(each.name)) for each in _IN_ORDER
}

VOLUMES = Kind(
    {
        "img": "image-like",
        "point": "voxel",
        "points": "voxels",
        "overlap_at": "transform",
        "made": "Nifti1Image",
        "made_words": "3-D for one sample without sample axis, else 4-D, on the grid of {home}; 0 elsewhere.",
        "how_smoothed": "",
        "natural_dtype": "float32 for float32 images, float64 for others",
    },
)
_MESHES = {
    "smoothing_fwhm": {
        "kind": "float",
        "words": "Full width at half maximum in mm of smoothing on the mesh of the image, before extraction.",
        "check": an_isotropic_fwhm,
    },
}
SURFACES = Kind(
    {
        "img": "SurfaceImage",
        "point": "vertex",
        "points": "vertices",
        "overlap_at": "fit",
        "made": "SurfaceImage",
        "made_words": "Of one dimension for one sample without sample axis, else (n_vertices, n_samples); 0 elsewhere.",
        "how_smoothed": "",
        "natural_dtype": "float32 for float32 images, float64 for others",
    },
    {
        **_MESHES,
        "cmap": {"default": "inferno"},
        "t_r": {"words": "Repetition time in seconds."},
        "labels_img": {
            "words": "1-D image whose values are ids of regions. An id in both hemispheres is one region."
        },
        "lut": {
            "words": "Table (TSV or CSV) with columns ``index`` and ``name``; `brainsieve.surface.read_label_table` "
            "makes one of a ``.label.gii`` or ``.annot`` file. Exclusive with `labels`."
        },
        "maps_img": {"words": "2-D: a map in each column."},
    },
)
CIFTI = Kind(
    {
        "img": "path or nibabel.Cifti2Image",
        "point": "grayordinate",
        "points": "grayordinates",
        "overlap_at": "fit",
        "made": "nibabel.Cifti2Image",
        "made_words": "A dense series (``.dtseries.nii``), for one sample without sample axis a map of scalars "
        "(``.dscalar.nii``); 0 elsewhere.",
        "how_smoothed": "How the cortex is smoothed; structures of voxels are smoothed by a Gaussian among their own "
        "voxels. ",
        "natural_dtype": "float32 for float32 files, float64 for others",
    },
    {
        "smoothing_fwhm": {
            **_MESHES["smoothing_fwhm"],
            "words": "Full width at half maximum in mm of smoothing before extraction: of each hemisphere on its mesh "
            "(`surfaces`), of each structure of voxels in its own volume.",
        },
        "smoothing_method": {"default": "heat"},
        "t_r": {"words": "Repetition time in seconds. Never taken from the file."},
        "labels_img": {
            "kind": "path, nibabel.Cifti2Image or dict",
            "words": 'A ``.dlabel.nii`` (or a dense file of ids), or a dict with "left", "right" (a ``.label.gii``, '
            '``.annot`` or array for each hemisphere) and "volume" (a NIfTI image of ids on the grid of the voxels), '
            "or some of them. Points are matched by structure and number, so that files with and without the medial "
            "wall go together.",
        },
        "labels": {
            "words": "Names of the regions in ascending order of their ids. Exclusive with `lut`. None: those of the "
            "file's label table.",
        },
        "lut": {
            "words": "Table (TSV or CSV) with columns ``index`` and ``name``, instead of the file's label table. "
            "Exclusive with `labels`."
        },
        "maps_img": {"words": "Dense file, a map in each sample (``.dscalar.nii``)."},
    },
)
# What the words of a declaration say of a column: of a region, a map or a sphere.
COLUMN_WORDS = {
    "region": {
        "dropped": "; a region wholly outside is dropped at `fit`, for all runs",
        "covered": "region of which",
    },
    "map": {
        "dropped": "; a map without weight inside is dropped at `fit`, for all runs",
        "covered": "map of whose weight",
    },
    "sphere": {"dropped": "; `inverse_transform` needs it", "covered": "sphere of which"},
}


@cache
def parameters_of(cls: type) -> Mapping[str, Parameter]:
    """The declarations of a masker's parameters, in the order of its signature, deviations included.

    A class of another room declares what it adds itself (``_declares``). Parameters that are not declared (those of a
    class that someone derived) are not among them.
    """
    kind = getattr(cls, "_image_kind", None) or VOLUMES
    known = {**PARAMETERS, **{each.name: each for each in getattr(cls, "_declares", ())}}
    own = [vars(base).get("_deviations", {}) for base in reversed(cls.__mro__)]
    found_: dict[str, Parameter] = {}
    for name in inspect.signature(cls.__init__).parameters:  # type: ignore[misc]
        if name not in known:
            continue
        changes: dict[str, Any] = {}
        for deviations in (kind.deviations, *own):
            changes |= deviations.get(name, {})
        found_[name] = replace(known[name], **changes)
    return found_


def keep_parameters(masker: Any, given: Mapping[str, Any]) -> None:
    """Store what a constructor was given, as it was given, under the same names.

    Parameters
    ----------
    masker : estimator
    given : dict
        The constructor's ``locals()``, nothing else having been assigned.
    """
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(masker, name, value)


def check_parameters(masker: Any, values: Mapping[str, Any]) -> None:
    """Run the check of every parameter that has one.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was expected and what was given.
    """
    for name, parameter in parameters_of(type(masker)).items():  # type: ignore[arg-type]
        if parameter.check is not None and name in values:
            parameter.check(name, values[name])


def role_of(name: str, cls: type) -> Role:
    """Where a parameter of a class acts; what someone else's class adds is its own affair, and counts as "none"."""
    declared = parameters_of(cls)  # type: ignore[arg-type]
    return declared[name].role if name in declared else "none"
