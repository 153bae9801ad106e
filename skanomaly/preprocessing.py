"""Preprocessing of tables with numbers, categories and missing values."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

__all__ = [
    "TRUSTED_TYPES",
    "ClipTransformer",
    "categorical_columns",
    "make_tabular_pipeline",
    "numeric_columns",
]

# What skops and mlflow have to be told to trust in a pipeline that
# `make_tabular_pipeline` returns, the detector aside.
TRUSTED_TYPES = [
    "numpy.dtype",
    "skanomaly.preprocessing.ClipTransformer",
    "skanomaly.preprocessing._ColumnSelector",
    "skanomaly.preprocessing._TableTransformer",
]


def numeric_columns(X):
    """Return the columns of a table that hold numbers.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or ndarray of shape (n_samples, n_features)
        A table. Columns of an object array hold numbers if all of their values do.

    Returns
    -------
    columns : list of str or list of int
        Names of a frame's columns, positions of an array's.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.preprocessing import numeric_columns
    >>> numeric_columns(np.array([[1.0, "tcp"], [2.5, "udp"]], dtype=object))
    [0]
    """
    if hasattr(X, "select_dtypes"):
        return X.select_dtypes("number").columns.tolist()
    if hasattr(X, "schema"):
        return [name for name, dtype in X.schema.items() if dtype.is_numeric()]
    return [i for i, column in enumerate(np.asarray(X).T) if _holds_numbers(column)]


def categorical_columns(X):
    """Return the columns of a table that do not hold numbers.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or ndarray of shape (n_samples, n_features)
        A table.

    Returns
    -------
    columns : list of str or list of int
        Names of a frame's columns, positions of an array's.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.preprocessing import categorical_columns
    >>> categorical_columns(np.array([[1.0, "tcp"], [2.5, "udp"]], dtype=object))
    [1]
    """
    columns = X.columns if hasattr(X, "columns") else range(np.asarray(X).shape[1])
    numeric = set(numeric_columns(X))
    return [column for column in columns if column not in numeric]


def _holds_numbers(column: np.ndarray) -> bool:
    if column.dtype != object:
        return column.dtype.kind in "iuf"
    return all(
        value is None
        or (isinstance(value, int | float) and not isinstance(value, bool))
        for value in column.tolist()
    )


class _ColumnSelector:
    """Column selector of a ColumnTransformer, as an object instead of a function."""

    def __init__(self, *, numeric):
        self.numeric = numeric

    def __call__(self, X):
        return numeric_columns(X) if self.numeric else categorical_columns(X)

    def __repr__(self):
        return f"_ColumnSelector(numeric={self.numeric})"


class _TableTransformer(ColumnTransformer):
    """ColumnTransformer with an error that helps where X is not a table."""

    def fit_transform(self, X, y=None, **params):
        return super().fit_transform(_as_table(X), y, **params)

    def transform(self, X, **params):
        return super().transform(_as_table(X), **params)


def _as_table(X):
    """Return a dense table, or raise an error that says how to make one."""
    expected = "Expected a frame or an array of shape (n_samples, n_features), got"
    kind = type(X).__name__
    if issparse(X):
        raise TypeError(
            f"{expected} sparse data ({kind}). Pass X.toarray() if it fits into "
            "memory; otherwise put MaxAbsScaler, which keeps it sparse, before the "
            "detector instead of make_tabular_pipeline."
        )
    if isinstance(X, Mapping):
        raise TypeError(
            f"{expected} a mapping ({kind}). Pass pandas.DataFrame(X), or "
            "pandas.DataFrame([X]) if it is one row."
        )
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(f"{expected} a lazy frame ({kind}). Pass X.collect().")
    if type(X).__module__.startswith("pyarrow") and hasattr(X, "to_pandas"):
        # scikit-learn selects columns of an Arrow table in its latest versions only.
        X = X.to_pandas()
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    if len(shape) == 1:
        raise ValueError(
            f"{expected} one dimension ({kind} of length {shape[0]}). Select one row "
            "as frame.iloc[[0]] or array[[0]], and one column as frame[['name']] or "
            "array[:, [0]]."
        )
    if len(shape) != 2:
        raise ValueError(f"{expected} {len(shape)} dimensions ({kind}).")
    return X


class ClipTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Clip all values to [-limit, limit].

    Parameters
    ----------
    limit : float, default=10.0
        Largest absolute value.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if `X` has feature names that
        are all strings.

    Examples
    --------
    >>> from skanomaly.preprocessing import ClipTransformer
    >>> ClipTransformer(limit=3.0).fit_transform([[1.0, -7.0]])
    array([[ 1., -3.]])
    """

    _parameter_constraints = {"limit": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, limit=10.0):
        self.limit = limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Validate the parameters and the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        self._validate(X, reset=True)
        return self

    def transform(self, X):
        """Clip the values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; NaN stays NaN.

        Returns
        -------
        X_clipped : ndarray of shape (n_samples, n_features)
            Of the dtype of X.
        """
        return np.clip(self._validate(X, reset=False), -self.limit, self.limit)

    def _validate(self, X, *, reset):
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def make_tabular_pipeline(detector, *, scaler=None, clip=10.0):
    """Make a pipeline of a detector and the preprocessing of tables.

    Numbers: missing values are imputed by the median, and an indicator column is added
    for each column with missing values. Categories: one-hot encoded; a missing value is
    a category of its own, and a category that was not seen in `fit` is zero in all
    columns. Then all columns are scaled, and clipped, so that no single value outweighs
    the rest of the row. All steps are fitted on the samples given to `fit`.

    Parameters
    ----------
    detector : estimator
        The last step.
    scaler : transformer or None, default=None
        Scaler of the columns; None is `sklearn.preprocessing.StandardScaler`.
    clip : float or None, default=10.0
        Largest absolute value after scaling, in units of the scaler: standard
        deviations. None does not clip.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Steps ``"encode"``, ``"scale"``, ``"clip"`` and ``"detector"``. It takes frames
        of pandas and polars, and dense arrays.

    Raises
    ------
    ValueError
        If `clip` is not positive.

    Notes
    -----
    Names for a grid search: ``detector__latent_size``, ``scale``, ``clip__limit``,
    ``encode__numbers__strategy``, ``encode__categories__min_frequency``, ...

    skops and mlflow load the pipeline if they are told to trust its types: those of
    ``skanomaly.preprocessing.TRUSTED_TYPES`` and of the detector.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder, make_tabular_pipeline
    >>> X = np.array(
    ...     [[1.0, "tcp"], [2.0, "udp"], [None, "tcp"], [1.5, "tcp"]], dtype=object
    ... )
    >>> pipeline = make_tabular_pipeline(Autoencoder(random_state=0))
    >>> pipeline.fit(X)[:-1].transform(X).round(1).tolist()
    [[-1.4, -0.6, 0.6, -0.6], [1.4, -0.6, -1.7, 1.7], [0.0, 1.7, 0.6, -0.6],
    [0.0, -0.6, 0.6, -0.6]]
    """
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be positive or None, got {clip!r}.")
    numbers = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    categories = OneHotEncoder(
        handle_unknown="ignore", sparse_output=False, dtype=np.float32
    )
    encode = _TableTransformer(
        [
            ("numbers", numbers, _ColumnSelector(numeric=True)),
            ("categories", categories, _ColumnSelector(numeric=False)),
        ],
        verbose_feature_names_out=False,
    )
    return Pipeline(
        [
            ("encode", encode),
            ("scale", StandardScaler() if scaler is None else scaler),
            ("clip", "passthrough" if clip is None else ClipTransformer(clip)),
            ("detector", detector),
        ]
    )
