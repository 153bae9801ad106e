"""What each column adds to the abnormality of a sample."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.pipeline import Pipeline

from skanomaly.calibration import ConformalDetector
from skanomaly.ensemble import DeepEnsemble, DetectorEnsemble

from ._columns import invert, source_columns
from ._innermost import held_by

# A member of an ensemble that sees nothing abnormal still ranks the columns.
_SMALLEST_WEIGHT = 1e-12


class Attribution(NamedTuple):
    """What each column adds, and what was expected in its place."""

    amounts: np.ndarray  # of shape (n_samples, n_columns), not negative
    expected: np.ndarray | None  # of shape (n_samples, n_columns of the estimator)

    @property
    def shares(self) -> np.ndarray:
        """The amounts as fractions of their sum."""
        total = self.amounts.sum(axis=1, keepdims=True)
        return np.divide(
            self.amounts, total, out=np.zeros_like(self.amounts), where=total > 0
        )


def attribute(
    estimator: Any, X: Any, membership: csr_array, *, by_map: bool
) -> Attribution | None:
    """Attribute the abnormality of samples to the columns of the caller's table.

    `membership`, of shape (n_features, n_columns), has a one where a feature of X is
    made from a column. None if the way from the columns to the detector is not known,
    or if the detector can't say.
    """
    inner = held_by(estimator)
    if inner is not None:
        return attribute(inner, X, membership, by_map=by_map)
    if isinstance(estimator, Pipeline):
        return _through_pipeline(estimator, X, membership, by_map=by_map)
    if isinstance(estimator, ConformalDetector | DeepEnsemble):
        weights = np.ones((len(estimator.estimators_), 1))
        return _mean(estimator.estimators_, weights, X, membership, by_map=by_map)
    if isinstance(estimator, DetectorEnsemble):
        weights = _weights(estimator, X)
        return _mean(estimator.estimators_, weights, X, membership, by_map=by_map)
    if by_map:
        return _by_map(estimator, X, membership)
    return _by_reconstruction(estimator, X, membership)


def _through_pipeline(pipeline, X, membership, *, by_map):
    """Attribute to the columns before the preprocessing."""
    if len(pipeline) == 1:
        return attribute(pipeline[0], X, membership, by_map=by_map)
    steps = pipeline[:-1]
    sources = source_columns(steps, membership.shape[0])
    if sources is None:
        return None
    X = steps.transform(X)
    found = attribute(pipeline[-1], X, membership[sources], by_map=by_map)
    if found is None or found.expected is None:
        return found
    return found._replace(expected=invert(steps, found.expected))


def _weights(ensemble, X):
    """Return what each member adds to the score of each sample."""
    values = ensemble._member_values(X)
    if ensemble._combination == "max":
        is_largest = np.arange(len(values))[:, None] == values.argmax(axis=0)
        values = np.where(is_largest, values, 0)
    return np.maximum(values, _SMALLEST_WEIGHT)


def _mean(detectors, weights, X, membership, *, by_map):
    """Average the shares; what was expected is that of the largest weight."""
    told = [attribute(each, X, membership, by_map=by_map) for each in detectors]
    found = [each for each in told if each is not None]
    if len(found) < len(told):
        return None
    shares = [w[:, None] * a.shares for w, a in zip(weights, found, strict=True)]
    amounts = np.sum(shares, axis=0)
    expected = [each.expected for each in found]
    if any(each is None for each in expected):
        return Attribution(amounts, None)
    rows = np.arange(len(amounts))
    return Attribution(
        amounts, np.array(expected, dtype=object)[weights.argmax(0), rows]
    )


def _by_map(detector, X, membership):
    """Sum the detector's own map over the features of each column."""
    if not hasattr(detector, "anomaly_map"):
        return None
    amounts = detector.anomaly_map(X) @ membership
    expected = detector.reconstruct(X) if hasattr(detector, "reconstruct") else None
    return Attribution(np.maximum(amounts, 0), expected)


def _by_reconstruction(detector, X, membership):
    """Return the squared errors of a reconstruction that doesn't see the faulty column.

    A faulty value is an input of the network, and spoils the reconstruction of all
    others. Two columns may be faulty: that of the largest error, and the one farthest
    from the mean. Each in turn is replaced by the mean before the network sees it, and
    the one without which the others are reconstructed better is taken for the fault.
    """
    center = _center(detector)
    if center is None or not hasattr(detector, "reconstruct"):
        return None
    X = X.toarray() if issparse(X) else np.asarray(X)
    X = X if X.dtype == np.float32 else X.astype(np.float64)
    columns = membership.indices
    expected = np.asarray(detector.reconstruct(X))
    amounts = np.square(X - expected) @ membership
    distance = np.square(X - center) @ membership
    best = np.full(len(X), np.inf)
    for suspect in (amounts.argmax(axis=1), distance.argmax(axis=1)):
        is_replaced = columns == suspect[:, None]
        x_rec = detector.reconstruct(np.where(is_replaced, center, X).astype(X.dtype))
        error = np.square(X - x_rec) @ membership
        total = error.sum(axis=1)
        others = total - error[np.arange(len(X)), suspect]
        # Without an error it is the sample itself, found among the training rows.
        is_better = (others < best) & (total > 0)
        best = np.where(is_better, others, best)
        amounts = np.where(is_better[:, None], error, amounts)
        expected = np.where(is_better[:, None], x_rec, expected)
    return Attribution(amounts, expected)


def _center(detector: Any) -> np.ndarray | None:
    """Return the mean of the samples that a detector was trained on, if it knows."""
    if hasattr(detector, "module_"):
        return detector.module_.center.cpu().numpy()
    return getattr(detector, "center_", None)
