"""Time between samples, as the headers of each format have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

# Seconds. No scanner is faster, and nobody waits longer: what lies outside is milliseconds taken for seconds,
# the 1 that programs write for want of an answer, or a number of something else.
PLAUSIBLE_TR = (0.05, 30.0)
# Units of a header per second. NIfTI's codes; "unknown" is taken as seconds, which is what people mean by 2.2.
PER_SECOND = {"sec": 1.0, "msec": 1e3, "usec": 1e6, "unknown": 1.0}
NO_TIME = {
    "hz": "frequency (Hz)",
    "ppm": "chemical shift (ppm)",
    "rads": "angle (radians per second)",
    "meter": "place (metres)",
    "radian": "angle (radians)",
}
# The third of TAXIS_NUMS in AFNI's headers.
AFNI_UNITS = {77001: "msec", 77002: "sec", 77003: "hz"}


@dataclass(frozen=True)
class Timing:
    """What a header says about time.

    Attributes
    ----------
    tr : float or None
        Seconds between samples; None where the header has none that can be believed.
    doubt : str
        Why not, where it has a number; a sentence for messages, else "".
    """

    tr: float | None = None
    doubt: str = ""


def believed(step: float, unit: str) -> Timing:
    """A step between samples, where it can be one.

    Parameters
    ----------
    step : float
    unit : str
        "sec", "msec", "usec", "unknown", or what is no time: "hz", "ppm", "rads", "meter", "radian".
    """
    if unit in NO_TIME:
        return Timing(None, f"its header says that samples differ in {NO_TIME[unit]}, not in time")
    # 0 is not set; 1 without a unit is what programs leave in a header that they make.
    if step == 0 or (step == 1 and unit == "unknown"):
        return Timing()
    tr = step / PER_SECOND.get(unit, 1.0)
    if PLAUSIBLE_TR[0] <= tr <= PLAUSIBLE_TR[1]:
        return Timing(tr)
    least, most = PLAUSIBLE_TR
    written = "no unit" if unit == "unknown" else f"the unit {unit!r}"
    hint = "; are these milliseconds?" if least <= tr / 1000 <= most else ""
    return Timing(
        None,
        f"its header says {tr:g} s between samples ({step:g} with {written}), outside {least:g} to {most:g} s{hint}",
    )


def timing_of(header: Any) -> Timing:
    """What the header of a volume file says about time.

    Parameters
    ----------
    header : nibabel header
    """
    try:
        zooms = header.get_zooms()
        if len(zooms) < 4:
            return Timing()
        step, unit = _step_and_unit(header, zooms)
    except Exception:  # what is no time must not keep data from being read
        return Timing()
    return believed(_as_written(step), unit)


def _step_and_unit(header: Any, zooms: Any) -> tuple[Any, str]:
    if isinstance(header, nib.freesurfer.mghformat.MGHHeader):
        return zooms[3], "msec"
    if isinstance(header, nib.brikhead.AFNIHeader):
        numbers = header.info.get("TAXIS_NUMS", (0, 0, 77002))
        return zooms[3], AFNI_UNITS.get(int(numbers[2]), "sec")
    if isinstance(header, nib.minc1.MincHeader):
        return zooms[0], "sec"
    if isinstance(header, nib.Nifti1Header):
        return zooms[3], _nifti_unit(header)
    return zooms[3], "sec" if isinstance(header, nib.parrec.PARRECHeader) else "unknown"


def _nifti_unit(header: Any) -> str:
    # Bits 3 to 5 are time; codes that the standard does not know are no unit.
    code = int(header["xyzt_units"]) & 0x38
    return {8: "sec", 16: "msec", 24: "usec", 32: "hz", 40: "ppm", 48: "rads"}.get(code, "unknown")


def _as_written(step: Any) -> float:
    """The number that was written into a field of single precision: 2.2 and not 2.200000047683716."""
    step = np.asarray(step)[()]
    return float(str(np.float32(step))) if step.dtype.itemsize <= 4 else float(step)
