"""What each column adds to a score, by putting a normal value in its place."""

from collections import Counter
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skanomaly.preprocessing._tables import as_table

from ._attribution import Attribution
from ._samples import Samples, read_samples

# The median of fewer rows is no normal value.
_FEWEST_REFERENCES = 10


class Replacement:
    """The value in the middle of those of normal rows, for each column."""

    def __init__(self, estimator: Any, samples: Samples, reference: Any):
        """Find in which of the normal rows each column has that value."""
        if reference is None:
            reference = _inliers(estimator, samples)
        self.estimator = estimator
        self.reference: Any = read_samples(reference, samples.names)
        X = reference.toarray() if issparse(reference) else reference
        table = as_table(X, samples.names)
        self.rows = [_typical_row(table.column(j)) for j in range(table.shape[1])]

    def attribute(self, X: Any) -> Attribution:
        """Return how much the score of samples rises with these values."""
        samples = read_samples(X, self.reference.names)
        scores = self.estimator.score_samples(X)
        amounts = np.empty((len(samples), len(self.rows)))
        expected = np.empty(amounts.shape, dtype=object)
        for position, row in enumerate(self.rows):
            replaced = samples.replace(position, self.reference, row)
            amounts[:, position] = self.estimator.score_samples(replaced) - scores
            expected[:, position] = self.reference.values(position, np.array([row]))[0]
        return Attribution(np.maximum(amounts, 0), expected)


def _inliers(estimator, samples):
    """Return the samples that the estimator calls inliers, all if it calls none so."""
    if not hasattr(estimator, "predict"):
        return samples[:]
    is_inlier = estimator.predict(samples[:]) == 1
    if is_inlier.sum() < _FEWEST_REFERENCES:
        raise ValueError(
            f"Reasons for {type(estimator).__name__} are found by putting values of "
            f"normal rows into the samples, and X has {is_inlier.sum()} inliers; "
            f"{_FEWEST_REFERENCES} are needed. Pass normal rows, such as those it was "
            "fitted on, as reference."
        )
    return samples[np.flatnonzero(is_inlier)]


def _typical_row(column):
    """Return in which row the median, or the most frequent value, is."""
    if column.kind in ("number", "date"):
        is_missing = np.isnan if column.kind == "number" else np.isnat
        n_present = np.sum(~is_missing(column.values))
        return int(np.argsort(column.values)[n_present // 2]) if n_present else 0
    values = column.values.tolist()
    return values.index(Counter(values).most_common(1)[0][0])
