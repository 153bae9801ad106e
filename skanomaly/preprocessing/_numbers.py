"""Encoding of numbers."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

# What was never seen in training is so many standard deviations from what was.
_MOST_DEVIATIONS = 10.0
# An exponential distribution has this skewness.
_MIN_SKEWNESS = 2.0
# What lies between two modes is in none of them: the gap, in standard deviations, and
# the fraction of the values that each side must have, as there are gaps in every tail.
_MIN_GAP, _MIN_SIDE = 1.0, 0.1


def deviations_of_unseen(n_samples: int) -> float:
    """Return the standard score of what occurs once in so many samples, at most 10."""
    return min(np.sqrt(n_samples), _MOST_DEVIATIONS)


class NumberEncoder(TransformerMixin, BaseEstimator):
    """Numbers less their median; missing ones are the median and have an indicator.

    Skewed amounts are encoded as logarithms. A value that no training sample had the
    like of (missing, negative, a fraction among whole numbers, or in a wide gap) is
    moved far beyond the largest one.
    """

    def __init__(self, *, take_logarithms=True):
        self.take_logarithms = take_logarithms

    def fit(self, X, y=None):
        """Find the median, and what the numbers of a column have in common."""
        is_missing = np.isnan(X)
        self.n_features_in_ = X.shape[1]
        self.has_missing_ = is_missing.any(axis=0)
        self.is_whole_ = (is_missing | (X % 1 == 0)).all(axis=0)
        self.is_nonnegative_ = (is_missing | (X >= 0)).all(axis=0)
        present = np.where(is_missing, np.nanmedian(X, axis=0), X)
        # Zeros are apart from the amounts: with many of them, any column is skewed.
        is_skewed = [_skewness(x[x > 0]) > _MIN_SKEWNESS for x in present.T]
        self.is_skewed_ = self.is_nonnegative_ & is_skewed & self.take_logarithms
        # The logarithm of zero: as far below the smallest number as that is from its
        # double.
        smallest = np.where(present > 0, present, np.inf).min(axis=0)
        self.shift_ = np.where((present == 0).any(axis=0), smallest, 0)
        present = self._logarithms(present)
        self.median_ = np.median(present, axis=0)
        std, far = present.std(axis=0), deviations_of_unseen(len(X))
        std = np.where(std > 0, std, 1)
        self.impossible_ = present.max(axis=0) + far * std
        # Few samples leave wider gaps by chance.
        widths = _MIN_GAP * std * _MOST_DEVIATIONS / far
        self.gaps_ = [_find_gaps(x, w) for x, w in zip(present.T, widths, strict=True)]
        return self

    def transform(self, X):
        """Return float32 numbers and, after them, the indicators."""
        check_is_fitted(self)
        is_missing = np.isnan(X)
        is_impossible = is_missing & ~self.has_missing_
        is_impossible |= self.is_nonnegative_ & (X < 0)
        is_impossible |= self.is_skewed_ & (X + self.shift_ <= 0)
        is_impossible |= self.is_whole_ & ~is_missing & (X % 1 != 0)
        values = self._logarithms(np.where(is_impossible, 1, X))
        for position, gaps in enumerate(self.gaps_):
            for lower, upper in gaps:
                x = values[:, position]
                is_impossible[:, position] |= (lower < x) & (x < upper)
        values = np.where(is_impossible, self.impossible_, values)
        # Large numbers that differ little differ in float32, too, after this.
        centered = np.where(np.isnan(values), 0, values - self.median_)
        largest = np.finfo(np.float32).max
        centered = np.clip(centered, -largest, largest)
        indicators = is_missing[:, self.has_missing_]
        return np.hstack([centered, indicators]).astype(np.float32)

    def inverse_transform(self, X):
        """Return the numbers, NaN where the indicator says so."""
        values = np.asarray(X[:, : self.n_features_in_], dtype=float) + self.median_
        skewed = self.is_skewed_
        values[:, skewed] = np.exp(values[:, skewed]) - self.shift_[skewed]
        is_missing = np.zeros(values.shape, dtype=bool)
        is_missing[:, self.has_missing_] = X[:, self.n_features_in_ :] > 0.5
        return np.where(is_missing, np.nan, values)

    def _logarithms(self, X):
        """Return the logarithms of skewed columns, and the others as they are."""
        X = X.copy()
        X[:, self.is_skewed_] = np.log(
            X[:, self.is_skewed_] + self.shift_[self.is_skewed_]
        )
        return X

    @property
    def source_(self):
        """Which input each output is made from."""
        inputs = np.arange(self.n_features_in_)
        return np.concatenate([inputs, inputs[self.has_missing_]])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, and of the indicators."""
        names = np.asarray(input_features, dtype=object)
        return np.concatenate([names, "missingindicator_" + names[self.has_missing_]])


def _skewness(x):
    """Return the skewness of numbers, 0 if they are all equal."""
    deviations = x - x.mean() if len(x) else np.zeros(1)
    std = deviations.std()
    return (deviations**3).mean() / std**3 if std > 0 else 0.0


def _find_gaps(x, width):
    """Return the middle halves of the gaps between numbers that are wider than this."""
    x = np.sort(x)
    first = max(int(_MIN_SIDE * len(x)) - 1, 0)
    x = x[first : len(x) - first]
    widths = np.diff(x)
    starts, widths = x[:-1][widths > width], widths[widths > width]
    return np.column_stack([starts + widths / 4, starts + 3 * widths / 4]).tolist()
