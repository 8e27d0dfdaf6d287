"""Images made sample by sample: in memory, or straight into a file where they would not fit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from numpy.typing import NDArray

from brainsieve.engine.source import streamed
from brainsieve.engine.source.base import Source
from brainsieve.image.forms import ImageForm, VolumeForm
from brainsieve.typing import PathLike
from brainsieve.whole_files import replacing


class SampleWriter:
    """Collects samples; gives an image when its ``with`` block is done.

    Parameters
    ----------
    form : ImageForm
        Makes the image.
    n_samples : int or None
        None: one sample, of an image without a sample axis.
    dtype : dtype
        Of the data.
    output_file : path, optional
        ``.nii`` or ``.nii.gz``, of volumes. An error leaves no half-written file behind.
    copy_header : bool, default=True

    Attributes
    ----------
    image : image of the form
        Set at the end; reads from `output_file` if there is one.
    """

    image: Any

    def __init__(
        self,
        form: ImageForm,
        n_samples: int | None,
        dtype: Any,
        output_file: PathLike | None = None,
        copy_header: bool = True,
    ) -> None:
        self._form, self._single, self._copy_header = form, n_samples is None, copy_header
        self._dtype = np.dtype(dtype)
        self._n_samples = n_samples or 1
        self._path = None if output_file is None else checked_output(output_file, form)
        self._values: NDArray | None = None
        if self._path is None:
            self._values = np.empty((self._n_samples, form.domain.n_points), self._dtype)
        self._stream: Any = None
        self._next = 0

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        packed = {"compresslevel": 1} if self._path.endswith(".gz") else {}
        with ExitStack() as files:
            unfinished = files.enter_context(replacing(self._path))
            self._stream = files.enter_context(ImageOpener(str(unfinished), "wb", **packed))
            n_samples = None if self._single else self._n_samples
            write_header(self._stream, self._form, n_samples, self._dtype, self._copy_header)
            # Closed by __exit__: the stream first, as the last bytes are written then, and what fails is known.
            self._files = files.pop_all()
        return self

    def put(self, rows: slice, values: NDArray, points: slice = slice(None)) -> None:
        """Take values (n rows, n_points or those of a range); whole samples in order where a file is written."""
        if self._values is not None:
            self._values[rows, points] = values
            return
        if rows.start != self._next:
            raise ValueError(f"Sample {self._next} was expected, not {rows.start}.")
        self._next = rows.stop
        self._stream.write(np.ascontiguousarray(values, dtype=self._dtype).data)

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if self._path is not None:
            self._files.__exit__(kind, *details)  # type: ignore[arg-type]
        if kind is not None:
            return
        if self._path is not None:
            self.image = nib.load(self._path, mmap=False)
        elif self._values is not None:
            values = self._values[0] if self._single else self._values
            self.image = self._form.image(values, self._copy_header)


def each_sample(
    source: Source,
    change: Callable[[NDArray], NDArray],
    form: ImageForm,
    dtype: np.dtype,
    output_file: PathLike | None = None,
    copy_header: bool = True,
    **streaming: Any,
) -> Any:
    """The image of a form whose samples are those of a source after a change, made block by block.

    Parameters
    ----------
    source : Source
    change : callable
        From values (n_samples in block, n_points) of the source to those of the form.
    form, dtype, output_file, copy_header
        As `SampleWriter` has them.
    **streaming
        As `streamed` has them.
    """
    n_samples = None if source.is_single else source.n_samples
    with (
        SampleWriter(form, n_samples, dtype, output_file, copy_header) as writer,
        streamed(source, **streaming) as blocks,
    ):
        for block in blocks:
            writer.put(block.rows, change(block.values))
    return writer.image


class PointWriter:
    """Writes a file whose points come in groups, all samples of each.

    Parameters
    ----------
    form : ImageForm
        Of volumes.
    n_samples : int
    dtype : dtype
    output_file : path
        ``.nii`` or ``.nii.gz``. The latter is compressed at the end, from a plain file beside it. An error leaves
        neither behind.

    Attributes
    ----------
    image : Nifti1Image
        Set at the end; reads from `output_file`.
    """

    image: Any

    def __init__(self, form: ImageForm, n_samples: int, dtype: Any, output_file: PathLike) -> None:
        self._path = checked_output(output_file, form)
        self._form, self._n_samples, self._dtype = form, n_samples, np.dtype(dtype)
        self._n_points = form.domain.n_points

    def __enter__(self) -> Self:
        with ExitStack() as files:
            self._unfinished = files.enter_context(replacing(self._path))
            self._stream = files.enter_context(self._plain.open("w+b"))
            self._start = write_header(self._stream, self._form, self._n_samples, self._dtype)
            # The rest is 0 until it is written.
            self._stream.truncate(self._start + self._n_samples * self._n_points * self._dtype.itemsize)
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
            self._stream.seek(self._start + (i * self._n_points + first) * self._dtype.itemsize)
            self._stream.write(row.data)

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if kind is not None:
            self._files.__exit__(kind, *details)  # type: ignore[arg-type]
            return
        with self._files:
            if self._plain != self._unfinished:
                self._stream.close()
                self._compress()
        self.image = nib.load(self._path, mmap=False)

    def _compress(self) -> None:
        with self._plain.open("rb") as plain:
            with ImageOpener(str(self._unfinished), "wb", compresslevel=1) as packed:
                shutil.copyfileobj(plain, packed, 2**22)


def checked_output(output_file: PathLike, form: ImageForm) -> str:
    """The path of a NIfTI file to be written.

    Raises
    ------
    TypeError
        If what is to be written is no volume.
    ValueError
        If its suffix is another.
    """
    if not isinstance(form, VolumeForm):
        raise TypeError(f"output_file is for volumes; the image has {form.domain.describe()}.")
    path = os.path.expanduser(os.fspath(output_file))
    if not path.endswith((".nii", ".nii.gz")):
        raise ValueError(f"output_file must end in .nii or .nii.gz; {path!r} was given.")
    return path


def write_header(
    stream: Any, form: ImageForm, n_samples: int | None, dtype: np.dtype, copy_header: bool = True
) -> int:
    """What stands before the data of a NIfTI file, in native byte order as the data; gives its length in bytes."""
    samples = () if n_samples is None else (n_samples,)
    nothing = np.broadcast_to(np.zeros(1, dtype), (*form.domain.shape, *samples))  # type: ignore[attr-defined]
    made = form.image_of({"volume": nothing}, copy_header).header
    single = type(made).single_vox_offset
    made.set_data_offset(single)
    made["magic"] = type(made).single_magic
    made.set_slope_inter(1, 0)
    made.write_to(stream)
    stream.write(b"\0" * (single - stream.tell()))
    return int(single)
