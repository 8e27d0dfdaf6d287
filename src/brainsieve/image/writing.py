"""Images made sample by sample: in memory, or straight into a file where they would not fit."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source.base import Source
from brainsieve.whole_files import replacing


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
        self._path = None if output_file is None else checked_output(output_file)
        self._values = np.empty((like.n_samples, grid.n_points), self._dtype) if self._path is None else None
        self._stream: Any = None
        self._next = 0

    def __enter__(self) -> SampleWriter:
        if self._path is None:
            return self
        packed = {"compresslevel": 1} if self._path.endswith(".gz") else {}
        with ExitStack() as files:
            unfinished = files.enter_context(replacing(self._path))
            self._stream = files.enter_context(ImageOpener(str(unfinished), "wb", **packed))
            write_header(self._stream, self._shape, self._grid, self._header, self._dtype)
            # Closed by __exit__: the stream first, as the last bytes are written then, and what fails is known.
            self._files = files.pop_all()
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

    def __exit__(self, kind: Any, *details: Any) -> None:
        if self._path is not None:
            self._files.__exit__(kind, *details)
        if kind is not None:
            return
        if self._path is not None:
            self.image = nib.load(self._path)
        elif self._values is not None:
            data = self._grid.unflatten(self._values[0] if self._single else self._values.T)
            self.image = nib.Nifti1Image(data, self._grid.affine, self._header, dtype=data.dtype)


class PointWriter:
    """Writes a file whose points come in groups, all samples of each.

    Parameters
    ----------
    grid : VoxelGrid
    n_samples : int
    dtype : dtype
    header : nibabel header or None
        Template.
    output_file : path
        ``.nii`` or ``.nii.gz``. The latter is compressed at the end, from a plain file beside it. An error leaves
        neither behind.

    Attributes
    ----------
    image : Nifti1Image
        Set at the end; reads from `output_file`.
    """

    image: Any

    def __init__(self, grid: VoxelGrid, n_samples: int, dtype: Any, header: Any, output_file: Any) -> None:
        from brainsieve.image.loading import header_for

        self._path = checked_output(output_file)
        self._grid, self._n_samples = grid, n_samples
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._header = header_for(header, np.dtype(dtype))

    def __enter__(self) -> PointWriter:
        with ExitStack() as files:
            self._unfinished = files.enter_context(replacing(self._path))
            self._stream = files.enter_context(self._plain.open("w+b"))
            shape = (*self._grid.shape, self._n_samples)
            write_header(self._stream, shape, self._grid, self._header, self._dtype)
            # The rest is 0 until it is written.
            self._stream.truncate(352 + self._n_samples * self._grid.n_points * self._dtype.itemsize)
            self._files = files.pop_all()
        return self

    @property
    def _plain(self) -> Path:
        return self._unfinished.with_name(self._unfinished.name.removesuffix(".gz"))

    def put(self, points: NDArray[np.intp], values: NDArray) -> None:
        """Take all samples (n_samples, n) of some points, ascending; those between them are set to 0."""
        first, last = int(points[0]), int(points[-1]) + 1
        row = np.zeros(last - first, dtype=self._dtype)
        for i, sample in enumerate(values):
            row[points - first] = sample
            self._stream.seek(352 + (i * self._grid.n_points + first) * self._dtype.itemsize)
            self._stream.write(row.data)

    def __exit__(self, kind: Any, *details: Any) -> None:
        if kind is not None:
            self._files.__exit__(kind, *details)
            return
        with self._files:
            if self._plain != self._unfinished:
                self._stream.close()
                self._compress()
        self.image = nib.load(self._path)

    def _compress(self) -> None:
        with self._plain.open("rb") as plain:
            with ImageOpener(str(self._unfinished), "wb", compresslevel=1) as packed:
                shutil.copyfileobj(plain, packed, 2**22)


def checked_output(output_file: Any) -> str:
    """The path of a NIfTI file to be written.

    Raises
    ------
    ValueError
        If its suffix is another.
    """
    path = os.path.expanduser(os.fspath(output_file))
    if not path.endswith((".nii", ".nii.gz")):
        raise ValueError(f"output_file must end in .nii or .nii.gz; {path!r} was given.")
    return path


def write_header(stream: Any, shape: tuple[int, ...], grid: VoxelGrid, header: Any, dtype: np.dtype) -> None:
    """The 352 bytes before the data of a NIfTI file."""
    made = nib.Nifti1Image(
        np.broadcast_to(np.zeros(1, dtype), shape), grid.affine, header, dtype=dtype.newbyteorder("=")
    ).header
    made.set_data_offset(352)
    made["magic"] = b"n+1"
    made.set_slope_inter(1, 0)
    made.write_to(stream)
    stream.write(b"\0" * (352 - stream.tell()))
