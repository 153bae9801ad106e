"""What a table of numbers and categories needs before a network can read it."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

__all__ = ["categorical_columns", "make_tabular_pipeline", "numeric_columns"]


def numeric_columns(X):
    """List the columns of a table that hold numbers.

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
    """List the columns of a table that `numeric_columns` leaves out.

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


def make_tabular_pipeline(detector, *, scaler=None, clip=10.0):
    """Put before a detector what a table of numbers and categories needs.

    Numbers: missing values become the median, and a further column tells where they
    were. Categories: a column each ("one-hot"); a missing value is a category, and one
    that was not seen in `fit` is zero in all columns. Then all columns are scaled, and
    clipped, so that no single value outweighs the rest of the row. Everything is fitted
    on what `fit` is given.

    Parameters
    ----------
    detector : estimator
        The last step.
    scaler : transformer or None, default=None
        What scales the columns; None takes `sklearn.preprocessing.StandardScaler`.
    clip : float or None, default=10.0
        Largest absolute value after scaling, in units of the scaler: standard
        deviations. None does not clip.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Steps ``"encode"``, ``"scale"``, ``"clip"`` and ``"detector"``. It takes frames
        of pandas and polars, and arrays.

    Raises
    ------
    ValueError
        If `clip` is not positive.

    Notes
    -----
    Names for a grid search: ``detector__latent_size``, ``scale``, ``clip__kw_args``,
    ``encode__numbers__strategy``, ``encode__categories__min_frequency``, ...

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder, make_tabular_pipeline
    >>> X = np.array(
    ...     [[1.0, "tcp"], [2.0, "udp"], [None, "tcp"], [1.5, "tcp"]], dtype=object
    ... )
    >>> pipeline = make_tabular_pipeline(Autoencoder(max_epochs=1, random_state=0))
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
    encode = ColumnTransformer(
        [
            ("numbers", numbers, numeric_columns),
            ("categories", categories, categorical_columns),
        ],
        verbose_feature_names_out=False,
    )
    bounds = None if clip is None else {"a_min": -clip, "a_max": clip}
    return Pipeline(
        [
            ("encode", encode),
            ("scale", StandardScaler() if scaler is None else scaler),
            (
                "clip",
                "passthrough"
                if bounds is None
                else FunctionTransformer(
                    np.clip, kw_args=bounds, feature_names_out="one-to-one"
                ),
            ),
            ("detector", detector),
        ]
    )
