"""Scores of the rows of one frame: what each worker of a cluster does."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skanomaly._threshold import ThresholdMixin


def score_frame(estimator: Any, X: Any, *, keep: Sequence[str] = ()) -> Any:
    """Return a frame of scores for a frame of rows.

    For the functions by which engines apply something to each of their partitions:
    ``map_partitions`` of Dask, ``map_batches`` of Ray, ``mapInArrow`` of Spark.

    Parameters
    ----------
    estimator : estimator
        A fitted outlier detector, or a Pipeline, with `score_samples`.
    X : DataFrame of pandas, pyarrow.Table or pyarrow.RecordBatch
        Rows; columns that the estimator was not fitted on are left out.
    keep : sequence of str, default=()
        Columns that are copied to the result, such as keys.

    Returns
    -------
    scores : DataFrame, Table or RecordBatch
        As X is. The columns of `keep`, ``"score"`` (float64, the lower, the more
        abnormal), ``"prediction"`` (int8, -1 for outliers, 1 for inliers) and, if the
        estimator has `p_values`, ``"p_value"`` (float64).

    Raises
    ------
    ValueError
        If columns are missing.
    TypeError
        If X is no frame, or `estimator` has no `score_samples`.

    See Also
    --------
    score_batches : Writes the scores of whole data sets, and goes on after a stop.

    Examples
    --------
    >>> import pandas as pd
    >>> from skanomaly import NearestNeighborDetector
    >>> from skanomaly.out_of_core import score_frame
    >>> rows = pd.DataFrame({"key": ["a", "b", "c"], "x": [1.0, 2.0, 4.0]})
    >>> detector = NearestNeighborDetector().fit(rows[["x"]])
    >>> score_frame(detector, rows, keep=["key"])
      key  score  prediction
    0   a    ...
    1   b    ...
    2   c    ...
    """
    check_scores(estimator)
    # Arrow and pandas name their columns in different attributes.
    is_arrow = type(X).__module__.startswith("pyarrow") and hasattr(X, "schema")
    if not is_arrow and not hasattr(X, "iloc"):
        raise TypeError(
            "Expected a DataFrame of pandas, a Table or a RecordBatch of pyarrow, got "
            f"{type(X).__name__}. Pass X.to_arrow(), if it has that."
        )
    columns = list(X.schema.names if is_arrow else X.columns)
    keep = as_names(keep)
    features = find_features(estimator, columns, keep)
    if not is_arrow:
        found = score_columns(estimator, X[features])
        return X[keep].assign(**found)
    from skanomaly._sources._table import to_pandas

    found = score_columns(estimator, to_pandas(X.select(features)))
    kept = {name: X.column(name) for name in keep}
    return type(X).from_pydict({**kept, **found})


def check_scores(estimator: Any) -> None:
    """Raise if an estimator has no scores."""
    if isinstance(estimator, type) or not hasattr(estimator, "score_samples"):
        raise TypeError(
            "estimator must be a fitted outlier detector with score_samples, got "
            f"{estimator!r}."
        )


def as_names(keep: Any) -> list[str]:
    """Return the names of columns as a list, of which a name alone is none."""
    if isinstance(keep, str) or not isinstance(keep, Iterable):
        raise TypeError(f"keep must be a list of names of columns, got {keep!r}.")
    return list(keep)


def find_features(
    estimator: Any,
    columns: Sequence[str],
    keep: Sequence[str],
    known: Sequence[str] | None = None,
) -> list[str]:
    """Name the columns that an estimator scores; raise if any is not known."""
    known = columns if known is None else known
    names = getattr(estimator, "feature_names_in_", None)
    features = [c for c in columns if c not in keep] if names is None else list(names)
    missing = [name for name in (*features, *keep) if name not in known]
    if missing:
        raise ValueError(f"The columns {missing} are missing; there are {known}.")
    taken = sorted({"score", "prediction", "p_value"} & set(keep))
    if taken:
        raise ValueError(f"keep has {taken}, which are names of results. Rename them.")
    return features


def score_columns(estimator: Any, X: Any) -> dict[str, np.ndarray]:
    """Return scores, predictions, and p-values where there are any."""
    has_p_values = hasattr(estimator, "p_values")
    if len(X):
        scores = np.asarray(estimator.score_samples(X), dtype=np.float64)
        predictions = _predict(estimator, X, scores)
        p_values = find_p_values(estimator, X, scores) if has_p_values else None
    else:  # which estimators refuse
        scores, predictions, p_values = np.empty((3, 0))
    found: dict[str, Any] = {"score": scores, "prediction": predictions.astype(np.int8)}
    if has_p_values:
        found["p_value"] = p_values
    return found


def _predict(estimator: Any, X: Any, scores: np.ndarray) -> np.ndarray:
    """Return predictions, from scores that are there if they follow from them."""
    last = _last_step(estimator)
    if isinstance(last, ThresholdMixin):
        return np.where(scores - last.offset_ < 0, -1, 1)
    return np.asarray(estimator.predict(X))


def find_p_values(estimator: Any, X: Any, scores: np.ndarray) -> np.ndarray:
    """Return p-values, from scores that are there if they follow from them."""
    of_scores = getattr(_last_step(estimator), "_p_values_of", None)
    return estimator.p_values(X) if of_scores is None else of_scores(scores)


def _last_step(estimator: Any) -> Any:
    """Return what scores: the last step of a Pipeline, or the estimator."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
