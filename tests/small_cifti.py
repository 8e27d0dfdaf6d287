"""A small brain in CIFTI-2, written by nibabel's axes and not by ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.cifti2 import cifti2_axes

N_VERTICES = {"CORTEX_LEFT": 42, "CORTEX_RIGHT": 40}
AFFINE = np.array([[2.0, 0, 0, -8], [0, 2, 0, -9], [0, 0, 2, -10], [0, 0, 0, 1]])
SHAPE = (9, 8, 7)
KEYS = {0: "???", 3: "left a", 4: "left b", 7: "right", 9: "deep"}
COLOURS = {key: (key / 10, 0.25, 0.5, float(key != 0)) for key in KEYS}


def vertices(structure: str, wall: bool) -> np.ndarray:
    """Numbers of the vertices; without the medial wall every fifth is left out."""
    numbers = np.arange(N_VERTICES[structure])
    return numbers if wall else numbers[numbers % 5 != 2]


def thalamus(grid_shift: int = 0) -> np.ndarray:
    return (
        np.stack(np.meshgrid([2, 3, 4], [3, 4], [1, 2, 3], indexing="ij"), axis=-1).reshape(-1, 3)
        + grid_shift
    )


def brain(wall: bool = False, parts: Any = ("CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT")) -> Any:
    axes = []
    for part in parts:
        name = f"CIFTI_STRUCTURE_{part}"
        if part in N_VERTICES:
            axes.append(cifti2_axes.BrainModelAxis.from_surface(vertices(part, wall), N_VERTICES[part], name))
        else:
            voxels = thalamus()
            mask = np.zeros(SHAPE, dtype=bool)
            mask[tuple(voxels.T)] = True
            axes.append(cifti2_axes.BrainModelAxis.from_mask(mask, name, AFFINE))
    whole = axes[0]
    for axis in axes[1:]:
        whole = whole + axis
    return whole


def values(n_samples: int, n_points: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (100 + rng.normal(size=(n_samples, n_points)).cumsum(axis=0)).astype(np.float32)


def series(folder: Path, n_samples: int = 60, name: str = "run.dtseries.nii", **options: Any) -> Path:
    axis = brain(**options)
    image = nib.Cifti2Image(
        values(n_samples, len(axis)), header=(cifti2_axes.SeriesAxis(0, 0.8, n_samples), axis)
    )
    nib.save(image, folder / name)
    return folder / name


def keys_of(axis: Any) -> np.ndarray:
    """Label of each grayordinate: two regions on the left, one on the right, one below."""
    keys = np.zeros(len(axis), dtype=np.float32)
    left = axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"
    keys[left] = np.where(axis.vertex[left] < 20, 3, 4)
    keys[axis.name == "CIFTI_STRUCTURE_CORTEX_RIGHT"] = 7
    keys[axis.name == "CIFTI_STRUCTURE_THALAMUS_LEFT"] = 9
    keys[::7] = 0
    return keys


def atlas(folder: Path, name: str = "atlas.dlabel.nii", n_maps: int = 1, **options: Any) -> Path:
    axis = brain(**options)
    table = {key: (KEYS[key], COLOURS[key]) for key in KEYS}
    labels = cifti2_axes.LabelAxis([f"map {i}" for i in range(n_maps)], [table] * n_maps)
    rows = np.stack([np.roll(keys_of(axis), i) for i in range(n_maps)])
    nib.save(nib.Cifti2Image(rows, header=(labels, axis)), folder / name)
    return folder / name


def scalars(folder: Path, rows: np.ndarray, name: str = "maps.dscalar.nii", **options: Any) -> Path:
    axis = cifti2_axes.ScalarAxis([f"component {i}" for i in range(len(rows))])
    nib.save(nib.Cifti2Image(rows.astype(np.float32), header=(axis, brain(**options))), folder / name)
    return folder / name
