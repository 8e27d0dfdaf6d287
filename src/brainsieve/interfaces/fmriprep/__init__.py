"""Confounds that fMRIPrep and tedana estimated, chosen by strategy.

The two-line recipe::

    confounds, sample_mask = load_confounds_strategy(run, denoise_strategy="simple")
    signals = masker.fit_transform(run, confounds=confounds, sample_mask=sample_mask)

Files beside an image: `files.py`. Which columns a strategy stands for: `columns.py`. Which volumes stay:
`scrub.py`. The two functions: `confounds.py`, `strategy.py`.
"""

from brainsieve.interfaces.fmriprep.confounds import load_confounds
from brainsieve.interfaces.fmriprep.strategy import load_confounds_strategy

__all__ = ["load_confounds", "load_confounds_strategy"]


def __dir__() -> list[str]:
    return __all__
