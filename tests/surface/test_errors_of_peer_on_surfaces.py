"""What nilearn refuses of surfaces, templates and tables is refused by an error that the same ``except`` catches."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

POINTS = np.random.default_rng(0).random((6, 3)) * 4
FACES = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]])
VOLUME = nib.Nifti1Image(np.random.default_rng(1).random((5, 5, 5)), np.eye(4))


def mesh(package):
    return package("surface").InMemoryMesh(POINTS, FACES)


def both(package):
    return package("surface").PolyMesh(left=mesh(package), right=mesh(package))


ODD = {
    "None": None,
    "a number": 3,
    "a missing file": "nothere.gii",
    "a missing path": Path("nothere.gii"),
    "an object": object(),
    "nothing in a list": [None],
    "an empty list": [],
    "a folder": ".",
}
ON_ODD = {
    "load_surf_data": lambda package, odd: package("surface").load_surf_data(odd),
    "load_surf_mesh": lambda package, odd: package("surface").load_surf_mesh(odd),
    "mesh of an image": lambda package, odd: package("surface").SurfaceImage(odd, {"left": np.zeros(6)}),
    "vol_to_surf": lambda package, odd: package("surface").vol_to_surf(odd, mesh(package)),
    "mesh of vol_to_surf": lambda package, odd: package("surface").vol_to_surf(VOLUME, odd),
    "mesh of from_volume": lambda package, odd: package("surface").SurfaceImage.from_volume(odd, VOLUME),
    "volume of from_volume": lambda package, odd: package("surface").SurfaceImage.from_volume(
        both(package), odd
    ),
    "load_confounds": lambda package, odd: package("interfaces.fmriprep").load_confounds(odd),
    "get_design_from_fslmat": lambda package, odd: package("interfaces.fsl").get_design_from_fslmat(odd),
}
CASES = {
    **{
        f"{function} of {what}": lambda package, call=call, odd=odd: call(package, odd)
        for function, call in ON_ODD.items()
        for what, odd in ODD.items()
    },
    "other names of parts": lambda package: package("surface").SurfaceImage(
        {"up": mesh(package)}, {"up": np.zeros(6)}
    ),
    "a mesh of nothing": lambda package: package("surface").InMemoryMesh(None, None),
    "faces without vertices": lambda package: package("surface").InMemoryMesh(POINTS, FACES + 9),
    "radius that is a word": lambda package: package("surface").vol_to_surf(
        VOLUME, mesh(package), radius="x"
    ),
    "resolution that is NaN": lambda package: package("datasets").load_mni152_template(resolution=np.nan),
    "resolution that is a word": lambda package: package("datasets").load_mni152_template(resolution="x"),
    "filters that are a word": lambda package: package("interfaces.bids").get_bids_files(".", filters="x"),
}
NOT_THERE = {
    "load_confounds of an empty list",  # gives empty lists there
    "load_confounds of a missing path",  # no Path is taken there
}


def raised(name, call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as caught:
            call(lambda module: importlib.import_module(f"{name}.{module}"))
    return caught.value


@pytest.mark.parametrize("case", sorted(CASES.keys() - NOT_THERE))
def test_the_same_except_catches_what_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs, ours = (raised(name, CASES[case]) for name in ("nilearn", "brainsieve"))
    (named, *_) = [each for each in type(theirs).__mro__ if each.__module__ == "builtins"]
    if named not in (AttributeError, IndexError, KeyError):
        assert isinstance(ours, named), (theirs, ours)
    assert type(ours).__module__.startswith(("builtins", "brainsieve"))
    assert type(ours) not in (AttributeError, IndexError, KeyError, AssertionError)


def test_a_mask_of_several_volumes_is_refused():
    from brainsieve.surface import InMemoryMesh, vol_to_surf

    several = nib.Nifti1Image(np.ones((5, 5, 5, 3), np.uint8), np.eye(4))
    with pytest.raises(TypeError, match="mask_img is 4-D where a 3-D image is needed"):
        vol_to_surf(VOLUME, InMemoryMesh(POINTS, FACES), mask_img=several)
