"""Folders of fMRIPrep's form on disk, made of what the other simulations give."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from brainsieve.checks import a_count, one_of
from brainsieve.datasets.simulated.noise import MOTION, N_COMPCOR, RandomState, generator
from brainsieve.datasets.simulated.regions import simulate_atlas
from brainsieve.datasets.simulated.rest import simulate_rest
from brainsieve.datasets.simulated.task import simulate_task

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

SPACE = "MNI152NLin2009cAsym"
# fMRIPrep's high-pass filter of 128 s, as cosines.
CUT_OFF_S = 128.0


def simulate_bids(
    folder: str | os.PathLike[str],
    n_subjects: int = 2,
    *,
    kind: Literal["rest", "task"] = "rest",
    random_state: RandomState = 0,
    **parameters: Any,
) -> Bunch:
    """Simulate runs and write them as a folder of fMRIPrep derivatives, which `brainsieve.cohort` can plan and run.

    Images, brain masks and confounds with derivatives, squares and cosines are named as fMRIPrep names them, with
    their JSON files. An atlas and its table lie in ``atlases`` beside the people, under TemplateFlow's names;
    the events of a task beside its runs.

    Parameters
    ----------
    folder : path
        Is made, or is there and empty.
    n_subjects : int, default=2
    kind : {"rest", "task"}, default="rest"
        Runs of `simulate_rest` or of `simulate_task`.
    random_state : int, numpy.random.Generator or None, default=0
    **parameters
        Of the simulation: ``atlas``, ``n_volumes``, ``snr``, ... of `simulate_rest`; ``conditions``, ``n_runs``, ...
        of `simulate_task`. Its default is an `artefact_level` of 1 for both.

    Returns
    -------
    sklearn.utils.Bunch
        ``folder``, Path; ``func``, ``confounds`` and ``events`` (task only), lists of Path, a run each, in order of
        subjects and runs; ``atlas``, Path of the labels; ``t_r``; ``space``, str; ``description``; ``truth``:
        of rest that of `simulate_rest`, of a task a list of those of `simulate_task`, one for each person.

    Raises
    ------
    FileExistsError
        If there is something in `folder` already.
    ValueError, TypeError
        If a parameter is not one of the simulation, or out of its range.

    Examples
    --------
    >>> import tempfile
    >>> from brainsieve.datasets import simulate_bids
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(simulate_bids(folder, 1).func[0].name)
    sub-01_task-rest_space-MNI152NLin2009cAsym_res-10_desc-preproc_bold.nii.gz
    """
    from sklearn.utils import Bunch

    a_count("n_subjects", n_subjects, least=1)
    one_of("rest", "task")("kind", kind)
    rng = generator(random_state)
    parameters = {"artefact_level": 1.0} | parameters
    if kind == "rest":
        parameters.setdefault("atlas", simulate_atlas(random_state=rng))
        data = simulate_rest(n_subjects, random_state=rng, **parameters)
        people = [Bunch(func=[f], confounds=[c]) for f, c in zip(data.func, data.confounds, strict=True)]
        atlas, truth, mask, t_r = data.atlas, data.truth, data.mask, data.t_r
    else:
        people = [simulate_task(random_state=rng, **parameters) for _ in range(n_subjects)]
        mask, t_r, truth = people[0].mask, people[0].t_r, [person.truth for person in people]
        atlas = simulate_atlas(
            shape=mask.shape, resolution=float(mask.header.get_zooms()[0]), random_state=rng
        )
    root = _empty_folder(folder)
    _write_json(root / "dataset_description.json", _about(kind))
    written: dict[str, list[Path]] = {"func": [], "confounds": [], "events": []}
    for i, person in enumerate(people):
        for k in range(len(person.func)):
            stem = f"sub-{i + 1:02d}_task-{kind}" + (f"_run-{k + 1}" if len(person.func) > 1 else "")
            for name, path in _write_run(root, stem, person, k, mask, t_r).items():
                written[name].append(path)
    return Bunch(
        folder=root,
        **{name: paths for name, paths in written.items() if paths},
        atlas=_write_atlas(root / "atlases", atlas),
        t_r=t_r,
        space=SPACE,
        description=f"Simulated derivatives of {n_subjects} people, {kind}.",
        truth=truth,
    )


def _empty_folder(folder: str | os.PathLike[str]) -> Path:
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise FileExistsError(f"folder must be new or empty; there is something in {root} already.")
    return root


def _about(kind: str) -> dict[str, Any]:
    return {
        "Name": f"Simulated {kind}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "brainsieve.datasets.simulate_bids"}],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_table(path: Path, table: pd.DataFrame) -> None:
    # Line ends are the same everywhere, so that a folder is the same byte for byte.
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def _write_run(root: Path, stem: str, person: Bunch, k: int, mask: Any, t_r: float) -> dict[str, Path]:
    import nibabel

    where = root / stem.split("_")[0] / "func"
    where.mkdir(parents=True, exist_ok=True)
    spaced = f"{stem}_space-{SPACE}_res-{_resolution(mask)}_desc"
    bold = where / f"{spaced}-preproc_bold.nii.gz"
    nibabel.save(person.func[k], bold)
    _write_json(where / f"{spaced}-preproc_bold.json", {"RepetitionTime": t_r, "SkullStripped": True})
    nibabel.save(mask, where / f"{spaced}-brain_mask.nii.gz")
    table = where / f"{stem}_desc-confounds_timeseries.tsv"
    _write_table(table, expanded(person.confounds[k], t_r))
    _write_json(table.with_suffix(".json"), _about_components())
    paths = {"func": bold, "confounds": table}
    if "events" in person:
        paths["events"] = where / f"{stem}_events.tsv"
        _write_table(paths["events"], person.events[k])
    return paths


def expanded(confounds: pd.DataFrame, t_r: float) -> pd.DataFrame:
    """Confounds with the derivatives, squares and cosines that fMRIPrep adds."""
    import pandas as pd

    columns = {name: confounds[name] for name in confounds}
    for name in (*MOTION, "csf", "white_matter", "global_signal"):
        steps = confounds[name].diff()
        columns |= {
            f"{name}_derivative1": steps,
            f"{name}_power2": confounds[name] ** 2,
            f"{name}_derivative1_power2": steps**2,
        }
    n = len(confounds)
    for k in range(1, int(2 * n * t_r / CUT_OFF_S) + 1):
        columns[f"cosine{k - 1:02d}"] = np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
    change = confounds["global_signal"].diff().abs()
    columns["std_dvars"] = change / change.mean()
    return pd.DataFrame(columns)


def _about_components() -> dict[str, Any]:
    return {
        f"a_comp_cor_{k:02d}": {"Method": "aCompCor", "Mask": "combined", "Retained": True}
        for k in range(N_COMPCOR)
    }


def _write_atlas(folder: Path, atlas: Bunch) -> Path:
    import nibabel

    folder.mkdir()
    probabilistic = atlas.atlas_type == "probabilistic"
    suffix = "probseg" if probabilistic else "dseg"
    path = folder / f"tpl-{SPACE}_atlas-Simulated_res-{_resolution(atlas.maps)}_{suffix}.nii.gz"
    nibabel.save(atlas.maps, path)
    _write_table(folder / f"tpl-{SPACE}_atlas-Simulated_{suffix}.tsv", atlas.lut)
    return path


def _resolution(img: Any) -> str:
    """Of voxels, as the entity ``res`` has it: letters and numbers only."""
    return f"{float(img.header.get_zooms()[0]):g}".replace(".", "p")
