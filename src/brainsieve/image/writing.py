"""Images made sample by sample: in memory, or straight into a file where they would not fit."""

from __future__ import annotations

import os
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source.base import Source


class SampleWriter:
    """Collects samples on a grid; gives an image when its ``with`` block is done.

    Parameters
    ----------
    like : Source
        Gives the number of samples, the header, and whether the image is 3-D.
    grid : VoxelGrid
    dtype : dtype
        Of the data.
    output_file : path, optional
        ``.nii`` or ``.nii.gz``. An error leaves no half-written file behind.

    Attributes
    ----------
    image : Nifti1Image
        Set at the end; reads from `output_file` if there is one.
    """

    image: Any

    def __init__(self, like: Source, grid: VoxelGrid, dtype: Any, output_file: Any = None) -> None:
        from brainsieve.image.loading import header_for

        self._grid, self._dtype = grid, np.dtype(dtype)
        self._single = like.is_single
        self._shape = grid.shape if self._single else (*grid.shape, like.n_samples)
        self._header = header_for(getattr(like, "header", None), self._dtype)
        self._path = None if output_file is None else os.fspath(output_file)
        if self._path is not None and not self._path.endswith((".nii", ".nii.gz")):
            raise ValueError(f"output_file must end in .nii or .nii.gz; {self._path!r} was given.")
        self._values = np.empty((like.n_samples, grid.n_points), self._dtype) if self._path is None else None
        self._stream: Any = None
        self._next = 0

    def __enter__(self) -> SampleWriter:
        if self._path is not None:
            folder, name = os.path.split(self._path)
            self._unfinished = os.path.join(folder, f"unfinished_{name}")
            packed = {"compresslevel": 1} if name.endswith(".gz") else {}
            self._stream = ImageOpener(self._unfinished, "wb", **packed)
            header = nib.Nifti1Image(
                np.broadcast_to(np.zeros(1, self._dtype), self._shape),
                self._grid.affine,
                self._header,
                dtype=self._dtype,
            ).header
            header.set_data_offset(352)
            header["magic"] = b"n+1"
            header.set_slope_inter(1, 0)
            header.write_to(self._stream)
            self._stream.write(b"\0" * (352 - self._stream.tell()))
        return self

    def put(self, samples: slice, values: NDArray) -> None:
        """Take values (n_samples in slice, n_points), in order."""
        if self._values is not None:
            self._values[samples] = values
            return
        if samples.start != self._next:
            raise ValueError(f"Sample {self._next} was expected, not {samples.start}.")
        self._next = samples.stop
        self._stream.write(np.ascontiguousarray(values, dtype=self._dtype.newbyteorder("<")).data)

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._values is not None:
            if kind is None:
                data = self._grid.unflatten(self._values[0] if self._single else self._values.T)
                self.image = nib.Nifti1Image(data, self._grid.affine, self._header, dtype=data.dtype)
            return
        self._stream.close()
        if kind is not None:
            os.unlink(self._unfinished)
            return
        os.replace(self._unfinished, self._path)  # type: ignore[arg-type]
        self.image = nib.load(self._path)  # type: ignore[arg-type]
