"""Data that come with the package, and data that are simulated. Nothing here downloads.

A real run for the demo, the MNI template at 1 mm, and published coordinates; each folder of data has its
licence beside it, in ``brainsieve/datasets/data``. ``simulate_*`` make small data sets with known effects, each in the
form of a data set that people use, and say under ``truth`` what was planted.
"""

from brainsieve.datasets.coordinates import fetch_coords_dosenbach_2010
from brainsieve.datasets.demo_run import DemoRun, load_demo_run
from brainsieve.datasets.mni import (
    MNI152_FILE_PATH,
    load_mni152_brain_mask,
    load_mni152_gm_mask,
    load_mni152_gm_template,
    load_mni152_template,
    load_mni152_wm_mask,
    load_mni152_wm_template,
)
from brainsieve.datasets.on_disk import load_haxby, load_miyawaki2008
from brainsieve.datasets.simulated import (
    simulate_atlas,
    simulate_bids,
    simulate_contrasts,
    simulate_decoding,
    simulate_rest,
    simulate_task,
    simulate_template,
    simulate_visual,
)

__all__ = [
    "MNI152_FILE_PATH",
    "DemoRun",
    "fetch_coords_dosenbach_2010",
    "load_demo_run",
    "load_haxby",
    "load_miyawaki2008",
    "load_mni152_brain_mask",
    "load_mni152_gm_mask",
    "load_mni152_gm_template",
    "load_mni152_template",
    "load_mni152_wm_mask",
    "load_mni152_wm_template",
    "simulate_atlas",
    "simulate_bids",
    "simulate_contrasts",
    "simulate_decoding",
    "simulate_rest",
    "simulate_task",
    "simulate_template",
    "simulate_visual",
]


def __dir__() -> list[str]:
    return __all__
