"""From held-out scores to p-values, a threshold, and predictions."""

from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skanomaly._namespace import like, to_host
from skanomaly._threshold import ThresholdMixin

from ._rank import explain_too_few, find_rank, n_needed


class NoThresholdError(ValueError, AttributeError):
    """Says why there is no `offset_`; an attribute, so that `hasattr` tells."""


def scores_of(detector, X):
    """Return a detector's scores, or raise if they can't be ranked."""
    scores = np.asarray(to_host(detector.score_samples(X)), dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError(
            f"The detector's scores are NaN for {np.isnan(scores).sum()} of "
            f"{len(scores)} samples, and can't be ranked. Check {detector}."
        )
    return scores


class PValueMixin(ThresholdMixin):
    """Methods of what has `estimators_`, `calibration_scores_` and `alpha`."""

    @property
    def offset_(self) -> float:
        """Threshold of the scores, for `alpha` and `confidence` as they are now."""
        check_is_fitted(self)
        try:
            self._validate_params()
            return self._find_offset()
        except ValueError as error:
            raise NoThresholdError(str(error)) from error

    def _find_offset(self):
        """Return the score that keeps the false-alarm rate."""
        n_held_out = len(self.calibration_scores_)
        check_confidence(self.confidence, self._is_cross)
        rank = find_rank(self.alpha, n_held_out, self.confidence)
        if rank:
            return self.calibration_scores_[rank - 1]
        if self._tail is not None and self.confidence is None:
            return self._tail.score_at(self.alpha * (n_held_out + 1))
        reason = explain_too_few(self.alpha, n_held_out, self.confidence)
        raise ValueError(f"{reason} Raise alpha, or fit with more samples.")

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the scores of the wrapped detector.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal. The mean over `estimators_`.
        """
        return like(self._mean_scores(X), X)

    def p_values(self, X: Any) -> np.ndarray:
        """Return the conformal p-value of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), dtype float64
            ``(1 + n) / (n_held_out + 1)``, where n is the number of held-out samples
            that are at least as abnormal. Where n is zero, less than that with
            ``tail="pareto"``.
        """
        return like(self._find_p_values(X), X)

    def _mean_scores(self, X):
        """Return the scores as an array of numpy."""
        check_is_fitted(self)
        # Not numpy's mean, which adds those of one sample in another order.
        scores = sum(scores_of(each, X) for each in self.estimators_)
        return scores / len(self.estimators_)

    def _find_p_values(self, X):
        """Return the p-values as an array of numpy."""
        return self._p_values_of(self._mean_scores(X))

    def _p_values_of(self, scores):
        """Return the p-values of scores."""
        n_lower = np.searchsorted(self.calibration_scores_, scores, side="right")
        p_values = (1 + n_lower) / (len(self.calibration_scores_) + 1)
        if self._tail is not None:
            p_values *= self._tail.probability(scores)
        return p_values

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return p-values as if they were probabilities of two classes.

        They are ranks among normal samples, not posterior probabilities: half of the
        normal samples have less than 0.5 for being inliers. Their use is as a feature
        of a classifier that is trained on top.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
            ``1 - p`` and ``p`` of each sample, in the order of `classes_`.
        """
        found = self._find_p_values(X)
        return like(np.column_stack([1 - found, found]), X)

    def predict_batch(self, X: Any, *, fdr: float = 0.1) -> np.ndarray:
        """Predict outliers of a batch, with a limit on the fraction of false ones.

        `predict` looks at each sample alone, and of a thousand normal ones calls
        ``1000 * alpha`` outliers. Here the p-values of all samples are compared by the
        procedure of Benjamini and Hochberg: among those called outliers, the expected
        fraction of normal ones is at most `fdr`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them. What is predicted for one depends on the
            others.
        fdr : float, default=0.1
            False discovery rate, in (0, 1).

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.

        Raises
        ------
        ValueError
            If even the smallest possible p-value is above `fdr`.

        Notes
        -----
        If m samples have the smallest possible p-value, ``1 / (n_held_out + 1)``, they
        are called outliers where ``m >= n_samples / (n_held_out + 1) / fdr``. So hold
        out many samples to find few outliers in a large batch, or extrapolate with
        ``tail="pareto"``.
        """
        check_scalar(
            fdr, "fdr", Real, min_val=0, max_val=1, include_boundaries="neither"
        )
        found = self._find_p_values(X)
        n_held_out = len(self.calibration_scores_)
        if self._tail is None and 1 / (n_held_out + 1) > fdr:
            raise ValueError(
                f"fdr={fdr} needs at least {n_needed(fdr)} held-out samples, got "
                f"{n_held_out}: with fewer, no sample can be predicted to be an "
                "outlier. Raise fdr, or fit with more samples."
            )
        return like(np.where(false_discovery_control(found) <= fdr, -1, 1), X)


def check_confidence(confidence, is_cross):
    """Raise if the guarantee is asked for where there is none."""
    if is_cross and confidence is not None:
        raise ValueError(
            f"confidence={confidence} is a statement on one detector and the samples "
            "held out of it: set method='split', or confidence=None."
        )
