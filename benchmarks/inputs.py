"""Inputs for the benchmarks: a run, atlases and confounds with the sizes of a real study, made here."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from scipy import ndimage

from benchmarks.cases import input_paths

SHAPE = (99, 117, 95)
TR = 2.0
SHARE_OF_BRAIN = 235_000 / np.prod(SHAPE)


def affine(size_mm: float = 2.0) -> np.ndarray:
    """MNI-like: centred, RAS, isotropic."""
    matrix = np.diag([size_mm, size_mm, size_mm, 1.0])
    matrix[:3, 3] = [-98, -134, -72]
    return matrix


def brain(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """An ellipsoid with as many voxels as a brain on the usual grid."""
    axes = [np.linspace(-1, 1, n) for n in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    radius = x**2 + y**2 + z**2
    return radius <= np.quantile(radius, SHARE_OF_BRAIN)


def make(
    folder: Path,
    n_volumes: int,
    dtype: str = "int16",
    shape: tuple[int, int, int] = SHAPE,
    n_parcels: int = 400,
    n_seeds: int = 264,
) -> dict[str, Path]:
    """Write what the benchmarks read, unless it is there; returns the paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = input_paths(folder, n_volumes, dtype)
    inside = brain(shape)
    rng = np.random.default_rng(0)
    if not paths["mask"].exists():
        nib.save(nib.Nifti1Image(inside.astype(np.uint8), affine()), paths["mask"])
        parcels = _parcels(inside, n_parcels, rng)
        nib.save(nib.Nifti1Image(parcels, affine()), paths["labels"])
        for i in range(10):
            # Ten different atlases: the same parcels, numbered in another order.
            numbers = np.concatenate([[0], rng.permutation(n_parcels) + 1]).astype(np.int16)
            file = folder / f"labels_order-{i}.nii.gz"
            nib.save(nib.Nifti1Image(numbers[parcels], affine()), file)
        fine = parcels.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
        fine_affine = affine(1.0)
        fine_affine[:3, 3] -= 0.5
        nib.save(nib.Nifti1Image(fine, fine_affine), paths["labels_1mm"])
        nib.save(nib.Nifti1Image(_maps(inside, 39, rng), affine()), paths["maps"])
        np.save(paths["seeds"], _seeds(inside, n_seeds, rng))
    if not paths["confounds"].exists():
        np.save(paths["confounds"], rng.standard_normal((n_volumes, 24)).cumsum(axis=0))
    if not paths["run"].exists():
        _write_run(paths["run"], inside, n_volumes, np.dtype(dtype), rng)
    return paths


def _parcels(inside: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Every brain voxel belongs to the nearest of n centres."""
    voxels = np.argwhere(inside)
    centres = np.zeros(inside.shape, dtype=np.int16)
    chosen = voxels[rng.choice(len(voxels), n, replace=False)]
    centres[tuple(chosen.T)] = np.arange(1, n + 1)
    nearest = ndimage.distance_transform_edt(centres == 0, return_distances=False, return_indices=True)
    return np.where(inside, centres[tuple(nearest)], 0).astype(np.int16)


def _maps(inside: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    voxels = np.argwhere(inside)
    maps = np.zeros((*inside.shape, n), dtype=np.float32)
    grid = np.indices(inside.shape)
    for i, centre in enumerate(voxels[rng.choice(len(voxels), n, replace=False)]):
        squared = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
        weights = np.exp(-squared / (2 * 6.0**2))
        maps[..., i] = np.where(inside & (weights > 0.05), weights, 0)
    return maps


def _seeds(inside: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    voxels = np.argwhere(ndimage.binary_erosion(inside, iterations=min(inside.shape) // 19))
    return nib.affines.apply_affine(affine(), voxels[rng.choice(len(voxels), n, replace=False)])


def _write_run(
    path: Path, inside: np.ndarray, n_volumes: int, dtype: np.dtype, rng: np.random.Generator
) -> None:
    """Volume by volume: noise of 2 % on a mean of about 1000 inside the brain, and the air's outside."""
    header = nib.Nifti1Header()
    header.set_data_shape((*inside.shape, n_volumes))
    header.set_data_dtype(dtype)
    header.set_sform(affine(), 2)
    header.set_qform(affine(), 2)
    header.set_xyzt_units("mm", "sec")
    header["pixdim"][4] = TR
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    n_inside = int(inside.sum())
    mean = rng.uniform(800, 1200, n_inside)
    unfinished = path.with_name(f"unfinished_{path.name}")
    with ImageOpener(str(unfinished), "wb", compresslevel=1) as stream:
        header.write_to(stream)
        stream.write(b"\0" * 4)
        volume = np.zeros(inside.shape, dtype=dtype.newbyteorder("<"))
        for _ in range(n_volumes):
            volume[...] = rng.integers(0, 12, inside.shape)
            volume[inside] = mean + 20 * rng.standard_normal(n_inside)
            stream.write(volume.tobytes(order="F"))
    unfinished.rename(path)
