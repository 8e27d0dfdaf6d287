"""`load_confounds_strategy`: denoising strategies of the literature, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brainsieve.interfaces.fmriprep.confounds import load_confounds
from brainsieve.logs import warn


@dataclass(frozen=True)
class Preset:
    """A named strategy: its elements, parameters that may be changed, and those that are fixed."""

    elements: tuple[str, ...]
    defaults: dict[str, Any]
    fixed: dict[str, Any] = field(default_factory=dict)


PRESETS = {
    "simple": Preset(("high_pass", "motion", "wm_csf"), {"motion": "full", "wm_csf": "basic"}),
    "scrubbing": Preset(
        ("high_pass", "motion", "wm_csf", "scrub"),
        {"motion": "full", "wm_csf": "full", "scrub": 5, "fd_threshold": 0.5, "std_dvars_threshold": 1.5},
    ),
    "compcor": Preset(
        ("high_pass", "motion", "compcor"),
        {"motion": "full", "n_compcor": "all", "compcor": "anat_combined"},
    ),
    "ica_aroma": Preset(("high_pass", "wm_csf", "ica_aroma"), {"wm_csf": "basic"}, {"ica_aroma": "full"}),
}


def load_confounds_strategy(
    img_files: Any, denoise_strategy: str = "simple", **kwargs: Any
) -> tuple[Any, Any]:
    """Load the confounds of a denoising strategy that is known by name.

    Parameters
    ----------
    img_files : path, pair of paths, or list of these
        The runs that `load_confounds` takes.
    denoise_strategy : {"simple", "scrubbing", "compcor", "ica_aroma"}, default="simple"
        - ``"simple"`` (Fox et al. 2005, doi:10.1073/pnas.0504136102): high-pass, 24 motion parameters, mean
          signals of white matter and CSF;
        - ``"scrubbing"`` (Power et al. 2014, doi:10.1016/j.neuroimage.2013.08.048): high-pass, 24 motion
          parameters, the two signals with derivatives and squares; volumes with framewise displacement
          above 0.5 mm or standardized DVARS above 1.5 are left out, and segments of fewer than 5 volumes;
        - ``"compcor"`` (Behzadi et al. 2007, doi:10.1016/j.neuroimage.2007.04.042): high-pass, 24 motion
          parameters, all anatomical components of the combined mask;
        - ``"ica_aroma"`` (Pruim et al. 2015, doi:10.1016/j.neuroimage.2015.02.064): high-pass, the two
          signals; for runs that ICA-AROMA has cleaned (``…_desc-smoothAROMAnonaggr_bold.nii.gz``).
    **kwargs
        Other values for the parameters of the strategy, by their names in `load_confounds`; ``demean``; and
        ``global_signal``, which adds the global signal to any strategy. Others are warned of and ignored.

    Returns
    -------
    confounds, sample_mask
        As from `load_confounds`.

    Raises
    ------
    ValueError
        If the strategy is not known, or a table lacks what it asks for.
    """
    if denoise_strategy not in PRESETS:
        raise ValueError(f"denoise_strategy must be one of {tuple(PRESETS)}; {denoise_strategy!r} was given.")
    preset = PRESETS[denoise_strategy]
    accepted = [*preset.defaults, "global_signal", "demean"]
    ignored = [name for name in kwargs if name not in accepted]
    if ignored:
        warn(
            f"denoise_strategy={denoise_strategy!r} does not use {ignored}, which are ignored; it takes "
            f"{accepted}.",
        )
    chosen = {name: value for name, value in kwargs.items() if name in accepted}
    elements = preset.elements
    # None and False are ways to say that no global signal is wanted.
    if chosen.get("global_signal"):
        elements = (*elements, "global_signal")
    else:
        chosen.pop("global_signal", None)
    return load_confounds(img_files, strategy=elements, **{**preset.defaults, **preset.fixed, **chosen})
