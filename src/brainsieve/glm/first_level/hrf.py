"""Haemodynamic responses: kernels on a grid, and their integrals, which need none.

A response is a difference of two gamma densities, h = g(delay) − ratio · g(undershoot) (Glover 1999,
doi:10.1006/nimg.1998.0419; Friston et al. 1998, doi:10.1006/nimg.1998.0400). On a grid it is divided by its sum; its
integral is divided by the integral over the whole length. The parameters are those that the field's packages use;
neither set is exactly that of the paper of 1999.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from brainsieve.checks import a_number

# Steps of the finite differences that stand for derivatives: of the onset, in seconds, and of the dispersion.
ONSET_STEP = 0.1
DISPERSION_STEP = 0.01
LENGTH = 32.0


@dataclass(frozen=True)
class Response:
    """The parameters of a difference of two gamma densities; delays and dispersions in seconds."""

    delay: float
    undershoot: float
    dispersion: float
    u_dispersion: float
    ratio: float

    def sampled(self, dt: float, time_length: float, onset: float) -> NDArray[np.float64]:
        """On ``rint(time_length / dt)`` points from 0 to `time_length`, both among them; sums to 1."""
        t = np.linspace(0, time_length, np.rint(time_length / dt).astype(int)) - onset
        kernel = self._density(t, self.delay, self.dispersion, dt)
        kernel -= self.ratio * self._density(t, self.undershoot, self.u_dispersion, dt)
        return kernel / kernel.sum()

    @staticmethod
    def _density(t: NDArray, delay: float, dispersion: float, shift: float) -> NDArray[np.float64]:
        return stats.gamma.pdf(t, delay / dispersion, loc=shift, scale=dispersion)

    def density(self, t: NDArray, onset: float = 0.0) -> NDArray[np.float64]:
        """At times t after the event, per second: its integral from 0 to 32 s is 1."""
        values = self._density(t - onset, self.delay, self.dispersion, 0)
        values -= self.ratio * self._density(t - onset, self.undershoot, self.u_dispersion, 0)
        return np.where(t <= LENGTH, values, 0) / self._integral(np.float64(LENGTH), onset)

    def integral(self, t: NDArray, onset: float = 0.0) -> NDArray[np.float64]:
        """From 0 to times t after the event: 0 before it, 1 from 32 s on."""
        return self._integral(np.clip(t, 0, LENGTH), onset) / self._integral(np.float64(LENGTH), onset)

    def _integral(self, t: NDArray | np.float64, onset: float) -> NDArray[np.float64]:
        s = t - onset
        first = stats.gamma.cdf(s, self.delay / self.dispersion, scale=self.dispersion)
        second = stats.gamma.cdf(s, self.undershoot / self.u_dispersion, scale=self.u_dispersion)
        return first - self.ratio * second


RESPONSES = {
    "spm": Response(delay=6, undershoot=16, dispersion=1, u_dispersion=1, ratio=0.167),
    "glover": Response(delay=6, undershoot=12, dispersion=0.9, u_dispersion=0.9, ratio=0.48),
}
# The dispersion derivative of "glover" takes another undershoot than the response: as the field's packages do.
_DISPERSED = {"spm": RESPONSES["spm"], "glover": replace(RESPONSES["glover"], u_dispersion=1.0)}

# What a kernel is computed by: of a response and an onset, anything linear in the response.
_Evaluate = Callable[[Response, float], NDArray[np.float64]]


def _itself(name: str, onset: float, evaluate: _Evaluate) -> NDArray[np.float64]:
    return evaluate(RESPONSES[name], onset)


def _time_derivative(name: str, onset: float, evaluate: _Evaluate) -> NDArray[np.float64]:
    response = RESPONSES[name]
    return (evaluate(response, onset) - evaluate(response, onset + ONSET_STEP)) / ONSET_STEP


def _dispersion_derivative(name: str, onset: float, evaluate: _Evaluate) -> NDArray[np.float64]:
    response = _DISPERSED[name]
    wider = replace(response, dispersion=response.dispersion + DISPERSION_STEP)
    return (evaluate(response, onset) - evaluate(wider, onset)) / DISPERSION_STEP


KERNELS = {"": _itself, "derivative": _time_derivative, "dispersion": _dispersion_derivative}


def _sampled(
    kernel: str, name: str, t_r: float, oversampling: int, time_length: float, onset: float
) -> NDArray[np.float64]:
    a_number("t_r", t_r, positive=True)
    a_number("oversampling", oversampling, positive=True)
    a_number("time_length", time_length, positive=True)
    dt = t_r / oversampling
    return KERNELS[kernel](name, onset, lambda response, at: response.sampled(dt, time_length, at))


def spm_hrf(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The canonical response of SPM.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)
        Its sum is 1.

    Notes
    -----
    Gamma densities with delays of 6 and 16 s and a ratio of 0.167 (Friston et al. 1998, doi:10.1006/nimg.1998.0400).
    """
    return _sampled("", "spm", t_r, oversampling, time_length, onset)


def glover_hrf(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The canonical response of Glover.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)
        Its sum is 1.

    Notes
    -----
    Gamma densities with delays of 6 and 12 s, dispersions of 0.9 and a ratio of 0.48, near to those of Glover 1999,
    doi:10.1006/nimg.1998.0419.
    """
    return _sampled("", "glover", t_r, oversampling, time_length, onset)


def spm_time_derivative(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The derivative of `spm_hrf` by its onset: its difference from the one 0.1 s later, over 0.1 s.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)
    """
    return _sampled("derivative", "spm", t_r, oversampling, time_length, onset)


def glover_time_derivative(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The derivative of `glover_hrf` by its onset: its difference from the one 0.1 s later, over 0.1 s.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)
    """
    return _sampled("derivative", "glover", t_r, oversampling, time_length, onset)


def spm_dispersion_derivative(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The derivative of `spm_hrf` by its dispersion: its difference from the one wider by 0.01, over 0.01.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)
    """
    return _sampled("dispersion", "spm", t_r, oversampling, time_length, onset)


def glover_dispersion_derivative(
    t_r: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0
) -> NDArray[np.float64]:
    """The derivative of Glover's response by its dispersion: its difference from the one wider by 0.01, over 0.01.

    Parameters
    ----------
    t_r : float
        Seconds between two samples of the run.
    oversampling : int, default=50
        Points of the kernel in that time.
    time_length : float, default=32.0
        Seconds that the kernel lasts.
    onset : float, default=0.0
        Seconds by which it is late.

    Returns
    -------
    kernel : array of shape (time_length · oversampling / t_r,)

    Notes
    -----
    The undershoot has a dispersion of 1.0 here, and 0.9 in `glover_hrf`, as in nilearn: it is not exactly the
    derivative of that response.
    """
    return _sampled("dispersion", "glover", t_r, oversampling, time_length, onset)
