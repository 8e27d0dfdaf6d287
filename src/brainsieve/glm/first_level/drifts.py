"""Slow drifts as columns of a design; the last column is constant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number, found
from brainsieve.glm.first_level.regressors import orthogonalized
from brainsieve.logs import warn


def drift_columns(
    drift_model: str | None, times: NDArray[np.float64], high_pass: float, order: int
) -> tuple[NDArray[np.float64], list[str]]:
    """The columns of a drift model, and their names.

    Parameters
    ----------
    drift_model : {"cosine", "polynomial", None}
        Case does not matter.
    times : array of shape (n_samples,)
        Seconds.
    high_pass : float
        Hertz: cosines are those slower than this.
    order : int
        Of the polynomial.

    Returns
    -------
    columns : array of shape (n_samples, n_drifts + 1)
    names : list of str
        ``drift_1``, …, ``constant``.

    Raises
    ------
    NotImplementedError
        For another model.
    TypeError, ValueError
        For a cut-off or an order that is none.
    """
    model = drift_model.lower() if isinstance(drift_model, str) else drift_model
    if model is None:
        columns = np.ones((len(times), 1))
    elif model == "cosine":
        a_number("high_pass", high_pass, what="a frequency in hertz")
        columns = _cosines(times, high_pass)
    elif model == "polynomial":
        a_count("drift_order", order)
        columns = _polynomials(times, order)
    else:
        raise NotImplementedError(
            f"drift_model must be 'cosine', 'polynomial' or None; {found(drift_model)} was given."
        )
    return columns, [*(f"drift_{i}" for i in range(1, columns.shape[1])), "constant"]


def _cosines(times: NDArray[np.float64], high_pass: float) -> NDArray[np.float64]:
    """Cosines of the discrete transform of type II (Ahmed et al. 1974, doi:10.1109/T-C.1974.223784), and 1."""
    n = len(times)
    dt = (times[-1] - times[0]) / (n - 1)
    if high_pass * dt >= 0.5:
        warn(
            f"high_pass={high_pass:g} Hz is not below half the sampling rate, {0.5 / dt:g} Hz: cosines take all that "
            "there is."
        )
    count = min(n - 1, int(np.floor(2 * n * high_pass * dt)))
    k, row = np.arange(1, count + 1), np.arange(n)[:, None]
    cosines = np.sqrt(2.0 / n) * np.cos((np.pi / n) * (row + 0.5) * k)
    return np.concatenate([cosines, np.ones((n, 1))], axis=1)


def _polynomials(times: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    largest = np.abs(times).max()
    columns = orthogonalized((times / largest)[:, None] ** np.arange(order + 1))
    return np.concatenate([columns[:, 1:], columns[:, :1]], axis=1)
