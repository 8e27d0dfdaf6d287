"""ConnectivityMeasure: a matrix of connections for each subject."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.covariance import LedoitWolf
from sklearn.exceptions import NotFittedError

from brainsieve.connectome.subjects import Subjects, constant_features, read_subjects
from brainsieve.connectome.symmetric import cov_to_corr, prec_to_partial, sym_matrix_to_vec, vec_to_sym_matrix
from brainsieve.connectome.tangent import from_tangent, geometric_mean, of_eigenvalues, whitened_logs
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.maskers.output import as_container
from brainsieve.signal import clean, standardize_signal

Kind = Literal["covariance", "correlation", "partial correlation", "tangent", "precision"]
KINDS = ("covariance", "correlation", "partial correlation", "tangent", "precision")
# Kinds that need the inverse, hence a covariance of full rank.
INVERTED = ("partial correlation", "tangent", "precision")
# A feature of which the others explain all but this share of its variance makes a covariance singular.
LEAST_OWN_VARIANCE = 1e-12


class ConnectivityMeasure(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Connectivity of the series of each subject.

    Parameters
    ----------
    cov_estimator : estimator, optional
        With ``fit`` and ``covariance_``, as those of `sklearn.covariance`. Default:
        ``LedoitWolf(store_precision=False)``.
    kind : {"covariance", "correlation", "partial correlation", "tangent", "precision"}, default="covariance"
        "tangent": the matrix logarithm of the covariance, whitened by the geometric mean of the group that was fitted.
    vectorize : bool, default=False
        Give lower triangles as rows (see `sym_matrix_to_vec`) instead of matrices.
    discard_diagonal : bool, default=False
        Leave the diagonal out of these rows.
    standardize : {True, False, "zscore_sample", None}, default=True
        z-score series (ddof 1) before the covariance, for kind="correlation" alone: the shrinkage of Ledoit and Wolf
        depends on the units.
    verbose : int, default=0
    keep_mean : bool, default=False
        What `confounds` of `transform` do. True: they are regressed out of each feature, whose mean over subjects
        stays. False, as in nilearn: features are also detrended over the order of the subjects and z-scored over them;
        a warning says so.

    Attributes
    ----------
    cov_estimator_ : estimator
        Fitted to the last subject.
    mean_ : array of shape (F, F)
        Mean of the matrices of the group; for "tangent" the geometric mean of its covariances.
    whitening_ : array of shape (F, F) or None
        Inverse square root of the geometric mean, for "tangent".
    n_features_in_ : int
        Number of regions, F.
    feature_names_in_ : array of str
        Names of the regions, if data frames were given.

    Notes
    -----
    Tangent space: Varoquaux et al. 2010, doi:10.1007/978-3-642-15705-9_25. Shrinkage: Ledoit and Wolf 2004,
    doi:10.1016/S0047-259X(03)00096-4.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> group = [rng.normal(size=(100, 4)) for _ in range(3)]
    >>> ConnectivityMeasure(kind="correlation", vectorize=True, discard_diagonal=True).fit_transform(group).shape
    (3, 6)
    """

    def __init__(
        self,
        cov_estimator: Any = None,
        kind: Kind = "covariance",
        vectorize: bool = False,
        discard_diagonal: bool = False,
        standardize: bool | str | None = True,
        verbose: int = 0,
        keep_mean: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit and transform -----------------------------------------------------------------------------

    def fit(self, X: Any, y: None = None) -> ConnectivityMeasure:
        """Find the mean of a group.

        Parameters
        ----------
        X : array of shape (T, F) or (n, T, F), data frame, or iterable of arrays or frames of shape (T_k, F)
            Series of one or more subjects. T may differ between subjects.
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For a parameter or subject that is not what it should be; for a covariance that cannot be inverted
            where `kind` needs that. The message names the subject.
        """
        self._fit(X)
        return self

    def _fit(self, X: Any) -> NDArray:
        """Fit, and give the matrices of the subjects: covariances where the kind is "tangent"."""
        self._check_parameters()
        subjects = read_subjects(X, "X")
        log(
            self.verbose,
            1,
            f"ConnectivityMeasure: {len(subjects.series)} subjects, {subjects.n_features} regions.",
        )
        matrices, estimator = self._matrices(subjects)
        mean = geometric_mean(matrices) if self.kind == "tangent" else matrices.mean(axis=0)
        # Attributes are set when nothing can fail any more: a refit that fails changes nothing.
        self.cov_estimator_ = estimator
        self.mean_ = (mean + mean.T) / 2
        self.whitening_: NDArray | None = None
        if self.kind == "tangent":
            self.whitening_ = of_eigenvalues(self.mean_, lambda w: 1 / np.sqrt(w))[0]
        self.n_features_in_ = subjects.n_features
        self.__dict__.pop("feature_names_in_", None)  # scikit-learn's name, there where names are
        if subjects.names is not None:
            self.feature_names_in_ = np.asarray(subjects.names, dtype=object)
        return matrices

    def fit_transform(self, X: Any, y: None = None, confounds: ArrayLike | None = None) -> Any:
        """Fit to a group, and give the matrices of its subjects.

        Parameters
        ----------
        X : array of shape (n, n_samples, n_features), or iterable of arrays or data frames (n_samples, n_features)
            Series of each subject.
        y : None, default=None
            Ignored; there for scikit-learn.
        confounds : array of shape (n, n_confounds) or data frame, default=None
            Values of each subject to regress out of the rows; needs ``vectorize=True``.

        Returns
        -------
        connectivities : array of shape (n, F, F), or (n, n_values) with `vectorize`
            Rows are a data frame if `set_output` says so.

        Raises
        ------
        ValueError
            Also for one subject with kind="tangent": it would be its own mean, and the result 0.
        """
        self._check_confounds_allowed(confounds)
        matrices = self._fit(X)
        if self.kind == "tangent":
            if len(matrices) == 1:
                raise ValueError(
                    "X has one subject; kind='tangent' needs a group: the subject would be its own mean. Fit to a "
                    "group, then transform."
                )
            matrices = self._in_tangent_space(matrices)
        return self._given(matrices, confounds)

    def transform(self, X: Any, confounds: ArrayLike | None = None) -> Any:
        """Give the matrix of each subject.

        Parameters
        ----------
        X : array or iterable of arrays
            Series of each subject, with the number of regions that `fit` saw.
        confounds : array of shape (n, n_confounds) or data frame, optional
            Values of each subject (age, say) to regress out of the rows; needs ``vectorize=True``. See `keep_mean`.

        Returns
        -------
        connectivities : array of shape (n, F, F), or (n, n_values) with `vectorize`
            float32 for float32 series; rows are a data frame if `set_output` says so.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For series that are none, another number of regions, or another number of rows of confounds.
        """
        self._check_is_fitted()
        self._check_confounds_allowed(confounds)
        subjects = read_subjects(X, "X")
        if subjects.n_features != self.n_features_in_:
            raise ValueError(f"X has {subjects.n_features} features; {self.n_features_in_} were fitted.")
        matrices, _ = self._matrices(subjects)
        if self.kind == "tangent":
            matrices = self._in_tangent_space(matrices)
        return self._given(matrices, confounds)

    def _matrices(self, subjects: Subjects) -> tuple[NDArray, Any]:
        """Matrices (n, F, F), covariances for "tangent", and the estimator of the last one."""
        covariances = []
        # Products are small: threads of BLAS would cost more than they give, tens of times with two cores.
        with single_threaded_blas():
            for series in subjects.series:
                if self.kind == "correlation" and self.standardize in (True, "zscore_sample"):
                    series = standardize_signal(series, detrend=False, standardize="zscore_sample")
                if self.cov_estimator is None:
                    covariance = ledoit_wolf(series)
                else:
                    fitted = clone(self.cov_estimator).fit(series)
                    covariance = fitted.covariance_
                covariances.append(covariance.astype(series.dtype, copy=False))
            if self.cov_estimator is None:
                fitted = LedoitWolf(store_precision=False).fit(series)
        matrices = np.stack(covariances)
        if self.kind in INVERTED:
            _refuse_singular(matrices, subjects)
        if self.kind == "correlation":
            matrices = cov_to_corr(matrices)
        elif self.kind in ("precision", "partial correlation"):
            matrices = np.linalg.inv(matrices)
            matrices = (matrices + np.swapaxes(matrices, 1, 2)) / 2
            if self.kind == "partial correlation":
                matrices = prec_to_partial(matrices)
        return matrices, fitted

    def _in_tangent_space(self, covariances: NDArray) -> NDArray:
        assert self.whitening_ is not None
        return whitened_logs(covariances, self.whitening_)

    def _given(self, matrices: NDArray, confounds: Any) -> Any:
        if not self.vectorize:
            return matrices
        vectors = sym_matrix_to_vec(matrices, discard_diagonal=self.discard_diagonal)
        vectors = vectors.astype(matrices.dtype, copy=False)
        if confounds is not None:
            vectors = self._cleaned(vectors, confounds)
        return as_container(self, vectors, self.get_feature_names_out)

    def _cleaned(self, vectors: NDArray, confounds: Any) -> NDArray:
        if self.keep_mean:
            mean = vectors.mean(axis=0)
            return mean + clean(
                vectors - mean, confounds=_centred(confounds), detrend=False, standardize=None
            )
        warn(
            "confounds: features are detrended over the order of the subjects and z-scored over subjects as well, as "
            "nilearn does; keep_mean=True regresses the confounds out and leaves the rest as it is."
        )
        return clean(vectors, confounds=confounds)

    def inverse_transform(self, connectivities: ArrayLike, diagonal: ArrayLike | None = None) -> NDArray:
        """Put rows back into matrices; from tangent space, back to covariances.

        Parameters
        ----------
        connectivities : array of shape (n, F, F), (n, n_values), (F, F) or (n_values,)
            What `transform` gave; other kinds than "tangent" are not turned back into covariances.
        diagonal : array of shape (n, F), optional
            Diagonals divided by √2, needed where `discard_diagonal` left them out, but for correlations: theirs are 1.

        Returns
        -------
        matrices : array of shape (n, F, F), or (F, F) for one

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If a diagonal is needed, or the shape is not that of the fitted regions.
        """
        self._check_is_fitted()
        matrices = np.asarray(connectivities)
        F = self.n_features_in_
        if self.vectorize:
            if self.discard_diagonal and diagonal is None:
                if self.kind not in ("correlation", "partial correlation"):
                    raise ValueError(
                        f"kind={self.kind!r} with discard_diagonal=True needs `diagonal`, of shape "
                        f"({len(matrices)}, {F}), to make matrices."
                    )
                diagonal = np.full((*matrices.shape[:-1], F), np.sqrt(0.5))
            matrices = vec_to_sym_matrix(matrices, diagonal if self.discard_diagonal else None)
        if matrices.shape[-2:] != (F, F):
            raise ValueError(
                f"connectivities make matrices of shape {matrices.shape[-2:]}; ({F}, {F}) were fitted."
            )
        if self.kind != "tangent":
            return matrices
        stack = matrices.reshape(-1, F, F)
        return from_tangent(stack, self.mean_).reshape(matrices.shape)

    # -- scikit-learn ----------------------------------------------------------------------------------

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns that ``vectorize=True`` gives: ``a~b`` for the regions a and b.

        Parameters
        ----------
        input_features : sequence of str of length F, optional
            Names of the regions. Default: those of the data frames fitted, else their numbers.

        Returns
        -------
        names : array of str objects, shape (n_values,)

        Raises
        ------
        ValueError
            If matrices are not vectorized, or there are more or fewer names than regions.
        """
        self._check_is_fitted()
        if not self.vectorize:
            raise ValueError("Matrices have no columns; names are those of vectorize=True.")
        regions = getattr(self, "feature_names_in_", None) if input_features is None else input_features
        regions = range(self.n_features_in_) if regions is None else regions
        if len(regions) != self.n_features_in_:
            raise ValueError(
                f"input_features has {len(regions)} names; {self.n_features_in_} regions were fitted."
            )
        rows, columns = np.tril_indices(self.n_features_in_, -1 if self.discard_diagonal else 0)
        pairs = zip(columns, rows, strict=True)
        return np.asarray([f"{regions[a]}~{regions[b]}" for a, b in pairs], dtype=object)

    def set_output(self, *, transform: str | None = None) -> ConnectivityMeasure:
        """Choose what `transform` gives where `vectorize` makes rows; matrices are always arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            None leaves the choice as it is.

        Returns
        -------
        self
        """
        choices = ("default", "pandas", "polars")
        if transform is not None:
            if transform not in choices:
                raise ValueError(f"transform must be one of {choices}; {transform!r} was given.")
            self._sklearn_output_config = {"transform": transform}
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mean_")

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("This ConnectivityMeasure is not fitted yet; call fit first.")

    # -- checks ----------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}; {self.kind!r} was given.")
        if not (self.standardize is None or self.standardize in (True, False, "zscore_sample")):
            raise ValueError(
                f"standardize must be True, 'zscore_sample', False or None; {self.standardize!r} was given."
            )
        if self.cov_estimator is not None and not hasattr(self.cov_estimator, "fit"):
            raise ValueError(
                f"cov_estimator must be an estimator with fit and covariance_; {self.cov_estimator!r} was given."
            )

    def _check_confounds_allowed(self, confounds: Any) -> None:
        if confounds is None:
            return
        if not self.vectorize:
            raise ValueError("confounds are regressed out of rows: they need vectorize=True.")
        if np.ndim(confounds) == 0:
            raise TypeError(
                f"confounds must be an array or frame, one row a subject; {confounds!r} was given."
            )


def ledoit_wolf(series: NDArray) -> NDArray[np.float64]:
    """Shrunk covariance (F, F) of series (T, F), as `sklearn.covariance.LedoitWolf` gives it, several times as fast.

    The error of the sample covariance needs Σ_ij Σ_t x_ti² x_tj², which is Σ_t ‖x_t‖⁴: no product of matrices.
    """
    centred = series.astype(np.float64) - series.mean(axis=0, dtype=np.float64)
    n_samples, n_features = centred.shape
    sample = centred.T @ centred / n_samples
    mean_variance = np.trace(sample) / n_features
    squared = (sample**2).sum()
    dispersion = squared - n_features * mean_variance**2
    error = (((centred**2).sum(axis=1) ** 2).sum() / n_samples - squared) / n_samples
    shrinkage = 0.0 if dispersion <= 0 else float(np.clip(error / dispersion, 0, 1))
    shrunk = (1 - shrinkage) * sample
    shrunk[np.diag_indices(n_features)] += shrinkage * mean_variance
    return shrunk


def _centred(confounds: Any) -> NDArray:
    values = np.asarray(confounds, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    return values - values.mean(axis=0)


def _refuse_singular(covariances: NDArray, subjects: Subjects) -> None:
    """Raise ValueError for a covariance that has no inverse.

    The square of a Cholesky factor's diagonal, over the variance, is the share of a feature that those before it do
    not explain: it has no unit, so that the test does not depend on those of the series.
    """
    for k, covariance in enumerate(covariances.astype(np.float64)):
        variance = np.diagonal(covariance)
        try:
            own = np.diagonal(np.linalg.cholesky(covariance)) ** 2
            singular = bool((own < LEAST_OWN_VARIANCE * variance).any())
        except np.linalg.LinAlgError:
            singular = True
        if singular:
            n_samples, n_features = subjects.series[k].shape
            constant = constant_features(subjects.series[k])
            names = subjects.names or [str(i) for i in range(n_features)]
            why = f"constant features: {', '.join(names[i] for i in constant[:8])}" if len(constant) else ""
            why = why or ("too few samples" if n_samples <= n_features else "features that others explain")
            raise ValueError(
                f"X[{k}]: the covariance of {n_samples} samples of {n_features} features is singular ({why}) and has "
                "no inverse; take LedoitWolf (the default) as cov_estimator, or drop these features."
            )
