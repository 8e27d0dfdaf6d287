"""Every kind of source keeps the contract."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import small_cifti

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source import Block, Source, open_source
from brainsieve.engine.source.cifti import open_cifti
from brainsieve.engine.source.surface import SurfaceSource
from brainsieve.testing import SourceContract

AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0, -5], [0, 0, 4, 2], [0, 0, 0, 1]])


def volumes(dtype=np.int16):
    return np.random.default_rng(0).integers(0, 100, (5, 4, 3, 7)).astype(dtype)


def as_rows(array):
    return np.stack([array[..., t].ravel(order="F") for t in range(array.shape[3])])


class Niftis(SourceContract):
    """Values of `volumes`, in any file."""

    def values(self):
        return as_rows(volumes())

    def saved(self, folder, name, image=nib.Nifti1Image, **options):
        nib.save(image(volumes(), AFFINE, **options), folder / name)
        return folder / name


class TestNifti(Niftis):
    def make(self, folder):
        return open_source(self.saved(folder, "run.nii"))


class TestCompressedNifti(Niftis):
    def make(self, folder):
        return open_source(self.saved(folder, "run.nii.gz"))


class TestBigEndianPair(Niftis):
    def make(self, folder):
        return open_source(
            self.saved(folder, "run.img", nib.Nifti1Pair, header=nib.nifti1.Nifti1PairHeader(endianness=">"))
        )


class TestMgz(Niftis):
    def make(self, folder):
        nib.save(nib.MGHImage(volumes(np.float32), AFFINE), folder / "run.mgz")
        return open_source(folder / "run.mgz")


class TestScaled(SourceContract):
    # int16 of a range of 37.
    tolerance = 1e-3

    def values(self):
        return as_rows(volumes() * 0.37 + 1)

    def make(self, folder):
        nib.save(nib.Nifti1Image(volumes() * 0.37 + 1, AFFINE, dtype=np.int16), folder / "run.nii.gz")
        return open_source(folder / "run.nii.gz")


class TestInMemory(Niftis):
    def make(self, folder):
        return open_source(nib.Nifti1Image(np.ascontiguousarray(volumes()), AFFINE))


class TestOpenedImage(Niftis):
    def make(self, folder):
        return open_source(nib.load(self.saved(folder, "run.nii.gz")))


class TestList(Niftis):
    def make(self, folder):
        paths = [folder / f"{t}.nii" for t in range(7)]
        for t, path in enumerate(paths):
            nib.save(nib.Nifti1Image(volumes()[..., t], AFFINE), path)
        return open_source(paths)


class TestCifti(SourceContract):
    def values(self):
        return small_cifti.values(60, len(small_cifti.brain()))

    def make(self, folder):
        return open_cifti(small_cifti.series(folder))


class TestSurface(SourceContract):
    def values(self):
        return np.random.default_rng(1).normal(size=(6, 9))

    def make(self, folder):
        parts = {"left": self.values().T[:5], "right": self.values().T[5:]}
        return SurfaceSource(SurfaceVertices({"left": 5, "right": 4}), [parts], is_single=False)


class OneBlockTwice(Source):
    """A source that gives its first block again, and says it is scaled when it is not."""

    domain = VoxelGrid((2, 1, 1), np.eye(4))
    n_samples, dtype = 3, np.dtype(np.float64)

    def blocks(self, samples_per_block=None, samples=None):
        for start in (0, 0, 2):
            yield Block(slice(start, start + 1), slice(0, 2), np.ones((1, 2)))

    @property
    def identity(self):
        return str(id(object()))


def test_a_source_that_breaks_the_contract_is_caught():
    class Contract(SourceContract):
        def make(self, folder):
            return OneBlockTwice()

        def values(self):
            return np.ones((3, 2))

    with pytest.raises(AssertionError):
        Contract().test_blocks_tile_the_values_in_order_and_each_once()
    with pytest.raises(AssertionError):
        Contract().test_the_samples_that_are_needed_come_and_are_right()
