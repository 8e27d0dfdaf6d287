"""SearchLight: how well the voxels around each voxel tell classes apart, or numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from nibabel.nifti1 import Nifti1Image
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import NotFittedError

from brainsieve.checks import a_bool_or_int, a_number, an_integer
from brainsieve.decoding.estimators import CLASSIFIERS, REGRESSORS, make_estimator
from brainsieve.decoding.fitting import decisions_of
from brainsieve.decoding.folds import (
    Fold,
    classes_of,
    make_folds,
    numbers_of,
    one_column,
    refuse_missing_classes,
)
from brainsieve.decoding.scoring import (
    OF_TWO_CLASSES,
    batched_score,
    needs_decisions_only,
    score_of_decisions,
    scorer_of,
)
from brainsieve.decoding.spheres import decisions_in_spheres, is_batched
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.logs import log, warn
from brainsieve.maskers import NiftiMasker
from brainsieve.maskers.declared import keep_parameters
from brainsieve.maskers.grid import image, read_mask
from brainsieve.typing import NiimgLike, NiimgsLike

# Numbers in what is gathered of a few spheres at a time: 16 MB.
AT_ONCE = 2**21


class SearchLight(BaseEstimator):
    """Score an estimator, cross-validated, on the voxels around each voxel.

    Parameters
    ----------
    mask_img : image, default=None
        Voxels that spheres are made of. None: computed from the images, by their background.
    process_mask_img : image, default=None
        Voxels that spheres are around, on the grid of the mask. None: those of the mask.
    radius : float, default=2.0
        In mm. Voxels whose centres are no farther belong to a sphere.
    estimator : str or estimator, default='svc'
        A name that `Decoder` or `DecoderRegressor` knows, with scikit-learn's parameters and no grid, or an estimator
        or pipeline of your own. `LinearSVC` with the squared hinge and L2, `RidgeCV` and `RidgeClassifierCV` are solved
        exactly, many spheres at a time.
    n_jobs : int, default=1
        Sets of spheres at a time. Results do not depend on it.
    scoring : str or callable, default=None
        A name of scikit-learn's or a callable (estimator, X, y). None: accuracy or R².
    cv : int, splitter or iterable, default=None
        Folds, stratified for classes. None: 5.
    verbose : int, default=0
    random_state : int, RandomState or None, default=0
        Of estimators given by name, where they have one.
    estimator_args : dict, default=None
        Parameters of the estimator, for this object alone.

    Attributes
    ----------
    scores_ : array of the shape of the grid
        Mean over the folds; 0 outside the process mask, NaN where a sphere has no voxel of the mask.
    masked_scores_ : array of shape (n_elements_,)
        The same of the voxels processed, in C order.
    scores_img_ : Nifti1Image
        The same as float64.
    process_mask_ : array of bool
    mask_img_ : Nifti1Image
    n_elements_ : int
        Number of voxels processed.
    cv_ : list of (training samples, test samples)

    Notes
    -----
    Kriegeskorte, Goebel and Bandettini 2006, doi:10.1073/pnas.0600244103. Signals are not standardized; a pipeline can
    do that.
    """

    def __init__(
        self,
        mask_img: NiimgLike | None = None,
        process_mask_img: NiimgLike | None = None,
        radius: float = 2.0,
        estimator: Any = "svc",
        n_jobs: int = 1,
        scoring: Any = None,
        cv: Any = None,
        verbose: int = 0,
        random_state: Any = 0,
        estimator_args: dict[str, Any] | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def fit(self, imgs: NiimgsLike, y: ArrayLike, groups: ArrayLike | None = None) -> SearchLight:
        """Score each sphere.

        Parameters
        ----------
        imgs : 4-D image, or list of 3-D images or paths
            Of n samples.
        y : array of shape (n,)
            Classes, or numbers.
        groups : array of shape (n,), optional
            Group of each sample, for splitters that heed groups.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where a parameter, an image, `y` or a fold is not what it should be; the message names it.
        """
        for name in [name for name in vars(self) if name.endswith("_")]:
            del self.__dict__[name]
        a_number("radius", self.radius)
        an_integer("n_jobs", self.n_jobs)
        a_bool_or_int("verbose", self.verbose)
        estimator = make_estimator(
            self.estimator, self.estimator_args, {**CLASSIFIERS, **REGRESSORS}, self.random_state
        )
        masker = NiftiMasker(self.mask_img, dtype=np.float64, reports=False)
        X = np.atleast_2d(masker.fit_transform(imgs))
        y = one_column(y, "y", len(X))
        grid = masker._fitted.home
        assert isinstance(grid, VoxelGrid)
        mask = np.asanyarray(masker.mask_img_.dataobj) != 0
        process = mask if self.process_mask_img is None else _process_mask(self.process_mask_img, grid)
        task = _task(estimator, self.scoring, self.cv, y, groups)
        spheres = spheres_in(mask, process, grid.affine, float(self.radius))
        scores = self._scored(task, X, spheres)
        self.mask_img_, self.process_mask_, self.cv_ = masker.mask_img_, process, task.folds
        self.n_elements_, self.masked_scores_ = int(process.sum()), scores
        self.scores_ = np.zeros(process.shape)
        self.scores_[process] = scores
        self._grid = grid
        return self

    def _scored(self, task: Task, X: NDArray, spheres: NDArray[np.intp]) -> NDArray[np.float64]:
        # One more column, of zeros, stands for the voxels of a sphere that are outside.
        columns = np.vstack([X.T, np.zeros((1, len(X)))])
        some = max(1, AT_ONCE // (len(X) * max(spheres.shape[1], len(X))))
        chunks = [spheres[start : start + some] for start in range(0, len(spheres), some)]
        log(self.verbose, 1, f"SearchLight: {len(spheres)} spheres of at most {spheres.shape[1]} voxels.")
        # What is solved here leaves Python to BLAS; scikit-learn's solvers may not.
        parallel = Parallel(
            n_jobs=self.n_jobs, prefer="threads" if task.batched else None, verbose=max(0, self.verbose - 1)
        )
        with single_threaded_blas():
            scores = np.concatenate(
                parallel(delayed(score_spheres)(task, columns, chunk) for chunk in chunks)
            )
        empty = (spheres == len(columns) - 1).all(axis=1)
        if empty.any():
            warn(
                f"process_mask_img: {int(empty.sum())} of {len(empty)} voxels have no voxel of the mask within "
                f"radius={self.radius} mm; their scores are NaN."
            )
        undefined = np.isnan(scores) & ~empty
        if undefined.any():
            raise ValueError(
                f"scoring={self.scoring!r} is not defined on the test samples of some fold ({int(undefined.sum())} of "
                f"{len(empty)} voxels have a score of NaN). Give folds on which it is, or another scoring."
            )
        scores[empty] = np.nan
        return scores

    @property
    def scores_img_(self) -> Nifti1Image:
        """Image of the scores, in float64: they are shares, which the type of a mask would round."""
        self._check_is_fitted()
        return image(self._grid.flatten(self.scores_), self._grid)

    def transform(self, imgs: Any) -> Any:
        """Not available.

        Parameters
        ----------
        imgs

        Raises
        ------
        NotImplementedError
            Always: scores belong to spheres, and no model is kept that new images could be given to.
        """
        self._check_is_fitted()
        raise NotImplementedError(
            "SearchLight has no transform: it scores spheres, and keeps no model. (nilearn trains models there on the "
            "first half of the images against the second.) Fit another SearchLight to the new images, with their y."
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "scores_")

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("This SearchLight is not fitted yet; call fit first.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.target_tags.required = True
        return tags


@dataclass(frozen=True)
class Task:
    """What is done in each sphere.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    scorer : callable
    score : callable or None
        Of the decisions in many spheres, where there is one.
    y : array of shape (n,)
    classes : array or None
        None: numbers are predicted.
    folds : list of (training samples, test samples)
    batched : bool
        Whether many spheres are solved at a time.
    as_codes : bool
        Whether scores get 0 and 1 for two classes: those of two classes do not take words.
    """

    estimator: Any
    scorer: Any
    score: Callable[[NDArray, NDArray], NDArray[np.float64]] | None
    y: NDArray
    classes: NDArray | None
    folds: list[Fold]
    batched: bool
    as_codes: bool

    def score_of(self, decisions: NDArray, test: NDArray[np.intp]) -> float:
        """scikit-learn's score of decisions about test samples."""
        truth, classes = self.y[test], self.classes
        if self.as_codes and classes is not None:
            truth, classes = (truth == classes[1]).astype(int), np.array([0, 1])
        return score_of_decisions(self.scorer, decisions, truth, classes)


def _task(estimator: Any, scoring: Any, cv: Any, y: NDArray, groups: Any) -> Task:
    classifies = is_classifier(estimator)
    classes = None
    if classifies:
        classes = classes_of(y)
        if len(classes) > 2 and isinstance(scoring, str) and scoring in OF_TWO_CLASSES:
            raise ValueError(
                f"scoring={scoring!r} is of two classes, and y has {len(classes)}; 'accuracy' or "
                "'balanced_accuracy' are of more."
            )
    else:
        y = numbers_of(y)
    scorer = scorer_of(scoring, classifies)
    folds = make_folds(cv, y, groups, classifies, 5, leave_groups_out=False)
    if classes is not None:
        refuse_missing_classes(folds, y, classes)
    n_classes = 0 if classes is None else len(classes)
    batched = needs_decisions_only(scorer) and is_batched(estimator, n_classes)
    score = batched_score(scoring, n_classes)
    if scoring == "roc_auc" and any(len(np.unique(y[test])) < n_classes for _, test in folds):
        score = None  # scikit-learn says that it is not defined
    as_codes = (
        n_classes == 2 and y.dtype.kind == "U" and isinstance(scoring, str) and scoring in OF_TWO_CLASSES
    )
    return Task(estimator, scorer, score, y, classes, folds, batched, as_codes)


def _process_mask(img: Any, grid: VoxelGrid) -> NDArray[np.bool_]:
    inside, own = read_mask(img, "process_mask_img")
    if own != grid:
        raise ValueError(
            f"process_mask_img is on {own.describe()}, the mask on {grid.describe()}; they must be on one grid "
            "(brainsieve.image.resample_to_img with interpolation='nearest')."
        )
    return own.unflatten(inside)


def spheres_in(
    mask: NDArray[np.bool_], process: NDArray[np.bool_], affine: NDArray, radius_mm: float
) -> NDArray[np.intp]:
    """Columns of the voxels within a radius of each voxel processed.

    Parameters
    ----------
    mask : array of bool, 3-D
        Whose voxels, in C order, are the columns.
    process : array of bool, 3-D
    affine : array of shape (4, 4)
    radius_mm : float

    Returns
    -------
    spheres : array of shape (n_processed, n_offsets)
        The number of columns where a voxel is outside the mask.
    """
    reach = np.floor(radius_mm * np.linalg.norm(np.linalg.inv(affine[:3, :3]), axis=1) + 1e-9).astype(int)
    steps = np.meshgrid(*(np.arange(-far, far + 1) for far in reach), indexing="ij")
    offsets = np.stack(steps, axis=-1).reshape(-1, 3)
    # Voxels exactly as far as the radius are inside, rounding or not: 3 steps of 3.3 mm are 9.9 mm.
    distance = np.linalg.norm(offsets @ affine[:3, :3].T, axis=1)
    offsets = offsets[distance <= radius_mm * (1 + 1e-9)]
    n_columns = int(mask.sum())
    numbers = np.full(mask.shape, n_columns, dtype=np.intp)
    numbers[mask] = np.arange(n_columns)
    padded = np.pad(numbers, [(far, far) for far in reach], constant_values=n_columns)
    voxels = np.argwhere(process)[:, None] + (offsets + reach)[None]
    return padded[tuple(np.moveaxis(voxels, -1, 0))]


def score_spheres(task: Task, columns: NDArray, spheres: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean score over the folds of each of some spheres; columns are (V + 1, n), the last one of zeros."""
    # In a process of its own as in this one: sums in the same order.
    with single_threaded_blas():
        if not task.batched:
            return np.array([_score_alone(task, columns, sphere) for sphere in spheres])
        decisions = decisions_in_spheres(task.estimator, columns[spheres], task.y, task.classes, task.folds)
        scores = [
            _score_together(task, each, test) for each, (_, test) in zip(decisions, task.folds, strict=True)
        ]
        return np.mean(scores, axis=0)


def _score_together(task: Task, decisions: NDArray, test: NDArray[np.intp]) -> NDArray[np.float64]:
    if task.score is None:
        return np.array([task.score_of(each, test) for each in decisions])
    truth = task.y[test]
    return task.score(decisions, truth if task.classes is None else np.searchsorted(task.classes, truth))


def _score_alone(task: Task, columns: NDArray, sphere: NDArray[np.intp]) -> float:
    rows = columns[sphere[sphere < len(columns) - 1]].T
    if not rows.size:
        return np.nan
    scores = []
    for train, test in task.folds:
        model = clone(task.estimator).fit(rows[train], task.y[train])
        if task.as_codes:
            scores.append(task.score_of(decisions_of(model, rows[test]), test))
        else:
            scores.append(float(task.scorer(model, rows[test], task.y[test])))
    return float(np.mean(scores))
