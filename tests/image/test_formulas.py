"""Formulas compute what numpy computes, and reach nothing else."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from image_peer import AFFINE, array, both, meshes, ours_of, peers_of, quietly, surfaces, volume
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.image import math_img
from brainsieve.image.formulas import FormulaError, evaluated

GOOD = """
a.mean(-1)
a.std(axis=-1)
a.var(axis=-1, ddof=1)
a.clip(0, 5)
a - b[..., None]
a - a.mean(axis=-1)[..., None]
(a - a.mean(-1, keepdims=True)) / (a.std(-1, keepdims=True) + 1e-9)
abs(a) ** 2 // 3 % 7
np.where((a > 3) & ~(a > 8) | (a < -2), a, 0)
a.astype(np.float32)
a.astype('int16')
a[..., 1:3]
a[:, :, ::-1]
a[..., [0, 2]]
a[..., np.newaxis]
np.concatenate([a, a], axis=-1)
np.stack((b, b), axis=-1)
np.mean(a, axis=-1) * len(b) + float(2) - int(3.5) + round(2.6) + max(1, 2) - min(1, 2) + sum([1, 2])
-a + +a
a if a.shape[-1] > 2 else b
a * (1 < 2 < 3) * (a.ndim == 4 and b.ndim == 3) * (not False)
a * (1 < 3 > 2) + b[..., None] * (3 < 1 < 2) + (1 < 3 > 5)
a * (a.ndim == 3 or b.ndim == 3) + (a.ndim == 4 and b.ndim == 5) + (0 or 7) + (3 and 5)
np.percentile(a, 50) * b
np.linalg.norm(a) * b
a.T.T
a @ np.ones((3, 2))
a.sum(axis=-1) / a.max()
(a > 0).any(axis=-1)
(a != 0).all(-1)
np.nan_to_num(np.sqrt(abs(a)))
np.pi * b + np.e
a.real.copy()
a ^ a
""".strip().splitlines()


@pytest.mark.parametrize("formula", GOOD)
def test_a_formula_has_the_value_that_python_gives_it(formula):
    rng = np.random.default_rng(0)
    values = {"a": rng.normal(size=(4, 3, 2, 3)) * 5, "b": rng.normal(size=(4, 3, 2))}
    if "^" in formula:
        values["a"] = values["a"].astype(np.int16)
    expected = eval(formula, {"np": np, **values})
    got = evaluated(formula, values)
    assert_allclose(got, expected, rtol=1e-14)
    assert np.asarray(got).dtype == np.asarray(expected).dtype


BAD = {
    "np.f2py.os.system('true')": "np.f2py.os.system",
    "np.__class__": "np.__class__",
    "np.lib.npyio.np.os": "np.lib.npyio.np.os",
    "np.ctypeslib.ctypes": "np.ctypeslib",
    "np.load('x.npy')": "np.load",
    "np.fromfile('/etc/passwd')": "np.fromfile",
    "np.save('x', a)": "np.save",
    "np.vectorize(abs)(a)": "np.vectorize",
    "np.frompyfunc(abs, 1, 1)(a)": "np.frompyfunc",
    "np.apply_along_axis(abs, 0, a)": "np.apply_along_axis",
    "np.testing": "np.testing",
    "np.copyto(a, 0)": "np.copyto",
    "a.__class__": "__class__",
    "a.mean.__self__": "__self__",
    "a.tofile('x')": "tofile",
    "a.dump('x')": "dump",
    "a.ctypes": "ctypes",
    "a.base": "base",
    "a.data": "data",
    "a.fill(0)": "fill",
    "a.resize((1,))": "resize",
    "a.setflags(write=True)": "setflags",
    "a.dtype.type": "no array|type",
    "().__class__.__bases__": "__class__",
    "'{0.__class__}'.format(a)": "format",
    "(lambda: a)()": "lambda",
    "[x for x in a]": r"\[x for x in a\]",
    "{x for x in a}": "SetComp",
    "{1: a}": "Dict",
    "sum(x for x in a)": "GeneratorExp",
    "(b := a)": ":=",
    "f'{a}'": "JoinedStr",
    "open('x')": "'open'",
    "eval('a')": "'eval'",
    "__import__('os')": "'__import__'",
    "getattr(a, 'base')": "'getattr'",
    "c + a": "'c'",
    "a +": "no expression",
    "a; a": "no expression",
    "import os": "no expression",
    "np.add(a, 1, out=a)": "out=",
    "np.add(*[a, a])": "stars",
    "np.add(**{'x': a})": "Dict|stars",
    "9**9**9": "digits",
    "'a' * 10**9": "repeats",
    "[0] * 10**9": "repeats",
    "a << 3": "operator",
    "a in a": "comparison",
    "a is a": "comparison",
    "await a": "no expression|Await",
    "np": "'np'",
    "np.linalg": "np.linalg",
    "a()": "no function",
    "3()": "no function",
    "-" * 5000 + "a": "nested|no expression",
}


@pytest.mark.parametrize("formula", BAD, ids=lambda f: f[:30])
def test_what_is_no_arithmetic_is_refused_by_name(formula):
    a = np.ones((2, 2))
    with pytest.raises(FormulaError, match=BAD[formula]):
        evaluated(formula, {"a": a})
    img = volume()
    with pytest.raises(ValueError, match="math_img: the formula"):
        quietly(math_img, formula, a=img)
    assert (a == 1).all()


@pytest.mark.parametrize("formula", ["np.add(a, 1, a)", "a.clip(0, 1, a)", "np.abs(a, a)"])
def test_a_formula_cannot_write_into_the_images(formula):
    img = volume()
    before = array(img).copy()
    with pytest.raises(ValueError, match="read-only"):
        math_img(formula, a=img)
    assert_array_equal(array(img), before)
    assert array(img).flags.writeable


def test_the_names_of_images_come_before_the_names_of_functions():
    img = volume()
    assert_array_equal(array(math_img("max + len", max=img, len=img)), 2 * array(img))
    assert_array_equal(array(math_img("np + 1", np=img)), array(img) + 1)


@pytest.mark.parametrize("copied", [None, "img"])
@pytest.mark.parametrize("formula", ["img * 2", "img > 3", "img.astype('int32')", "np.abs(img)"])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_math_img_makes_the_image_that_the_peer_makes(formula, copied, dtype):
    img = volume((4, 3, 2, 3), dtype)
    img.header["descrip"] = b"a run"
    img.header.set_zooms((3, 3, 4, 2.2))
    ours, theirs = both("image", "math_img", formula, copy_header_from=copied, img=img)
    assert_array_equal(array(ours), array(theirs))
    assert array(ours).dtype == array(theirs).dtype == ours.get_data_dtype()
    for field in ("descrip", "xyzt_units", "pixdim", "cal_max", "sform_code", "intent_code"):
        assert_array_equal(ours.header[field], theirs.header[field])


@pytest.mark.parametrize("formula", ["img * 2", "img.mean(-1)", "img - img.mean()", "img > 3", "img[..., 0]"])
def test_math_img_of_surfaces_takes_the_hemispheres_one_by_one(formula):
    ours, theirs = surfaces(4)
    got = ours_of("image", "math_img", formula, img=ours)
    expected = peers_of("image", "math_img", formula, img=theirs)
    for part, values in expected.data.parts.items():
        assert_allclose(got.data.parts[part], values, rtol=1e-12)
        assert got.data.parts[part].dtype == values.dtype


def test_what_is_no_image_is_an_error():
    img, run = volume(), volume((9, 8, 7, 2))
    wrong = {"np.mean(a)": "three axes", "a.shape": "tuple", "len(a)": "int", "a.ravel()": "three axes"}
    for formula, words in wrong.items():
        with pytest.raises(ValueError, match=words):
            math_img(formula, a=img)
    with pytest.raises(ValueError, match="dimensions"):
        math_img("a.mean(-1)", copy_header_from="a", a=run)
    with pytest.raises(ValueError, match="'b' is none of the images a"):
        math_img("a", copy_header_from="b", a=img)
    with pytest.raises(TypeError, match="formula"):
        math_img(3, a=img)
    with pytest.raises(ValueError, match="no image"):
        math_img("1")
    with pytest.raises(ValueError, match="another grid"):
        math_img("a + b", a=img, b=volume(affine=AFFINE * 2))
    with pytest.raises(ValueError, match="another grid"):
        math_img("a + b", a=surfaces()[0], b=_other_surface())
    with pytest.warns(UserWarning, match="does not mention b"):
        math_img("a", a=img, b=img)
    # `img1` does not mention `img`.
    with pytest.warns(UserWarning, match="does not mention img."):
        math_img("img1", img1=img, img=img)


def _other_surface():
    from brainsieve.surface import SurfaceImage

    mesh = meshes((30, 50))
    return SurfaceImage(mesh, {part: np.zeros(m.n_vertices) for part, m in mesh.parts.items()})


def test_five_axes_are_an_array_as_any():
    img = nib.Nifti1Image(np.random.default_rng(0).normal(size=(3, 3, 3, 2, 2)), AFFINE)
    assert_array_equal(array(math_img("a * 2", a=img)), 2 * array(img))
