"""Decoder and DecoderRegressor: what is shown, done or felt, from images, with a map of what tells."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score

from brainsieve.caching import memory_for
from brainsieve.checks import a_bool_or_int, an_integer, one_of
from brainsieve.decoding.estimators import (
    CLASSIFIERS,
    REGRESSORS,
    Named,
    grid_of,
    make_estimator,
    refuse_other_kind,
)
from brainsieve.decoding.fitting import SIGNS, Best, Problem, decisions_of, fit_all, weights_of
from brainsieve.decoding.folds import (
    classes_of,
    make_folds,
    numbers_of,
    one_column,
    refuse_missing_classes,
)
from brainsieve.decoding.kernels import is_by_kernel
from brainsieve.decoding.samples import fit_reader
from brainsieve.decoding.scoring import OF_TWO_CLASSES, needs_decisions_only, score_of_decisions, scorer_of
from brainsieve.decoding.screening import check_screening, screening_of
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import a_memory, keep_parameters
from brainsieve.typing import FwhmLike, ImagesLike, MaskStrategy, MemoryLike, Standardize

NewImages = Literal["training", "own"]
ClassMaps = Literal["favoured", "nilearn"]
# Key of the maps of a regression.
BETA = "beta"


class _Decoding(BaseEstimator):
    """What the two decoders have in common."""

    _classifies: bool
    _known: Mapping[str, Named]

    # -- fit -------------------------------------------------------------------------------------------

    def fit(self, X: ImagesLike, y: ArrayLike, groups: ArrayLike | None = None) -> Any:
        """Fit models to images, one for each fold, and average them.

        Parameters
        ----------
        X : image of n samples, or list of images or paths
            Volumes, a surface image, or CIFTI files.
        y : array of shape (n,)
            Classes, or numbers.
        groups : array of shape (n,), optional
            Group of each sample (run, subject), for splitters that heed groups. With an integer or None as `cv`, one
            group is left out in each fold.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where a parameter, an image, `y` or a fold is not what it should be; the message names it.
        """
        self._forget()
        try:
            with single_threaded_blas():
                return self._fit(X, y, groups)
        except BaseException:
            self._forget()
            raise

    def _fit(self, images: Any, y: Any, groups: Any) -> Any:
        self._check_parameters()
        estimator = make_estimator(self.estimator, self.estimator_args, self._known)
        refuse_other_kind(estimator, self._classifies)
        grid = grid_of(self.estimator, self.param_grid, estimator)
        self.scorer_ = scorer_of(self.scoring, self._classifies)
        if y is None:
            raise ValueError("y is None; one value for each image is needed.")
        self.memory_ = memory_for(self.memory, self.verbose)
        reader, X = fit_reader(images, self.mask, self.get_params(deep=False), self.new_images)
        y = one_column(y, "y", len(X))
        log(self.verbose, 1, f"{type(self).__name__}: {X.shape[0]} samples of {X.shape[1]} features.")
        targets = self._targets(y)
        self.cv_ = make_folds(self.cv, y, groups, self._classifies, 10, leave_groups_out=True)
        if self._classifies:
            refuse_missing_classes(self.cv_, y, self.classes_)
        self._reader, self.masker_ = reader, reader.masker
        self.mask_img_ = getattr(reader.masker, "mask_img_", None)
        self.n_elements_, self.n_outputs_ = X.shape[1], 1
        self.estimator_, self.estimator_args_ = estimator, dict(self.estimator_args or {})
        screening = screening_of(
            self.screening_percentile, self.screening_n_features, X.shape[1], reader.masker
        )
        self.screening_percentile_ = screening.percentile
        by_kernel = grid is not None and all(
            is_by_kernel(clone(estimator).set_params(**point)) for point in grid
        )
        problem = Problem(X, estimator, grid, self.scorer_, self._classifies, by_kernel)
        fitted = []
        for folds in fit_all(problem, targets, self.cv_, screening, self.n_jobs):
            fitted.append(folds)
            scores = [round(best.score, 3) for best in folds]
            log(self.verbose, 1, f"{type(self).__name__}: problem {len(fitted)} of {len(targets)}: {scores}.")
        self._keep(fitted, X)
        return self

    def _check_parameters(self) -> None:
        check_screening(self.screening_percentile, self.screening_n_features)
        an_integer("n_jobs", self.n_jobs)
        a_bool_or_int("verbose", self.verbose)
        a_memory("memory", self.memory)
        one_of("training", "own")("new_images", self.new_images)

    def _targets(self, y: NDArray) -> list[NDArray[np.float64]]:
        """What is fitted: one vector for each problem."""
        raise NotImplementedError

    def _forget(self) -> None:
        for name in [
            name for name in vars(self) if name.endswith("_") or name in ("_reader", "_models", "_intercepts")
        ]:
            del self.__dict__[name]

    # -- what is kept ----------------------------------------------------------------------------------

    def _keys(self) -> list[Any]:
        """Under what weights and scores are found: classes, or "beta"."""
        raise NotImplementedError

    def _keep(self, fitted: list[list[Best]], X: NDArray) -> None:
        keys = self._keys()
        # Two classes share one problem.
        by_key = dict(zip(keys, fitted * (len(keys) // len(fitted)), strict=True))
        self._refuse_undefined(by_key)
        self.cv_scores_ = {key: [best.score for best in folds] for key, folds in by_key.items()}
        self.cv_params_ = {key: _joined([best.params for best in folds]) for key, folds in by_key.items()}
        self.dummy_output_: Any = {key: [None] * len(self.cv_) for key in keys}
        self.coef_: Any = None
        if isinstance(self.estimator, str) and "dummy" in self.estimator:
            self.dummy_output_ = np.array([_dummy_output(folds) for folds in fitted])
        elif any(best.coefficients is None for folds in fitted for best in folds):
            self._models = [[(best.model, best.kept) for best in folds] for folds in fitted]
        else:
            self._keep_weights(fitted, X)

    def _refuse_undefined(self, by_key: Mapping[Any, list[Best]]) -> None:
        for key, folds in by_key.items():
            bad = [str(i) for i, best in enumerate(folds) if np.isnan(best.score)]
            if bad:
                what = (
                    f" of class {key!r} against the rest: are samples of both among them?"
                    if self._classifies
                    else "."
                )
                raise ValueError(
                    f"cv: scoring={self.scoring!r} is not defined on the test samples of fold {', '.join(bad[:8])}"
                    f"{what} Give folds on which it is, or another scoring."
                )

    def _keep_weights(self, fitted: list[list[Best]], X: NDArray) -> None:
        """Means over folds, and how much folds differ."""
        means, spreads = [], []
        for folds in fitted:
            weights = weights_of(folds, X)
            means.append(weights.mean(axis=0))
            spreads.append(weights.std(axis=0))
        self.coef_ = np.array(means)
        self._intercepts = np.array([np.mean([best.intercept for best in folds]) for folds in fitted])
        keys, n_shared = self._keys(), len(self._keys()) // len(fitted)
        self.std_coef_ = np.array(spreads * n_shared)
        try:
            self.coef_img_ = self._images(keys, self._maps())
            self.std_coef_img_ = self._images(keys, self.std_coef_)
        except ValueError as error:
            warn(f"There is no coef_img_, since weights cannot be put into an image: {error}")

    def _images(self, keys: list[Any], rows: NDArray) -> dict[Any, Any]:
        return {key: self.masker_.inverse_transform(row) for key, row in zip(keys, rows, strict=True)}

    def _maps(self) -> NDArray[np.float64]:
        """Weights for each key, (n_keys, V)."""
        return self.coef_

    # -- predict ---------------------------------------------------------------------------------------

    def _decide(self, X: Any) -> NDArray[np.float64]:
        """Decisions (n, n_problems)."""
        rows = self._rows(X)
        if self.coef_ is not None:
            return rows @ self.coef_.T + self._intercepts
        if isinstance(self.dummy_output_, np.ndarray):
            constant = self.dummy_output_[:, -1] - (0.5 if self._classifies else 0.0)
            return np.tile(constant, (len(rows), 1))
        # Folds are averaged here as well: what they decide, where they have no weights in common.
        return np.stack(
            [
                np.mean([decisions_of(model, rows[:, kept]) for model, kept in folds], axis=0)
                for folds in self._models
            ],
            axis=1,
        )

    def _rows(self, X: Any) -> NDArray[np.float64]:
        """Rows of images; an array of rows as it is."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet; call fit first.")
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
            if X.ndim != 2 or X.shape[1] != self.n_elements_:
                raise ValueError(
                    f"X: an array must have shape (n, {self.n_elements_}), a column for each feature of the mask; its "
                    f"shape is {X.shape}."
                )
            return X.astype(np.float64, copy=False)
        return self._reader.read(X)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "cv_scores_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.target_tags.required = True
        return tags

    def score(self, X: Any, y: ArrayLike, *args: Any) -> float:
        """Score predictions by `scoring`.

        Parameters
        ----------
        X : images, or array of shape (n, V)
        y : array of shape (n,)
        *args
            Nothing; scikit-learn passes weights here, which are refused.

        Returns
        -------
        score : float
            For a score of two classes, with more of them: the mean over each against the rest.

        Raises
        ------
        ValueError
            If `y` is of another length or has classes that were not fitted.
        """
        if any(arg is not None for arg in args):
            raise TypeError("score takes X and y; weights of samples have no part in it.")
        decisions = self._decide(X)
        return self._score(X, decisions, one_column(y, "y", len(decisions)))

    def _score(self, X: Any, decisions: NDArray, y: NDArray) -> float:
        raise NotImplementedError


def _joined(points: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Points of a grid as lists of values; a parameter that not all have is None there."""
    names = dict.fromkeys(name for point in points for name in point)
    return {name: [point.get(name) for point in points] for name in names}


def _dummy_output(folds: list[Best]) -> NDArray[np.float64]:
    """What a dummy has learned, averaged: shares of the two classes, or a number."""
    learned = [
        best.model.class_prior_ if isinstance(best.model, DummyClassifier) else np.ravel(best.model.constant_)
        for best in folds
    ]
    return np.mean(learned, axis=0)


@functools.cache
def _tell_of_signs() -> None:
    """Once in a process."""
    warn(
        "coef_img_ of two classes: the map of each class is positive where it is favoured. nilearn's are the other way "
        "round (class_maps='nilearn' gives these); coef_ is the same."
    )


class Decoder(ClassifierMixin, _Decoding):
    """Predict classes from images: an estimator of scikit-learn, fitted in each fold and averaged.

    Two classes are one problem; more are one problem for each class against the rest. In each fold features are
    screened by an F-test, the estimator is fitted at each point of a grid and scored on the test samples, and the best
    is kept: scores are those by which it was chosen. Weights and intercepts are means over the folds.

    Parameters
    ----------
    estimator : str or estimator, default='svc'
        ``"svc"`` (``"svc_l2"``), ``"svc_l1"``, ``"logistic"`` (``"logistic_l2"``), ``"logistic_l1"``,
        ``"ridge_classifier"``, ``"dummy_classifier"``, or an estimator or pipeline of your own. ``"svc"``, ridge and
        `LinearSVC` objects of that form are solved exactly, whatever ``tol``, ``max_iter`` and ``random_state`` are.
    mask : image or masker, default=None
        Voxels, vertices or grayordinates to use. A masker, of any kind, is not changed, and its parameters are used
        instead of those below. None: computed from the images.
    cv : int, splitter or iterable, default=10
        Folds, stratified; a splitter of scikit-learn; or pairs of training and test samples. None: 10.
    param_grid : dict or list of dict, default=None
        Parameters of the estimator to try. None: C = 1, 10, 100 for ``"svc"``; 2, 20, 200 times the smallest that
        leaves a weight for ``"svc_l1"``; for the others eight ``Cs`` or ``alphas``, from 1e-3 to 1e4, in one fit.
    screening_percentile : float, default=20
        Share of the whole brain (1883 cm³; of a surface all vertices), in per cent, that features are screened down to.
        None or 100: no screening.
    screening_n_features : int, default=None
        A number of features instead.
    scoring : str or callable, default='roc_auc'
        A name of scikit-learn's or a callable (estimator, X, y) to choose by. None: accuracy.
    smoothing_fwhm : float or sequence of 3 floats, default=None
        Full width at half maximum in mm.
    standardize : {"zscore_sample", "psc", True, False, None}, default=True
        z-score (also True) or percent change of each feature over the samples fitted.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of the grid that volumes are resampled to.
    target_shape : sequence of 3 ints, default=None
    mask_strategy : {"background", "epi", "whole-brain-template", "gm-template", "wm-template"}, default='background'
        How a mask is computed.
    low_pass : float, default=None
        Cut-off in hertz, over the samples as they come; needs `t_r`.
    high_pass : float, default=None
        Cut-off in hertz; needs `t_r`.
    t_r : float, default=None
        Time between samples in seconds.
    memory : path or joblib.Memory, default=None
        Where rows of images are cached. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
    n_jobs : int, default=1
        Folds at a time. Results do not depend on it.
    verbose : int, default=0
    estimator_args : dict, default=None
        Parameters of the estimator, for this decoder alone.
    new_images : {"training", "own"}, default='training'
        Whose mean and standard deviation standardize the images that are predicted: those of the images fitted, or, as
        nilearn does it, their own.
    class_maps : {"favoured", "nilearn"}, default='favoured'
        Signs of `coef_img_` of two classes: each class's map is positive where the class is favoured, or the other way
        round.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Sorted.
    n_classes_, n_elements_, n_outputs_ : int
        Number of classes, of features, and 1.
    coef_ : array of shape (1, V) or (n_classes, V), or None
        Weights; positive favours ``classes_[1]``, or the class of the row. None where a model is not linear in the
        features: then decisions are averaged over the folds, and there is no `coef_img_`.
    std_coef_ : array of shape (n_classes, V)
        Standard deviation over folds.
    coef_img_, std_coef_img_ : dict of class to image
    intercept_ : float, or array of shape (n_classes,)
    cv_ : list of (training samples, test samples)
    cv_scores_ : dict of class to list
        Of the best point of the grid in each fold.
    cv_params_ : dict of class to dict of lists
    dummy_output_ : dict, or array of shape (1 or n_classes, 2) for dummies
    scorer_, estimator_, estimator_args_
        The scorer, the estimator unfitted, its parameters.
    screening_percentile_ : float
        Share of the features of the mask.
    masker_, mask_img_, memory_
        What makes rows of images.

    Notes
    -----
    Support vector machines and ridges see images by their inner products alone, which folds, classes and grid share:
    `brainsieve.decoding.newton`, `brainsieve.decoding.ridge` and `brainsieve.decoding.kernels`.
    """

    score = _Decoding.score  # not the mixin's
    _classifies = True
    _known = CLASSIFIERS

    def __init__(
        self,
        estimator: Any = "svc",
        mask: Any = None,
        cv: Any = 10,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        screening_percentile: float | None = 20,
        screening_n_features: int | None = None,
        scoring: Any = "roc_auc",
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = True,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy = "background",
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        memory: MemoryLike = None,
        memory_level: int = 0,
        n_jobs: int = 1,
        verbose: int = 0,
        estimator_args: dict[str, Any] | None = None,
        new_images: NewImages = "training",
        class_maps: ClassMaps = "favoured",
    ) -> None:
        keep_parameters(self, locals())

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("favoured", "nilearn")("class_maps", self.class_maps)

    def _targets(self, y: NDArray) -> list[NDArray[np.float64]]:
        self.classes_ = classes_of(y)
        self.n_classes_ = len(self.classes_)
        told = self.classes_[1:] if self.n_classes_ == 2 else self.classes_
        return [np.where(y == one, 1.0, -1.0) for one in told]

    def _keys(self) -> list[Any]:
        return list(self.classes_)

    def _maps(self) -> NDArray[np.float64]:
        if self.n_classes_ > 2:
            return self.coef_
        if self.class_maps == "nilearn":
            return np.vstack([self.coef_, -self.coef_])
        _tell_of_signs()
        return np.vstack([-self.coef_, self.coef_])

    @property
    def intercept_(self) -> Any:
        """Mean intercept: a number for two classes, else one for each."""
        intercepts = self._intercepts
        return intercepts[0] if len(intercepts) == 1 else intercepts

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """How far samples are on the side of a class.

        Parameters
        ----------
        X : images, or array of shape (n, V)
            Images are standardized as those fitted were, arrays are taken as they are.

        Returns
        -------
        decisions : array of shape (n,) or (n, n_classes)
            Above 0: for ``classes_[1]``, or for the class of the column.
        """
        decisions = self._decide(X)
        return decisions[:, 0] if decisions.shape[1] == 1 else decisions

    def predict(self, X: Any) -> NDArray:
        """Predict the class of each sample.

        Parameters
        ----------
        X : images, or array of shape (n, V)

        Returns
        -------
        classes : array of shape (n,)
            A dummy draws them by their share, the same ones at each call.
        """
        return self._predicted(self._decide(X))

    def _predicted(self, decisions: NDArray) -> NDArray:
        if isinstance(self.dummy_output_, np.ndarray):
            shares = self.dummy_output_[0] if self.n_classes_ == 2 else self.dummy_output_[:, 1]
            drawn = np.random.default_rng(0).multinomial(1, shares / shares.sum(), size=len(decisions))
            return self.classes_[drawn.argmax(axis=1)]
        if decisions.shape[1] == 1:
            return self.classes_[(decisions[:, 0] > 0).astype(int)]
        return self.classes_[decisions.argmax(axis=1)]

    def _score(self, X: Any, decisions: NDArray, y: NDArray) -> float:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has classes that were not fitted: {', '.join(map(repr, unknown.tolist()))}.")
        if not needs_decisions_only(self.scorer_):
            return float(self.scorer_(self, X, y))
        if self.scoring in (None, "accuracy"):
            return float(accuracy_score(y, self._predicted(decisions)))
        if self.n_classes_ > 2 and self.scoring not in OF_TWO_CLASSES:
            return score_of_decisions(self.scorer_, decisions, y, self.classes_)
        # As in fit: -1 and 1, whatever the classes are called.
        told = self.classes_[1:] if self.n_classes_ == 2 else self.classes_
        scores = [
            score_of_decisions(self.scorer_, column, np.where(y == one, 1, -1), SIGNS)
            for column, one in zip(decisions.T, told, strict=True)
        ]
        return float(np.mean(scores))


class DecoderRegressor(RegressorMixin, _Decoding):
    """Predict numbers from images: an estimator of scikit-learn, fitted in each fold and averaged.

    Parameters
    ----------
    estimator : str or estimator, default='svr'
        ``"svr"``, ``"ridge"`` (``"ridge_regressor"``), ``"lasso"`` (``"lasso_regressor"``), ``"dummy_regressor"``, or
        an estimator or pipeline of your own. Ridge is solved exactly.
    mask : image or masker, default=None
        Voxels, vertices or grayordinates to use. A masker, of any kind, is not changed, and its parameters are used
        instead of those below. None: computed from the images.
    cv : int, splitter or iterable, default=10
        Folds, contiguous; a splitter of scikit-learn; or pairs of training and test samples. None: 10.
    param_grid : dict or list of dict, default=None
        Parameters of the estimator to try. None: C = 1, 10, 100 for ``"svr"``; in one fit eight ``alphas`` from 1e-3 to
        1e4 for ``"ridge"``, 30 for ``"lasso"``.
    screening_percentile : float, default=20
        Share of the whole brain (1883 cm³; of a surface all vertices), in per cent, that features are screened down to.
        None or 100: no screening.
    screening_n_features : int, default=None
        A number of features instead.
    scoring : str or callable, default='r2'
        A name of scikit-learn's or a callable (estimator, X, y) to choose by. None: R².
    smoothing_fwhm : float or sequence of 3 floats, default=None
        Full width at half maximum in mm.
    standardize : {"zscore_sample", "psc", True, False, None}, default=True
        z-score (also True) or percent change of each feature over the samples fitted.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of the grid that volumes are resampled to.
    target_shape : sequence of 3 ints, default=None
    mask_strategy : {"background", "epi", "whole-brain-template", "gm-template", "wm-template"}, default='background'
        How a mask is computed.
    low_pass : float, default=None
        Cut-off in hertz, over the samples as they come; needs `t_r`.
    high_pass : float, default=None
        Cut-off in hertz; needs `t_r`.
    t_r : float, default=None
        Time between samples in seconds.
    memory : path or joblib.Memory, default=None
        Where rows of images are cached. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
    n_jobs : int, default=1
        Folds at a time. Results do not depend on it.
    verbose : int, default=0
    estimator_args : dict, default=None
        Parameters of the estimator, for this decoder alone.
    new_images : {"training", "own"}, default='training'
        Whose mean and standard deviation standardize the images that are predicted: those of the images fitted, or, as
        nilearn does it, their own.

    Attributes
    ----------
    coef_ : array of shape (1, V), or None
        Weights; None where a model is not linear in the features: then predictions are averaged over the folds.
    std_coef_ : array of shape (1, V)
    coef_img_, std_coef_img_ : dict
        Of one image, under "beta".
    intercept_ : array of shape (1,)
    n_elements_, n_outputs_ : int
        Number of features, and 1.
    cv_ : list of (training samples, test samples)
    cv_scores_, cv_params_ : dict
        Under "beta".
    dummy_output_ : dict, or array of shape (1, 1) for dummies
    scorer_, estimator_, estimator_args_
        The scorer, the estimator unfitted, its parameters.
    screening_percentile_ : float
        Share of the features of the mask.
    masker_, mask_img_, memory_
        What makes rows of images.
    """

    score = _Decoding.score  # not the mixin's
    _classifies = False
    _known = REGRESSORS

    def __init__(
        self,
        estimator: Any = "svr",
        mask: Any = None,
        cv: Any = 10,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        screening_percentile: float | None = 20,
        screening_n_features: int | None = None,
        scoring: Any = "r2",
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = True,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy = "background",
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        memory: MemoryLike = None,
        memory_level: int = 0,
        n_jobs: int = 1,
        verbose: int = 0,
        estimator_args: dict[str, Any] | None = None,
        new_images: NewImages = "training",
    ) -> None:
        keep_parameters(self, locals())

    def _targets(self, y: NDArray) -> list[NDArray[np.float64]]:
        return [numbers_of(y)]

    def _keys(self) -> list[Any]:
        return [BETA]

    @property
    def intercept_(self) -> Any:
        """Mean intercept, of shape (1,)."""
        return self._intercepts

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the number of each sample.

        Parameters
        ----------
        X : images, or array of shape (n, V)
            Images are standardized as those fitted were, arrays are taken as they are.

        Returns
        -------
        numbers : array of shape (n,)
        """
        return self._decide(X)[:, 0]

    def _score(self, X: Any, decisions: NDArray, y: NDArray) -> float:
        y = numbers_of(y)
        if not needs_decisions_only(self.scorer_):
            return float(self.scorer_(self, X, y))
        return score_of_decisions(self.scorer_, decisions[:, 0], y, None)
