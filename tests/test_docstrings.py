"""What `help()` shows of everything public: each parameter with its own type, words and real default."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import brainsieve
from brainsieve import maskers
from brainsieve.maskers.declared import PARAMETERS, check_parameters, parameters_of
from brainsieve.maskers.documented import documented

# All that the documentation has tables of.
API = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
MODULES = re.findall(r"^\.\. public:: (brainsieve\S*)$", API, re.MULTILINE)
MASKERS = [name for name in maskers.__all__ if name != "BaseMasker"]
# Protocols and bases, which nobody makes. Data classes say what a field is where it stands.
BASES = {"BaseMasker", "Canvas"}
METHODS = [
    *("fit", "transform", "fit_transform", "transform_single_imgs", "transform_imgs", "inverse_transform"),
    *("iter_transform", "coverage", "operator_", "generate_report", "get_feature_names_out", "set_output"),
]


def entries(docstring: str, section: str = "Parameters") -> dict[str, tuple[str, str]]:
    """Type and words of each name in a section, read by a parser of their own."""
    found, inside = {}, False
    names: list[str] = []
    lines = inspect.cleandoc(docstring).splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", after):
            inside = line.strip() == section
            continue
        if not inside or re.fullmatch(r"-{3,}", line) or not line.strip():
            continue
        if not line.startswith(" "):
            head, _, kind = line.partition(" : ")
            names = [name.strip().lstrip("*") for name in head.split(",")]
            found |= {name: (kind.strip(), "") for name in names}
        else:
            found |= {name: (found[name][0], (found[name][1] + " " + line.strip()).strip()) for name in names}
    return found


def signature_of(call) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(call).parameters
    return {name: each for name, each in parameters.items() if name not in ("self", "cls")}


def told_default(kind: str) -> str | None:
    match = re.search(r"default=(.+)$", kind)
    if match:
        return match[1]
    return "None" if re.search(r"\boptional\b", kind) else None


def same(told: str | None, default: object) -> bool:
    """Whether what a docstring says is the default; text that is no literal (a dtype) is compared as such."""
    try:
        return told is not None and ast.literal_eval(told) == default
    except (ValueError, SyntaxError):
        return told in (repr(default), getattr(default, "__name__", None))


def assert_documented(call, name: str) -> None:
    docstring = inspect.getdoc(call) or ""
    assert docstring, f"{name} has no docstring"
    said, parameters = entries(docstring), signature_of(call)
    assert set(said) == set(parameters), f"{name} documents {list(said)}, and has {list(parameters)}"
    for each, parameter in parameters.items():
        kind, _ = said[each]
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        assert kind or variable, f"{name}: {each} has no type"
        if parameter.default is parameter.empty or variable:
            continue
        told = told_default(kind)
        if told is None and parameter.default is None:
            assert re.search(r"\bNone\b", kind), f"{name}: {each} may be left out, which is not said"
        else:
            assert same(told, parameter.default), f"{name}: {each} says {told}, and has {parameter.default!r}"


def public() -> list[tuple[str, str]]:
    found = []
    for module in MODULES:
        room = importlib.import_module(module)
        found += [
            (module, name)
            for name in room.__all__
            if callable(getattr(room, name))
            and getattr(getattr(room, name), "__module__", "").startswith("brainsieve")
        ]
    return found


def test_every_public_module_is_in_the_documentation():
    """Rooms that hold rooms only are there by these."""
    there = {f"brainsieve.{name}" for name in brainsieve._SUBMODULES}
    missing = there - set(MODULES)
    assert {name for name in missing if not any(each.startswith(f"{name}.") for each in MODULES)} == set()
    assert len(MODULES) == len(set(MODULES)) > 20


@pytest.mark.parametrize("module, name", public())
def test_every_parameter_of_what_is_public_has_its_type_and_real_default(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing) and (
        issubclass(thing, Exception | dict) or is_dataclass(thing) or name in BASES
    ):
        pytest.skip("nothing that users call")
    assert_documented(thing, name)


@pytest.mark.parametrize("name", MASKERS)
def test_every_parameter_of_every_masker_has_words_and_attributes_have_a_type(name):
    docstring = inspect.getdoc(getattr(maskers, name))
    assert all(words for _, words in entries(docstring).values())
    attributes = entries(docstring, "Attributes")
    assert {"n_elements_", "mask_img_"} <= set(attributes)
    assert all(kind for kind, _ in attributes.values())
    # No place of the declarations is left open.
    assert not re.search(r"\{[a-z_]+\}", docstring)


@pytest.mark.parametrize("name", MASKERS)
@pytest.mark.parametrize("method", METHODS)
def test_every_argument_of_every_method_of_every_masker_has_a_type(name, method):
    call = getattr(getattr(maskers, name), method, None)
    if call is None:
        pytest.skip(f"{name} has no {method}")
    assert_documented(call, f"{name}.{method}")
    assert not re.search(r"\{[a-z_]+\}", inspect.getdoc(call))


def everything_documented():
    for module, name in public():
        thing = getattr(importlib.import_module(module), name)
        yield name, thing
        if inspect.isclass(thing):
            for method, member in inspect.getmembers(thing, inspect.isfunction):
                if not method.startswith("_") and member.__module__.startswith("brainsieve"):
                    yield f"{name}.{method}", member


def test_no_docstring_sends_the_reader_to_another():
    sent = [
        name
        for name, thing in everything_documented()
        if re.search(r"\bAs in\b|; as in `", thing.__doc__ or "")
    ]
    assert sent == []


@pytest.mark.parametrize("name", MASKERS)
def test_a_choice_names_in_its_docstring_what_its_check_takes(name):
    kind = getattr(maskers, name)
    said = entries(inspect.getdoc(kind))
    for each, parameter in parameters_of(kind).items():
        words = re.match(r"\{(.*)\}", said[each][0])
        if not words or each == "standardize":
            continue
        values = {"n": eval(f"[{words[1]}]")}["n"]  # a list of literals
        for value in values:
            parameter.check(each, value)
        with pytest.raises(ValueError, match=f"{each} must be one of"):
            parameter.check(each, "no such choice")


def test_deviations_act_in_the_class_and_in_those_that_derive_from_it():
    assert parameters_of(maskers.NiftiMapsMasker)["strategy"].kind == '{"least_squares", "weighted_mean"}'
    assert parameters_of(maskers.MultiNiftiMapsMasker)["strategy"].default == "least_squares"
    assert parameters_of(maskers.NiftiLabelsMasker)["strategy"].default == "mean"
    assert parameters_of(maskers.SurfaceMasker)["smoothing_fwhm"].kind == "float"
    parameters_of(maskers.MultiNiftiMasker)["mask_strategy"].check("mask_strategy", "template")
    with pytest.raises(ValueError, match="mask_strategy"):
        parameters_of(maskers.NiftiMasker)["mask_strategy"].check("mask_strategy", "template")


def test_a_signature_cannot_drift_from_its_declaration():
    with pytest.raises(TypeError, match="verbose=3 in the signature, 0 in its declaration"):

        @documented()
        class Loud(maskers.NiftiMasker):
            def __init__(self, mask_img=None, verbose=3):
                """Nothing."""

    with pytest.raises(TypeError, match="the parameter volume is not declared"):

        @documented()
        class Unknown(maskers.NiftiMasker):
            def __init__(self, mask_img=None, volume=3):
                """Nothing."""


def test_a_class_of_someone_else_keeps_its_docstring_and_its_own_parameters():
    class Mine(maskers.NiftiMasker):
        """My masker."""

        def __init__(self, mask_img=None, volume=11):
            self.mask_img, self.volume = mask_img, volume

    assert Mine.__doc__ == "My masker."
    assert list(parameters_of(Mine)) == ["mask_img"]
    check_parameters(Mine(volume="loud"), {"mask_img": None, "volume": "loud"})


def test_roles_are_of_four_kinds():
    assert {each.role for each in PARAMETERS.values()} == {"atlas", "space", "time", "none"}


def test_every_parameter_that_names_a_cache_says_that_its_folder_is_trusted_code():
    """joblib keeps pickles, which run what whoever wrote them wants."""
    told = {}
    for module in {*MODULES, *(f"brainsieve.{name}" for name in brainsieve._SUBMODULES)}:
        room = importlib.import_module(module)
        for name in getattr(room, "__all__", ()):
            words = entries(getattr(room, name).__doc__ or "").get("memory", (None, None))[1]
            if words is not None:
                told[f"{module}.{name}"] = words
    assert len(told) > 20
    assert [name for name, words in told.items() if "trusted code (pickles)" not in words] == []
