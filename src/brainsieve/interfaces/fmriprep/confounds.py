"""`load_confounds`: choose confounds by strategy from the tables beside an image."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading, regular_file
from brainsieve.exceptions import ParameterError
from brainsieve.interfaces.fmriprep import columns, files, scrub
from brainsieve.logs import warn

if TYPE_CHECKING:
    import pandas as pd

ELEMENTS = ("motion", "high_pass", "wm_csf", "global_signal", "compcor", "ica_aroma", "tedana", "scrub")
CHOICES = {
    "motion": tuple(columns.EXPANSIONS),
    "wm_csf": tuple(columns.EXPANSIONS),
    "global_signal": tuple(columns.EXPANSIONS),
    "compcor": tuple(columns.COMPCOR),
    "ica_aroma": ("full", "basic"),
    "tedana": ("aggressive", "non-aggressive"),
}
NON_STEADY = "non_steady_state"


@dataclass(frozen=True)
class Strategy:
    """Checked parameters of `load_confounds`."""

    elements: tuple[str, ...]
    options: dict[str, str]
    n_compcor: int | None
    shortest_segment: float
    fd_threshold: float
    std_dvars_threshold: float
    demean: bool


def load_confounds(
    img_files: Any,
    strategy: Sequence[str] = ("motion", "high_pass", "wm_csf"),
    motion: str = "full",
    scrub: int = 5,
    fd_threshold: float = 0.5,
    std_dvars_threshold: float = 1.5,
    wm_csf: str = "basic",
    global_signal: str = "basic",
    compcor: str = "anat_combined",
    n_compcor: int | Literal["all"] = "all",
    ica_aroma: str = "full",
    tedana: str = "aggressive",
    demean: bool = True,
) -> tuple[Any, Any]:
    """Load the confounds of fMRIPrep (or tedana) that a denoising strategy asks for.

    Parameters
    ----------
    img_files : path, pair of paths, or list of these
        A preprocessed run ``…_desc-preproc_bold.nii.gz``, a CIFTI file ``…_bold.dtseries.nii``, or the two
        ``…_bold.func.gii`` of the hemispheres. For ``ica_aroma="full"`` a run
        ``…_desc-smoothAROMAnonaggr_bold.nii.gz``, for ``"tedana"`` a run ``…_desc-optcom_bold.nii.gz``. Images
        are not read; the tables beside them are.
    strategy : sequence of str, default=("motion", "high_pass", "wm_csf")
        The kinds of confounds:

        - ``"motion"``: six parameters of head motion, expanded as `motion` says;
        - ``"high_pass"``: cosines of a high-pass filter;
        - ``"wm_csf"``: mean signals in white matter and cerebrospinal fluid, expanded as `wm_csf` says;
        - ``"global_signal"``: mean signal in the brain, expanded as `global_signal` says;
        - ``"compcor"``: noise components, chosen by `compcor` and `n_compcor`; needs ``"high_pass"``, since
          they were estimated on high-passed data;
        - ``"ica_aroma"``: ICA-AROMA, as `ica_aroma` says;
        - ``"tedana"``: components of multi-echo ICA, as `tedana` says; excludes the others;
        - ``"scrub"``: no column, but volumes with excessive motion are left out of `sample_mask`.
    motion : {"basic", "power2", "derivatives", "full"}, default="full"
        The series only; with their squares; with their temporal derivatives; with both and the squares of
        the derivatives.
    wm_csf : {"basic", "power2", "derivatives", "full"}, default="basic"
        The same choice for white matter and cerebrospinal fluid.
    global_signal : {"basic", "power2", "derivatives", "full"}, default="basic"
        The same choice for the global signal.
    scrub : int, default=5
        Segments between motion outliers that have fewer volumes than this are left out too. 0 keeps all.
    fd_threshold : float, default=0.5
        Framewise displacement, in mm, above which a volume is an outlier.
    std_dvars_threshold : float, default=1.5
        Standardized DVARS above which a volume is an outlier.
    compcor : {"anat_combined", "anat_separated", "temporal", "temporal_anat_combined", \
"temporal_anat_separated"}, default="anat_combined"
        Components of the combined white matter and CSF mask, of the two masks, of the most variable voxels,
        or both kinds.
    n_compcor : "all" or int, default="all"
        How many components of each mask; ``"all"``: those that fMRIPrep retained.
    ica_aroma : {"full", "basic"}, default="full"
        ``"full"``: the image has been cleaned, no column; ``"basic"``: the motion components as columns.
    tedana : {"aggressive", "non-aggressive"}, default="aggressive"
        The rejected components; or the accepted ones too, named by how they were classified.
    demean : bool, default=True
        Remove from each confound its mean over the volumes that are kept. Maskers that standardize
        confounds do this themselves.

    Returns
    -------
    confounds : pandas.DataFrame of shape (n_samples, n_confounds), or list of these
        Columns are sorted by name. An undefined first value (of a derivative, say) is replaced by the
        second. None if `strategy` is empty.
    sample_mask : int array of shape (n_kept,), None, or list of these
        Volumes that are kept, ascending; None if all are. Volumes that fMRIPrep marked as not in a steady
        state never are.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not what it should be, if the table of an image is not found, or if it lacks
        columns; the message names the file, what was expected and what was found.

    See Also
    --------
    load_confounds_strategy : Named combinations of these parameters.

    Notes
    -----
    For the strategies and how they compare: Ciric et al. 2017, doi:10.1016/j.neuroimage.2017.03.020;
    Wang et al. 2024, doi:10.1371/journal.pcbi.1011942.
    """
    settings = checked_settings(
        strategy=strategy,
        motion=motion,
        wm_csf=wm_csf,
        global_signal=global_signal,
        compcor=compcor,
        ica_aroma=ica_aroma,
        tedana=tedana,
        n_compcor=n_compcor,
        scrub=scrub,
        fd_threshold=fd_threshold,
        std_dvars_threshold=std_dvars_threshold,
        demean=demean,
    )
    runs, is_single = files.as_runs(img_files)
    _announce(settings)
    results = [_load_run(run, settings) for run in runs]
    if is_single:
        return results[0]
    return [confounds for confounds, _ in results], [mask for _, mask in results]


# -- parameters ----------------------------------------------------------------------------------------


def checked_settings(**parameters: Any) -> Strategy:
    """Checked parameters of `load_confounds`, but for its images; what is not given has its default there.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not what it should be.
    """
    bound = inspect.signature(load_confounds).bind("", **parameters)
    bound.apply_defaults()
    given = bound.arguments
    elements = _checked_elements(given["strategy"])
    options = {name: given[name] for name in CHOICES}
    limits = {name: given[name] for name in ("scrub", "fd_threshold", "std_dvars_threshold")}
    for name, value in options.items():
        if name in elements and value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {CHOICES[name]}; {value!r} was given.")
    if "scrub" in elements:
        for name, value in limits.items():
            _check_not_negative(name, value)
    return Strategy(
        elements=elements,
        options=options,
        n_compcor=_checked_count(given["n_compcor"]) if "compcor" in elements else None,
        shortest_segment=limits["scrub"],
        fd_threshold=limits["fd_threshold"],
        std_dvars_threshold=limits["std_dvars_threshold"],
        demean=bool(given["demean"]),
    )


def tables_of(img_file: Any, **parameters: Any) -> list[Path]:
    """The tables that `load_confounds` would read for a run, whose columns are known to be there.

    Of a table its header alone is read.

    Raises
    ------
    ValueError
        As `load_confounds`, but for what only the values of a table tell.
    """
    settings = checked_settings(**parameters)
    runs, _ = files.as_runs(img_file)
    tedana = "tedana" in settings.elements
    aroma_full = "ica_aroma" in settings.elements and settings.options["ica_aroma"] == "full"
    files.check_image_name(runs[0], aroma_full=aroma_full, tedana=tedana)
    if tedana:
        return [files.find_beside(runs[0], kind) for kind in (files.MIXING, files.METRICS)]
    path = files.find_beside(runs[0], files.CONFOUNDS)
    # A line, not a table: a cohort has thousands of files.
    with (
        reading(str(path), "a tab-separated table"),
        open(regular_file(path, "a table"), encoding="utf-8-sig") as file,
    ):
        header = [name.strip('"') for name in file.readline().rstrip("\r\n").split("\t")]
    _names_of(header, path, settings)
    return [path]


def _checked_elements(strategy: Any) -> tuple[str, ...]:
    if isinstance(strategy, str) or not isinstance(strategy, Sequence):
        hint = f"; write strategy=({strategy!r},)" if isinstance(strategy, str) else ""
        raise ValueError(
            f"strategy must be a tuple or list of str; {strategy!r} ({type(strategy).__name__}) was found{hint}."
        )
    unknown = [element for element in strategy if element not in (*ELEMENTS, NON_STEADY)]
    if unknown:
        raise ValueError(f"strategy holds {unknown!r}; its elements must be among {ELEMENTS}.")
    elements = tuple(dict.fromkeys(strategy))
    if NON_STEADY in elements:
        warn(
            f"{NON_STEADY!r} in strategy changes nothing: volumes that are not in a steady state are always "
            "left out of sample_mask.",
        )
        elements = tuple(element for element in elements if element != NON_STEADY)
    if "compcor" in elements and "high_pass" not in elements:
        raise ValueError(
            "strategy has 'compcor' without 'high_pass'. CompCor's components were estimated on high-passed "
            "data; regressing them out alone puts slow drifts back in. Add 'high_pass'."
        )
    return elements


def _check_not_negative(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; {value!r} ({type(value).__name__}) was found.")
    if not float(value) >= 0:
        raise ValueError(f"{name} must be 0 or more; {value!r} was given.")


def _checked_count(n_compcor: Any) -> int | None:
    if isinstance(n_compcor, str):
        if n_compcor != "all":
            raise ParameterError(f"n_compcor must be 'all' or a positive integer; {n_compcor!r} was given.")
        return None
    if isinstance(n_compcor, bool) or not isinstance(n_compcor, numbers.Integral):
        raise TypeError(
            f"n_compcor must be 'all' or a positive integer; {n_compcor!r} "
            f"({type(n_compcor).__name__}) was found."
        )
    if n_compcor < 1:
        raise ParameterError(f"n_compcor must be 'all' or a positive integer; {n_compcor} was given.")
    return int(n_compcor)


def _announce(settings: Strategy) -> None:
    """Warn, once for all runs, of what the strategy as such does not do."""
    if not settings.elements:
        warn("strategy is empty; the confounds are None.")
    others = [element for element in settings.elements if element != "tedana"]
    if "tedana" in settings.elements and others:
        warn(
            f"strategy has 'tedana', which uses '…_desc-ICA_mixing.tsv' and '…_desc-tedana_metrics.tsv' alone; "
            f"{others} are ignored.",
        )


# -- one run -------------------------------------------------------------------------------------------


def _load_run(image: Path, settings: Strategy) -> tuple[Any, NDArray[np.int64] | None]:
    tedana = "tedana" in settings.elements
    aroma_full = "ica_aroma" in settings.elements and settings.options["ica_aroma"] == "full"
    files.check_image_name(image, aroma_full=aroma_full, tedana=tedana)
    if tedana:
        chosen, keep = _from_tedana(image, settings.options["tedana"])
    else:
        chosen, keep = _from_fmriprep(image, settings)
    if settings.demean and len(chosen.columns):
        # Where nothing is kept there is no mean to remove but that of all volumes.
        chosen = chosen - (chosen[keep] if keep.any() else chosen).mean()
    sample_mask = None if keep.all() else np.flatnonzero(keep).astype(np.int64)
    return (chosen if settings.elements else None), sample_mask


def _from_tedana(image: Path, how: str) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    mixing_path, metrics_path = (files.find_beside(image, kind) for kind in (files.MIXING, files.METRICS))
    mixing, metrics = files.read_table(mixing_path), files.read_table(metrics_path)
    lacking = [name for name in ("Component", "classification") if name not in metrics.columns]
    if lacking:
        raise columns.MissingColumnsError(f"{metrics_path} has no columns {lacking}.")
    verdicts = dict(zip(metrics["Component"], metrics["classification"], strict=True))
    unknown = [name for name in mixing.columns if name not in verdicts]
    if unknown:
        raise ValueError(
            f"{metrics_path.name} has no rows for the components {unknown} of {mixing_path.name}; "
            "the two files do not belong together."
        )
    # Components that tedana calls "ignored" hold too little variance to be worth a regressor.
    wanted = ("rejected",) if how == "aggressive" else ("accepted", "rejected")
    names = {n: f"{verdicts[n]}_{n}" for n in mixing.columns if verdicts[n] in wanted}
    chosen = _numbers(mixing, list(names), mixing_path).rename(columns=names)
    return chosen[sorted(chosen.columns)], np.ones(len(mixing), dtype=bool)


def _from_fmriprep(image: Path, settings: Strategy) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    path = files.find_beside(image, files.CONFOUNDS)
    table = files.read_table(path)
    names = _names_of(list(table.columns), path, settings)
    keep = ~scrub.non_steady(table)
    if "scrub" in settings.elements:
        keep &= ~_scrubbed(table, path, settings)
        if not keep.any():
            warn(
                f"{path.name}: all {len(table)} volumes are motion outliers or in segments of fewer than "
                f"{settings.shortest_segment} volumes; sample_mask is empty. Raise fd_threshold "
                f"({settings.fd_threshold} mm) or std_dvars_threshold ({settings.std_dvars_threshold}), lower "
                "scrub, or leave this run out.",
                RuntimeWarning,
            )
    return _with_first_values(_numbers(table, names, path), path), keep


def _scrubbed(table: pd.DataFrame, path: Path, settings: Strategy) -> NDArray[np.bool_]:
    measures = _numbers(table, [scrub.FD, scrub.STD_DVARS], path)
    outliers = scrub.motion_outliers(
        measures[scrub.FD].to_numpy(),
        measures[scrub.STD_DVARS].to_numpy(),
        settings.fd_threshold,
        settings.std_dvars_threshold,
    )
    return scrub.without_short_segments(outliers, settings.shortest_segment)


def _names_of(present: list[str], path: Path, settings: Strategy) -> list[str]:
    """Sorted names of the columns that the strategy stands for; ValueError lists all that are missing."""
    found = [_found(element, present, path, settings) for element in settings.elements]
    missing = [name for one in found for name in one.missing]
    if missing:
        raise columns.MissingColumnsError(
            f"{path} lacks {', '.join(missing)}, which strategy={settings.elements} needs. {_hint(present)}"
        )
    return sorted({name for one in found for name in one.columns})


def _found(element: str, present: list[str], path: Path, settings: Strategy) -> columns.Found:
    options = settings.options
    if element == "motion":
        return columns.expanded(columns.MOTION, options["motion"], present)
    if element == "wm_csf":
        return columns.expanded(columns.TISSUES, options["wm_csf"], present)
    if element == "global_signal":
        return columns.expanded(columns.GLOBAL, options["global_signal"], present)
    if element == "high_pass":
        found = columns.cosines(present)
        if not found.columns:
            warn(
                f"{path.name} has no cosine columns, as happens where a run is shorter than the period of the "
                "high-pass filter; 'high_pass' adds nothing.",
            )
        return found
    if element == "compcor":
        masks, _ = columns.COMPCOR[options["compcor"]]
        # Temporal components are known by their name alone.
        metadata = files.read_metadata(path) if masks or path.with_suffix(".json").is_file() else {}
        return columns.compcor(options["compcor"], settings.n_compcor, present, metadata)
    if element == "ica_aroma" and options["ica_aroma"] == "basic":
        return columns.aroma(present)
    if element == "scrub":
        return columns.Found((), tuple(name for name in (scrub.FD, scrub.STD_DVARS) if name not in present))
    return columns.Found(())


def _hint(present: list[str]) -> str:
    if len(present) == 1 and "," in str(present[0]):
        return "The table seems to be separated by commas; fMRIPrep's tables are separated by tabs."
    if any(name in present for name in ("X", "RotX", "FramewiseDisplacement", "GlobalSignal")):
        return "Its names are those of fMRIPrep 1.1 or older; tables since version 1.2 are supported."
    return "Choose another strategy, or run fMRIPrep with what computes these."


def _numbers(table: pd.DataFrame, names: list[str], path: Path) -> pd.DataFrame:
    """Columns of a table as float64; ValueError names those that hold text."""
    chosen = table[names]
    text = [name for name in names if chosen[name].dtype.kind not in "iufb"]
    if text:
        raise ParameterError(f"{path} holds values that are not numbers in the columns {text}.")
    return chosen.astype(np.float64)


def _with_first_values(chosen: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Replace NaN in the first row by the second; what else is NaN is left and warned of."""
    if len(chosen) > 1 and len(chosen.columns):
        first, second = chosen.iloc[0], chosen.iloc[1]
        chosen = chosen.copy()
        chosen.iloc[0] = first.where(first.notna(), second)
    undefined = [name for name in chosen.columns if chosen[name].isna().any()]
    if undefined:
        rows = np.flatnonzero(chosen.isna().any(axis=1).to_numpy()).tolist()
        warn(
            f"{path.name} has undefined values (n/a) in the columns {undefined}, rows {rows[:8]} (from 0); they "
            "are left as NaN, which cleaning refuses. Interpolate them, or leave these columns out.",
        )
    return chosen
