"""Linear models in many small sets of features at a time: what each decides about the test samples of each fold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVR, LinearSVC
from sklearn.utils.class_weight import compute_class_weight

from brainsieve.decoding.folds import Fold
from brainsieve.decoding.kernels import bias_of, is_by_kernel
from brainsieve.decoding.newton import solve_dual, solve_primal
from brainsieve.decoding.ridge import centred_kernels, solve_ridge, solve_ridge_primal


def is_batched(estimator: Any, n_classes: int) -> bool:
    """Whether `decisions_in_spheres` knows an estimator."""
    if isinstance(estimator, SVR) or not is_by_kernel(estimator):
        return False
    # liblinear weighs the rest of the classes by C alone, whatever their weights.
    return n_classes <= 2 or getattr(estimator, "class_weight", None) is None


def decisions_in_spheres(
    estimator: Any, features: NDArray, y: NDArray, classes: NDArray | None, folds: list[Fold]
) -> Iterator[NDArray[np.float64]]:
    """What an estimator fitted in each sphere decides, fold by fold.

    Parameters
    ----------
    estimator : LinearSVC, RidgeCV or RidgeClassifierCV
    features : array of shape (n_spheres, k, n)
        Of all n samples; rows of zeros for spheres of fewer voxels.
    y : array of shape (n,)
    classes : array or None
        None: `y` are numbers.
    folds : list of (training samples, test samples)

    Returns
    -------
    decisions : iterator of arrays of shape (n_spheres, n_test) or (n_spheres, n_test, n_classes)
    """
    targets = _targets(y, classes)
    solve = _machines if isinstance(estimator, LinearSVC) else _ridges
    smallest = min(len(train) for train, _ in folds)
    # Samples by their inner products, unless there are fewer features.
    if features.shape[1] + 1 < smallest:
        samples, dual = features.transpose(0, 2, 1), False
    else:
        samples, dual = features.transpose(0, 2, 1) @ features, True
    for train, test in folds:
        decided = solve(estimator, samples, dual, targets, train, test, y, classes)
        yield decided[..., 0] if decided.shape[-1] == 1 else decided


def _targets(y: NDArray, classes: NDArray | None) -> NDArray[np.float64]:
    """Columns that are fitted: numbers, or -1 and 1 for the second class or for each."""
    if classes is None:
        return y.astype(np.float64)[:, None]
    told = classes[1:] if len(classes) == 2 else classes
    return np.where(y[:, None] == told, 1.0, -1.0)


def _machines(
    machine: LinearSVC,
    samples: NDArray,
    dual: bool,
    targets: NDArray,
    train: NDArray,
    test: NDArray,
    y: NDArray,
    classes: NDArray | None,
) -> NDArray[np.float64]:
    assert classes is not None
    bias, n_spheres = bias_of(machine), len(samples)
    weights = compute_class_weight(machine.class_weight, classes=classes, y=y[train])
    costs = np.tile(machine.C * weights[np.searchsorted(classes, y[train])], (n_spheres, 1))
    if dual:
        training = samples[:, train[:, None], train] + bias**2
        asked = samples[:, test[:, None], train] + bias**2
    else:
        training, asked = (
            np.concatenate([samples[:, some], np.full((n_spheres, len(some), 1), bias)], axis=2)
            for some in (train, test)
        )
    solve = solve_dual if dual else solve_primal
    decided = [
        asked @ solve(training, np.tile(target, (n_spheres, 1)), costs).coefficients[..., None]
        for target in targets[train].T
    ]
    return np.concatenate(decided, axis=2)


def _ridges(
    ridge: Any,
    samples: NDArray,
    dual: bool,
    targets: NDArray,
    train: NDArray,
    test: NDArray,
    y: NDArray,
    classes: NDArray | None,
) -> NDArray[np.float64]:
    centre, alphas = ridge.fit_intercept, np.ravel(ridge.alphas)
    mean = targets[train].mean(axis=0) if centre else np.zeros(targets.shape[1])
    if dual:
        training, asked = samples[:, train[:, None], train], samples[:, test[:, None], train]
        kernels = centred_kernels(training) if centre else training
        coefficients = solve_ridge(kernels, targets[train] - mean, alphas, centre).coefficients
    else:
        training, asked = samples[:, train], samples[:, test]
        here = training - training.mean(axis=1, keepdims=True) if centre else training
        coefficients = solve_ridge_primal(here, targets[train] - mean, alphas, centre).coefficients
    decided = asked @ coefficients + mean
    if centre:
        decided -= training.mean(axis=1, keepdims=True) @ coefficients
    return decided
