"""SecondLevelModel: least squares over the maps of a group."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from brainsieve.checks import a_bool, one_of
from brainsieve.glm.contrasts import StatType, checked_stat_type
from brainsieve.glm.estimates import Estimate, Noise
from brainsieve.glm.first_level.model import OUTPUTS, TITLES, OutputType
from brainsieve.glm.fitting import fit_series
from brainsieve.glm.reports import ReportedModel
from brainsieve.glm.results import results_of
from brainsieve.glm.second_level.design_matrix import checked_confounds
from brainsieve.glm.second_level.inputs import Group
from brainsieve.glm.second_level.study import Study, contrast_matrix
from brainsieve.glm.second_level.values import masker_of, values_of
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.typing import ImagesLike, MemoryLike, NiimgLike

if TYPE_CHECKING:
    import pandas as pd


class SecondLevelModel(ReportedModel, BaseEstimator):
    """A general linear model of a group: one map a subject.

    Parameters
    ----------
    mask_img : image, masker or None, default=None
        Which points. None: the background mask of the maps, of surfaces all vertices. A fitted masker is used as it is.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of the masker that is made, as all to `memory_level`.
    target_shape : tuple of 3 int, default=None
    smoothing_fwhm : float, default=None
        In mm.
    memory : path or joblib.Memory, default=None
        Where to cache values. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=1
    verbose : int, default=0
    n_jobs : int, default=1
        Taken for the sake of scripts: a model of a group is one small product of matrices.
    minimize_memory : bool, default=True
        False keeps the maps' values, for `residuals_`.
    reports : bool, default=True
        Whether the masker keeps what its report shows.

    Attributes
    ----------
    second_level_input_ : list or pandas.DataFrame
        Images, models, or the table in the order of its labels.
    design_matrix_ : pandas.DataFrame
        A row for each map; of a table with maps of several names, a row for each subject.
    confounds_ : pandas.DataFrame or None
    masker_ : fitted masker
        After `fit` on images, and for others where `mask_img` says what it is.
    residuals_, predicted_, r_square_ : images
        Y - Xβ, Xβ, and 1 - Σ residual² / Σ (y - mean)²; of a model of images.

    Notes
    -----
    Least squares with white noise: t has the number of maps less the rank of the design as degrees of freedom.
    """

    def __init__(
        self,
        mask_img: NiimgLike | Any = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        smoothing_fwhm: float | None = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        n_jobs: int = 1,
        minimize_memory: bool = True,
        reports: bool = True,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def fit(
        self,
        second_level_input: ImagesLike | pd.DataFrame | Sequence[Any],
        confounds: pd.DataFrame | str | os.PathLike[str] | None = None,
        design_matrix: pd.DataFrame | str | os.PathLike[str] | None = None,
    ) -> SecondLevelModel:
        """Take maps and design; maps of images are read and fitted.

        Parameters
        ----------
        second_level_input : list of images, 4-D image, data frame, or list of first-level models
            Images need a design. A data frame has ``subject_label``, ``map_name`` and ``effects_map_path``. Models are
            fitted, and have a ``subject_label``.
        confounds : data frame or path, optional
            With ``subject_label`` and columns of numbers; an intercept is added. For a table or models.
        design_matrix : data frame or path, optional
            A row a map. Labels, in a column ``subject_label`` or as the index, match it with a table or with models;
            without them its rows are in the order of these. Default: of `confounds`, else an intercept.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For an input that is none of these or has less than two maps, and a design that does not match it.
        """
        a_bool("minimize_memory", self.minimize_memory)
        study = Study.of(second_level_input, confounds, design_matrix)
        table = None if confounds is None else checked_confounds(confounds)
        masker = estimate = values = None
        if study.is_of_images:
            masker, values, estimate = self._fitted(study.group, study.design)
        # From here on nothing fails: a model that was fitted before is whole until then.
        self._study, self.design_matrix_, self.confounds_ = study, study.design, table
        self.second_level_input_ = study.group.kept
        self._masker, self._estimate = masker, estimate
        self._values = None if self.minimize_memory else values
        return self

    def _fitted(self, maps: Group, design: pd.DataFrame) -> tuple[Any, NDArray[np.float64], Estimate]:
        """Masker, values and estimate of maps whose rows are those of the design."""
        masker = masker_of(self.mask_img, self._masker_parameters(), maps.kept)
        values = values_of(masker, maps)
        log(
            self.verbose,
            1,
            f"SecondLevelModel: {len(values)} maps, {values.shape[1]} points, {design.shape[1]} columns.",
        )
        names = [str(name) for name in design.columns]
        fitted = fit_series(
            lambda: iter([values.copy()]),
            values.shape[1],
            design.to_numpy(),
            names,
            Noise(0),
            name="second_level_input",
        )
        return masker, values, fitted.estimate

    def _masker_parameters(self) -> dict[str, Any]:
        names = (
            "target_affine",
            "target_shape",
            "smoothing_fwhm",
            "memory",
            "memory_level",
            "verbose",
            "reports",
        )
        return {name: getattr(self, name) for name in names}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "design_matrix_")

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("This SecondLevelModel is not fitted yet; call fit first.")

    # -- contrasts -------------------------------------------------------------------------------------

    def compute_contrast(
        self,
        second_level_contrast: str | ArrayLike | None = None,
        first_level_contrast: str | ArrayLike | None = None,
        second_level_stat_type: StatType | None = None,
        output_type: OutputType = "z_score",
    ) -> Any:
        """Test a combination of columns at every point.

        Parameters
        ----------
        second_level_contrast : str or array, default=None
            Names of columns with ``+``, ``-``, ``* number``, ``/ number``; or weights, of shape (n_columns,) or
            (q, n_columns). None: the one column of the design.
        first_level_contrast : str or array, default=None
            Of a table, the ``map_name`` of the maps, where there are several; of first-level models, their contrast.
        second_level_stat_type : {"t", "F"}, default=None
            None: t for one row, F for several.
        output_type : {"z_score", "stat", "p_value", "effect_size", "effect_variance", "all"}, default="z_score"

        Returns
        -------
        image, or dict of the five where `output_type` is "all"
            p is one-sided. For F, `effect_size` has q volumes of whitened effects, and `effect_variance` the
            dispersion. NaN where a map is not finite, or the contrast cannot be estimated.

        Raises
        ------
        NotFittedError
        ValueError
            For names that are no columns, weights that are all 0 or too many, and maps that are not there.
        """
        self._check_is_fitted()
        one_of(*OUTPUTS, "all")("output_type", output_type)
        matrix, title = contrast_matrix(second_level_contrast, self.design_matrix_)
        stat_type = checked_stat_type(second_level_stat_type, matrix)
        masker, estimate = self._estimated(first_level_contrast)
        contrast = estimate.contrast(matrix, stat_type)
        values = {
            "z_score": contrast.z_score,
            "stat": contrast.stat,
            "p_value": contrast.p_value,
            "effect_size": contrast.effect_size,
            "effect_variance": contrast.effect_variance,
        }
        wanted = OUTPUTS if output_type == "all" else (output_type,)
        images = {
            name: _image(masker, values[name](), f"{TITLES[name]} of contrast {title}") for name in wanted
        }
        return images if output_type == "all" else images[output_type]

    def contrast_weights(
        self, second_level_contrast: str | ArrayLike | None
    ) -> list[NDArray[np.float64] | None]:
        """The weights (q, n_columns) that a contrast gives the columns of the design, in a list of one.

        Parameters
        ----------
        second_level_contrast : str or array, or None

        Returns
        -------
        weights : list of array
        """
        self._check_is_fitted()
        return [contrast_matrix(second_level_contrast, self.design_matrix_)[0]]

    def _estimated(self, first_level_contrast: Any) -> tuple[Any, Estimate]:
        """Masker and estimate: those of `fit`, or of maps that a contrast of the first level chooses."""
        if self._estimate is not None:
            if first_level_contrast is not None:
                warn("first_level_contrast is not used: second_level_input are images.")
            return self._masker, self._estimate
        masker, _, estimate = self._fitted(*self._study.maps(first_level_contrast))
        return masker, estimate

    # -- what fit found --------------------------------------------------------------------------------

    @property
    def masker_(self) -> Any:
        """The masker of the maps."""
        if getattr(self, "_masker", None) is None:
            raise AttributeError(
                "masker_ is known after fit on images; of a table or models it depends on the contrast."
            )
        return self._masker

    @property
    def n_elements_(self) -> int:
        """Number of points of the mask."""
        return int(self.masker_.n_elements_)

    @property
    def labels_(self) -> NDArray:
        """0.0 for each point: noise is white."""
        return results_of(self._of_images("labels_"))[0]

    @property
    def results_(self) -> dict[Any, Any]:
        """What was estimated, as `run_glm` gives it."""
        return results_of(self._of_images("results_"))[1]

    @property
    def r_square_(self) -> Any:
        """Share of the variance that the design explains."""
        estimate = self._of_images("r_square_")
        return self.masker_.inverse_transform(estimate.r_square)

    @property
    def predicted_(self) -> Any:
        """Xβ, one sample a map."""
        coefficients = self._of_images("predicted_").coefficients
        return self.masker_.inverse_transform(self.design_matrix_.to_numpy() @ coefficients)

    @property
    def residuals_(self) -> Any:
        """Y - Xβ, one sample a map."""
        estimate = self._of_images("residuals_")
        if self._values is None:
            raise AttributeError(
                "residuals_ needs the maps' values: make the model with minimize_memory=False."
            )
        return self.masker_.inverse_transform(
            self._values - self.design_matrix_.to_numpy() @ estimate.coefficients
        )

    def _of_images(self, name: str) -> Estimate:
        estimate: Estimate | None = getattr(self, "_estimate", None)
        if estimate is None:
            raise AttributeError(f"{name} is of a model that was fitted to images.")
        return estimate


def _image(masker: Any, values: NDArray[np.float64], title: str) -> Any:
    img = masker.inverse_transform(values)
    header = getattr(img, "header", None)
    if header is not None and "descrip" in getattr(header, "keys", dict)():
        header["descrip"] = title.encode("ascii", "replace")[:79]
    return img
