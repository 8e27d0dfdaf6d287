"""Docstrings of the maskers, put together of the declarations: each parameter of each class has its own words."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar

from brainsieve.maskers.declared import COLUMN_WORDS, Kind, Parameter, parameters_of, shown

Class = TypeVar("Class", bound=type)
WIDTH = 110
SECTIONS = (
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "Examples",
)
HEADING = re.compile(r"^(\S.*)\n-{3,}$", re.MULTILINE)

# Arguments of methods: a name alone in a Parameters section is completed with these.
ARGUMENTS: dict[str, tuple[str, str]] = {
    "imgs": (
        "image-like",
        "One run. Maskers of volumes take a 3-D or 4-D image, a path, or a list of 3-D images; those of surfaces a "
        "SurfaceImage or a list of these; those of CIFTI a path or nibabel.Cifti2Image.",
    ),
    "imgs_list": ("list, tuple or generator of image-like", "One entry for each run."),
    "confounds": (
        "array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, or list of these, default=None",
        "What to regress out. A list is stacked side by side.",
    ),
    "sample_mask": (
        "array or list of shape (n_kept,) of int or (n_samples,) of bool, default=None",
        "The samples to keep. With `runs`, a list with one for each run.",
    ),
    "y": ("None, default=None", "Ignored; there for scikit-learn."),
    "copy": ("bool, default=True", "Images are never modified, whatever this says."),
    "n_jobs": (
        "int, default=1",
        'Images at a time, through joblib: ``joblib.parallel_config("dask")`` runs them on a cluster.',
    ),
    "return_as": (
        '{"list", "generator"}, default="list"',
        "A generator gives each result when it is ready, in order, and reads no image before it is needed.",
    ),
    "input_features": ("None, default=None", "Ignored; there for scikit-learn."),
}
# The same where there are several images.
ARGUMENTS_OF_MANY: dict[str, tuple[str, str]] = {
    "imgs": (
        "image-like, or list, tuple or generator of image-like",
        "One run, as the masker of one run takes it, or several. A list of lists of 3-D images is a list of runs.",
    ),
    "confounds": ("list, default=None", "One entry for each image: what the masker of one run takes."),
    "sample_mask": ("list, default=None", "One entry for each image: what the masker of one run takes."),
}
SIGNALS = ("array of shape (n_elements_,) or (n_samples, n_elements_), or data frame", "")
ARGUMENTS |= dict.fromkeys(("X", "signals", "region_signals"), SIGNALS)

INVERSE = """Put signals back into space; nothing that was done in time is undone.

Parameters
----------
{inverse_name}

Returns
-------
img : {made}
    {made_words}

Raises
------
ValueError
    If the width is not that of the masker.
"""


def documented(kind: Kind | None = None, **deviations: Mapping[str, Any]) -> Callable[[Class], Class]:
    """Complete the docstrings of a class of maskers, and of the methods that it has.

    Parameters
    ----------
    kind : Kind, optional
        The kind of image it takes. Default: that of the class it derives from.
    **deviations : dict
        For a parameter, what its declaration says otherwise in this class and those that derive from it.

    Raises
    ------
    TypeError
        If the signature of the constructor has a parameter that is not declared, or another default.
    """

    def complete(cls: Class) -> Class:
        words = deviations.pop("words", {})
        cls._deviations = deviations  # type: ignore[attr-defined]
        cls._words = {**getattr(cls, "_words", {}), **words}  # type: ignore[attr-defined]
        if kind is not None:
            cls._image_kind = kind  # type: ignore[attr-defined]
        for name, member in vars(cls).items():
            if isinstance(member, FunctionType) and not name.startswith("_"):
                _complete_method(member, cls)
        if "__init__" in vars(cls):
            _refuse_other_defaults(cls)
            cls.__doc__ = _class_docstring(cls)
        return cls

    return complete


def words_of(cls: Any) -> dict[str, str]:
    """What fills in the places of the declarations' words in a class."""
    kind = getattr(cls, "_image_kind", None)
    words = dict(kind.words) if kind else {}
    words |= COLUMN_WORDS.get(getattr(cls, "_column", ""), {"dropped": "", "covered": ""})
    words |= {"home": "``mask_img_``", "inverse_name": getattr(cls, "_inverse_name", "signals")}
    words |= getattr(cls, "_words", {})
    words["Points"] = words.get("points", "points").capitalize()
    return {name: filled(text, words) for name, text in words.items()}


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with ``{point}`` and the like replaced by their words; other braces stay, as those of choices."""
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), text)


def _refuse_other_defaults(cls: type) -> None:
    declared = parameters_of(cls)
    for name, parameter in list(inspect.signature(cls).parameters.items()):
        if name not in declared:
            raise TypeError(f"{cls.__name__}: the parameter {name} is not declared.")
        if repr(parameter.default) != repr(declared[name].default):
            raise TypeError(
                f"{cls.__name__}: {name}={parameter.default!r} in the signature, "
                f"{declared[name].default!r} in its declaration."
            )


def _class_docstring(cls: Any) -> str:
    words = words_of(cls)
    head, sections = _sections(cls.__doc__ or "")
    entries = [_entry_of(parameter, words) for parameter in parameters_of(cls).values()]
    sections["Parameters"] = "\n".join(entries)
    sections["Attributes"] = filled(_merged_attributes(cls), words)
    notes = (_sections(base.__doc__ or "")[1].get("Notes") for base in cls.__mro__ if base is not object)
    sections["Notes"] = next(filter(None, notes), "")
    return _docstring(head, sections)


def _merged_attributes(cls: type) -> str:
    """What a class says of its fitted attributes, then what those say that it derives from."""
    entries: dict[str, str] = {}
    for base in cls.__mro__:
        for name, entry in _entries(_sections(base.__doc__ or "")[1].get("Attributes", "")):
            entries.setdefault(name, entry)
    return "\n".join(entries.values())


def _complete_method(method: FunctionType, cls: type) -> None:
    """Complete arguments that a docstring only names; `inverse_transform` has its sections from here."""
    words = words_of(cls)
    head, sections = _sections(method.__doc__ or "")
    if method.__name__ == "inverse_transform" and "_image_kind" in dir(cls):
        shared_head, shared = _sections(filled(INVERSE, words))
        head, sections = head or shared_head, {**shared, **sections}
    if "Parameters" not in sections:
        return
    arguments = {**ARGUMENTS, **getattr(cls, "_arguments", {})}
    entries = [
        _entry(name, *arguments[name]) if entry == name and name in arguments else entry
        for name, entry in _entries(sections["Parameters"])
    ]
    # In the order of the signature, which differs between classes.
    order = list(inspect.signature(method).parameters)
    place = {
        entry: order.index(name)
        for entry in entries
        if (name := re.split(r"\W+", entry.lstrip("*"))[0]) in order
    }
    sections["Parameters"] = "\n".join(sorted(entries, key=lambda entry: place.get(entry, -1)))
    method.__doc__ = filled(_docstring(head, sections), words)


# -- docstrings as text --------------------------------------------------------------------------------


def _sections(docstring: str) -> tuple[str, dict[str, str]]:
    """The head of a docstring, and its sections by name."""
    head, *rest = HEADING.split(inspect.cleandoc(docstring))
    return head.strip(), {
        name.strip(): text.strip("\n").rstrip() for name, text in zip(rest[::2], rest[1::2], strict=True)
    }


def _docstring(head: str, sections: Mapping[str, str]) -> str:
    order = [name for name in SECTIONS if sections.get(name)]
    order += [name for name in sections if name not in SECTIONS and sections[name]]
    parts = [f"{name}\n{'-' * len(name)}\n{sections[name]}" for name in order]
    return "\n\n".join([head, *parts]) + "\n"


def _entries(section: str) -> list[tuple[str, str]]:
    """Entries of a section (a line that is not indented, and what is indented below it) by their names."""
    entries = [entry.rstrip() for entry in re.split(r"\n(?=\S)", section) if entry.strip()]
    return [(re.split(r" : |\n", entry)[0], entry) for entry in entries]


def _entry_of(parameter: Parameter, words: Mapping[str, str]) -> str:
    kind = f"{filled(parameter.kind, words)}, default={shown(parameter.default)}"
    return _entry(parameter.name, kind, filled(parameter.words, words))


def _entry(name: str, kind: str, words: str) -> str:
    lines = textwrap.wrap(
        words, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False
    )
    return "\n".join([f"{name} : {kind}", *lines])
