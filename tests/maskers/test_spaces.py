"""Files whose names tell different spaces: said wherever an atlas or a mask is put on a run, and nowhere else."""

from __future__ import annotations

import shutil
import warnings

import nibabel as nib
import numpy as np
import pytest
from tests import small_cifti, surfaces

from brainsieve import maskers
from brainsieve.maskers.many import extract_many
from brainsieve.maskers.spaces import space_of
from brainsieve.surface import PolyData, SurfaceImage

ONE, OTHER = "MNI152NLin2009cAsym", "MNI152NLin6Asym"
SHAPE, AFFINE = (6, 5, 4), np.diag([3.0, 3.0, 3.0, 1.0])


def saved(path, values):
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    return str(path)


class Volumes:
    def __init__(self, folder, rng):
        labels = rng.integers(0, 4, SHAPE).astype(np.int16)
        self.folder = folder
        self.values = {
            "bold": rng.normal(100, 5, (*SHAPE, 7)).astype(np.float32),
            "dseg": labels,
            "probseg": rng.random((*SHAPE, 2)).astype(np.float32),
            "mask": (labels > 1).astype(np.uint8),
        }

    def file(self, space, kind, number=1):
        path = self.folder / f"sub-{number}_space-{space}_res-2_{kind}.nii.gz"
        return str(path) if path.exists() else saved(path, self.values[kind])


class Surfaces:
    def __init__(self, folder, rng):
        self.folder = folder
        labels = surfaces.label_values()
        self.values = {
            "bold": {
                part: rng.normal(100, 5, (surfaces.N_VERTICES, 7)).astype(np.float32) for part in labels
            },
            "dseg": labels,
            "probseg": {part: w.astype(np.float32) for part, w in surfaces.weights(2).items()},
            "mask": {part: (ids > 0).astype(np.int32) for part, ids in labels.items()},
        }

    def file(self, space, kind, number=1):
        stem = self.folder / f"sub-{number}_space-{space}_{kind}.gii"
        PolyData(**self.values[kind]).to_filename(stem)
        files = {
            part: str(stem.with_name(f"sub-{number}_space-{space}_{kind}_hemi-{side}.gii"))
            for part, side in surfaces.SIDES.items()
        }
        return SurfaceImage(surfaces.polymesh(), files)


class Cifti:
    def __init__(self, folder, rng):
        self.folder = folder
        n = len(small_cifti.brain())
        self.rows = {"probseg": rng.random((2, n)), "mask": (rng.random((1, n)) > 0.3).astype(float)}

    def file(self, space, kind, number=1):
        stem = f"sub-{number}_space-{space}_{kind}"
        if kind == "bold":
            return str(small_cifti.series(self.folder, n_samples=7, name=f"{stem}.dtseries.nii"))
        if kind == "dseg":
            return str(small_cifti.atlas(self.folder, name=f"{stem}.dlabel.nii"))
        return str(small_cifti.scalars(self.folder, self.rows[kind], name=f"{stem}.dscalar.nii"))


KINDS = {
    "NiftiMasker": (Volumes, "mask_img", "mask"),
    "NiftiLabelsMasker": (Volumes, "labels_img", "dseg"),
    "NiftiMapsMasker": (Volumes, "maps_img", "probseg"),
    "NiftiSpheresMasker": (Volumes, "mask_img", "mask"),
    "SurfaceMasker": (Surfaces, "mask_img", "mask"),
    "SurfaceLabelsMasker": (Surfaces, "labels_img", "dseg"),
    "SurfaceMapsMasker": (Surfaces, "maps_img", "probseg"),
    "CiftiMasker": (Cifti, "mask_img", "mask"),
    "CiftiLabelsMasker": (Cifti, "labels_img", "dseg"),
    "CiftiMapsMasker": (Cifti, "maps_img", "probseg"),
}
MULTI = [name for name in KINDS if hasattr(maskers, f"Multi{name}")]


def masker_of(name, files, space, prefix=""):
    _, parameter, kind = KINDS[name]
    options = {"seeds": [(6.0, 6.0, 3.0)], "radius": 6.0} if name == "NiftiSpheresMasker" else {}
    return getattr(maskers, prefix + name)(**{parameter: files.file(space, kind)}, reports=False, **options)


def told(call):
    """Warnings about spaces that a call gives, each as often as it is given."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught if "is in the space" in str(w.message)]


@pytest.mark.parametrize("name", KINDS)
def test_a_masker_tells_once_of_a_run_in_another_space(name, tmp_path, rng):
    kind, parameter, _ = KINDS[name]
    files = kind(tmp_path, rng)
    run, same = files.file(ONE, "bold"), files.file(OTHER, "bold")
    masker = masker_of(name, files, OTHER)
    (message,) = told(lambda: masker.fit_transform(run))
    assert f"sub-1_space-{ONE}" in message
    assert f"{parameter} (sub-1_space-{OTHER}" in message
    assert f"in the space {OTHER}, the run in {ONE}" in message
    assert told(lambda: masker.fit(run)) == [message]
    assert told(lambda: masker.transform(run)) == [message]
    assert told(lambda: list(masker.iter_transform(run))) == [message]
    assert told(lambda: masker.fit_transform(same)) == []


@pytest.mark.parametrize("name", MULTI)
def test_a_multi_masker_tells_once_for_each_run_of_another_space(name, tmp_path, rng):
    files = KINDS[name][0](tmp_path, rng)
    runs = [files.file(ONE, "bold"), files.file(OTHER, "bold", 2), files.file("T1w", "bold", 3)]
    masker = masker_of(name, files, OTHER, "Multi").fit()
    messages = told(lambda: masker.transform(runs))
    assert [message.split("_space-")[0] for message in messages] == ["sub-1", "sub-3"]
    assert len(told(lambda: masker.fit(runs))) == 1


@pytest.mark.parametrize("kind", [Volumes, Surfaces, Cifti])
def test_one_pass_for_several_atlases_tells_of_each_that_is_elsewhere(kind, tmp_path, rng):
    files = kind(tmp_path, rng)
    run = files.file(ONE, "bold")
    atlases = {
        "a": files.file(OTHER, "dseg"),
        "b": files.file(ONE, "dseg", 2),
        "c": files.file("T1w", "probseg"),
    }
    messages = told(lambda: extract_many(run, atlases))
    assert [message.split(": ")[1].split(" (")[0] for message in messages] == ["labels_img", "maps_img"]
    # A mask that several maskers share is told of once.
    fitted = {
        name: masker_of(name, files, ONE).set_params(mask_img=files.file(OTHER, "mask")).fit()
        for name in KINDS
        if KINDS[name][0] is kind and "mask_img" not in KINDS[name][1]
    }
    assert len(fitted) == 2
    assert len(told(lambda: extract_many(run, fitted))) == 1


def test_an_atlas_and_a_mask_of_two_spaces_are_told_of_at_fit(tmp_path, rng):
    files = Volumes(tmp_path, rng)
    masker = maskers.NiftiLabelsMasker(files.file(ONE, "dseg"), mask_img=files.file(OTHER, "mask"))
    (message,) = told(masker.fit)
    assert (
        f"labels_img (sub-1_space-{ONE}_res-2_dseg.nii.gz) is in the space {ONE}, mask_img in {OTHER}"
        in message
    )


def test_what_fit_transform_tells_is_in_the_report_as_well(tmp_path, rng):
    files = Volumes(tmp_path, rng)
    masker = maskers.NiftiLabelsMasker(files.file(OTHER, "dseg"))
    (message,) = told(lambda: masker.fit_transform(files.file(ONE, "bold")))
    assert message in masker._fit_warnings


def test_a_cached_call_tells_of_the_file_that_it_was_given(tmp_path, rng):
    """Two names of one atlas have one key: what is stored must not speak for the other."""
    files = Volumes(tmp_path, rng)
    run, memory = files.file(ONE, "bold"), str(tmp_path / "cache")
    for space, n_told in ((ONE, 0), (OTHER, 1), (ONE, 0), (OTHER, 1)):
        masker = maskers.NiftiLabelsMasker(files.file(space, "dseg"), memory=memory).fit()
        assert len(told(lambda masker=masker: masker.transform(run))) == n_told


def test_opened_images_and_lists_of_volumes_are_known_by_their_files(tmp_path, rng):
    files = Volumes(tmp_path, rng)
    atlas, run = files.file(OTHER, "dseg"), files.file(ONE, "bold")
    volumes = [
        saved(tmp_path / f"vol-{i}_space-{ONE}_bold.nii", files.values["bold"][..., i]) for i in range(3)
    ]
    for given in (nib.load(run), volumes, [nib.load(v) for v in volumes]):
        assert (
            len(told(lambda given=given: maskers.NiftiLabelsMasker(nib.load(atlas)).fit_transform(given)))
            == 1
        )


@pytest.mark.parametrize(
    "atlas, run",
    [
        ("atlas_dseg.nii.gz", f"sub-1_space-{ONE}_bold.nii.gz"),
        (f"atlas_space-{ONE}_dseg.nii.gz", "bold.nii.gz"),
        (f"tpl-{ONE}_atlas-Schaefer_dseg.nii.gz", f"sub-1_space-{ONE}_bold.nii.gz"),
        (f"tpl-{ONE}_atlas-Schaefer_dseg.nii.gz", f"tpl-{ONE}_T1w.nii.gz"),
        ("tpl-fsaverage_den-10k_dseg.nii.gz", "sub-1_space-fsaverage5_bold.nii.gz"),
        ("airspace-A_dseg.nii.gz", "sub-1_space-B_bold.nii.gz"),
    ],
)
def test_nothing_is_said_where_names_do_not_tell_or_agree(atlas, run, tmp_path, rng):
    files = Volumes(tmp_path, rng)
    shutil.copy(files.file(ONE, "dseg"), tmp_path / atlas)
    (tmp_path / "runs").mkdir()
    shutil.copy(files.file(ONE, "bold"), tmp_path / "runs" / run)
    masker = maskers.NiftiLabelsMasker(tmp_path / atlas)
    assert told(lambda: masker.fit_transform(tmp_path / "runs" / run)) == []


def test_a_template_of_another_name_is_another_space(tmp_path, rng):
    files = Volumes(tmp_path, rng)
    atlas = tmp_path / f"tpl-{OTHER}_res-01_atlas-Schaefer2018_dseg.nii.gz"
    shutil.copy(files.file(ONE, "dseg"), atlas)
    assert len(told(lambda: maskers.NiftiLabelsMasker(atlas).fit_transform(files.file(ONE, "bold")))) == 1


@pytest.mark.parametrize(
    "name, space",
    [
        ("/space-A/sub-1_bold.nii", None),
        ("/data_space-A/sub-1_bold.nii", None),
        ("tpl-fsLR_space-fsaverage_hemi-L_sphere.surf.gii", ("space", "fsaverage")),
        ("space-A_dseg.nii", ("space", "A")),
        ("tpl-A_dseg.nii", ("tpl", "A")),
    ],
)
def test_the_space_is_an_entity_of_the_name_of_the_file(name, space):
    assert space_of(name) == space


def test_an_image_without_nibabel_s_file_map_has_no_name(rng):
    """nilearn's template object is one."""

    class Bare(nib.Nifti1Image):
        def __init__(self, values):
            super().__init__(values, AFFINE)
            del self.file_map

    mask = nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE)
    assert maskers.NiftiMasker(mask).fit_transform(Bare(rng.normal(size=SHAPE))).shape == (np.prod(SHAPE),)
    masker = maskers.NiftiMasker(Bare(np.ones(SHAPE, np.uint8))).fit()
    assert "Bare of shape 6 × 5 × 4" in masker.generate_report().html
