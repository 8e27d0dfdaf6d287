"""What importing costs, and what it brings."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import brainsieve

API = Path(__file__).parents[1] / "docs" / "api.md"

HEAVY = (
    "pandas",
    "polars",
    "matplotlib",
    "nilearn",
    "fsspec",
    "distributed",
    "dask",
    "pyarrow",
    "aiohttp",
    "rich",
)


def modules_after(code):
    """Names of the modules that a fresh Python has imported after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import brainsieve") & {"numpy", "scipy", "nibabel", "sklearn", *HEAVY}


def test_importing_the_maskers_imports_nothing_heavy_that_scikit_learn_does_not():
    floor = modules_after("import sklearn.base, nibabel")
    found = modules_after("import brainsieve.maskers") - floor
    assert not found & {"scipy.signal", *HEAVY}
    # Beside the package itself, only the decoder of compressed images.
    assert {name.partition(".")[0] for name in found} <= {"brainsieve", "isal", "timeit"}


def test_the_engine_imports_numpy_scipy_and_nibabel_only():
    code = "import brainsieve.engine.extract, brainsieve.engine.source"
    assert not modules_after(code) & {"sklearn", "joblib", "narwhals", *HEAVY}


@pytest.mark.parametrize("name", brainsieve.__all__)
def test_every_name_that_is_promised_is_there(name):
    assert getattr(brainsieve, name) is not None
    assert name in dir(brainsieve)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'input_data'"):
        _ = brainsieve.input_data


@pytest.mark.parametrize(
    "name",
    [m.name for m in pkgutil.walk_packages(brainsieve.__path__, "brainsieve.") if "__main__" not in m.name],
)
def test_every_module_imports_and_says_what_it_owns(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert len(module.__doc__.strip().splitlines()[0]) > 10
    missing = [public for public in getattr(module, "__all__", []) if not hasattr(module, public)]
    assert missing == []


# What the pages of the API document, and what `brainsieve` lists.
MODULES = [
    m.name for m in pkgutil.walk_packages(brainsieve.__path__, "brainsieve.") if "__main__" not in m.name
]
DOCUMENTED = re.findall(r"^\.\. public:: (brainsieve\.\S+)$", API.read_text(), re.MULTILINE)
PUBLIC = sorted({f"brainsieve.{name}" for name in brainsieve._SUBMODULES} | set(DOCUMENTED) & set(MODULES))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_lists_its_public_names_only(name):
    module = importlib.import_module(name)
    assert dir(module) == sorted(set(module.__all__))
    assert not [each for each in dir(module) if each.startswith("_")]
    foreign = [
        each
        for each in dir(module)
        if not getattr(getattr(module, each), "__module__", name).startswith("brainsieve")
    ]
    assert foreign == []


def test_the_public_modules_are_those_of_the_pages():
    assert {"brainsieve.interfaces.fsl", "brainsieve.maskers", "brainsieve.exceptions"} < set(PUBLIC)


def test_importing_the_interfaces_gives_its_three_modules():
    code = (
        "import brainsieve.interfaces as i\n"
        "i.fmriprep.load_confounds, i.bids.get_bids_files, i.fsl.get_design_from_fslmat\n"
        "print(*dir(i))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bids", "fmriprep", "fsl"]


def test_version_is_one_of_pep_440():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", brainsieve.__version__)
