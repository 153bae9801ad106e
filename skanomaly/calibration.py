"""Conformal p-values, and thresholds with a guaranteed false-alarm rate."""

from numbers import Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    OutlierMixin,
    _fit_context,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

__all__ = ["ConformalDetector"]


def _detector_has(name):
    """Make an `available_if` check that the wrapped detector has a method."""

    def check(self):
        # Raises the detector's own AttributeError, which explains why.
        getattr(getattr(self, "detector_", self.detector), name)
        return True

    return check


def _scores(detector, X):
    """Return a detector's scores, or raise if they can't be ranked."""
    scores = np.asarray(detector.score_samples(X), dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError(
            f"The detector's scores are NaN for {np.isnan(scores).sum()} of "
            f"{len(scores)} samples, and can't be ranked. Check {detector}."
        )
    return scores


class ConformalDetector(MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Split-conformal anomaly detection around any outlier detector.

    The detector is fitted on one part of the samples; its scores of the other, held-out
    part calibrate a p-value for each new sample. If new normal samples are exchangeable
    with the held-out ones, the expected fraction of them that is predicted to be
    outliers is at most `alpha`, whatever the detector and the number of held-out
    samples.

    Parameters
    ----------
    detector : estimator
        Outlier detector with `score_samples`, or a Pipeline that ends with one. It is
        cloned, and fitted on the samples that are not held out. A detector inside
        `sklearn.frozen.FrozenEstimator` is not fitted, and all samples given to `fit`
        are calibration samples; it must not have been trained on them.
    alpha : float, default=0.05
        False-alarm rate: samples with a p-value of at most `alpha` are outliers to
        `predict`. At least ``1 / alpha - 1`` samples have to be held out.
    validation_fraction : float, default=0.2
        Fraction of the samples that is held out. Not used for a frozen detector.
    random_state : int, RandomState instance or None, default=None
        Determines which samples are held out. The detector has its own.

    Attributes
    ----------
    detector_ : estimator
        The fitted detector.
    calibration_scores_ : ndarray of shape (n_held_out,)
        Scores of the held-out samples, sorted; the lower, the more abnormal.
    offset_ : float
        Threshold of the scores: the k-th lowest calibration score, where k is the
        largest integer with ``k / (n_held_out + 1) <= alpha``. Samples with a lower
        score are outliers.
    n_features_in_ : int
        Number of features seen during `fit`. Only defined if the detector defines it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if the detector defines them.

    Notes
    -----
    The guarantee is marginal, over held-out and new samples. For one fit and continuous
    scores, the false-alarm rate has the distribution Beta(k, n_held_out + 1 - k): its
    mean is ``k / (n_held_out + 1)``, and it varies less, the more samples are held out.
    Outliers among the held-out samples make the threshold more conservative.

    References
    ----------
    .. [1] R. Laxhammar, G. Falkman, "Conformal prediction for distribution-independent
       anomaly detection in streaming vessel data", StreamKDD 2010.
    .. [2] S. Bates, E. Candes, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51(1), 2023, :arxiv:`2104.08279`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skanomaly.calibration import ConformalDetector
    >>> X = np.random.default_rng(0).normal(size=(495, 2))
    >>> detector = ConformalDetector(IsolationForest(random_state=0), random_state=0)
    >>> detector.fit(X).predict([[0, 0], [9, 9]])
    array([ 1, -1])
    >>> detector.p_values([[9, 9]])  # 1 / (99 + 1)
    array([0.01])
    """

    _parameter_constraints = {
        "detector": [HasMethods(["fit", "score_samples"])],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, detector, *, alpha=0.05, validation_fraction=0.2, random_state=None
    ):
        self.detector = detector
        self.alpha = alpha
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the detector and calibrate its scores on held-out samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Normal samples.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If too few samples are held out for `alpha`, or if the score of a held-out
            sample is NaN.
        """
        is_frozen = isinstance(self.detector, FrozenEstimator)
        if is_frozen:
            held_out = X
        else:
            train, held_out = train_test_split(
                X,
                test_size=self.validation_fraction,
                random_state=check_random_state(self.random_state),
            )
        n_held_out = _num_samples(held_out)
        # Computed as in `p_values`, since floor(alpha * (n + 1)) can round to less.
        k = np.sum(np.arange(1, n_held_out + 1) / (n_held_out + 1) <= self.alpha)
        if k == 0:
            n_needed = int(np.ceil(1 / self.alpha)) - 1
            advice = f"Pass at least {n_needed} samples"
            if not is_frozen:
                n_samples = int((n_needed - 1) / self.validation_fraction) + 1
                advice = (
                    f"Pass at least {n_samples} samples, raise validation_fraction="
                    f"{self.validation_fraction}"
                )
            raise ValueError(
                f"alpha={self.alpha} needs at least {n_needed} held-out samples, got "
                f"{n_held_out} of n_samples={_num_samples(X)}: with fewer, no sample "
                f"can be predicted to be an outlier. {advice}, or raise alpha."
            )
        detector = clone(self.detector)
        if is_frozen:
            check_is_fitted(detector)
        else:
            detector.fit(train)
        scores = _scores(detector, held_out)
        self.detector_ = detector
        self.calibration_scores_ = np.sort(scores)
        self.offset_ = self.calibration_scores_[k - 1]
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(detector, name):
                setattr(self, name, getattr(detector, name))
        return self

    def p_values(self, X):
        """Return the conformal p-value of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), dtype float64
            ``(1 + n) / (n_held_out + 1)``, where n is the number of held-out samples
            that are at least as abnormal.
        """
        scores = self.score_samples(X)
        n_lower = np.searchsorted(self.calibration_scores_, scores, side="right")
        return (1 + n_lower) / (len(self.calibration_scores_) + 1)

    def score_samples(self, X):
        """Return the scores of the wrapped detector.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal.
        """
        check_is_fitted(self)
        return _scores(self.detector_, X)

    def decision_function(self, X):
        """Return the scores relative to the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Predict which samples are outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, whose p-value is at most `alpha`; 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @available_if(_detector_has("anomaly_map"))
    def anomaly_map(self, X):
        """Return the anomaly maps of the wrapped detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        anomaly_map : ndarray of the shape of X
            The higher, the more abnormal.
        """
        check_is_fitted(self)
        return self.detector_.anomaly_map(X)

    @available_if(_detector_has("reconstruct"))
    def reconstruct(self, X):
        """Return the reconstructions of the wrapped detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        X_rec : ndarray of the shape of X
            Reconstructed samples.
        """
        check_is_fitted(self)
        return self.detector_.reconstruct(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        detector_tags = get_tags(self.detector)
        tags.input_tags = detector_tags.input_tags
        tags.non_deterministic = detector_tags.non_deterministic
        return tags
