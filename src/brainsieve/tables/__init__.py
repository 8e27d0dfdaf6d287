"""Tables that users give: confounds, look-up tables of regions, volumes to keep.

All text comes in by `text.py`, which finds out encoding, separator and header, and keeps every cell as it is
written: names are text (a region may be called ``NA``, ``001`` or ``1.10``), numbers are made of it where they are
needed.
"""

from brainsieve.tables.confounds import read_confounds
from brainsieve.tables.frames import as_pandas, distinct
from brainsieve.tables.lookup import names_in_order, read_lut
from brainsieve.tables.sample_masks import read_sample_mask
from brainsieve.tables.text import read_table

__all__ = [
    "as_pandas",
    "distinct",
    "names_in_order",
    "read_confounds",
    "read_lut",
    "read_sample_mask",
    "read_table",
]


def __dir__() -> list[str]:
    return __all__
