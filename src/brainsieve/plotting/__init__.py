"""Pictures of images, matrices and surfaces. Needs matplotlib (``pip install 'brainsieve[plotting]'``).

matplotlib is imported when something is drawn, never by the import of this package.
"""

from brainsieve.plotting.display import show

__all__ = ["show"]


def __dir__() -> list[str]:
    return __all__
