"""Results of models as a BIDS derivative: maps, clusters, designs, a report; all files or none.

Any model is taken that has the methods of one: this room knows no estimator.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve._version import __version__
from brainsieve.checks import found, nearest
from brainsieve.drawing.matrices import contrast_figure, correlation_figure, design_figure
from brainsieve.interfaces.bids.files import parse_bids_filename
from brainsieve.stat_maps import get_clusters_table
from brainsieve.stat_maps.models import (
    OPTIONS,
    designs_of,
    height_of,
    is_of_group,
    maps_of,
    named_contrasts,
    settings_table,
)
from brainsieve.whole_files import replacing_together

Writer = Callable[[Path], None]

# How images of a contrast are called in names of files.
STATISTICS = {"effect_size": "effect", "effect_variance": "variance", "z_score": "z", "p_value": "p"}
SIGNS = {"-": "Minus", "+": "Plus", ">": "Gt", "<": "Lt"}
# What is told of the models of runs.
MODEL_PARAMETERS = (
    *(
        "drift_model",
        "high_pass",
        "hrf_model",
        "noise_model",
        "signal_scaling",
        "slice_time_ref",
        "standardize",
    ),
)


def save_glm_to_bids(
    model: Any,
    contrasts: Any,
    first_level_contrast: Any = None,
    contrast_types: dict[str, str] | None = None,
    out_dir: str | os.PathLike[str] = ".",
    prefix: str | None = None,
    **kwargs: Any,
) -> Any:
    """Write the maps, clusters, designs and report of a model with names as BIDS has them; all files or none.

    Parameters
    ----------
    model : FirstLevelModel or SecondLevelModel
        Fitted, with ``minimize_memory=False``: residuals are written.
    contrasts : str, array, list or dict of name to contrast
        Names become part of the files' names: letters and digits in camel case, with Minus, Plus, Gt and Lt for signs.
    first_level_contrast : str or array, default=None
        Of a group of models, or of a table of maps.
    contrast_types : dict of name to {"t", "F"}, default=None
        What is computed, and said in the file's name. Default: t for one row, F for several.
    out_dir : path, default="."
        Made, if it is not there.
    prefix : str, default=None
        Of the files, ``sub-01_task-x`` for instance; its subject is the folder. Default: from the names of the runs.
    **kwargs : dict
        Of `generate_report`: ``title``, ``bg_img``, and ``threshold``, ``alpha``, ``cluster_threshold``,
        ``height_control``, ``two_sided``, ``min_distance``, which make the tables of clusters as well.

    Returns
    -------
    model : the model

    Raises
    ------
    TypeError, ValueError
        For a model that is none, is not fitted or kept no series, names that become one, types that do not fit their
        contrast, and unknown keywords. Nothing is written then.
    """
    _check_model(model)
    named = named_contrasts(contrasts)
    if not named:
        raise ValueError("contrasts must have one contrast at the least.")
    types = _checked_types(contrast_types, named)
    options = OPTIONS | {name: kwargs[name] for name in OPTIONS if name in kwargs}
    _check_keywords(kwargs)
    names = _Names.of(model, prefix)
    files: dict[str, Writer] = {"dataset_description.json": _json(_description(model))}
    for name, definition in named.items():
        files |= _of_contrast(model, names, name, definition, first_level_contrast, types.get(name), options)
    files |= _of_designs(model, names, named)
    files |= _of_model(model, names)
    report = model.generate_report(contrasts=named, first_level_contrast=first_level_contrast, **kwargs)
    files[names.whole("report.html")] = report.save_as_html
    _write(Path(out_dir), files)
    return model


# -- checks ------------------------------------------------------------------------------------------------


def _check_model(model: Any) -> None:
    if not hasattr(model, "compute_contrast") or not hasattr(model, "generate_report"):
        raise TypeError(f"model must be a FirstLevelModel or a SecondLevelModel; {found(model)} was given.")
    if not model.__sklearn_is_fitted__():
        raise ValueError("model is not fitted; call its fit first.")
    if getattr(model, "minimize_memory", False):
        raise ValueError(
            "model was made with minimize_memory=True and kept no series, of which residuals are written; make it with "
            "minimize_memory=False, and fit it again."
        )


def _checked_types(contrast_types: Any, named: dict[str, Any]) -> dict[str, str]:
    if contrast_types is None:
        return {}
    if not isinstance(contrast_types, dict):
        raise TypeError(
            f"contrast_types must be a dict of name to 't' or 'F'; {found(contrast_types)} was given."
        )
    for name, kind in contrast_types.items():
        if name not in named:
            raise ValueError(
                f"contrast_types: {name!r} is no contrast; there are {', '.join(named)}.{nearest(name, named)}"
            )
        if kind not in ("t", "F"):
            raise ValueError(f"contrast_types[{name!r}] must be 't' or 'F'; {found(kind)} was given.")
    return dict(contrast_types)


def _check_keywords(kwargs: dict[str, Any]) -> None:
    known = (*OPTIONS, "title", "bg_img", "plot_type", "cut_coords", "display_mode", "report_dims")
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        raise TypeError(
            f"save_glm_to_bids got the unknown keywords {', '.join(unknown)}; it knows {', '.join(known)}."
        )


# -- names -------------------------------------------------------------------------------------------------


class _Names:
    """Names of the files of a model.

    Parameters
    ----------
    folder : str
        Within the output, "" for none.
    runs : list of str
        What files of each run begin with.
    contrast, mask, whole : str
        What files of contrasts, the mask, and those of the whole model begin with.
    """

    def __init__(self, folder: str, runs: list[str], contrast: str, mask: str, whole: str) -> None:
        self._folder, self._runs, self._contrast, self._mask, self._whole = (
            folder,
            runs,
            contrast,
            mask,
            whole,
        )

    @classmethod
    def of(cls, model: Any, prefix: str | None) -> _Names:
        n = len(designs_of(model))
        if prefix is not None and not isinstance(prefix, str):
            raise TypeError(f"prefix must be a str or None; {found(prefix)} was given.")
        if is_of_group(model):
            start = f"{prefix}_" if prefix else ""
            return cls("group", [start], start, start, start)
        if prefix:
            start = f"{prefix}_"
            subject = parse_bids_filename(f"{prefix}_x.x")["entities"].get("sub")
            runs = [f"{start}run-{i + 1}_" for i in range(n)]
            return cls(f"sub-{subject}" if subject else "", runs, start, start, start)
        return cls._of_runs(model) or cls("", [f"run-{i + 1}_" for i in range(n)], "", "", "")

    @classmethod
    def _of_runs(cls, model: Any) -> _Names | None:
        """From the names of the files of the runs, where all are names of BIDS."""
        entities = []
        for name in model.run_names_:
            if "sub-" not in name or "." not in os.path.basename(name):
                return None
            entities.append(parse_bids_filename(name)["entities"])
        if not entities or not all("sub" in each for each in entities):
            return None

        def start(each: dict[str, str | None], keys: tuple[str, ...]) -> str:
            return "".join(f"{key}-{each[key]}_" for key in keys if each.get(key))

        first = entities[0]
        runs = [start(each, tuple(key for key in each if key != "desc")) for each in entities]
        if len(set(runs)) < len(runs):
            runs = [f"{run}run-{i + 1}_" for i, run in enumerate(runs)]
        sessions = {each.get("ses") for each in entities}
        keys = ("sub", "ses", "task", "space") if len(sessions) == 1 else ("sub", "task", "space")
        return cls(
            f"sub-{first['sub']}", runs, start(first, keys), start(first, ("sub", "task", "space")), ""
        )

    def _placed(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def run(self, i: int, end: str) -> str:
        return self._placed(self._runs[i] + end)

    def contrast(self, end: str) -> str:
        return self._placed(self._contrast + end)

    def mask(self, end: str) -> str:
        return self._placed(self._mask + end)

    def whole(self, end: str) -> str:
        return self._placed(self._whole + end)


def name_in_files(name: str) -> str:
    """A contrast's name in letters and digits: signs as words, words in camel case, the first in lower case."""
    spelled = "".join(f" {SIGNS[sign]} " if sign in SIGNS else sign for sign in name)
    words = re.findall(r"[A-Za-z0-9]+", spelled)
    if not words:
        raise ValueError(
            f"contrasts: {name!r} has no letter or digit that a file could be named by; give it a name."
        )
    first, *others = words
    return first[0].lower() + first[1:] + "".join(word[0].upper() + word[1:] for word in others)


# -- contents ----------------------------------------------------------------------------------------------


def _of_contrast(
    model: Any,
    names: _Names,
    name: str,
    definition: Any,
    first_level: Any,
    kind: str | None,
    options: dict[str, Any],
) -> dict[str, Writer]:
    maps = maps_of(model, definition, first_level, kind)
    if kind is None:
        kind = _kind_of(model, definition)
    start = f"contrast-{name_in_files(name)}_"
    files: dict[str, Writer] = {}
    for output, statistic in {**STATISTICS, "stat": kind}.items():
        files |= _image(names.contrast(f"{start}stat-{statistic}_statmap"), maps[output])
    _, height = height_of(maps["z_score"], options)
    table = _clusters(maps["z_score"], height, options)
    files[names.contrast(f"{start}clusters.tsv")] = _tsv(table)
    files[names.contrast(f"{start}clusters.json")] = _json(settings_table(options, height))
    return files


def _clusters(z_img: Any, height: float, options: dict[str, Any]) -> Any:
    if not np.isfinite(height):
        height = float(np.finfo(np.float32).max)
    return get_clusters_table(
        z_img, height, options["cluster_threshold"], options["two_sided"], options["min_distance"]
    )


def _kind_of(model: Any, definition: Any) -> str:
    rows = 1
    for one in definition if isinstance(definition, list) else [definition]:
        if not isinstance(one, str) and one is not None:
            rows = max(rows, len(np.atleast_2d(np.asarray(one, dtype=float))))
    return "t" if rows == 1 else "F"


def _of_designs(model: Any, names: _Names, named: dict[str, Any]) -> dict[str, Writer]:
    files: dict[str, Writer] = {}
    for i, design in enumerate(designs_of(model)):
        columns, values = [str(name) for name in design.columns], design.to_numpy(dtype=float)
        files[names.run(i, "design.tsv")] = _tsv(design)
        files[names.run(i, "design.png")] = _png(design_figure(values, columns))
        if not is_of_group(model):
            files[names.run(i, "design.json")] = _json({"RepetitionTime": model.t_r})
            files[names.run(i, "corrdesign.png")] = _png(correlation_figure(values, columns))
        for name, definition in named.items():
            weights = model.contrast_weights(definition)[i]
            if weights is not None:
                picture = names.run(i, f"contrast-{name_in_files(name)}_design.png")
                files[picture] = _png(contrast_figure(weights, columns))
    return files


def _of_model(model: Any, names: _Names) -> dict[str, Writer]:
    files: dict[str, Writer] = {}
    of_runs = not is_of_group(model)
    pictures = {"stat-errorts_statmap": model.residuals_, "stat-rsquared_statmap": model.r_square_}
    for name, images in pictures.items():
        for i, image in enumerate(images if of_runs else [images]):
            files |= _image(names.run(i, name), image)
    files |= _image(names.mask("mask"), model.masker_.mask_img_)
    told = {name: _plain(getattr(model, name)) for name in MODEL_PARAMETERS if of_runs}
    files[names.whole("statmap.json")] = _json(
        {"Description": "A statistical map made by brainsieve.", "ModelParameters": told}
    )
    return files


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _description(model: Any) -> dict[str, Any]:
    level = "second" if is_of_group(model) else "first"
    return {
        "Name": "brainsieve GLM",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "brainsieve",
                "Version": __version__,
                "Description": f"A linear model of the {level} level.",
            }
        ],
    }


# -- writing -----------------------------------------------------------------------------------------------


def _image(start: str, image: Any) -> dict[str, Writer]:
    if not hasattr(image, "mesh"):
        return {f"{start}.nii.gz": lambda path: image.to_filename(path)}
    folder, _, name = start.rpartition("/")
    place = f"{folder}/" if folder else ""
    files: dict[str, Writer] = {}
    for part, letter in (("left", "L"), ("right", "R")):
        if part in image.data.parts:
            density = len(image.data.parts[part])
            key = f"hemi-{letter}_den-{density}_"
            head, separator, tail = name.partition("contrast-") if "contrast-" in name else ("", "", name)
            files[f"{place}{head}{key}{separator}{tail}.gii"] = _part_writer(image, part)
    return files


def _part_writer(image: Any, part: str) -> Writer:
    from brainsieve.surface.files import write_values

    return lambda path: write_values(image.data.parts[part], str(path))


def _json(content: Any) -> Writer:
    text = json.dumps(content, indent=4, ensure_ascii=False) + "\n"
    return lambda path: _text(path, text)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _tsv(table: Any) -> Writer:
    text = table.to_csv(sep="\t", index=False, lineterminator="\n")
    return lambda path: _text(path, text)


def _png(figure: Any) -> Writer:
    # Without the version of matplotlib: equal models give equal files.
    return lambda path: figure.savefig(path, format="png", metadata={"Software": None})


def _write(out_dir: Path, files: dict[str, Writer]) -> None:
    """All files, or none; folders that were made for them go as well."""
    folders = sorted({(out_dir / name).parent for name in files} | {out_dir})
    made = [folder for path in folders for folder in [*reversed(path.parents), path] if not folder.exists()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with replacing_together([out_dir / name for name in files]) as unfinished:
            for writer, path in zip(files.values(), unfinished, strict=True):
                writer(path)
    except BaseException:
        for folder in reversed(list(dict.fromkeys(made))):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
