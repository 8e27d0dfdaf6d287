"""The real run that the demo, the README and the tests use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from brainsieve.datasets.files import bundled

STEM = "sub-03_task-functionallocalizer_run-01"
FOLDER = ("ds000205", "sub-03", "func")


@dataclass(frozen=True)
class DemoRun:
    """Paths of a run and of what belongs to it.

    Attributes
    ----------
    bold : Path
        The run: (26, 26, 13, 82) int16, 8 mm, motion-corrected, in the scanner's space.
    mask : Path
        Brain mask on the same grid, 2853 voxels.
    atlas : Path
        Ten anatomical regions on the same grid.
    lut : Path
        Table of the regions: ``index`` and ``name``.
    confounds : Path
        Table of confounds with fMRIPrep's names, one row for each volume; there are no motion parameters.
    t_r : float
        Repetition time, in seconds.
    description : str
        Where it comes from.
    """

    bold: Path
    mask: Path
    atlas: Path
    lut: Path
    confounds: Path
    t_r: float
    description: str


def load_demo_run() -> DemoRun:
    """Paths of a small real fMRI run with mask, atlas and confounds. Nothing is downloaded.

    Returns
    -------
    DemoRun

    Notes
    -----
    OpenNeuro ds000205, "Affective Videos" [1]_, under the Public Domain Dedication and License: subject 03,
    functional localizer, averaged to 8 mm and cut to 82 volumes.

    References
    ----------
    .. [1] Kim, J., Wang, J., Wedell, D. H., Shinkareva, S. V. (2016). Identifying core affect in
       individuals from fMRI responses to dynamic naturalistic audiovisual stimuli. PLoS ONE 11(9).

    Examples
    --------
    >>> from brainsieve.datasets import load_demo_run
    >>> load_demo_run().t_r
    2.2
    """
    return DemoRun(
        bold=_file("space-native_res-8mm_desc-preproc_bold.nii.gz"),
        mask=_file("space-native_res-8mm_desc-brain_mask.nii.gz"),
        atlas=_file("space-native_res-8mm_dseg.nii.gz"),
        lut=_file("space-native_res-8mm_dseg.tsv"),
        confounds=_file("desc-confounds_timeseries.tsv"),
        t_r=2.2,
        description=(
            "OpenNeuro ds000205 'Affective Videos' (PDDL), subject 03, functional localizer: "
            "82 volumes of 8 mm, TR 2.2 s"
        ),
    )


def _file(suffix: str) -> Path:
    return bundled(*FOLDER, f"{STEM}_{suffix}")
