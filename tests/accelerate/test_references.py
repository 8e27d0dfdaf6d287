"""What holds nilearn's own after `install` is told."""

from __future__ import annotations

import importlib
import sys
import textwrap
import types

import nilearn.maskers
import nilearn.signal
import pytest

from brainsieve import accelerate

LIBRARY = """
from functools import partial
from nilearn import image
from nilearn.image import load_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker, NiftiSpheresMasker
from nilearn.signal import clean

TABLE = {"voxels": NiftiMasker, "deep": [{"regions": (NiftiLabelsMasker,)}], "other": dict}
SOME = {clean}
make = partial(NiftiSpheresMasker, radius=5)
give = partial(print, clean, file=image.mean_img)

def extract(img, kind=NiftiMasker, n=3, *, read=load_img):
    return kind

class Registry:
    kind = NiftiLabelsMasker
    def __init__(self, masker=NiftiMasker): ...
    @staticmethod
    def made(cleaner=clean): ...

class Mine(NiftiLabelsMasker):
    pass

class Further(Mine):
    pass
"""

EXPECTED = {
    "TABLE['voxels']": "maskers.NiftiMasker",
    "TABLE['deep'][0]['regions'][0]": "maskers.NiftiLabelsMasker",
    "SOME{}": "signal.clean",
    "make.func": "maskers.NiftiSpheresMasker",
    "give.args[0]": "signal.clean",
    "give.keywords['file']": "image.mean_img",
    "extract(kind=)": "maskers.NiftiMasker",
    "extract(read=)": "image.load_img",
    "Registry.kind": "maskers.NiftiLabelsMasker",
    "Registry.__init__(masker=)": "maskers.NiftiMasker",
    "Registry.made(cleaner=)": "signal.clean",
    "Mine.__bases__": "maskers.NiftiLabelsMasker",
    "Further.__bases__": "maskers.NiftiLabelsMasker",
}
# The name that a module derives from stays, even where names are exchanged.
KEPT_FOR_ITS_CLASSES = {"NiftiLabelsMasker": "maskers.NiftiLabelsMasker"}
NAMES = {
    **KEPT_FOR_ITS_CLASSES,
    "NiftiMasker": "maskers.NiftiMasker",
    "NiftiSpheresMasker": "maskers.NiftiSpheresMasker",
    "load_img": "image.load_img",
    "clean": "signal.clean",
}


@pytest.fixture(params=["code of the user", "an installed library"])
def library(request, tmp_path, monkeypatch):
    """A module imported before `install`, and what of its plain names stays nilearn's."""
    installed = request.param == "an installed library"
    folder = tmp_path / "site-packages" if installed else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "field_library.py").write_text(textwrap.dedent(LIBRARY))
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("field_library"), NAMES if installed else KEPT_FOR_ITS_CLASSES
    del sys.modules["field_library"]


def test_the_report_tells_every_place_of_a_library_that_holds_the_host_s_own(library):
    _, names = library
    with accelerate.accelerated():
        held = accelerate.report()["held"]
    of_library = {
        place.removeprefix("field_library."): name
        for place, name in held.items()
        if place.startswith("field_library.")
    }
    assert of_library == EXPECTED | names


def test_what_the_report_tells_is_what_is_there(library):
    module, _ = library
    with accelerate.accelerated():
        held = accelerate.report()["held"]
        stand_in = nilearn.maskers.NiftiMasker
        assert module.TABLE["voxels"] is not stand_in
        assert "field_library.TABLE['voxels']" in held
        # Once it is exchanged by hand it is told no more.
        module.TABLE["voxels"] = stand_in
        assert "field_library.TABLE['voxels']" not in accelerate.report()["held"]


def test_nothing_is_held_where_nothing_is_installed_and_the_host_s_maskers_are_not_told(library):
    assert accelerate.report()["held"] == {}
    with accelerate.accelerated():
        held = accelerate.report()["held"]
    assert not [place for place in held if place.startswith(("nilearn.maskers", "brainsieve"))]


def test_containers_that_hold_themselves_are_walked_once_around(monkeypatch):
    module = types.ModuleType("field_circle")
    module.ROUND = [nilearn.signal.clean]
    module.ROUND.append(module.ROUND)
    monkeypatch.setitem(sys.modules, "field_circle", module)
    with accelerate.accelerated():
        held = accelerate.report()["held"]
    assert held["field_circle.ROUND[0]"] == "signal.clean"


def test_deriving_classes_of_the_host_itself_are_told():
    import nilearn.regions

    with accelerate.accelerated():
        held = accelerate.report()["held"]
    place = f"{nilearn.regions.RegionExtractor.__module__}.RegionExtractor.__bases__"
    assert held[place] == "maskers.NiftiMapsMasker"
