"""Public names, parameters and defaults are those of nilearn 0.14; ours beyond them come last."""

from __future__ import annotations

import importlib
import inspect

import pytest

# Of these modules everything that is public in the peer, but for surfaces, must be here.
MODULES = [
    "image",
    "masking",
    "signal",
    "surface",
    "interfaces.fmriprep",
    "connectome",
    "mass_univariate",
    "decomposition",
    "regions",
]
MASKERS = [
    "NiftiMasker",
    "NiftiLabelsMasker",
    "NiftiMapsMasker",
    "NiftiSpheresMasker",
    "MultiNiftiMasker",
    "MultiNiftiLabelsMasker",
    "MultiNiftiMapsMasker",
    "SurfaceMasker",
    "SurfaceLabelsMasker",
    "SurfaceMapsMasker",
    "MultiSurfaceMasker",
    "MultiSurfaceLabelsMasker",
    "MultiSurfaceMapsMasker",
]
METHODS = [
    "fit",
    "transform",
    "fit_transform",
    "inverse_transform",
    "transform_single_imgs",
    "transform_imgs",
]


def parameters(call) -> list[tuple[str, object]]:
    found = inspect.signature(call).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
    return [(p.name, p.default) for p in found if p.kind in kinds]


def same(ours: object, theirs: object) -> bool:
    return ours == theirs or repr(ours) == repr(theirs) or (ours is None and theirs is None)


def assert_starts_like(ours, theirs) -> None:
    mine, others = parameters(ours), parameters(theirs)
    assert [name for name, _ in mine[: len(others)]] == [name for name, _ in others]
    for (name, default), (_, awaited) in zip(mine, others, strict=False):
        assert same(default, awaited), f"{name}: {default!r} instead of {awaited!r}"


def functions() -> list[tuple[str, str]]:
    found = []
    for module in MODULES:
        peer = importlib.import_module(f"nilearn.{module}")
        found += [(module, name) for name in peer.__all__ if inspect.isfunction(getattr(peer, name))]
    return found


@pytest.mark.parametrize("module, name", functions())
def test_functions_have_the_peers_parameters_and_defaults(module, name):
    ours = getattr(importlib.import_module(f"brainsieve.{module}"), name)
    assert_starts_like(ours, getattr(importlib.import_module(f"nilearn.{module}"), name))


@pytest.mark.parametrize("name", MASKERS)
def test_maskers_have_the_peers_parameters_and_defaults(name):
    ours = getattr(importlib.import_module("brainsieve.maskers"), name)
    theirs = getattr(importlib.import_module("nilearn.maskers"), name)
    assert_starts_like(ours.__init__, theirs.__init__)


@pytest.mark.parametrize("name", MASKERS)
@pytest.mark.parametrize("method", METHODS)
def test_methods_have_the_peers_parameters(name, method):
    ours = getattr(importlib.import_module("brainsieve.maskers"), name)
    theirs = getattr(importlib.import_module("nilearn.maskers"), name)
    if not hasattr(theirs, method):
        pytest.skip(f"{name} of the peer has no {method}")
    assert_starts_like(getattr(ours, method), getattr(theirs, method))


@pytest.mark.parametrize("name", ["ConnectivityMeasure", "GroupSparseCovariance", "GroupSparseCovarianceCV"])
def test_estimators_have_the_peers_parameters_and_defaults(name):
    ours = getattr(importlib.import_module("brainsieve.connectome"), name)
    theirs = getattr(importlib.import_module("nilearn.connectome"), name)
    assert_starts_like(ours.__init__, theirs.__init__)
    for method in ("fit", "transform", "fit_transform", "inverse_transform"):
        if hasattr(theirs, method):
            assert_starts_like(getattr(ours, method), getattr(theirs, method))


@pytest.mark.parametrize("name", ["Decoder", "DecoderRegressor", "SearchLight"])
def test_decoders_have_the_peers_parameters_and_defaults(name):
    ours = getattr(importlib.import_module("brainsieve.decoding"), name)
    theirs = getattr(importlib.import_module("nilearn.decoding"), name)
    assert_starts_like(ours.__init__, theirs.__init__)
    for method in ("fit", "predict", "decision_function", "score", "transform"):
        if hasattr(theirs, method):
            assert_starts_like(getattr(ours, method), getattr(theirs, method))


@pytest.mark.parametrize("name", ["RegionExtractor", "Parcellations", "ReNA", "HierarchicalKMeans"])
def test_estimators_of_regions_have_the_peers_parameters_and_defaults(name):
    ours = getattr(importlib.import_module("brainsieve.regions"), name)
    theirs = getattr(importlib.import_module("nilearn.regions"), name)
    assert_starts_like(ours.__init__, theirs.__init__)
    for method in (
        "fit",
        "transform",
        "fit_transform",
        "inverse_transform",
        "transform_single_imgs",
        "score",
    ):
        if hasattr(theirs, method):
            assert_starts_like(getattr(ours, method), getattr(theirs, method))
