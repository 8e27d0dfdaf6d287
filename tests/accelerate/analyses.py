"""Analyses as a user of nilearn writes them, on planted data: ``analyses.py FOLDER NAME…`` stores the numbers of each.

A script of its own, so that tests run it in fresh processes with and without accelerate. It imports nothing of ours.
"""

from __future__ import annotations

import inspect
import re
import sys
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

AFFINE = np.array([[-8.0, 0, 0, 40], [0, 8, 0, -48], [0, 0, 8, -40], [0, 0, 0, 1]])
EVENTS = pd.DataFrame({"onset": np.arange(0, 110, 20.0), "duration": 8.0, "trial_type": "task"})


def planted(seed=0):
    """A run of 60 volumes with a block that follows a task of 20 s and one that follows noise; labels; a mask."""
    rng = np.random.default_rng(seed)
    data = rng.normal(100, 2, (10, 11, 9, 60))
    labels = np.tile(np.repeat(["rest", "task"], 5), 6)
    data[2:5, 3:6, 2:5] += 4.0 * (labels == "task")
    data[6:8, 5:9, 4:7] += 5.0 * rng.standard_normal(60)
    mask = np.zeros((10, 11, 9), np.uint8)
    mask[1:9, 1:10, 1:8] = 1
    return nib.Nifti1Image(data.astype(np.float32), AFFINE), nib.Nifti1Image(mask, AFFINE), labels


def decoder(folder):
    from nilearn.decoding import Decoder

    img, mask, labels = planted()
    made = Decoder(mask=mask, cv=3, standardize="zscore_sample", smoothing_fwhm=9).fit(img, labels)
    scores = np.array([made.cv_scores_[each] for each in ("rest", "task")])
    return {"map": made.coef_img_["task"].get_fdata(), "scores": scores, "right": made.predict(img) == labels}


def first_level(folder):
    from nilearn.glm.first_level import FirstLevelModel

    img, mask, _ = planted()
    model = FirstLevelModel(t_r=2.0, mask_img=mask, smoothing_fwhm=9, noise_model="ar1")
    model.fit([img, planted(1)[0]], [EVENTS, EVENTS])
    maps = model.compute_contrast("task", output_type="all")
    return {name: each.get_fdata() for name, each in maps.items()}


def glm_report(folder):
    from nilearn.glm.first_level import FirstLevelModel

    img, mask, _ = planted()
    model = FirstLevelModel(t_r=2.0, mask_img=mask, smoothing_fwhm=9).fit(img, EVENTS)
    page = str(model.generate_report("task", height_control=None, threshold=1.0, cluster_threshold=2))
    # From the table of clusters on; what stands before it are parameters and pictures.
    table = page[page.index("Cluster Table") :]
    return {"clusters": np.array(re.findall(r"<td[^>]*>\s*([^<]*?)\s*</td>", table))}


def bids_of_glm(folder):
    from nilearn.glm.first_level import FirstLevelModel
    from nilearn.interfaces.bids import save_glm_to_bids

    img, mask, _ = planted()
    model = FirstLevelModel(t_r=2.0, mask_img=mask, smoothing_fwhm=9, minimize_memory=False).fit(img, EVENTS)
    save_glm_to_bids(model, contrasts="task", out_dir=folder / "bids", prefix="sub-01")
    files = sorted(path for path in (folder / "bids").rglob("*") if path.is_file())
    found = {"files": np.array([path.name for path in files])}
    found |= {path.name: nib.load(path).get_fdata() for path in files if path.name.endswith(".nii.gz")}
    clusters = (path for path in files if path.name.endswith("clusters.tsv"))
    return found | {path.name: pd.read_table(path).to_numpy().astype(str) for path in clusters}


def can_ica(folder):
    from nilearn.decomposition import CanICA

    img, mask, _ = planted()
    made = CanICA(n_components=2, mask=mask, random_state=0, n_init=2, standardize="zscore_sample").fit(img)
    return {"maps": made.components_img_.get_fdata(), "loadings": made.transform([img])[0]}


def dict_learning(folder):
    from nilearn.decomposition import DictLearning

    imgs, (_, mask, _) = [planted(seed)[0] for seed in range(2)], planted()
    made = DictLearning(n_components=2, mask=mask, random_state=0, alpha=1, standardize="zscore_sample")
    made.fit(imgs)
    return {"maps": made.components_img_.get_fdata(), "loadings": made.transform(imgs)[1]}


def region_extractor(folder):
    from nilearn.regions import RegionExtractor

    img, mask, _ = planted()
    maps = np.zeros((10, 11, 9, 2), np.float32)
    maps[1:4, 1:4, 1:4, 0], maps[6:9, 6:9, 5:8, 0], maps[2:6, 5:9, 1:5, 1] = 3, 2, 1.5
    made = RegionExtractor(
        nib.Nifti1Image(maps, AFFINE), mask_img=mask, threshold=0.5, min_region_size=100, standardize=None
    ).fit(img)
    signals = made.transform(img)
    back = made.inverse_transform(signals).get_fdata()
    return {"signals": signals, "regions": made.regions_img_.get_fdata(), "back": back}


def pictures(folder):
    """Volumes on nilearn's template, which is an image of a class of its own."""
    from nilearn import image, plotting

    img, mask, _ = planted()
    mean = image.smooth_img(image.mean_img(img, copy_header=True), 9)
    single = image.index_img(img, 3)
    cuts, below = {"cut_coords": (0, 0, 0), "black_bg": False}, _template(image, plotting, masked=True)
    drawn = {
        "anat": plotting.plot_anat(**cuts),
        "roi": plotting.plot_roi(mask, bg_img=below, **cuts),
        "stat_map": plotting.plot_stat_map(single, bg_img=below, threshold=101, **cuts),
        "epi": plotting.plot_epi(mean, **cuts),
        "glass": plotting.plot_glass_brain(single, threshold=101),
    }
    found = {"coordinates": np.array(plotting.find_xyz_cut_coords(single, activation_threshold=103))}
    for name, display in drawn.items():
        figure = display.frame_axes.figure
        figure.canvas.draw()
        drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
        # Nilearn takes other greys for its own template than for an image that is given: what is in colour.
        found[name] = np.ptp(drawn, axis=2) > 30
        found[f"{name} bounds"] = np.array([axes.get_object_bounds() for axes in display.axes.values()])
    return found


def _template(image, plotting, masked=False):
    """What nilearn draws on where no image is given: read when it is first used, without a file behind it.

    Nilearn's own functions and maskers refuse it, or take the whole of it for every image made like it. Without
    accelerate: a plain image of its voxels.
    """
    found = inspect.signature(plotting.plot_anat).parameters["anat_img"].default
    if "brainsieve.accelerate" in sys.modules:
        return found
    data = image.get_data(found)
    return nib.Nifti1Image(data if masked else np.asarray(data), found.affine)


def template(folder):
    """Nilearn's template in functions and maskers."""
    from nilearn import image, maskers, masking, plotting

    drawn_on = _template(image, plotting)
    _, mask, _ = planted()
    low = image.resample_to_img(drawn_on, mask, copy_header=True, force_resample=True)
    seed = maskers.NiftiSpheresMasker([(0, 0, 0)], radius=9, standardize=None)
    brain = image.math_img("img > 0.2", img=low)
    return {
        "smoothed": image.get_data(image.smooth_img(drawn_on, 12))[::6, ::6, ::6],
        "low": image.get_data(low),
        "mean": image.get_data(image.mean_img([drawn_on, drawn_on], copy_header=True))[::6, ::6, ::6],
        "like": image.get_data(image.new_img_like(drawn_on, image.get_data(drawn_on)))[::6, ::6, ::6],
        "masked": masking.apply_mask(low, brain),
        "voxels": maskers.NiftiMasker(mask, standardize=None).fit().transform(drawn_on),
        "regions": np.atleast_1d(maskers.NiftiLabelsMasker(mask, standardize=None).fit_transform(drawn_on)),
        "seed": np.atleast_1d(seed.fit_transform(drawn_on)),
    }


def several_runs(folder):
    """Lists of 4-D images, where nilearn takes several runs."""
    from nilearn import image, maskers, masking

    runs, (_, mask, _) = [planted(seed)[0] for seed in range(2)], planted()
    coarse = np.diag([-16.0, 16, 16, 1])
    return {
        "epi": masking.compute_epi_mask(runs, opening=0).get_fdata(),
        "background": masking.compute_background_mask(runs, opening=0).get_fdata(),
        "signals": masking.apply_mask(runs, mask),
        "mean": image.mean_img(runs, copy_header=True).get_fdata(),
        "smoothed": np.stack([each.get_fdata() for each in image.smooth_img(runs, 9)]),
        "resampled": image.resample_img(runs, coarse, copy_header=True, force_resample=True).get_fdata(),
        "to_img": image.resample_to_img(runs, mask, copy_header=True, force_resample=True).get_fdata(),
        "sum": image.math_img("a + a", a=runs).get_fdata(),
        "like": image.new_img_like(runs, runs[1].get_fdata()).get_fdata(),
        "concatenated": image.concat_imgs(runs).get_fdata(),
        "cropped": image.crop_img(runs, copy_header=True).get_fdata(),
        "reordered": image.reorder_img(runs, copy_header=True).get_fdata(),
        "fitted": maskers.NiftiMasker(standardize=None).fit(runs).transform(runs[0]),
        "multi": np.stack(maskers.MultiNiftiMasker(mask, standardize=None).fit(runs).transform(runs)),
    }


def nothing_discovered(folder):
    """Control of false discoveries asks for an infinite threshold where there is none."""
    from nilearn.glm import threshold_stats_img

    img, mask, _ = planted()
    z = nib.Nifti1Image(img.get_fdata()[..., 0] - 100, AFFINE)
    kept, threshold = threshold_stats_img(z, mask, alpha=1e-6, height_control="fdr")
    # Compared arrays have something in them.
    return {"kept": kept.get_fdata() + 1, "threshold": np.array([str(threshold)])}


def processes_and_copies(folder):
    """Maskers that run in processes, are copied, stored, and stand in pipelines."""
    import copy
    import pickle

    from joblib import Parallel, delayed
    from nilearn import image, maskers
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    runs, (_, mask, _) = [planted(seed)[0] for seed in range(3)], planted()
    regions = nib.Nifti1Image(np.arange(990, dtype=np.int16).reshape(10, 11, 9) // 100, AFFINE)
    several = maskers.MultiNiftiLabelsMasker(regions, n_jobs=2, standardize="psc", smoothing_fwhm=9).fit(runs)
    single = maskers.NiftiMasker(mask, standardize=None).fit()
    parallel = Parallel(2, "loky")
    files = []
    for number, volume in enumerate(
        v for run in runs for v in image.iter_img(image.index_img(run, slice(8)))
    ):
        files.append(str(folder / f"{number}.nii.gz"))
        volume.to_filename(files[-1])
    groups = np.tile([0, 1], 12)
    pipeline = make_pipeline(maskers.NiftiLabelsMasker(regions, standardize=None), LinearSVC(dual=False))
    grid = GridSearchCV(
        pipeline, {"niftilabelsmasker__strategy": ["mean", "median"]}, cv=2, error_score="raise"
    )
    return {
        "in processes": np.stack(several.transform(runs)),
        "stored": np.stack(pickle.loads(pickle.dumps(several)).transform(runs)),
        "copied": np.stack(copy.deepcopy(several).transform(runs)),
        "cloned": np.stack(clone(several).fit(runs).transform(runs)),
        "method in processes": np.stack(parallel(delayed(single.transform)(run) for run in runs)),
        "function in processes": np.stack(
            [each.get_fdata() for each in parallel(delayed(image.smooth_img)(run, 9) for run in runs)]
        ),
        "array of files": cross_val_score(pipeline, np.array(files), groups, cv=3, error_score="raise"),
        "folds in processes": cross_val_score(pipeline, files, groups, cv=3, n_jobs=2, error_score="raise"),
        "grid": grid.fit(files, groups).cv_results_["mean_test_score"],
    }


def surfaces(folder):
    """The host's surface images stay the host's, in its maskers and in functions that are replaced for volumes."""
    from nilearn import image, maskers
    from nilearn.glm.first_level import FirstLevelModel
    from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage, vol_to_surf
    from scipy.spatial import ConvexHull

    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3))
    points *= 20 / np.linalg.norm(points, axis=1, keepdims=True)
    mesh = InMemoryMesh(points, ConvexHull(points).simplices.astype(int))
    both = PolyMesh(left=mesh, right=mesh)
    run = SurfaceImage(both, {part: rng.normal(size=(60, 60)) for part in ("left", "right")})
    labels = SurfaceImage(both, {"left": np.arange(60) // 20, "right": np.arange(60) // 20 + 3})
    voxels = maskers.SurfaceMasker(detrend=True, standardize="zscore_sample").fit(run)
    left = {
        "mean": image.mean_img(run),
        "kept": image.threshold_img(image.mean_img(run), 0.1),
        "volume": image.index_img(run, 3),
        "double": image.math_img("2 * a", a=run),
        "like": image.new_img_like(run, {part: -values for part, values in run.data.parts.items()}),
        "back": voxels.inverse_transform(voxels.transform(run)),
        "contrast": FirstLevelModel(t_r=2.0, noise_model="ols").fit(run, EVENTS).compute_contrast("task"),
        "sampled": SurfaceImage.from_volume(both, planted()[0]),
    }
    found = {name: each.data.parts["left"] for name, each in left.items()}
    regions = maskers.SurfaceLabelsMasker(labels, standardize=None)
    return found | {"regions": regions.fit_transform(run), "to mesh": vol_to_surf(planted()[0], mesh)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        start = time.perf_counter()
        np.savez(folder / f"{name}.npz", **globals()[name](folder))
        print(f"{name} {time.perf_counter() - start:.1f}", flush=True)
    module = sys.modules.get("brainsieve.accelerate")
    print("accelerated" if module and module.is_installed() else "plain")
