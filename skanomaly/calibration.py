"""Scores between 0 and 1, and thresholds that hold on samples never trained on."""

from numbers import Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    OutlierMixin,
    _fit_context,
    clone,
)
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


class NormalizedScores(MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Put a detector's scores on the scale from 0, normal, to 1, abnormal.

    A part of the training samples is held out of the detector's training, and its
    scores there are the measure. No test sample is ever looked at.

    Parameters
    ----------
    detector : estimator
        Any outlier detector with `score_samples`, or a Pipeline that ends with one. It
        is cloned and fitted.
    method : {"rank", "min_max"}, default="rank"
        ``"rank"``: the share of held-out samples that are more normal; 0.95 is more
        abnormal than 95 % of them. ``"min_max"``: the place between the least and the
        most abnormal of the held-out samples, cut at 0 and 1, as [1]_ scales scores,
        which has the least and the most of the test samples.
    threshold : float, default=0.95
        Samples above it are outliers to `predict`. With ``"rank"`` the rest to one is
        the share of new normal samples that are called so, on average [2]_; with
        ``"min_max"`` the code of [1]_ takes 0.2.
    validation_fraction : float, default=0.2
        Share of the samples that is held out.
    random_state : int, RandomState instance or None, default=None
        Decides which samples are held out. The detector has its own.

    Attributes
    ----------
    detector_ : estimator
        The fitted detector.
    offset_ : float
        The score under which a sample is called an outlier: that at `threshold`.
    reference_ : ndarray of shape (n_held_out,)
        How abnormal the held-out samples are, in the detector's own units, sorted.
    n_features_in_ : int
        Number of features seen in `fit`; only if the detector knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only if the detector knows them.

    References
    ----------
    .. [1] S. Akcay, A. Atapour-Abarghouei, T. P. Breckon, "GANomaly: Semi-Supervised
       Anomaly Detection via Adversarial Training", ACCV 2018, :arxiv:`1805.06725`,
       equation 7.
    .. [2] R. Laxhammar, G. Falkman, "Conformal Anomaly Detection", 2010, on ranks
       among held-out samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skanomaly.calibration import NormalizedScores
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = NormalizedScores(IsolationForest(random_state=0), random_state=0)
    >>> scores = detector.fit(X).normalized_scores([[0, 0], [9, 9]])
    >>> scores[0] < 0.2, scores[1] > 0.99
    (np.True_, np.True_)
    """

    _parameter_constraints = {
        "detector": [HasMethods(["fit", "score_samples"])],
        "method": [StrOptions({"rank", "min_max"})],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detector,
        *,
        method="rank",
        threshold=0.95,
        validation_fraction=0.2,
        random_state=None,
    ):
        self.detector = detector
        self.method = method
        self.threshold = threshold
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the detector on one part of the samples and measure the other.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples that are normal, or mostly so.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If there are too few samples to hold some out.
        """
        random_state = check_random_state(self.random_state)
        trained, held_out = train_test_split(
            X, test_size=self.validation_fraction, random_state=random_state
        )
        self.detector_ = clone(self.detector).fit(trained)
        self.reference_ = np.sort(-self.detector_.score_samples(held_out))
        if self.method == "rank":
            n_below = int(np.ceil(self.threshold * len(self.reference_)))
            self.offset_ = -self.reference_[max(n_below - 1, 0)]
        else:
            least, most = self.reference_[[0, -1]]
            self.offset_ = -(least + self.threshold * (most - least))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.detector_, name):
                setattr(self, name, getattr(self.detector_, name))
        return self

    def normalized_scores(self, X):
        """Say how abnormal each sample is, from 0 to 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            0 is most normal and 1 most abnormal. What is more abnormal than all
            held-out samples has 1; `score_samples` tells such samples apart.
        """
        check_is_fitted(self)
        abnormality = -self.detector_.score_samples(X)
        if self.method == "rank":
            n_below = np.searchsorted(self.reference_, abnormality, side="left")
            return n_below / len(self.reference_)
        least, most = self.reference_[[0, -1]]
        width = max(most - least, np.finfo(float).tiny)
        return np.clip((abnormality - least) / width, 0.0, 1.0)

    def score_samples(self, X):
        """Return the detector's own scores, which have no ties at the ends.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal.
        """
        check_is_fitted(self)
        return self.detector_.score_samples(X)

    def decision_function(self, X):
        """Return the scores, shifted so that outliers are negative.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self):
        """Take what the detector takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.detector).input_tags
        return tags

    @available_if(lambda self: hasattr(self.detector, "anomaly_map"))
    def anomaly_map(self, X):
        """Say where each sample is abnormal, as the detector does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        anomaly_map : ndarray of the shape of X
            The higher, the more abnormal.
        """
        check_is_fitted(self)
        return self.detector_.anomaly_map(X)
