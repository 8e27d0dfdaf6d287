"""Arithmetic on images: expressions, thresholds, components, crops, mirrors."""

from __future__ import annotations

import ast
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainsieve.image.loading import check_niimg, get_data, new_img_like
from brainsieve.image.resampling import reorder_img, resample_to_img


def math_img(formula: str, copy_header_from: str | None = None, **imgs: Any) -> Any:
    """Evaluate a numpy expression on images.

    Parameters
    ----------
    formula : str
        Such as ``"a - b.mean(axis=-1)[..., None]"``; numpy is ``np``. Nothing else is known to it.
    copy_header_from : str, optional
        Name of the image whose header the result has. Default: none.
    **imgs : image-like
        By the names in the formula, all on one grid.

    Returns
    -------
    img : nibabel image

    Raises
    ------
    ValueError
        If the formula cannot be evaluated, or the images' grids differ.
    """
    if not imgs:
        raise ValueError(f"math_img: no image was given for the formula {formula!r}.")
    images = {name: check_niimg(img) for name, img in imgs.items()}
    first = next(iter(images.values()))
    for name, img in images.items():
        if img.shape[:3] != first.shape[:3] or not np.allclose(img.affine, first.affine):
            raise ValueError(
                f"math_img: image {name!r} is on another grid ({img.shape[:3]}) than {next(iter(images))!r} "
                f"({first.shape[:3]}); resample it first (resample_to_img)."
            )
    if copy_header_from is not None and copy_header_from not in images:
        raise ValueError(f"copy_header_from={copy_header_from!r} is none of the images {', '.join(images)}.")
    result = _evaluated(formula, {name: get_data(img) for name, img in images.items()})
    if copy_header_from is None:
        return new_img_like(first, result, copy_header=False)
    return new_img_like(images[copy_header_from], result)


def _evaluated(formula: str, arrays: dict[str, NDArray]) -> NDArray:
    try:
        tree = ast.parse(formula, mode="eval")
        for node in ast.walk(tree):
            # Attributes with underscores lead out of arrays and into the interpreter.
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                raise ValueError(f"the attribute {node.attr!r} is not allowed")
        scope = {"__builtins__": {}, "np": np, **arrays}
        return np.asanyarray(eval(compile(tree, "<formula>", "eval"), scope))
    except Exception as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"math_img: the formula {formula!r} on {shapes} failed: {type(error).__name__}: {error}"
        ) from error


def binarize_img(
    img: Any, threshold: Any = 0.0, mask_img: Any = None, two_sided: bool = False, copy_header: bool = True
) -> Any:
    """1 where an image is above a threshold, 0 elsewhere.

    Parameters
    ----------
    img : image-like
    threshold : float or str, default=0.0
        A value, or a percentile such as "80%".
    mask_img : image-like, optional
        Voxels outside are 0.
    two_sided : bool, default=False
        Compare absolute values.
    copy_header : bool, default=True

    Returns
    -------
    img : nibabel image
        int8.
    """
    img = check_niimg(img)
    kept = threshold_img(img, threshold, mask_img=mask_img, two_sided=two_sided)
    data = get_data(kept)
    above = np.abs(data) > 0 if two_sided else data > 0
    if not isinstance(threshold, str):
        values = np.abs(data) if two_sided else data
        above &= values > threshold
    return new_img_like(img, above.astype(np.int8), copy_header=copy_header)


def threshold_img(
    img: Any,
    threshold: Any,
    cluster_threshold: int = 0,
    two_sided: bool = True,
    mask_img: Any = None,
    copy: bool = True,
    copy_header: bool = True,
) -> Any:
    """Set what lies below a threshold to 0.

    Parameters
    ----------
    img : image-like
        3-D or 4-D.
    threshold : float or str
        A value, or a percentile such as "80%" of the absolute values (of the positive ones if
        one-sided). Values equal to it stay.
    cluster_threshold : int, default=0
        Clusters of fewer voxels (touching by faces) are set to 0 too.
    two_sided : bool, default=True
        Compare absolute values; False keeps values on the side of the threshold's sign only.
    mask_img : image-like, optional
        Voxels outside are 0; resampled to the image.
    copy : bool, default=True
        The image given is never modified, whatever this says.
    copy_header : bool, default=True

    Returns
    -------
    img : nibabel image

    Raises
    ------
    ValueError, TypeError
        For a threshold or cluster size that is none.
    """
    img = check_niimg(img)
    data = np.array(get_data(img))
    if data.dtype.kind == "f":
        data[~np.isfinite(data)] = 0
    if mask_img is not None:
        from brainsieve.masking import load_mask_img

        mask = load_mask_img(resample_to_img(mask_img, img, interpolation="nearest"))[0]
        data[~mask] = 0
    if isinstance(cluster_threshold, bool) or cluster_threshold < 0:
        raise ValueError(f"cluster_threshold is a number of voxels; {cluster_threshold!r} was given.")
    value = threshold_value(threshold, np.abs(data) if two_sided else data)
    if two_sided and value < 0:
        raise ValueError(f"threshold must not be negative where two_sided is True; {threshold!r} was given.")
    if two_sided:
        data[np.abs(data) < value] = 0
    elif value >= 0:
        data[data < value] = 0
    else:
        data[data > value] = 0
    if cluster_threshold > 0:
        volumes = data[..., None] if data.ndim == 3 else data
        for i in range(volumes.shape[3]):
            _drop_small_clusters(volumes[..., i], cluster_threshold)
    return new_img_like(img, data, copy_header=copy_header)


def threshold_value(threshold: Any, values: NDArray) -> float:
    """A threshold as a number: percentiles such as "80%" are of the positive values."""
    if isinstance(threshold, str):
        try:
            share = float(threshold.removesuffix("%"))
        except ValueError:
            share = np.nan
        if not threshold.endswith("%") or not 0 <= share <= 100:
            raise ValueError(
                f"threshold must be a number or a percentile such as '80%'; {threshold!r} was given."
            )
        others = values[values > 0]
        return float(np.percentile(others, share)) if others.size else 0.0
    if isinstance(threshold, bool) or not np.isscalar(threshold):
        raise TypeError(f"threshold must be a number or a percentile such as '80%'; {threshold!r} was given.")
    if not np.isfinite(threshold):
        raise ValueError(f"threshold must be finite; {threshold!r} was given.")
    return float(threshold)  # type: ignore[arg-type]


def _drop_small_clusters(volume: NDArray, least: int) -> None:
    """Set clusters of fewer than `least` voxels to 0, in place; positive and negative ones apart."""
    for side in (volume > 0, volume < 0):
        labels, _ = ndimage.label(side)
        sizes = np.bincount(labels.ravel())
        sizes[0] = least
        volume[(sizes < least)[labels]] = 0


def largest_connected_component_img(imgs: Any) -> Any:
    """1 in the largest connected component of each image (voxels touch by faces), 0 elsewhere.

    Parameters
    ----------
    imgs : image-like, or list of 3-D images

    Returns
    -------
    img : nibabel image, or list of these

    Raises
    ------
    ValueError
        If an image is 0 everywhere.
    """
    from brainsieve.masking import largest_component

    if isinstance(imgs, list | tuple):
        return [largest_connected_component_img(img) for img in imgs]
    img = check_niimg(imgs, ensure_ndim=3)
    data = np.array(get_data(img))
    return new_img_like(img, largest_component(data != 0).astype(data.dtype))


def crop_img(
    img: Any,
    rtol: float = 1e-8,
    copy: bool = True,
    pad: bool = True,
    return_offset: bool = False,
    copy_header: bool = True,
) -> Any:
    """Cut an image to the box that holds what is not 0.

    Parameters
    ----------
    img : image-like
        3-D or 4-D.
    rtol : float, default=1e-8
        Values of at most this share of the largest absolute value are 0.
    copy : bool, default=True
        Copy the data.
    pad : bool, default=True
        Leave one voxel on each side where the image has it.
    return_offset : bool, default=False
        Also give the slices that were cut out.
    copy_header : bool, default=True

    Returns
    -------
    img : nibabel image
    offset : tuple of 3 slice
        If `return_offset`.
    """
    img = check_niimg(img)
    data = get_data(img)
    finite = np.where(np.isfinite(data), data, 0)
    largest = np.abs(finite).max()
    inside = np.abs(finite) > rtol * largest
    if data.ndim == 4:
        inside = inside.any(axis=-1)
    voxels = np.argwhere(inside)
    if not len(voxels):
        box = tuple(slice(0, n) for n in data.shape[:3])
    else:
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        if pad:
            low, high = np.maximum(low - 1, 0), np.minimum(high + 1, data.shape[:3])
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    affine = img.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(img.affine, [part.start for part in box])
    part = np.array(data[box]) if copy else data[box]
    cropped = new_img_like(img, part, affine, copy_header)
    return (cropped, box) if return_offset else cropped


def swap_img_hemispheres(img: Any) -> Any:
    """Mirror an image left to right.

    Parameters
    ----------
    img : image-like
        3-D.

    Returns
    -------
    img : nibabel image
        Turned to RAS first; the affine stays, the data are mirrored.
    """
    turned = reorder_img(check_niimg(img, ensure_ndim=3))
    return new_img_like(turned, get_data(turned)[::-1])
