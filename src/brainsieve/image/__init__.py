"""Tools for images: loading, indexing, resampling, smoothing, arithmetic, cleaning."""

from brainsieve.image.arithmetic import crop_img, math_img, swap_img_hemispheres
from brainsieve.image.loading import (
    check_niimg,
    check_niimg_3d,
    check_niimg_4d,
    copy_img,
    get_data,
    load_img,
    new_img_like,
)
from brainsieve.image.resampling import (
    coord_transform,
    get_bounds,
    reorder_img,
    resample_img,
    resample_to_img,
)
from brainsieve.image.series import concat_imgs, index_img, iter_img
from brainsieve.image.streaming import clean_img, high_variance_confounds, mean_img, smooth_img
from brainsieve.image.thresholds import binarize_img, largest_connected_component_img, threshold_img

__all__ = [
    "binarize_img",
    "check_niimg",
    "check_niimg_3d",
    "check_niimg_4d",
    "clean_img",
    "concat_imgs",
    "coord_transform",
    "copy_img",
    "crop_img",
    "get_bounds",
    "get_data",
    "high_variance_confounds",
    "index_img",
    "iter_img",
    "largest_connected_component_img",
    "load_img",
    "math_img",
    "mean_img",
    "new_img_like",
    "reorder_img",
    "resample_img",
    "resample_to_img",
    "smooth_img",
    "swap_img_hemispheres",
    "threshold_img",
]


def __dir__() -> list[str]:
    return __all__
