"""Every writer on a disk that is full: the old files stay, the error names the file, nothing is left beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import surfaces

from brainsieve.pages import HTMLReport
from brainsieve.surface import save_surf_data, save_surf_mesh
from brainsieve.table_files import write_table

resource = pytest.importorskip("resource")


@contextmanager
def full_after(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


VALUES = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 99, 3000)
MESH = (VALUES[:, :3], np.random.default_rng(1).integers(0, 3000, (2000, 3)))
WRITERS = {
    "x.func.gii": lambda path: save_surf_data(VALUES, path),
    "x.label.gii": lambda path: save_surf_data(LABELS, path),
    "x.mgh": lambda path: save_surf_data(VALUES, path),
    "x.mgz": lambda path: save_surf_data(VALUES, path),
    "lh.curv": lambda path: save_surf_data(VALUES[:, 0], path),
    "x.annot": lambda path: save_surf_data(LABELS, path),
    "x.label": lambda path: save_surf_data(LABELS > 3, path),
    "x.surf.gii": lambda path: save_surf_mesh(MESH, path),
    "lh.pial": lambda path: save_surf_mesh(MESH, path),
    "t.tsv": lambda path: write_table(pd.DataFrame(VALUES), path),
    "t.csv": lambda path: write_table(pd.DataFrame(VALUES), path),
    "t.parquet": lambda path: write_table(pd.DataFrame(VALUES), path),
    "page.html": lambda path: HTMLReport("$body", "x" * 5000, {}).save_as_html(path),
}


@pytest.mark.parametrize("n_bytes", [0, 1000])
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_the_error_names_it(tmp_path, name, n_bytes):
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(OSError, match=name) as told, full_after(n_bytes):
        WRITERS[name](path)
    assert told.value.errno is not None
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("what", ["mesh", "data"])
def test_of_two_hemispheres_both_are_written_or_none(tmp_path, what):
    image = surfaces.on_mesh(surfaces.label_values())
    part = getattr(image, what)
    part.to_filename(tmp_path / "whole.gii")
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    paths = [tmp_path / f"x_hemi-{side}.gii" for side in "LR"]
    for path in paths:
        path.write_bytes(b"old")
    # The left one fits: it must not be new where the right one is old.
    larger = type(part)(**{**part.parts, "right": _longer(part.parts["right"])})
    with pytest.raises(OSError, match="x_hemi-R.gii"), full_after(sizes[0] + 1):
        larger.to_filename(tmp_path / "x.gii")
    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert len(list(tmp_path.iterdir())) == 4
    larger.to_filename(tmp_path / "x.gii")
    assert all(path.stat().st_size > 100 for path in paths)


def _longer(part):
    rng = np.random.default_rng(0)
    if isinstance(part, np.ndarray):
        return rng.integers(0, 1000, 50 * len(part)).astype(part.dtype)
    return type(part)(rng.normal(size=(20_000, 3)), part.faces)


def test_the_file_that_failed_is_named_of_several(tmp_path):
    image = surfaces.on_mesh(surfaces.label_values())
    with pytest.raises(OSError, match="x_hemi-L.gii"), full_after(10):
        image.data.to_filename(Path(tmp_path) / "x.gii")
    assert not list(tmp_path.iterdir())
