"""Runs of any kind of image, the masker that they share, and their reduction, one after the other."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from glob import glob, has_magic
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from brainsieve.caching import cached, digest
from brainsieve.checks import found
from brainsieve.decomposition.reduction import Stack, reduced_run
from brainsieve.engine.source.cifti import is_cifti
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.logs import log, warn
from brainsieve.maskers import (
    CiftiMapsMasker,
    CiftiMasker,
    MultiNiftiMasker,
    MultiSurfaceMasker,
    NiftiMapsMasker,
    SurfaceMapsMasker,
)
from brainsieve.maskers.base import as_images
from brainsieve.maskers.multi import is_one_image
from brainsieve.surface.cifti_images import cifti_image
from brainsieve.surface.opening import is_surface_image
from brainsieve.tables import read_confounds

# Of each kind of image: the masker of points that runs share, and the masker of maps.
MASKERS: dict[str, tuple[type, type]] = {
    "volumes": (MultiNiftiMasker, NiftiMapsMasker),
    "surfaces": (MultiSurfaceMasker, SurfaceMapsMasker),
    "CIFTI": (CiftiMasker, CiftiMapsMasker),
}
# Parameters of volumes alone, and what they are where nothing is asked for.
OF_VOLUMES = {"mask_strategy": "epi", "mask_args": None, "target_affine": None, "target_shape": None}
# Parameters that change no number: a masker given by the user does not decide on them.
OF_WORK = ("memory", "memory_level", "n_jobs", "verbose")


def as_runs(imgs: Any) -> list[Any]:
    """Images as a list of runs: a path, a glob of paths, an image, or several.

    Raises
    ------
    TypeError, ValueError
        If there is none.
    """
    imgs = as_images(imgs)
    if imgs is None:
        raise TypeError("imgs is None; give an image, a path, or a list of these, one for each run.")
    if isinstance(imgs, str | os.PathLike) and has_magic(os.fspath(imgs)) and not os.path.exists(imgs):
        pattern = os.path.expanduser(os.fspath(imgs))
        imgs = sorted(glob(pattern))
        if not imgs:
            raise ValueError(f"imgs: no file matches {pattern!r}.")
    runs = [imgs] if is_one_image(imgs) else list(imgs)
    if not runs:
        raise ValueError("The list of images is empty; give at least one run.")
    return runs


def confounds_of_runs(confounds: Any, imgs: Any, n_runs: int) -> list[Any]:
    """Confounds of each run; those of a single image may come without a list.

    Raises
    ------
    TypeError, ValueError
        If there is not one entry for each run.
    """
    if confounds is None:
        return [None] * n_runs
    confounds = as_images(confounds)
    if is_one_image(as_images(imgs)) and n_runs == 1 and not isinstance(confounds, list | tuple):
        return [confounds]
    if not isinstance(confounds, list | tuple):
        raise TypeError(f"confounds must be a list with an entry for each run; {found(confounds)} was given.")
    if len(confounds) != n_runs:
        raise ValueError(f"confounds has {len(confounds)} entries for {n_runs} runs; give one for each.")
    return list(confounds)


# -- the masker that runs share ------------------------------------------------------------------------


def kind_of_image(img: Any) -> str:
    """Of a run or mask: "volumes", "surfaces" or "CIFTI"."""
    if is_surface_image(img):
        return "surfaces"
    return "CIFTI" if is_cifti(img) else "volumes"


def kind_of_masker(masker: Any) -> str:
    """The kind of image that a masker of points takes.

    Raises
    ------
    TypeError
        If it is no masker that runs can share.
    """
    for kind, (of_points, _) in MASKERS.items():
        if isinstance(masker, of_points):
            return kind
    classes = ", ".join(of_points.__name__ for of_points, _ in MASKERS.values())
    raise TypeError(f"mask must be an image or one of {classes}; {found(masker)} was given.")


def fitted_masker(estimator: Any, runs: Sequence[Any], mask: Any) -> Any:
    """The fitted masker of the points that runs share.

    Parameters
    ----------
    estimator : estimator
        Its parameters that are a masker's are the masker's.
    runs : list of image-like
    mask : image-like, masker or None
        None: computed from all runs. A masker is left as it is: what is fitted is another with its parameters, and
        with its mask if it is fitted.

    Returns
    -------
    masker : fitted masker
    """
    parameters = estimator.get_params(deep=False)
    if hasattr(mask, "get_params") or inspect.isclass(mask):
        kind = kind_of_masker(mask)
        cls = type(mask)
        masker = clone(mask)
        if mask.__sklearn_is_fitted__() and masker.mask_img is None:
            masker.set_params(mask_img=mask.mask_img_)
        _warn_of_overridden(estimator, parameters, masker.get_params(deep=False))
        ours = {name: parameters[name] for name in OF_WORK}
    else:
        kind = kind_of_image(runs[0])
        cls = MASKERS[kind][0]
        masker = cls(mask_img=mask)
        ours = {**parameters, "dtype": floating(parameters.get("dtype"))}
        if kind != "volumes":
            _warn_of_ignored(estimator, parameters, kind)
        if kind == "CIFTI" and parameters["smoothing_fwhm"]:
            raise ValueError(
                f"smoothing_fwhm={parameters['smoothing_fwhm']!r}: CIFTI files have no meshes to smooth on; give "
                "mask=CiftiMasker(surfaces=..., smoothing_fwhm=...), or smoothing_fwhm=None."
            )
    # Reductions of runs are cached here; their signals, which are larger, from the second level on.
    level = max(0, int(parameters["memory_level"]) - 1)
    ours |= {"memory_level": level, "memory": parameters["memory"] if level else None}
    own = inspect.signature(cls).parameters
    masker.set_params(**{name: value for name, value in ours.items() if name in own and name != "mask_img"})
    if masker.mask_img is not None:
        return masker.fit()
    if kind == "CIFTI":
        return _fitted_to_all(masker, runs)
    return masker.fit(runs[0] if len(runs) == 1 else list(runs))


def _fitted_to_all(masker: Any, runs: Sequence[Any]) -> Any:
    """A masker of one run fitted to the points that are finite in all runs."""
    masks = [clone(masker).fit(run).mask_img_ for run in runs]
    inside = np.all([np.asarray(mask.dataobj) != 0 for mask in masks], axis=0)
    if not inside.any():
        raise ValueError("No grayordinate is finite in every sample of every run.")
    common = type(masks[0])(inside.astype(np.float32), header=masks[0].header)
    return masker.set_params(mask_img=common).fit()


def floating(dtype: Any) -> Any:
    """A dtype that components can have: integers are for signals alone."""
    if dtype is None or (isinstance(dtype, str) and dtype == "auto"):
        return dtype
    try:
        return None if np.dtype(dtype).kind in "iu" else dtype
    except TypeError:
        return dtype  # the masker says what is wrong with it


def _warn_of_overridden(estimator: Any, ours: dict[str, Any], of_masker: dict[str, Any]) -> None:
    overridden = [
        f"{name}={value!r} instead of {ours[name]!r}"
        for name, value in of_masker.items()
        if name in ours and name not in OF_WORK and repr(value) != repr(ours[name])
    ]
    if overridden:
        warn(
            f"The parameters of the masker given as mask override those of {type(estimator).__name__}: "
            f"{', '.join(overridden)}."
        )


def _warn_of_ignored(estimator: Any, parameters: dict[str, Any], kind: str) -> None:
    # As text: an affine is an array, whose comparison is no truth.
    ignored = [name for name, unset in OF_VOLUMES.items() if repr(parameters[name]) != repr(unset)]
    if ignored:
        warn(
            f"{type(estimator).__name__}: {', '.join(ignored)} {'is' if len(ignored) == 1 else 'are'} for volumes; "
            f"{kind} have none of them, and they are not used."
        )


def maps_image(masker: Any, maps: NDArray) -> Any:
    """An image of maps (k, n_points) on the points of a fitted masker."""
    fitted = masker._fitted
    kind, domain = fitted.kind, fitted.home
    values = fitted.at_home().back(maps, maps.dtype)
    if kind_of_masker(masker) == "CIFTI":
        return cifti_image(values, domain, names=[f"component {i}" for i in range(len(maps))])
    if hasattr(kind, "step"):
        kind = replace(kind, step=None)  # maps follow one another in no time
    return kind.image(values, domain)


def maps_masker(masker: Any, img: Any, parameters: dict[str, Any]) -> Any:
    """The unfitted masker of maps that goes with a masker of points."""
    kind = kind_of_masker(masker)
    own = {"standardize": None, **parameters}
    if kind == "volumes":
        own["resampling_target"] = "maps"
    if kind == "CIFTI":
        own["surfaces"] = masker.surfaces
    return MASKERS[kind][1](maps_img=img, mask_img=masker.mask_img_, **own)


# -- signals -------------------------------------------------------------------------------------------


def signals_of(masker: Any, img: Any, confounds: Any) -> NDArray:
    """Signals (n_samples, n_points) of one run, also of one sample."""
    return np.atleast_2d(masker._transform_run(img, confounds, None))


def reduced_runs(
    masker: Any,
    runs: Sequence[Any],
    confounds: Sequence[Any],
    n_components: float | None,
    *,
    n_jobs: int = 1,
    memory: Any = None,
    memory_level: int = 0,
    verbose: int = 0,
) -> Stack:
    """The principal maps of each run, in a stack.

    Parameters
    ----------
    masker : fitted masker of points
    runs : list of image-like
    confounds : list
        Of each run.
    n_components : int, float or None
        Maps of each run; what is a float is a share of its samples; None: all of them.
    n_jobs : int, default=1
        Runs at a time.
    memory : joblib.Memory, optional
    memory_level : int, default=0
        From 1 on reductions are cached.
    verbose : int, default=0

    Returns
    -------
    stack : Stack
        To be closed by the caller.
    """
    stack = Stack(masker.n_elements_)
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    tasks = (
        delayed(_reduced)(masker, run, regressors, n_components, n_jobs, memory, memory_level)
        for run, regressors in zip(runs, confounds, strict=True)
    )
    try:
        for i, rows in enumerate(parallel(tasks)):
            log(verbose, 1, f"Run {i + 1} of {len(runs)} is reduced to {len(rows)} rows.")
            if not rows.any():
                warn(f"Run {i + 1} of {len(runs)} has no variance in the mask; it takes no part.")
            stack.append(rows)
    except BaseException:
        stack.__exit__(None, None, None)
        raise
    return stack


def _reduced(
    masker: Any, img: Any, confounds: Any, n_components: Any, n_jobs: int, memory: Any, memory_level: int
) -> NDArray:
    def compute() -> NDArray:
        signals = signals_of(masker, img, confounds)
        n_samples = len(signals)
        k = n_components
        if isinstance(k, float):
            k = max(1, int(np.ceil(k * n_samples)))
        return reduced_run(signals, k)

    def key() -> str:
        frozen, source = masker._current(), masker._open(img)
        regressors = read_confounds(confounds, source.n_samples, source.name, None, frozen.in_time.runs)
        return digest("reduced run", frozen.key, source.identity, regressors, n_components)

    if n_jobs == 1:
        return cached(memory, memory_level, key, compute)
    # Two processes with two BLAS pools each would fight over the same cores.
    with single_threaded_blas():
        return cached(memory, memory_level, key, compute)


def each_run_signals(
    masker: Any, runs: Sequence[Any], confounds: Sequence[Any], n_jobs: int = 1
) -> Iterator[NDArray]:
    """Signals of each run, in order, one in memory at a time (or `n_jobs`)."""
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    return parallel(
        delayed(signals_of)(masker, run, regressors) for run, regressors in zip(runs, confounds, strict=True)
    )
