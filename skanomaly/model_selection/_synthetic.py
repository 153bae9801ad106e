"""Model selection without labels: synthetic outliers made from held-out samples."""

from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state

__all__ = ["make_synthetic_outliers", "synthetic_outlier_scorer"]

_KINDS = ("shuffle", "replace", "jitter")
_REPLACED_FRACTION = 0.3
_JITTER = 0.5  # in interquartile ranges


def make_synthetic_outliers(
    X: Any,
    kind: str = "shuffle",
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Make a synthetic outlier from each row of a table.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows that are mostly normal, as they are before preprocessing: numbers and
        categories in an array, a CSR matrix, or a frame of pandas or polars.
    kind : {"shuffle", "replace", "jitter"}, default="shuffle"
        How rows are changed:

        - "shuffle": each column is permuted by itself, which leaves the columns as they
          were and removes what connects them;
        - "replace": each value is replaced with probability 0.3 by that of another,
          random row of its column;
        - "jitter": normal noise is added to each number, with half the interquartile
          range of its column for a standard deviation (half the standard deviation if
          that range is zero). Categories, missing values and what a sparse matrix does
          not store stay as they are.
    random_state : int, RandomState instance or None, default=None
        Determines the random numbers.

    Returns
    -------
    outliers : {ndarray, sparse matrix, dataframe} of shape (n_samples, n_features)
        Of the kind of `X`. Numbers with noise are float64.

    Raises
    ------
    ValueError
        If `X` has not two dimensions, has fewer than two rows, or has one column to be
        shuffled, or if `kind` is unknown.
    TypeError
        If `X` is a frame of another library than pandas and polars.

    See Also
    --------
    synthetic_outlier_scorer : Choosing by how well a detector finds them.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.model_selection import make_synthetic_outliers
    >>> X = np.array([[1, 10], [2, 20], [3, 30]])
    >>> outliers = make_synthetic_outliers(X, "shuffle", random_state=0)
    >>> np.sort(outliers, axis=0)
    array([[ 1, 10],
           [ 2, 20],
           [ 3, 30]])
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {_KINDS}, got {kind!r}.")
    X = _as_table(X)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    rng = np.random.default_rng(seed)
    n_samples, n_features = X.shape
    if kind == "jitter":
        return _with_noise(X, rng)
    if n_features == 1:
        raise ValueError(
            f"kind={kind!r} changes what connects columns, and there is one column. "
            "Use 'jitter'."
        )
    return _with_rows(X, [_draw_rows(kind, n_samples, rng) for _ in range(n_features)])


def synthetic_outlier_scorer(
    kinds: Any = "shuffle", *, random_state: int | np.random.RandomState | None = 0
) -> Any:
    """Make a scorer that chooses between outlier detectors without labels.

    A fitted detector is given held-out rows and synthetic outliers that are made from
    them. The score is the area under the ROC curve between the two, in [0, 1]: the
    higher, the better.

    Parameters
    ----------
    kinds : {"shuffle", "replace", "jitter"} or tuple of these, default="shuffle"
        Kinds of synthetic outliers; see `make_synthetic_outliers`. Of several, the
        scores are averaged.
    random_state : int, RandomState instance or None, default=0
        Determines the random numbers. They are the same in each call, so that all
        candidates of a search are given the same synthetic outliers.

    Returns
    -------
    scorer : callable
        For ``scoring=`` of GridSearchCV, cross_val_score and the like, with a detector
        or a Pipeline of preprocessing and a detector. Labels are not used: pass ``y``
        as None, and normal rows, of which a few may be outliers, as ``X``.

    Raises
    ------
    ValueError
        If there are no kinds, or if one is unknown.

    See Also
    --------
    NoveltySearchCV : The choice by labelled outliers, the better one where there are
        some.

    Notes
    -----
    It finds out bad settings and hardly tells good ones apart: see
    :doc:`/model_selection` for figures on real tables. Where columns don't depend on
    each other, "shuffle" changes nothing that could be found, and "jitter" is the kind
    to take.

    The outliers are made before preprocessing, column by column, which needs columns of
    a meaning: images and clips are refused.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical
       Learning", 2nd edition, 2009, section 14.2.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from skanomaly.model_selection import synthetic_outlier_scorer
    >>> x = np.random.default_rng(0).normal(size=(200, 1))
    >>> search = GridSearchCV(
    ...     LocalOutlierFactor(novelty=True),
    ...     {"n_neighbors": [10, 150]},
    ...     scoring=synthetic_outlier_scorer(),
    ... )
    >>> search.fit(np.hstack([x, x**2])).best_params_
    {'n_neighbors': 10}
    """
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not kinds or not set(kinds) <= set(_KINDS):
        raise ValueError(f"kinds must be some of {_KINDS}, got {kinds}.")
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return _SyntheticOutlierScorer(kinds, seed)


class _SyntheticOutlierScorer:
    """Scorer that can be pickled and printed."""

    __name__ = "synthetic_outlier"

    def __init__(self, kinds, seed):
        self.kinds = kinds
        self.seed = seed

    def __call__(self, estimator, X, y=None):
        random_state = np.random.RandomState(self.seed)
        scores = estimator.score_samples(X)
        truth = np.repeat([0, 1], len(scores))
        aucs = []
        for kind in self.kinds:
            outliers = make_synthetic_outliers(X, kind, random_state=random_state)
            others = estimator.score_samples(outliers)
            aucs.append(roc_auc_score(truth, -np.concatenate([scores, others])))
        return float(np.mean(aucs))

    def __repr__(self):
        return f"synthetic_outlier_scorer({self.kinds}, seed {self.seed})"


def _as_table(X: Any) -> Any:
    """Return X with a shape and columns, or say what is wrong with it."""
    library = type(X).__module__.partition(".")[0]
    if hasattr(X, "columns") and library not in ("pandas", "polars"):
        raise TypeError(
            "Expected an array, a CSR matrix or a frame of pandas or polars, got "
            f"{type(X).__name__} of {library}. Convert it, for example by to_pandas()."
        )
    if not hasattr(X, "columns"):
        X = X.tocsc() if sparse.issparse(X) else np.asarray(X)
    if len(X.shape) != 2:
        raise ValueError(
            "Synthetic outliers are made from rows of a table, got an array of shape "
            f"{X.shape}. Images and clips have no columns of a meaning: choose by some "
            "labelled outliers there, with NoveltySearchCV."
        )
    if X.shape[0] < 2:
        raise ValueError(
            f"Synthetic outliers are made from two rows or more, got {X.shape[0]}."
        )
    if not X.shape[1]:
        raise ValueError(f"X has no columns: its shape is {X.shape}.")
    return X


def _draw_rows(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the rows from which the values of a column are taken."""
    if kind == "shuffle":
        return rng.permutation(n)
    own, others = np.arange(n), rng.integers(n - 1, size=n)
    others += others >= own
    return np.where(rng.random(n) < _REPLACED_FRACTION, others, own)


def _with_rows(X: Any, rows: list[np.ndarray]) -> Any:
    """Take the values of each column from rows of its own."""
    if hasattr(X, "isetitem"):  # pandas
        changed = X.copy()
        for j, taken in enumerate(rows):
            changed.isetitem(j, X.iloc[:, j].array.take(taken))
        return changed
    if hasattr(X, "with_columns"):  # polars
        pairs = zip(X.get_columns(), rows, strict=True)
        return X.with_columns([column.gather(taken) for column, taken in pairs])
    if sparse.issparse(X):
        columns = [X[:, [j]][taken] for j, taken in enumerate(rows)]
        return sparse.hstack(columns, format="csr")
    return np.take_along_axis(X, np.column_stack(rows), axis=0)


def _with_noise(X: Any, rng: np.random.Generator) -> Any:
    """Add noise to each column of numbers."""
    if sparse.issparse(X):
        changed = X.astype(np.float64)
        for start, end in zip(X.indptr[:-1], X.indptr[1:], strict=True):
            changed.data[start:end] += _noise(changed.data[start:end], rng)
        return changed.tocsr()
    if hasattr(X, "isetitem"):
        changed = X.copy()
        for j, dtype in enumerate(X.dtypes):
            if dtype.kind in "iuf":
                values = X.iloc[:, j].to_numpy(dtype=np.float64, na_value=np.nan)
                changed.isetitem(j, values + _noise(values, rng))
        return changed
    if hasattr(X, "with_columns"):
        columns = [column for column in X.get_columns() if column.dtype.is_numeric()]
        return X.with_columns(
            [c + _noise(c.to_numpy().astype(np.float64), rng) for c in columns]
        )
    changed = X.astype(np.float64) if X.dtype.kind in "iuf" else X.copy()
    for j in range(X.shape[1]):
        if _holds_numbers(X[:, j]):
            values = X[:, j].astype(np.float64)
            changed[:, j] = values + _noise(values, rng)
    return changed


def _holds_numbers(column: np.ndarray) -> bool:
    """Tell whether each value of an array's column is a number or missing."""
    if column.dtype != object:
        return column.dtype.kind in "iuf"
    return all(
        value is None or (isinstance(value, Real) and not isinstance(value, bool))
        for value in column.tolist()
    )


def _noise(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise in proportion to the spread of a column."""
    noise = rng.normal(size=len(values))
    known = values[~np.isnan(values)]
    if not len(known):
        return noise
    low, high = np.percentile(known, [25, 75])
    return _JITTER * ((high - low) or known.std()) * noise
