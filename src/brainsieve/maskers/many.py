"""Several maskers from one reading of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.exceptions import NotFittedError

from brainsieve.maskers.base import MaskerContract, progress_bar, run_maskers


def extract_many(
    imgs: Any,
    maskers: Mapping[str, MaskerContract],
    confounds: Any = None,
    sample_mask: Any = None,
    verbose: int = 0,
) -> dict[str, Any]:
    """Transform a run with several fitted maskers in one pass over its data.

    The file is decoded once; each masker then costs its own small share. Each cleans its signals as its
    parameters say.

    Parameters
    ----------
    imgs : image-like
        A run, as for `transform` of each of the maskers.
    maskers : dict of str to fitted masker
        All of one domain: volumes, surfaces or CIFTI.
    confounds, sample_mask
        As in `transform`, for all maskers.
    verbose : int, default=0
        1 counts samples on a terminal.

    Returns
    -------
    signals : dict of str to array or data frame
        With the keys of `maskers`; what ``maskers[key].transform(imgs, confounds, sample_mask)`` gives.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If a masker is not fitted; the message has its key.
    ValueError
        If `maskers` is empty.

    Examples
    --------
    >>> signals = extract_many("run.nii.gz", {"schaefer": parcels, "seeds": spheres})  # doctest: +SKIP
    """
    if not isinstance(maskers, Mapping):
        raise TypeError(f"maskers must be a dict of names to maskers; {type(maskers).__name__} was given.")
    if not maskers:
        raise ValueError("maskers is empty; give at least one.")
    for key, masker in maskers.items():
        if not isinstance(masker, MaskerContract):
            raise TypeError(f"maskers[{key!r}] must be a masker of brainsieve; it is {masker!r}.")
        if not masker.__sklearn_is_fitted__():
            raise NotFittedError(f"maskers[{key!r}] is not fitted; call its fit first.")
    first = next(iter(maskers.values()))
    source = first._open(imgs)
    for masker in maskers.values():
        masker._check_domain(source)
    progress = progress_bar(verbose, source.name)
    values = run_maskers(source, list(maskers.values()), confounds, sample_mask, progress)
    return {
        key: masker._given(signals, source)
        for (key, masker), signals in zip(maskers.items(), values, strict=True)
    }
