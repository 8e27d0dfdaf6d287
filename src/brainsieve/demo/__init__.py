"""The main job on a small real run: regions extracted, cleaned, correlated, written and drawn."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.datasets import DemoRun, load_demo_run
from brainsieve.maskers import NiftiLabelsMasker
from brainsieve.provenance import file_record, json_bytes, our_record, versions
from brainsieve.table_files import frame_of, put_table
from brainsieve.tables import read_table
from brainsieve.whole_files import replacing, replacing_together

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDS = [f"a_comp_cor_{number:02d}" for number in range(6)]
CLEANING: dict[str, Any] = {
    "detrend": True,
    "high_pass": 0.01,
    "low_pass": 0.1,
    "standardize": "zscore_sample",
}

# The record first: a table that is there has its record.
TABLES = ("timeseries.json", "timeseries.tsv", "correlation.tsv")
PICTURES = ("atlas.png", "timeseries.png", "correlation.png")

__all__ = ["run_demo"]


def __dir__() -> list[str]:
    return __all__


def run_demo(folder: str | os.PathLike = "brainsieve-demo", quiet: bool = False) -> Path:
    """Extract ten regions from the bundled run, clean them, and write tables and pictures.

    Parameters
    ----------
    folder : path, default="brainsieve-demo"
        Made where it does not exist. Files of an earlier demo in it are replaced.
    quiet : bool, default=False
        Say nothing on standard output.

    Returns
    -------
    folder : Path
        With ``timeseries.tsv``, ``timeseries.json``, ``correlation.tsv``, and, where matplotlib is installed,
        ``atlas.png``, ``timeseries.png`` and ``correlation.png``.

    Raises
    ------
    OSError
        If the folder cannot be made, or has files of these names that no demo made.
    """
    folder = Path(os.path.expanduser(folder))
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_foreign(folder)
    story = Story(quiet)
    run = load_demo_run()
    story.line(f"A real run: {run.description}.")
    confounds = read_table(run.confounds)[CONFOUNDS]

    with story.step("extract ten regions, as recorded"):
        masker = NiftiLabelsMasker(run.atlas, lut=run.lut).fit(run.bold)
        recorded = masker.transform(run.bold)
    with story.step("extract them again, detrended, 0.01-0.1 Hz, 6 confounds out, z-scored"):
        cleaner = NiftiLabelsMasker(run.atlas, lut=run.lut, t_r=run.t_r, **CLEANING).fit(run.bold)
        cleaned = cleaner.transform(run.bold, confounds=confounds)
    names = [str(name) for name in masker.get_feature_names_out()]
    before, after = frame_of(recorded, names), frame_of(cleaned, names)

    with story.step("correlate, and write tables"):
        correlation = correlations(after)
        with replacing_together([folder / name for name in TABLES]) as (record, series, matrix):
            record.write_bytes(json_bytes(_how_made(run, cleaner)))
            put_table(after, series)
            put_table(correlation, matrix, index_label="region")
    with story.step("draw"):
        drawn = _draw(folder, run, before, after, correlation)
    if not drawn:
        story.line("No pictures: matplotlib is not installed (pip install 'brainsieve[plotting]').")

    n_rows, n_columns = after.shape
    story.line(f"{n_rows} volumes × {n_columns} regions, clean, in {folder}/:")
    for name in sorted([*TABLES, *drawn]):
        story.line(f"  {name}")
    story.line(f"All in all {story.seconds:.2f} s.")
    return folder


def _refuse_foreign(folder: Path) -> None:
    there = [name for name in (*TABLES, *PICTURES) if (folder / name).exists()]
    if there and our_record(folder / TABLES[0]) is None:
        raise FileExistsError(
            f"{str(folder / there[0])!r} would be replaced, and it is not ours; choose another folder."
        )


def correlations(frame: pd.DataFrame) -> pd.DataFrame:
    """Pearson's correlations of the columns of a data frame, named on both sides."""
    import pandas as pd

    values = np.corrcoef(frame.to_numpy(), rowvar=False)
    return pd.DataFrame(values, index=frame.columns, columns=frame.columns)


def _draw(
    folder: Path, run: DemoRun, before: pd.DataFrame, after: pd.DataFrame, correlation: pd.DataFrame
) -> list[str]:
    """Draw the pictures; returns the names of their files, none without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return []
    from brainsieve.demo import pictures

    dvars = read_table(run.confounds)["std_dvars"].to_numpy(dtype=float)
    with matplotlib.rc_context(pictures.STYLE):
        made = {
            "atlas.png": pictures.atlas_on_mean(run),
            "timeseries.png": pictures.series(before, after, dvars, run.t_r),
            "correlation.png": pictures.matrices(correlations(before), correlation),
        }
        for name, figure in made.items():
            with replacing(folder / name) as unfinished:
                figure.savefig(unfinished)
    return list(made)


def _how_made(run: DemoRun, masker: NiftiLabelsMasker) -> dict:
    files = (run.bold, run.atlas, run.lut, run.confounds)
    return {
        "source": run.description,
        "masker": type(masker).__name__,
        "parameters": masker.get_params(deep=False),
        "confounds_columns": CONFOUNDS,
        "inputs": [{**file_record(path), "path": path.name} for path in files],
        "versions": versions(),
    }


class Story:
    """What the demo says, and how long each step takes."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def line(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Tell how long what is inside takes."""
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=DeprecationWarning)
            yield
        self.line(f"  {time.perf_counter() - start:6.2f} s   {text}")
