"""Several maskers from one reading of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from brainsieve.engine.extract import Progress
from brainsieve.engine.source.base import Source
from brainsieve.logs import warn
from brainsieve.maskers.base import MaskerContract
from brainsieve.maskers.choosing import masker_for, open_any
from brainsieve.maskers.estimator import FrozenMasker
from brainsieve.maskers.output import as_container
from brainsieve.maskers.progress import progress_bar
from brainsieve.maskers.running import run_fitted
from brainsieve.maskers.spaces import told_of_run
from brainsieve.typing import ConfoundsLike, SampleMaskLike


def extract_many(
    imgs: Any,
    maskers: Mapping[str, MaskerContract],
    confounds: ConfoundsLike | None = None,
    sample_mask: SampleMaskLike | None = None,
    verbose: int = 0,
    **parameters: Any,
) -> dict[str, Any]:
    """Transform a run with several atlases or fitted maskers in one pass over its data.

    The file is decoded once; each masker then costs its own small share. Each cleans its signals as its
    parameters say.

    Parameters
    ----------
    imgs : image-like
        A run: a volume, a surface image, a CIFTI-2 file or image, or GIFTI files: a pair (left, right), or one
        of them, whose other hemisphere is found by its name (``hemi-L`` and ``hemi-R``, ``lh`` and ``rh``).
    maskers : dict of str to fitted masker or atlas
        All of the domain of the run. An atlas is what the labels or maps masker of that domain takes, or GIFTI
        files as above; one map of labels makes a labels masker, several maps make a maps masker.
    confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, or list, default=None
        What to regress out, for all maskers.
    sample_mask : array or list of shape (n_kept,) of int or (n_samples,) of bool, default=None
        The samples to keep, for all maskers.
    verbose : int, default=0
        1 counts samples on a terminal.
    **parameters : dict
        Parameters of the maskers that are made for atlases, as ``standardize``.

    Returns
    -------
    signals : dict of str to array or data frame
        With the keys of `maskers`; what ``maskers[key].transform(imgs, confounds, sample_mask)`` gives.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If a masker is not fitted; the message has its key.
    TypeError
        If an atlas is of another domain than the run; the message says what would work.
    ValueError
        If `maskers` is empty.

    Examples
    --------
    >>> signals = extract_many("run.nii.gz", {"schaefer": parcels, "seeds": spheres})  # doctest: +SKIP
    >>> signals = extract_many("run.dtseries.nii", {"glasser": "glasser.dlabel.nii"})  # doctest: +SKIP
    """
    if not isinstance(maskers, Mapping):
        raise TypeError(f"maskers must be a dict of names to maskers; {type(maskers).__name__} was given.")
    if not maskers:
        raise ValueError("maskers is empty; give at least one.")
    source = open_any(imgs)
    fitted = {}
    for key, masker in maskers.items():
        if isinstance(masker, type) or (hasattr(masker, "fit") and not isinstance(masker, MaskerContract)):
            raise TypeError(f"maskers[{key!r}] must be a masker of brainsieve or an atlas; it is {masker!r}.")
        if not isinstance(masker, MaskerContract):
            masker = masker_for(masker, source, imgs, {"reports": False, **parameters})
        elif not masker.__sklearn_is_fitted__():
            raise NotFittedError(f"maskers[{key!r}] is not fitted; call its fit first.")
        fitted[key] = masker
    if parameters and all(isinstance(masker, MaskerContract) for masker in maskers.values()):
        raise TypeError(
            f"{', '.join(sorted(parameters))}: parameters are for atlases; these maskers have their own already."
        )
    # Those whose extraction somebody has overridden go their own way: it acts here as in `transform`.
    own = {key: masker for key, masker in fitted.items() if not _is_plain(masker)}
    shared = {key: masker for key, masker in fitted.items() if key not in own}
    progress = progress_bar(verbose, source.name)
    values = run_maskers(source, list(shared.values()), confounds, sample_mask, progress) if shared else []
    found = {
        key: as_container(masker, signals[0] if source.is_single else signals, masker.get_feature_names_out)
        for (key, masker), signals in zip(shared.items(), values, strict=True)
    }
    return {
        key: found[key]
        if key in found
        else masker.transform(imgs, confounds=confounds, sample_mask=sample_mask)
        for key, masker in fitted.items()
    }


def _is_plain(masker: MaskerContract) -> bool:
    return type(masker).transform_single_imgs is FrozenMasker.transform_single_imgs


def run_maskers(
    source: Source,
    maskers: Sequence[FrozenMasker],
    confounds: ConfoundsLike | None = None,
    sample_mask: SampleMaskLike | None = None,
    progress: Progress | None = None,
) -> list[NDArray]:
    """Signals of fitted maskers from one pass over a source, high-variance confounds included.

    Returns
    -------
    list of arrays of shape (n_samples kept, n_elements_)
    """
    frozen = [masker._current() for masker in maskers]
    for one in frozen:
        one.kind.check(source)
    for message in told_of_run(source.name, [file for one in frozen for file in one.files]):
        warn(message)
    return run_fitted(source, frozen, confounds, sample_mask, high_variance=True, progress=progress)
