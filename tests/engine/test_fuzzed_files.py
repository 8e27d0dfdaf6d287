"""Broken files give the data that nibabel gives, or an error of ours that names the file: nothing else."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import mutants
import nibabel as nib
import numpy as np
import pytest
import small_cifti
from numpy.testing import assert_allclose

from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.cifti import open_cifti

AFFINE = np.diag([3.0, 3, 4, 1])
# 100 000 were run by hand; here as many as take some seconds.
N_MUTANTS = int(os.environ.get("BRAINSIEVE_MUTANTS", 2000))
# Bytes that a mutant may ask memory for, at most: the files have some hundreds.
MOST_BYTES = 2**26


def volume(dtype: type = np.int16, shape: tuple[int, ...] = (4, 3, 3, 5)) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 100, shape).astype(dtype)


def written(folder: Path, name: str, img: nib.spatialimages.SpatialImage) -> bytes:
    nib.save(img, folder / name)
    return (folder / name).read_bytes()


def nifti(folder: Path, kind: type = nib.Nifti1Image) -> bytes:
    img = kind(volume(), AFFINE)
    img.header.set_slope_inter(0.5, 3)
    img.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a comment"))
    return written(folder, "made.nii", img)


def read(path: Path) -> np.ndarray:
    return read_all(open_source(path))


def by_nibabel(path: Path) -> np.ndarray | None:
    """What nibabel reads; None where it raises, or takes the header for voxels."""
    try:
        img = nib.load(path, mmap=False)
        if getattr(img.dataobj, "offset", 1) == 0 and type(img) in (nib.Nifti1Image, nib.Nifti2Image):
            return None
        data = np.asarray(img.dataobj)
    except Exception:
        return None
    return data.reshape(int(np.prod(data.shape[:3])), -1, order="F").T


def fuzz(
    folder: Path,
    name: str,
    whole: bytes,
    header: int,
    seed: int,
    reader: Callable[[Path], np.ndarray] = read,
) -> None:
    path = folder / name
    packed = name.endswith((".gz", ".mgz"))
    tried = good = 0
    for data in mutants.mutants(whole, N_MUTANTS // 2, seed, header, packed):
        path.write_bytes(data)
        tried += 1
        with np.errstate(all="ignore"):
            found = mutants.outcome(reader, path)
            if found is None:
                continue
            good += 1
            assert found.nbytes < MOST_BYTES
            expected = by_nibabel(path)
            if expected is not None and reader is read:
                assert_allclose(found, expected, rtol=1e-5, err_msg=f"mutant {tried - 1} of seed {seed}")
    # A test that never reads, or always does, would hold nothing.
    assert 0 < good < tried


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("seed, kind", list(enumerate([nib.Nifti1Image, nib.Nifti2Image])))
@pytest.mark.parametrize("name", ["fuzzed.nii", "fuzzed.nii.gz"])
def test_nifti(name, seed, kind, tmp_path):
    fuzz(tmp_path, name, nifti(tmp_path, kind), 600, seed)


@pytest.mark.parametrize(
    "seed, kind", list(enumerate([nib.Nifti1Pair, nib.Spm99AnalyzeImage, nib.AnalyzeImage], start=10))
)
@pytest.mark.parametrize("broken", ["fuzzed.hdr", "fuzzed.img", "fuzzed.img.gz"])
def test_pairs_and_analyze(broken, seed, kind, tmp_path):
    written(tmp_path, "fuzzed.img", kind(volume(), AFFINE))
    whole = (tmp_path / broken.removesuffix(".gz")).read_bytes()
    if broken.endswith(".gz"):
        (tmp_path / "fuzzed.img").unlink()
        (tmp_path / "fuzzed.hdr.gz").write_bytes(gzip.compress((tmp_path / "fuzzed.hdr").read_bytes()))
    asked = tmp_path / ("fuzzed.img" if broken == "fuzzed.hdr" else broken)
    if broken != "fuzzed.hdr":
        fuzz(tmp_path, broken, whole, 2**20, seed)
        return
    fuzz(tmp_path, broken, whole, 348, seed, lambda _: read(asked))


def test_spm_matrices(tmp_path):
    nib.save(nib.Spm99AnalyzeImage(volume(), AFFINE), tmp_path / "fuzzed.img")
    whole = (tmp_path / "fuzzed.mat").read_bytes()
    fuzz(tmp_path, "fuzzed.mat", whole, 2**20, 20, lambda _: read(tmp_path / "fuzzed.img"))


@pytest.mark.parametrize("name", ["fuzzed.mgh", "fuzzed.mgz"])
def test_mgh(name, tmp_path):
    fuzz(tmp_path, name, written(tmp_path, "made.mgh", nib.MGHImage(volume(np.int16), AFFINE)), 284, 30)


@pytest.mark.parametrize("seed, kind", list(enumerate([small_cifti.series, small_cifti.atlas], start=40)))
def test_cifti(seed, kind, tmp_path):
    whole = kind(tmp_path).read_bytes()
    end = int(nib.load(tmp_path / kind(tmp_path).name).dataobj.offset)
    name = "fuzzed.dtseries.nii" if kind is small_cifti.series else "fuzzed.dlabel.nii"
    fuzz(tmp_path, name, whole, end, seed, lambda path: read_all(open_cifti(path)))
