"""Folders of published data sets, made up under the names that these have."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from brainsieve.datasets import load_haxby, load_miyawaki2008, simulate_decoding, simulate_visual


@pytest.fixture
def haxby(tmp_path):
    """Persons 1, 2 and 10; the last has no anatomy and no mask of houses."""
    for number in (10, 1, 2):
        person, data = tmp_path / f"subj{number}", simulate_decoding(2, 2, random_state=number)
        person.mkdir()
        nibabel.save(data.func[0], person / "bold.nii.gz")
        data.session_target[0].to_csv(person / "labels.txt", sep=" ", index=False)
        nibabel.save(data.mask_vt[0], person / "mask4_vt.nii.gz")
        nibabel.save(data.mask_face[0], person / "mask8b_face_vt.nii.gz")
        nibabel.save(data.mask_face[0], person / "mask8_face_vt.nii.gz")
        if number != 10:
            nibabel.save(data.mask, person / "anat.nii.gz")
            nibabel.save(data.mask_house[0], person / "mask8b_house_vt.nii.gz")
    nibabel.save(data.mask, tmp_path / "mask.nii.gz")
    (tmp_path / "subj_notes").mkdir()
    return tmp_path


def test_persons_come_in_order_of_their_numbers_with_what_they_have(haxby):
    data = load_haxby(haxby)
    folders = [haxby / f"subj{n}" for n in (1, 2, 10)]
    assert data.func == [str(folder / "bold.nii.gz") for folder in folders]
    assert data.mask_face == [str(folder / "mask8b_face_vt.nii.gz") for folder in folders]
    assert data.mask_face_little == [str(folder / "mask8_face_vt.nii.gz") for folder in folders]
    assert data.mask_house == [*(str(folder / "mask8b_house_vt.nii.gz") for folder in folders[:2]), None]
    assert data.anat[2] is None and data.mask_house_little == [None] * 3
    assert data.mask == str(haxby / "mask.nii.gz") and data.t_r == 2.5
    for number, table in zip((1, 2, 10), data.session_target, strict=True):
        assert table.equals(simulate_decoding(2, 2, random_state=number).session_target[0])


@pytest.mark.parametrize("subjects, numbers", [(1, [1]), (3, [1, 2, 10]), ([10, 2], [10, 2]), ((2,), [2])])
def test_persons_are_chosen_by_number_or_counted_from_the_first(haxby, subjects, numbers):
    assert load_haxby(haxby, subjects).func == [str(haxby / f"subj{n}" / "bold.nii.gz") for n in numbers]


def test_what_is_read_has_the_fields_of_what_is_simulated(haxby):
    simulated = set(simulate_decoding(2, 2)) - {"truth"}
    assert simulated <= set(load_haxby(str(haxby)))


@pytest.mark.parametrize(
    "subjects, message",
    [
        ([3], r"subjects: \[3\] are not in .*which has \[1, 2, 10\]"),
        (4, "subjects=4: .* has 3 people only"),
        (0, "subjects must be a list of numbers"),
        (True, "subjects must be a list of numbers"),
        ("2", "subjects must be a list of numbers"),
    ],
)
def test_persons_that_are_not_there_are_told(haxby, subjects, message):
    with pytest.raises(ValueError, match=message):
        load_haxby(haxby, subjects)


def test_what_is_missing_is_named(haxby, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        load_haxby(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is it the folder above these"):
        load_haxby(haxby / "subj1")
    (haxby / "subj2" / "labels.txt").write_text("a b\n1 2\n")
    with pytest.raises(
        ValueError, match=r"labels.txt must have the columns labels and chunks; it has \['a', 'b'\]"
    ):
        load_haxby(haxby)
    (haxby / "subj2" / "labels.txt").unlink()
    with pytest.raises(FileNotFoundError, match="subj2.*labels.txt is missing"):
        load_haxby(haxby)
    assert len(load_haxby(haxby, [1]).func) == 1


@pytest.fixture
def miyawaki(tmp_path):
    data = simulate_visual(10, 3, n_volumes=20)
    for name in ("func", "label", "mask"):
        (tmp_path / name).mkdir()
    for stem, img, label in zip(
        ("random_run10", "figure_run01", "random_run2"), data.func, data.label, strict=True
    ):
        nibabel.save(img, tmp_path / "func" / f"data_{stem}.nii.gz")
        np.savetxt(tmp_path / "label" / f"data_{stem}_label.csv", label, fmt="%d", delimiter=",")
    nibabel.save(data.mask, tmp_path / "mask" / "mask.nii.gz")
    nibabel.save(data.mask_roi[0], tmp_path / "mask" / "LHlag0to1.nii.gz")
    return tmp_path, data


def test_pictures_go_with_their_runs_in_order_of_numbers(miyawaki):
    folder, written = miyawaki
    data = load_miyawaki2008(folder)
    stems = ("figure_run01", "random_run2", "random_run10")
    assert data.func == [str(folder / "func" / f"data_{stem}.nii.gz") for stem in stems]
    for label, k in zip(data.label, (1, 2, 0), strict=True):
        np.testing.assert_array_equal(label, written.label[k])
    assert data.mask == str(folder / "mask" / "mask.nii.gz")
    assert data.mask_roi == [str(folder / "mask" / "LHlag0to1.nii.gz")]
    assert data.background is None and data.t_r == 2
    assert set(written) - {"truth"} <= set(data)


def test_runs_without_pictures_are_told(miyawaki, tmp_path_factory):
    folder, _ = miyawaki
    (folder / "label" / "data_random_run2_label.csv").write_text("1,black\n")
    with pytest.raises(ValueError, match="data_random_run2_label.csv is no table of numbers"):
        load_miyawaki2008(folder)
    (folder / "label" / "data_random_run2_label.csv").unlink()
    with pytest.raises(FileNotFoundError, match="no table of pixels for data_random_run2.nii.gz"):
        load_miyawaki2008(folder)
    with pytest.raises(FileNotFoundError, match="has no func/data_"):
        load_miyawaki2008(tmp_path_factory.mktemp("empty"))
