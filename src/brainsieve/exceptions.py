"""The package's own exceptions and warnings, under the names that scripts already catch.

They call `Exception.__init__` by name: `accelerate` puts nilearn's classes among their bases, whose constructors take
other arguments.
"""

from __future__ import annotations

__all__ = [
    "AllVolumesRemovedError",
    "BoundingBoxError",
    "CorruptImageError",
    "DimensionError",
    "MaskWarning",
    "MeshDimensionError",
    "MissingFileError",
    "NoFeatureError",
    "NoImageError",
    "NotImplementedWarning",
    "ParameterError",
]


def __dir__() -> list[str]:
    return __all__


class Shared(Exception):  # noqa: N818
    """Those that nilearn has too.

    Python exchanges the bases of a class only where instances are laid out alike: this one has what a class made in
    Python has and a built-in exception has not (room for weak references).
    """

    def __str__(self) -> str:
        return Exception.__str__(self)  # not as nilearn's would say it


class AllVolumesRemovedError(Shared, ValueError):
    """No volume is left after censoring."""

    def __init__(self, message: str = "sample_mask keeps no volume; nothing is left to extract.") -> None:
        Exception.__init__(self, message)


class DimensionError(Shared, TypeError, ValueError):
    """An image has another number of dimensions than the operation needs.

    Nilearn raises its own, a `TypeError`, in some functions and `ValueError` in others.
    """

    def __init__(self, file_dimension: int, required_dimension: int, name: str = "The image") -> None:
        self.file_dimension = file_dimension
        self.required_dimension = required_dimension
        self.name = name
        self.stack_counter = 0
        Exception.__init__(self, file_dimension, required_dimension)

    def increment_stack_counter(self) -> None:
        """Count one more list around the image: each adds a dimension to what was found and what was needed."""
        self.stack_counter += 1

    @property
    def message(self) -> str:
        found, needed = (n + self.stack_counter for n in (self.file_dimension, self.required_dimension))
        lists = " in a list" * self.stack_counter
        return (
            f"{self.name}{lists} is {found}-D where a {needed}-D image is needed{_next_step(found, needed)}."
        )

    def __str__(self) -> str:
        return self.message


def _next_step(found: int, required: int) -> str:
    if (found, required) == (4, 3):
        return "; take one volume with brainsieve.image.index_img or their mean with mean_img"
    if (found, required) == (3, 4):
        return "; put volumes together with brainsieve.image.concat_imgs"
    return ""


class NoImageError(ValueError, TypeError):
    """A list of images is empty: some of the field's code catches the one, some the other."""


class ParameterError(ValueError, TypeError):
    """A value that a parameter cannot have, where nilearn raises now the one and now the other."""


class MeshDimensionError(Shared, ValueError):
    """Two surface meshes differ in their parts or in their numbers of vertices."""

    def __init__(self, msg: str = "Meshes have incompatible dimensions.") -> None:
        Exception.__init__(self, msg)


class BoundingBoxError(ValueError):
    """An image does not overlap the grid that it is to be resampled to."""


class MissingFileError(FileNotFoundError, ValueError):
    """There is no such file. A `ValueError` too: scripts catch that for images."""


class FolderError(IsADirectoryError, ValueError):
    """A folder where a file is needed. A `ValueError` too, as what is no image is."""


class CorruptImageError(ValueError):
    """A file's contents are not what its header or checksum promises."""


class NoFeatureError(ValueError, RuntimeError):
    """Screening leaves no feature to train on: some of the field's code catches the one, some the other."""


class MaskWarning(Shared, UserWarning):
    """A mask that was computed or given keeps no voxel."""


class NotImplementedWarning(Shared, UserWarning):
    """A documented option is not available here; the warning says what is done instead."""
