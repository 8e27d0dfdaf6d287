"""Quality of a whole cohort, from the results of its runs: motion against connectivity, and who is left out.

Measures: Ciric et al. 2017, doi:10.1016/j.neuroimage.2017.03.020; Parkes et al. 2018,
doi:10.1016/j.neuroimage.2017.12.073.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from brainsieve.atlas import Spheres
from brainsieve.cohort.frozen import Prepared, prepared
from brainsieve.cohort.names import output_path
from brainsieve.cohort.planning import settings_of
from brainsieve.cohort.reports import entities_of, write_group
from brainsieve.cohort.results import read_figures, read_matrix, read_result
from brainsieve.engine.domain import VoxelGrid
from brainsieve.provenance import json_bytes
from brainsieve.table_files import put_table
from brainsieve.whole_files import replacing_together

if TYPE_CHECKING:
    import pandas as pd

# Rules that leave runs out, by name (Parkes 2018): largest values that are kept.
RULES: dict[str, dict[str, float]] = {
    "stringent": {"fd_mean": 0.2, "fd_share_above_0.2": 0.2, "fd_max": 5.0},
    "lenient": {"fd_mean": 0.55},
}
MISSING_MOTION = "no framewise displacement is known"
# With fewer runs a correlation over runs says nothing.
FEWEST_RUNS = 4
SIGNIFICANT = 0.05


def summarize(plan: pd.DataFrame) -> list[str]:
    """Write the tables of a cohort's quality, from the results of its runs that are there.

    Parameters
    ----------
    plan : pandas.DataFrame
        Of `brainsieve.cohort.plan`; its runs, strategies and atlases are those compared.

    Returns
    -------
    files : list of str
        Below the folder of results: ``group_desc-brainsieve_qc.tsv``, one row a run with its figures and by which
        rules it is left out; ``group_desc-brainsieve_qcfc.tsv``, one row for an atlas, a
        strategy and a rule; and the page ``group.html``.

    Raises
    ------
    ValueError
        If no run has results, or a table of them cannot be read; the message names it.
    """
    settings = settings_of(plan)
    out_dir = Path(settings.out_dir)
    runs = _runs(plan, out_dir)
    if not len(runs):
        raise ValueError(
            f"out_dir: {settings.out_dir!r} has no results of these runs; run the participant level first."
        )
    comparison = _compared(plan, settings.out_dir, runs, prepared(settings))
    files = ["group_desc-brainsieve_qc.tsv", "group_desc-brainsieve_qcfc.tsv"]
    _write(out_dir, files, [runs, comparison], [{"Rules": RULES, **ABOUT_RUNS}, ABOUT_COMPARISON])
    pages = [write_group(settings, runs, comparison, RULES)] if settings.reports else []
    return [*files, *(file.replace(".tsv", ".json") for file in files), *pages]


ABOUT_RUNS: dict[str, Any] = {
    "excluded_stringent": {
        "Description": "Why the rule 'stringent' of Parkes et al. 2018 leaves the run out."
    },
    "excluded_lenient": {"Description": "Why the rule 'lenient' of Parkes et al. 2018 leaves the run out."},
}
ABOUT_COMPARISON: dict[str, Any] = {
    "n_runs": {"Description": "Runs that took part."},
    "qcfc_median_abs": {
        "Description": "Median over edges of the absolute correlation, over runs, of connectivity with mean framewise "
        "displacement (Ciric et al. 2017)."
    },
    "qcfc_share_significant": {"Description": "Share of edges whose correlation has p < 0.05, uncorrected."},
    "qcfc_distance_dependence": {
        "Description": "Spearman's correlation of that correlation with the distance of the two regions' centres."
    },
    "modularity": {
        "Description": "Of the mean matrix under the networks of the label table, where it has them."
    },
}


# -- runs ----------------------------------------------------------------------------------------------------


def _runs(plan: pd.DataFrame, out_dir: Path) -> pd.DataFrame:
    """One row for each run that has a table of quality."""
    import pandas as pd

    rows = []
    for run in dict.fromkeys(plan["run"]):
        path = out_dir / output_path("quality", entities_of(run))
        if not path.is_file():
            continue
        figures = read_figures(path, ["fd_mean"])
        excluded = {f"excluded_{rule}": left_out(figures, limits) for rule, limits in RULES.items()}
        rows.append({"run": run, **figures, **excluded})
    return pd.DataFrame(rows)


def left_out(figures: Mapping[str, Any], limits: Mapping[str, float]) -> str:
    """Why a rule leaves a run out; empty where it does not."""
    known = {name: figures.get(name, np.nan) for name in limits}
    if any(not np.isfinite(value) for value in known.values()):
        return MISSING_MOTION
    return "; ".join(
        f"{name} {known[name]:.3g} > {limit:g}" for name, limit in limits.items() if known[name] > limit
    )


# -- strategies side by side ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edges:
    """Connectivity of runs: (n_runs, n_edges), their regions' numbers, and the regions."""

    values: NDArray[np.float64]
    runs: list[str]
    nodes: list[str]

    @property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.tril_indices(len(self.nodes), -1)


def _compared(
    plan: pd.DataFrame, out_dir: str, runs: pd.DataFrame, ready: Mapping[str, Prepared]
) -> pd.DataFrame:
    import pandas as pd

    settings = settings_of(plan)
    rows = []
    for atlas in settings.atlases:
        fitted = ready[atlas.name]
        distances = _distances(fitted)
        networks = _networks(atlas.lut, fitted.columns)
        for strategy in settings.strategies:
            edges = _edges(plan, out_dir, runs, atlas, strategy.name)
            if edges is None:
                continue
            about = {"atlas": atlas.name, "strategy": strategy.name}
            rows += [
                about | {"runs": rule} | _figures(edges, _kept(runs, edges.runs, rule), distances, networks)
                for rule in ("all runs", *RULES)
            ]
    return pd.DataFrame(rows)


def _kept(runs: pd.DataFrame, of: Sequence[str], rule: str) -> NDArray[np.float64]:
    """Mean displacement of runs, NaN for those that a rule leaves out."""
    table = runs.set_index("run").loc[list(of)]
    displacement = table["fd_mean"].to_numpy(dtype=np.float64)
    if rule == "all runs":
        return displacement
    return np.where(table[f"excluded_{rule}"] == "", displacement, np.nan)


def _edges(plan: pd.DataFrame, out_dir: str, runs: pd.DataFrame, atlas: Any, strategy: str) -> Edges | None:
    """Matrices of all runs as rows; None where there is none."""
    found = list(_matrices(plan, out_dir, set(runs["run"]), atlas, strategy))
    if not found:
        return None
    nodes = list(found[0][1].columns)
    rows, names = [], []
    for run, matrix in found:
        if list(matrix.columns) != nodes:
            raise ValueError(
                f"{run}: the matrix of {atlas.name}, {strategy} has other regions than that of {found[0][0]}."
            )
        rows.append(matrix.to_numpy()[np.tril_indices(len(nodes), -1)])
        names.append(run)
    return Edges(np.array(rows), names, [str(node) for node in nodes])


def _matrices(
    plan: pd.DataFrame, out_dir: str, runs: set[str], atlas: Any, strategy: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    for row in plan[plan["strategy"] == strategy].itertuples():
        path = os.path.join(out_dir, output_path("matrix", entities_of(row.run), atlas.entities, strategy))
        if row.run in runs and atlas.name in row.atlases and os.path.isfile(path):
            yield row.run, read_matrix(path)


def _figures(
    edges: Edges, displacement: NDArray[np.float64], distances: NDArray | None, networks: NDArray | None
) -> dict[str, Any]:
    used = np.isfinite(displacement)
    found: dict[str, Any] = {"n_runs": int(used.sum())}
    coupling, p = qc_fc(edges.values[used], displacement[used])
    known = np.isfinite(coupling)
    found["qcfc_median_abs"] = float(np.median(np.abs(coupling[known]))) if known.any() else np.nan
    found["qcfc_share_significant"] = float((p[known] < SIGNIFICANT).mean()) if known.any() else np.nan
    found["qcfc_distance_dependence"] = np.nan
    if distances is not None:
        of_edges = distances[edges.pairs]
        both = known & np.isfinite(of_edges)
        if both.sum() > 2:
            found["qcfc_distance_dependence"] = float(
                stats.spearmanr(coupling[both], of_edges[both]).statistic
            )
    found["modularity"] = np.nan
    if networks is not None and used.any():
        mean = np.zeros((len(edges.nodes),) * 2)
        with np.errstate(invalid="ignore"):
            mean[edges.pairs] = edges.values[used].mean(axis=0)
        found["modularity"] = modularity(mean + mean.T, networks)
    return found


def qc_fc(edges: ArrayLike, displacement: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation over runs of each edge's connectivity with motion (QC-FC).

    Parameters
    ----------
    edges : array of shape (n_runs, n_edges)
    displacement : array of shape (n_runs,)
        Mean framewise displacement of each run.

    Returns
    -------
    r, p : arrays of shape (n_edges,)
        Of edges that are NaN in a run, r and p are of the others. NaN where fewer than four runs are left or nothing
        varies. p is two-sided, uncorrected.
    """
    values, motion = np.asarray(edges, dtype=np.float64), np.asarray(displacement, dtype=np.float64)
    known = np.isfinite(values) & np.isfinite(motion)[:, None]
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(known, values, 0.0)
        y = np.where(known, np.nan_to_num(motion)[:, None], 0.0)
        x = np.where(known, x - x.sum(axis=0) / n, 0.0)
        y = np.where(known, y - y.sum(axis=0) / n, 0.0)
        r = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
        r = np.where(n >= FEWEST_RUNS, np.clip(r, -1, 1), np.nan)
        t = r * np.sqrt((n - 2) / (1 - r**2))
    return r, 2 * stats.t.sf(np.abs(t), np.maximum(n - 2, 1))


def modularity(matrix: ArrayLike, networks: ArrayLike) -> float:
    """Newman's modularity of the positive weights of a matrix under given networks.

    Parameters
    ----------
    matrix : array of shape (n, n)
        Symmetric; its diagonal is left out, negative and missing weights count as 0.
    networks : array of shape (n,)
        Which network each region is of.
    """
    weights = np.nan_to_num(np.asarray(matrix, dtype=np.float64)).clip(min=0)
    np.fill_diagonal(weights, 0.0)
    total = weights.sum()
    if not total:
        return float("nan")
    degrees = weights.sum(axis=0)
    together = np.asarray(networks)[:, None] == np.asarray(networks)[None]
    return float(((weights - np.outer(degrees, degrees) / total) * together).sum() / total)


# -- atlases -------------------------------------------------------------------------------------------------


def _distances(fitted: Prepared) -> NDArray[np.float64] | None:
    """Distances in mm of the centres of regions; None for atlases that are no volumes."""
    atlas, home = fitted.fitted.atlas, fitted.fitted.home
    if isinstance(atlas, Spheres):
        centres = np.asarray(atlas.centres, dtype=np.float64)
    elif isinstance(home, VoxelGrid):
        placed = fitted.fitted.at_home()
        weights = (
            placed.operator("mean") if hasattr(placed, "codes") else placed.touching() or placed.operator()
        )
        centres = _centres(weights, home)
    else:
        return None
    return np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=-1))


def _centres(operator: Any, home: VoxelGrid) -> NDArray[np.float64]:
    """Weighted means of the coordinates of each region's voxels."""
    indices = np.indices(home.shape).reshape(3, -1)
    points = home.affine[:3, :3] @ indices + home.affine[:3, 3:]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (operator.forward(points) / operator.forward(np.ones((1, home.n_points)))).T


def _networks(lut: str | None, columns: Sequence[str]) -> NDArray | None:
    """The network of each region, where the label table tells it."""
    if lut is None:
        return None
    # Names that are no UTF-8 are known to be of no network, then.
    table = read_result(lut, dtype=str, keep_default_na=False, encoding_errors="replace")
    column = next((name for name in table.columns if name.lower() in ("network", "network_label")), None)
    if column is None or "name" not in table:
        return None
    of_name = dict(zip(table["name"], table[column], strict=True))
    if not set(columns) <= set(of_name):
        return None
    return np.array([of_name[name] for name in columns])


def _write(
    out_dir: Path, files: Sequence[str], tables: Sequence[pd.DataFrame], records: Sequence[Mapping[str, Any]]
) -> None:
    targets = [
        *(out_dir / file for file in files),
        *(out_dir / file.replace(".tsv", ".json") for file in files),
    ]
    with replacing_together(targets) as unfinished:
        for table, file in zip(tables, unfinished[: len(files)], strict=True):
            put_table(table, file)
        for record, file in zip(records, unfinished[len(files) :], strict=True):
            file.write_bytes(json_bytes(record))
