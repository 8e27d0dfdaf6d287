"""One run, worked off: read once for all atlases and strategies that are not done, each piece written whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Labels
from brainsieve.checks import naming
from brainsieve.cohort import sidecars
from brainsieve.cohort.figures import carpet, matrices, png, regions, some_voxels
from brainsieve.cohort.frozen import Prepared
from brainsieve.cohort.index import GRAYORDINATES, Run
from brainsieve.cohort.inputs import RunInputs, inputs_of
from brainsieve.cohort.names import output_path
from brainsieve.cohort.pieces import SIZES, Piece, pieces_of, sidecar_of
from brainsieve.cohort.quality import degrees_of_freedom, framewise_displacement, of_motion, of_voxels
from brainsieve.cohort.results import read_matrix
from brainsieve.cohort.settings import Settings
from brainsieve.cohort.strategies import Strategy
from brainsieve.engine.grayordinates import Grayordinates, Parcels
from brainsieve.engine.temporal.operator import plan_cleaning
from brainsieve.interfaces.fmriprep import load_confounds
from brainsieve.interfaces.fmriprep.files import read_table
from brainsieve.logs import collected_warnings
from brainsieve.maskers import CiftiMasker, NiftiMasker
from brainsieve.maskers.choosing import open_any
from brainsieve.maskers.running import Coverage, Share, run_shares
from brainsieve.provenance import json_bytes
from brainsieve.surface.cifti_images import cifti_image, parcel_connectivity
from brainsieve.table_files import frame_of, put_table
from brainsieve.tables import read_confounds
from brainsieve.whole_files import replacing_together

if TYPE_CHECKING:
    import pandas as pd

    from brainsieve.maskers.fitted import FittedMasker

DISPLACEMENT = "framewise_displacement"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@dataclass(frozen=True)
class Task:
    """A run and what is wanted of it."""

    settings: Settings
    run: Run
    strategies: tuple[Strategy, ...]
    atlases: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a run with a strategy.

    Attributes
    ----------
    run, strategy : str
    status : {"done", "done before", "excluded", "failed"}
    reason : str
        Why not done.
    seconds : float
        Of the whole run.
    """

    run: str
    strategy: str
    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Denoised:
    """A strategy's confounds and kept volumes for one run."""

    strategy: Strategy
    confounds: pd.DataFrame | None
    kept: NDArray[np.intp] | None
    degrees: float
    pieces: list[Piece]
    matrices: dict[str, NDArray] = field(default_factory=dict)


def process(task: Task, prepared: Mapping[str, Prepared], n_threads: int | None = None) -> list[Outcome]:
    """Work off a run; what goes wrong is an outcome, no error.

    Parameters
    ----------
    task : Task
    prepared : mapping
        The maskers of the atlases by their names.
    n_threads : int, optional
        Default: the processors that there are.

    Returns
    -------
    list of Outcome
        One for each strategy.
    """
    start = time.perf_counter()
    try:
        outcomes = _process(task, prepared, n_threads)
    except Exception as error:
        # Whatever a damaged run does, it does to itself alone.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        outcomes = [Outcome(task.run.path, one.name, "failed", reason) for one in task.strategies]
    seconds = time.perf_counter() - start
    return [Outcome(o.run, o.strategy, o.status, o.reason, seconds) for o in outcomes]


def _process(task: Task, prepared: Mapping[str, Prepared], n_threads: int | None) -> list[Outcome]:
    settings, out_dir = task.settings, task.settings.out_dir
    inputs = inputs_of(settings, task.run)
    if inputs.problems:
        raise ValueError("; ".join(inputs.problems))
    atlases = [atlas for atlas in settings.atlases if atlas.name in task.atlases]
    outcomes: list[Outcome] = []
    ready: list[Denoised] = []
    shared: dict[str, Piece] = {}
    for strategy in task.strategies:
        pieces = pieces_of(settings, inputs, strategy, atlases)
        left = [piece for piece in pieces if not piece.is_done(out_dir)]
        if not left:
            outcomes.append(Outcome(task.run.path, strategy.name, "done before"))
            continue
        try:
            ready.append(_denoised(settings, inputs, strategy, left, prepared))
        except TooShortError as why:
            outcomes.append(Outcome(task.run.path, strategy.name, "excluded", str(why)))
        except (ValueError, TypeError, OSError) as error:
            outcomes.append(Outcome(task.run.path, strategy.name, "failed", " ".join(str(error).split())))
        shared |= {piece.what: piece for piece in left if piece.strategy is None}
    if ready or shared:
        _extract(settings, inputs, ready, shared, prepared, n_threads)
    outcomes += [Outcome(task.run.path, one.strategy.name, "done") for one in ready]
    order = [strategy.name for strategy in task.strategies]
    return sorted(outcomes, key=lambda outcome: order.index(outcome.strategy))


class TooShortError(ValueError):
    """A run of which too little is left."""


def _denoised(
    settings: Settings,
    inputs: RunInputs,
    strategy: Strategy,
    pieces: list[Piece],
    prepared: Mapping[str, Prepared],
) -> Denoised:
    confounds, sample_mask = None, None
    if not strategy.is_none:
        confounds, sample_mask = load_confounds(inputs.image, **strategy.confounds)
    keep = np.zeros(inputs.n_samples, dtype=bool)
    keep[np.arange(inputs.n_samples) if sample_mask is None else sample_mask] = True
    cleaning = settings.cleaning
    keep[: cleaning.dummy_scans] = False
    if cleaning.fd_thresh:
        displacement = displacement_of(inputs)
        # Of the first volume nobody knows: nothing was before it.
        keep &= ~(np.nan_to_num(displacement) > cleaning.fd_thresh)
    left = int(keep.sum())
    if inputs.t_r is not None and left * inputs.t_r < cleaning.min_time:
        raise TooShortError(
            f"{left * inputs.t_r:g} s are left of the run, and min_time is {cleaning.min_time:g} s"
        )
    if left < 2:
        raise TooShortError(f"{left} of {inputs.n_samples} volumes are left")
    kept = None if keep.all() else np.flatnonzero(keep)
    # All atlases are cleaned alike.
    in_time = next(iter(prepared.values())).for_time(inputs.t_r).in_time
    # What is wrong with a table is told by its own columns, with its name.
    with naming(inputs.run.path if inputs.confounds is None else str(inputs.confounds)):
        regressors = read_confounds(confounds, inputs.n_samples, inputs.run.path, kept)
    degrees = degrees_of_freedom(in_time.cleaning, inputs.n_samples, regressors, kept)
    if degrees < 1:
        n_confounds = 0 if confounds is None else confounds.shape[1]
        raise TooShortError(
            f"{degrees:.1f} degrees of freedom are left of {left} volumes after {n_confounds} confounds and the filter"
        )
    own = [piece for piece in pieces if piece.strategy is not None]
    return Denoised(strategy, confounds, kept, degrees, own)


def displacement_of(inputs: RunInputs) -> NDArray[np.float64]:
    """Framewise displacement (mm) as the table of confounds has it, else of its motion parameters.

    Raises
    ------
    ValueError
        If it has neither, or is of another length than the run.
    """
    if inputs.confounds is None:
        raise ValueError(f"{inputs.run.path} has no table of confounds, which has the motion")
    table = read_table(inputs.confounds)
    if len(table) != inputs.n_samples:
        raise ValueError(
            f"{inputs.confounds.name} has {len(table)} rows, the run {inputs.n_samples} volumes: not of one run"
        )
    if DISPLACEMENT in table:
        return table[DISPLACEMENT].to_numpy(dtype=np.float64)
    if not set(MOTION) <= set(table.columns):
        raise ValueError(f"{inputs.confounds.name} has neither {DISPLACEMENT} nor {', '.join(MOTION)}")
    return framewise_displacement(table[list(MOTION)].to_numpy())


# -- one pass ------------------------------------------------------------------------------------------------


def _extract(
    settings: Settings,
    inputs: RunInputs,
    ready: Sequence[Denoised],
    shared: Mapping[str, Piece],
    prepared: Mapping[str, Prepared],
    n_threads: int | None,
) -> None:
    """Read a run once, and write all that is not done."""
    source = open_any(inputs.image)
    shares: list[Share] = []
    wanted: list[tuple[Denoised, Piece]] = []
    for one in ready:
        for piece in one.pieces:
            fitted = _masker_of(settings, inputs, piece, prepared)
            if fitted is not None:
                shares.append(Share(fitted, one.confounds, one.kept))
                wanted.append((one, piece))
    # Pictures and quality are of the voxels as recorded.
    looks = bool(shared.keys() & {"quality", "regions"}) or any(
        piece.what == "carpet" for one in ready for piece in one.pieces
    )
    brain = _brain_masker(inputs, None) if looks else None
    if brain is not None:
        shares.append(Share(brain._current()))
    with collected_warnings() as said:
        answers = run_shares(source, shares, n_threads=n_threads) if shares else []
    warnings = sorted({" ".join(str(message).split()) for message, _ in said})
    voxels = answers[-1][0] if brain is not None else None
    for (one, piece), (values, coverage) in zip(wanted, answers, strict=False):
        if piece.what == "series":
            _write_series(settings, inputs, one, piece, prepared, values, coverage, warnings)
        else:
            _write_denoised(settings, inputs, one, piece, values)
    for one in ready:
        for piece in one.pieces:
            if piece.what == "outliers":
                _write_outliers(settings, inputs, one, piece)
            elif piece.what == "carpet" and voxels is not None:
                _write_carpet(settings, inputs, one, piece, prepared, voxels)
            elif piece.what == "matrices":
                _write_matrices(settings, inputs, one, piece, prepared)
    if "motion" in shared:
        _write_motion(settings, inputs, shared["motion"])
    if "regions" in shared:
        _write_regions(settings, inputs, shared["regions"], prepared, _mean_volume(brain, voxels))
    if "quality" in shared:
        _write_quality(settings, inputs, shared["quality"], voxels)


def _masker_of(
    settings: Settings, inputs: RunInputs, piece: Piece, prepared: Mapping[str, Prepared]
) -> FittedMasker | None:
    """The masker that a piece needs in the pass; None where it needs none."""
    if piece.atlas is not None:
        return prepared[piece.atlas.name].for_time(inputs.t_r)
    if piece.what != "denoised":
        return None
    masker = _brain_masker(inputs, settings)
    if masker is None:
        raise ValueError(
            f"{inputs.run.path} has no brain mask beside it (desc-brain_mask), which denoised images need"
        )
    return masker._current()


def _brain_masker(inputs: RunInputs, settings: Settings | None) -> Any:
    """The masker of a run's brain, with the cleaning of `settings`, else as recorded; None where no mask tells it."""
    parameters: dict[str, Any] = {"reports": False, "dtype": np.float32}
    if settings is not None:
        is_cifti = inputs.run.extension in GRAYORDINATES
        own = settings.masker_parameters("CIFTI" if is_cifti else "volumes")
        own.pop("min_coverage")
        parameters |= own | {"t_r": inputs.t_r, "standardize": None}
    else:
        parameters |= {"standardize": None}
    if inputs.run.extension in GRAYORDINATES:
        return CiftiMasker(**parameters).fit(inputs.image)
    if inputs.mask_path is None:
        return None
    return NiftiMasker(inputs.mask_path, **parameters).fit()


# -- what is written -----------------------------------------------------------------------------------------


# What is written into a file: bytes, an image, or a table and the header of its index.
Content = Any


def _put(settings: Settings, piece: Piece, contents: Mapping[str, tuple[Content, Mapping[str, Any]]]) -> None:
    """Write the files of a piece: tables and images, then their JSON files, which say that they are done.

    `contents` has what is in each file and what its JSON file says, by the kind of output.
    """
    targets = [Path(settings.out_dir, path) for path in piece.files]
    for folder in {target.parent for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
    with replacing_together(targets, durable=False) as unfinished:
        place = {file.name: file for file in unfinished}
        records: dict[str, Mapping[str, Any]] = {}
        for path, (content, record) in zip(piece.tables, contents.values(), strict=True):
            file = place[path.rpartition("/")[2]]
            if isinstance(content, bytes):
                file.write_bytes(content)
            elif hasattr(content, "to_filename"):
                content.to_filename(file)
            else:
                put_table(content[0], file, content[1])
            records[sidecar_of(file.name)] = record
        *others, last = records
        for name in others:
            place[name].write_bytes(json_bytes(records[name]))
        sizes = {file.name: file.stat().st_size for file in unfinished[:-1]}
        place[last].write_bytes(json_bytes({**records[last], SIZES: sizes}))


def _write_series(
    settings: Settings,
    inputs: RunInputs,
    one: Denoised,
    piece: Piece,
    prepared: Mapping[str, Prepared],
    values: NDArray,
    coverage: Coverage | None,
    warnings: Sequence[str],
) -> None:
    assert piece.atlas is not None
    columns = prepared[piece.atlas.name].columns
    about = sidecars.of_cleaned(settings, inputs, piece, one.confounds, one.kept, one.degrees)
    contents: dict[str, tuple[Content, Mapping[str, Any]]] = {
        "coverage": ((coverage_table(columns, coverage), None), sidecars.of_coverage(about))
    }
    of_series = sidecars.of_series(about, columns, warnings)
    parcels = parcels_of(prepared[piece.atlas.name])
    if settings.matrices:
        matrix = correlations(columns, values)
        one.matrices[piece.atlas.name] = matrix.to_numpy()
        of_matrix = sidecars.of_matrix(about, piece)
        contents["matrix"] = ((matrix, "Node"), of_matrix)
        if parcels is not None:
            contents["parcel_matrix"] = (parcel_connectivity(matrix.to_numpy(), parcels), of_matrix)
    if parcels is not None:
        contents["parcel_series"] = (cifti_image(values, parcels, inputs.t_r), of_series)
    contents["series"] = ((frame_of(values, columns), None), of_series)
    _put(settings, piece, contents)


def parcels_of(prepared: Prepared) -> Parcels | None:
    """The regions of a CIFTI label atlas as the axis of a parcellated file; None for other atlases."""
    atlas = prepared.fitted.atlas
    if not isinstance(atlas, Labels) or not isinstance(atlas.domain, Grayordinates):
        return None
    inside = np.flatnonzero(atlas.codes >= 0)
    return Parcels(prepared.columns, atlas.domain.taking(inside), atlas.codes[inside])


def coverage_table(columns: Sequence[str], coverage: Coverage | None) -> pd.DataFrame:
    """Points of each region, those that the run has, and their share."""
    import pandas as pd

    assert coverage is not None
    expected, found = coverage
    with np.errstate(invalid="ignore", divide="ignore"):
        share = found / expected
    return pd.DataFrame({"Node": list(columns), "coverage": share, "n_expected": expected, "n_found": found})


def correlations(columns: Sequence[str], values: NDArray) -> pd.DataFrame:
    """Pearson's correlations of all pairs of columns; NaN for those that are missing or do not vary."""
    import pandas as pd

    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.atleast_2d(np.corrcoef(np.asarray(values, dtype=np.float64), rowvar=False))
    return pd.DataFrame(matrix, index=list(columns), columns=list(columns))


def _write_denoised(
    settings: Settings, inputs: RunInputs, one: Denoised, piece: Piece, values: NDArray
) -> None:
    image = _brain_masker(inputs, settings).inverse_transform(values)
    if inputs.t_r is not None and hasattr(image.header, "set_xyzt_units"):
        image.header.set_zooms((*image.header.get_zooms()[:3], inputs.t_r))
        image.header.set_xyzt_units("mm", "sec")
    record = sidecars.of_cleaned(settings, inputs, piece, one.confounds, one.kept, one.degrees)
    _put(settings, piece, {piece.what: (image, record)})


def _write_carpet(
    settings: Settings,
    inputs: RunInputs,
    one: Denoised,
    piece: Piece,
    prepared: Mapping[str, Prepared],
    voxels: NDArray,
) -> None:
    before = voxels[:, some_voxels(voxels.shape[1])].astype(np.float64)
    record = sidecars.of_cleaned(settings, inputs, piece, one.confounds, one.kept, one.degrees)
    drawn = png(carpet(before, _cleaned(prepared, inputs, one, before), one.kept))
    _put(settings, piece, {"carpet": (drawn, record)})


def _write_matrices(
    settings: Settings, inputs: RunInputs, one: Denoised, piece: Piece, prepared: Mapping[str, Prepared]
) -> None:
    record = sidecars.of_cleaned(settings, inputs, piece, one.confounds, one.kept, one.degrees)
    found = {
        name: matrix for name in prepared if (matrix := _matrix(settings, inputs, one, name)) is not None
    }
    _put(settings, piece, {"matrices": (png(matrices(found)), record)})


def _cleaned(
    prepared: Mapping[str, Prepared], inputs: RunInputs, one: Denoised, series: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Some series, cleaned as those of regions are."""
    cleaning = next(iter(prepared.values())).for_time(inputs.t_r).in_time.cleaning
    confounds = None if one.confounds is None else one.confounds.to_numpy(dtype=np.float64)
    operator = plan_cleaning(len(series), cleaning, confounds=confounds, sample_mask=one.kept)
    values = series[operator.kept]
    operator.apply(values)
    return values


def _matrix(settings: Settings, inputs: RunInputs, one: Denoised, name: str) -> NDArray | None:
    """The matrix of an atlas, of this pass or as it was written before; None where the run has none of it."""
    if name in one.matrices:
        return one.matrices[name]
    atlas = next(atlas for atlas in settings.atlases if atlas.name == name)
    path = Path(
        settings.out_dir, output_path("matrix", inputs.run.entities, atlas.entities, one.strategy.name)
    )
    if not path.is_file():
        return None
    return read_matrix(path).to_numpy()


def _mean_volume(brain: Any, voxels: NDArray | None) -> tuple[Any, NDArray] | None:
    """The mean of a run where its mask is, for the background of pictures."""
    if brain is None or voxels is None or not voxels.shape[1]:
        return None
    atlas = brain._current().atlas
    values = np.zeros(len(atlas.inside))
    values[atlas.inside] = voxels.mean(axis=0)
    return atlas.domain, values


def _write_regions(
    settings: Settings,
    inputs: RunInputs,
    piece: Piece,
    prepared: Mapping[str, Prepared],
    background: tuple[Any, NDArray] | None,
) -> None:
    record = sidecars.of_run(settings, inputs, piece)
    # By their whole names: that of one atlas may begin that of another.
    name_of = {
        output_path("regions", inputs.run.entities, one.entities): one.name for one in settings.atlases
    }
    names = [name_of[path] for path in piece.tables]
    drawn = {name: (png(regions(prepared[name], background)), record) for name in names}
    _put(settings, piece, drawn)


def _write_outliers(settings: Settings, inputs: RunInputs, one: Denoised, piece: Piece) -> None:
    import pandas as pd

    left_out = np.zeros(inputs.n_samples, dtype=int)
    if one.kept is not None:
        left_out[:] = 1
        left_out[one.kept] = 0
    record = sidecars.of_cleaned(settings, inputs, piece, one.confounds, one.kept, one.degrees)
    record["outlier"] = {
        "Description": "1: the volume was left out.",
        "Levels": {"0": "kept", "1": "left out"},
    }
    _put(settings, piece, {"outliers": ((pd.DataFrame({"outlier": left_out}), None), record)})


def _write_motion(settings: Settings, inputs: RunInputs, piece: Piece) -> None:
    import pandas as pd

    assert inputs.confounds is not None
    try:
        displacement = displacement_of(inputs)
    except ValueError:
        displacement = np.full(inputs.n_samples, np.nan)
    record = sidecars.of_run(settings, inputs, piece)
    record[DISPLACEMENT] = {"Description": "Framewise displacement (Power et al. 2012).", "Units": "mm"}
    _put(settings, piece, {"motion": ((pd.DataFrame({DISPLACEMENT: displacement}), None), record)})


def _write_quality(settings: Settings, inputs: RunInputs, piece: Piece, voxels: NDArray | None) -> None:
    import pandas as pd

    figures: dict[str, Any] = {"n_volumes": inputs.n_samples, "repetition_time": inputs.t_r}
    try:
        figures |= of_motion(displacement_of(inputs))
    except ValueError:
        figures |= of_motion(np.full(1, np.nan))
    nothing = np.empty((inputs.n_samples, 0))
    figures |= of_voxels(nothing if voxels is None else voxels)[0]
    record = sidecars.of_quality(settings, inputs, piece)
    _put(settings, piece, {"quality": ((pd.DataFrame([figures]), None), record)})
