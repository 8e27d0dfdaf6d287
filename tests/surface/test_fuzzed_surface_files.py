"""Mutated files of surfaces and tables: the same data, what the mutation says, or an error of ours with the name.

Seeded, so that a failure comes again. A foreign exception, an error without the file's name, or values of
another number than the file can hold fails.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainsieve.interfaces.fmriprep.files import read_metadata
from brainsieve.interfaces.fmriprep.files import read_table as read_fmriprep_table
from brainsieve.interfaces.fsl import get_design_from_fslmat
from brainsieve.surface import (
    InMemoryMesh,
    load_surf_data,
    load_surf_mesh,
    read_label_table,
    save_surf_data,
    save_surf_mesh,
)
from brainsieve.tables import read_confounds, read_lut, read_sample_mask

N_MUTANTS = 2000
MESH = InMemoryMesh(
    np.eye(3, dtype=np.float32).repeat(2, axis=0), np.array([[0, 1, 2], [2, 3, 4], [3, 4, 5]])
)
WORDS = [
    b"",
    b"-1",
    b"0",
    b"99999999999",
    b"1e309",
    b"nan",
    b"\xff",
    b"\0",
    b"<",
    b">",
    b'"',
    b"\t",
    b",",
    b"\n",
    b"9" * 40,
]


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """One to four of: bits flipped, bytes set, a part cut, doubled or replaced, numbers changed."""
    data = bytearray(raw)
    for _ in range(int(rng.integers(1, 5))):
        at, size = int(rng.integers(0, max(len(data), 1))), int(rng.integers(1, 9))
        kind = int(rng.integers(0, 7))
        if kind == 0 and data:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[at : at + size] = bytes(rng.choice([0, 255, 127, 128], size=size).astype(np.uint8))
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            del data[at : at + 8 * size]
        elif kind == 4:
            data[at:at] = data[at : at + 8 * size]
        elif kind == 5:
            data[at : at + size] = WORDS[int(rng.integers(0, len(WORDS)))]
        else:
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                data[digits[int(rng.integers(0, len(digits)))]] = int(rng.integers(48, 58))
    return bytes(data)


def refuses_or_reads(path: Path, load: Callable[[Path], Any]) -> str:
    """ "read", "refused", or what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(path)
    except (ValueError, TypeError, OSError) as error:
        named = path.name in str(error)
        return "refused" if named else f"{type(error).__name__} without the name: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def check(
    tmp_path: Path, name: str, load: Callable[[Path], Any], n_mutants: int, folder: str = "mutants"
) -> None:
    raw = (tmp_path / name).read_bytes()
    assert refuses_or_reads(tmp_path / name, load) == "read"
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / name
    wrong, found = {}, {"read": 0, "refused": 0}
    for seed in range(n_mutants):
        path.write_bytes(mutated(raw, np.random.default_rng(seed)))
        told = refuses_or_reads(path, load)
        if told in found:
            found[told] += 1
        else:
            wrong.setdefault(told[:60], seed)
    assert not wrong, (name, wrong)
    assert found["refused"] > 0, found


def bounded(path: Path) -> np.ndarray:
    """Values of a file; no more of them than its bytes can hold."""
    values = load_surf_data(path)
    # A file that lists vertices may leave many out; the largest number that is believed is a rule of its own.
    assert values.nbytes <= max(1032 * path.stat().st_size, 2**28)
    return values


def surface_files(tmp_path: Path) -> dict[str, Callable[[Path], Any]]:
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    labels = np.array([0, 1, 2, 1, 0, -1])
    lut = pd.DataFrame(
        {"index": [0, 1, 2], "name": ["a", "b c", "d"], "color": ["FF0000", "00FF00", "0000FF"]}
    )
    save_surf_data(values, tmp_path / "v.func.gii")
    save_surf_data(np.maximum(labels, 0), tmp_path / "l.label.gii", lut)
    save_surf_mesh(MESH, tmp_path / "m.surf.gii")
    listed = nib.gifti.GiftiImage()
    for array, intent in (
        (np.array([4, 0, 2], np.int32), "NIFTI_INTENT_NODE_INDEX"),
        (values[:3, 0], "NIFTI_INTENT_NONE"),
    ):
        listed.add_gifti_data_array(nib.gifti.GiftiDataArray(array, intent, encoding="GIFTI_ENCODING_ASCII"))
    nib.save(listed, tmp_path / "n.func.gii")
    save_surf_data(labels, tmp_path / "lh.x.annot", lut)
    save_surf_data(np.arange(6, dtype=np.float32), tmp_path / "lh.curv")
    save_surf_data(np.array([1, 5, 7]), tmp_path / "lh.x.label")
    save_surf_mesh(MESH, tmp_path / "lh.pial")
    save_surf_data(values, tmp_path / "lh.o.mgz")
    return {
        "v.func.gii": bounded,
        "n.func.gii": bounded,
        "l.label.gii": read_label_table,
        "m.surf.gii": load_surf_mesh,
        "lh.x.annot": bounded,
        "lh.curv": bounded,
        "lh.x.label": bounded,
        "lh.pial": load_surf_mesh,
        "lh.o.mgz": bounded,
    }


def table_files(tmp_path: Path) -> dict[str, Callable[[Path], Any]]:
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["trans_x", "csf", "global signal"])
    frame.to_csv(tmp_path / "confounds.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "confounds.csv")
    (tmp_path / "motion.1D").write_text("# a\n0.1 0.2\n0.3 0.4\n1 2\n3 4\n")
    (tmp_path / "lut.tsv").write_text('index\tname\tcolor\n1\t"a ""b"""\t#ff0000\n2\tNA\t#00ff00\n')
    (tmp_path / "LUT.txt").write_text(
        "#No. Label Name: R G B A\n0 Unknown 0 0 0 0\n17 Left-Hippocampus 220 216 20 0\n"
    )
    (tmp_path / "keep.txt").write_text("keep\n0\n2\n3\n")
    np.save(tmp_path / "keep.npy", np.array([0, 2, 3]))
    (tmp_path / "x.tsv").write_text("a\tb\n1\t2\n3\tn/a\n")
    (tmp_path / "x.json").write_text(json.dumps({"a_comp_cor_00": {"Mask": "CSF", "Retained": True}}))
    (tmp_path / "design.mat").write_text("/NumWaves\t2\n/NumPoints\t2\n\n/Matrix\n1\t0.5\n0\t1e-3\n")
    return {
        "confounds.tsv": lambda path: read_confounds(path, 4),
        "confounds.csv": lambda path: read_confounds(path, 4),
        "motion.1D": lambda path: read_confounds(path, 4),
        "lut.tsv": read_lut,
        "LUT.txt": read_lut,
        "keep.txt": lambda path: read_sample_mask(path, 5),
        "keep.npy": lambda path: read_sample_mask(path, 5),
        "x.tsv": read_fmriprep_table,
        "x.json": lambda path: read_metadata(path.with_suffix(".tsv")),
        "design.mat": get_design_from_fslmat,
    }


SURFACES = [
    "v.func.gii",
    "n.func.gii",
    "l.label.gii",
    "m.surf.gii",
    "lh.x.annot",
    "lh.curv",
    "lh.x.label",
    "lh.pial",
    "lh.o.mgz",
]
TABLES = [
    "confounds.tsv",
    "confounds.csv",
    "motion.1D",
    "lut.tsv",
    "LUT.txt",
    "keep.txt",
    "keep.npy",
    "x.tsv",
    "x.json",
    "design.mat",
]


@pytest.mark.parametrize("name", SURFACES)
def test_a_few_mutants_of_surface_files(tmp_path, name):
    check(tmp_path, name, surface_files(tmp_path)[name], 60)


@pytest.mark.parametrize("name", TABLES)
def test_a_few_mutants_of_tables(tmp_path, name):
    check(tmp_path, name, table_files(tmp_path)[name], 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", SURFACES)
def test_mutants_of_surface_files(tmp_path, name):
    check(tmp_path, name, surface_files(tmp_path)[name], N_MUTANTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_mutants_of_tables(tmp_path, name):
    check(tmp_path, name, table_files(tmp_path)[name], N_MUTANTS)
