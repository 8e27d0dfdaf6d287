"""A small cohort of fMRIPrep's form, made up."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

SHAPE, AFFINE = (8, 9, 7), np.diag([4.0, 4.0, 4.0, 1.0])
SPACE = "MNI152NLin2009cAsym"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def labels() -> np.ndarray:
    """Eight regions and a background."""
    found = np.zeros(SHAPE, dtype=np.int16)
    found[1:7, 1:8, 1:6] = 1 + (np.indices((6, 7, 5)) // 4).transpose(1, 2, 3, 0) @ np.array([4, 2, 1])
    return found


def write_atlas(folder: Path, name: str = "atlas-Boxes", space: str = SPACE) -> Path:
    path = folder / f"tpl-{space}_{name}_res-4_dseg.nii.gz"
    nib.save(nib.Nifti1Image(labels(), AFFINE), path)
    table = pd.DataFrame({"index": range(1, 9), "name": [f"box {i}" for i in range(1, 9)]})
    table.to_csv(folder / f"tpl-{space}_{name}_dseg.tsv", sep="\t", index=False)
    return path


def confounds(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """As fMRIPrep writes them: parameters, derivatives, squares, tissues, cosines, displacement."""
    table = pd.DataFrame({name: np.cumsum(rng.normal(size=n)) * 0.02 for name in MOTION})
    for name in ("csf", "white_matter", "global_signal"):
        table[name] = rng.normal(500, 5, size=n)
    for name in list(table.columns):
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[name].diff() ** 2
    for k in range(2):
        table[f"cosine{k:02d}"] = np.cos(np.pi * (k + 1) * (np.arange(n) + 0.5) / n)
    table["framewise_displacement"] = np.abs(rng.normal(0.1, 0.05, size=n))
    table.loc[0, "framewise_displacement"] = np.nan
    table["std_dvars"] = np.abs(rng.normal(1.0, 0.1, size=n))
    table.loc[5, "framewise_displacement"] = 0.9
    return table


def write_run(
    folder: Path,
    subject: str = "01",
    session: str | None = None,
    task: str = "rest",
    n: int = 200,
    t_r: float = 2.0,
    space: str = SPACE,
    seed: int = 0,
) -> Path:
    rng = np.random.default_rng([seed, int(subject)])
    where = folder / f"sub-{subject}" / (f"ses-{session}" if session else ".") / "func"
    where.mkdir(parents=True, exist_ok=True)
    stem = f"sub-{subject}" + (f"_ses-{session}" if session else "") + f"_task-{task}"
    data = 1000 + rng.normal(size=(*SHAPE, n)) * 20
    data += np.sin(np.arange(n) / 5) * labels()[..., None] * 3
    image = nib.Nifti1Image(data.astype(np.int16), AFFINE)
    image.header.set_zooms((4, 4, 4, t_r))
    image.header.set_xyzt_units("mm", "sec")
    bold = where / f"{stem}_space-{space}_res-4_desc-preproc_bold.nii.gz"
    nib.save(image, bold)
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text(json.dumps({"RepetitionTime": t_r}))
    mask = nib.Nifti1Image((labels() > 0).astype(np.uint8), AFFINE)
    nib.save(mask, where / f"{stem}_space-{space}_res-4_desc-brain_mask.nii.gz")
    table = where / f"{stem}_desc-confounds_timeseries.tsv"
    confounds(rng, n).to_csv(table, sep="\t", index=False, na_rep="n/a")
    return bold


def write_cohort(folder: Path, n_subjects: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(
        json.dumps({"Name": "made up", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    )
    for number in range(1, n_subjects + 1):
        write_run(folder, f"{number:02d}")
    return folder
