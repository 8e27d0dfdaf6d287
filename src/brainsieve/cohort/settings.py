"""What is done to every run of a cohort: one frozen object that travels with the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brainsieve.checks import (
    a_count,
    a_number,
    a_number_or_none,
    a_positive_number_or_none,
    a_share_or_none,
    one_of,
)
from brainsieve.cohort.atlases import CohortAtlas
from brainsieve.cohort.strategies import Strategy


@dataclass(frozen=True)
class Cleaning:
    """What is done in time, beside the confounds of a strategy.

    Attributes
    ----------
    detrend : bool
    standardize : {"zscore_sample", "psc", None}
    high_pass, low_pass : float or None
        Hz.
    filter_order : int
        Of the Butterworth filter.
    dummy_scans : int
        Volumes left out at the start.
    fd_thresh : float
        Volumes of more framewise displacement (mm) are left out; 0: none.
    min_time : float
        Seconds that must be left, else the run is excluded; 0: any.
    """

    detrend: bool = True
    standardize: str | None = "zscore_sample"
    high_pass: float | None = 0.01
    low_pass: float | None = 0.1
    filter_order: int = 5
    dummy_scans: int = 0
    fd_thresh: float = 0.0
    min_time: float = 0.0

    def __post_init__(self) -> None:
        for name in ("high_pass", "low_pass"):
            a_positive_number_or_none(name, getattr(self, name))
        for name in ("fd_thresh", "min_time"):
            a_number(name, getattr(self, name))
        a_count("dummy_scans", self.dummy_scans)
        a_count("filter_order", self.filter_order, 1)
        one_of("zscore_sample", "psc", None)("standardize", self.standardize)
        if None not in (self.high_pass, self.low_pass) and self.high_pass >= self.low_pass:  # type: ignore[operator]
            raise ValueError(f"high_pass {self.high_pass:g} must be lower than low_pass {self.low_pass:g}.")

    @property
    def filters(self) -> bool:
        """Whether the time between volumes must be known."""
        return self.high_pass is not None or self.low_pass is not None


@dataclass(frozen=True)
class Settings:
    """What is done to every run.

    Attributes
    ----------
    bids_dir, out_dir : str
        Absolute.
    atlases : tuple of CohortAtlas
    strategies : tuple of Strategy
    cleaning : Cleaning
    smoothing_fwhm : float or None
        mm; volumes alone.
    min_coverage : float
        Regions that a run covers less are NaN.
    radius : float
        Of the spheres around coordinates, in mm.
    matrices, denoised : bool
        Whether matrices and denoised images are written.
    resample : bool
        Whether atlases of another space than a run's are taken as they are, on its grid.
    table : str
        Ending of series: ".tsv" or ".parquet".
    reports : bool
        Whether pages and their pictures are made.
    """

    bids_dir: str
    out_dir: str
    atlases: tuple[CohortAtlas, ...]
    strategies: tuple[Strategy, ...]
    cleaning: Cleaning = field(default_factory=Cleaning)
    smoothing_fwhm: float | None = None
    min_coverage: float = 0.5
    radius: float = 5.0
    matrices: bool = True
    denoised: bool = False
    resample: bool = False
    table: str = ".tsv"
    reports: bool = True

    def __post_init__(self) -> None:
        a_share_or_none("min_coverage", self.min_coverage)
        a_number("radius", self.radius, positive=True)
        a_number_or_none("smoothing_fwhm", self.smoothing_fwhm)
        one_of(".tsv", ".parquet")("table", self.table)

    def masker_parameters(self, kind: str) -> dict[str, Any]:
        """Parameters of the maskers of all atlases, for runs of a kind ("volumes", "surfaces", "CIFTI")."""
        cleaning = self.cleaning
        parameters: dict[str, Any] = {
            "detrend": cleaning.detrend,
            "standardize": cleaning.standardize,
            "high_pass": cleaning.high_pass,
            "low_pass": cleaning.low_pass,
            "clean_args": {"butterworth__order": cleaning.filter_order} if cleaning.filters else None,
            "min_coverage": self.min_coverage,
            "reports": False,
        }
        if kind == "volumes":
            parameters["smoothing_fwhm"] = self.smoothing_fwhm
        # Where a filter needs it each run's own time takes its place.
        return {**parameters, "t_r": 1.0 if cleaning.filters else None}

    def told(self) -> Mapping[str, Any]:
        """All that changes numbers, but for atlases and strategies; plain values."""
        return {
            **vars(self.cleaning),
            "smoothing_fwhm": self.smoothing_fwhm,
            "min_coverage": self.min_coverage,
        }
