"""Conformal anomaly detection around any outlier detector."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, ShuffleSplit, check_cv
from sklearn.utils import (
    ClassifierTags,
    _safe_indexing,
    check_random_state,
    get_tags,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from skanomaly._advice import indexable_samples
from skanomaly._decorators import fit_context
from skanomaly._features import set_features_in
from skanomaly._version import VersionMixin

from ._maps import MapsMixin
from ._p_values import PValueMixin, check_confidence, scores_of
from ._rank import explain_too_few, find_rank, n_needed
from ._tail import Tail


class ConformalDetector(
    VersionMixin, MetaEstimatorMixin, MapsMixin, PValueMixin, BaseEstimator
):
    """Conformal anomaly detection around any outlier detector.

    The detector is fitted without some of the samples; the scores of these, the
    held-out samples, turn the score of a new sample into a p-value. If new normal
    samples are exchangeable with the held-out ones, the expected fraction of them that
    is predicted to be outliers is at most `alpha`, whatever the detector and the number
    of samples.

    Parameters
    ----------
    detector : estimator
        Outlier detector with `score_samples`, or a Pipeline that ends with one. It is
        cloned. A detector inside `sklearn.frozen.FrozenEstimator` is not fitted, and
        all samples given to `fit` are held-out samples; it must not have been trained
        on them.
    alpha : float, default=0.05
        False-alarm rate: samples with a p-value of at most `alpha` are outliers to
        `predict`. At least ``1 / alpha - 1`` samples have to be held out. It is read
        when predicting, so ``set_params(alpha=0.01)`` takes effect without a fit.
    method : {"split", "cross"}, default="split"
        Which samples are held out. ``"split"`` holds out a part. ``"cross"`` holds out
        each sample, by fitting a detector without each of the folds of `cv`: no sample
        is lost, and new ones are scored by all detectors. The rate is then kept as
        measured, not as proven; see the notes.
    validation_fraction : float, default=0.2
        Fraction of the samples that is held out by ``method="split"``. Not used for a
        frozen detector.
    cv : int, cross-validation generator or iterable, default=10
        Folds of ``method="cross"``. An int is their number, and they are drawn at
        random. A sample that is in several of them, as in those of
        `sklearn.model_selection.RepeatedKFold`, has the mean score; one in none of
        them is not held out.
    confidence : float or None, default=None
        Probability that the false-alarm rate of a fit is at most `alpha`. None keeps
        the expected rate, of which the rate of one fit may be on either side. Needs
        ``method="split"``, and is read when predicting.
    tail : {"empirical", "pareto"}, default="empirical"
        Whether the p-value of a sample that is more abnormal than all of the n held-out
        ones is ``1 / (n + 1)``, or less: that times the probability of a generalized
        Pareto distribution, fitted to the lowest tenth of the held-out scores. There is
        no guarantee for `alpha` below ``1 / (n + 1)``, only this extrapolation.
    n_jobs : int or None, default=None
        Number of processes in which the detectors of ``method="cross"`` are fitted;
        None means 1, and -1 all processors.
    random_state : int, RandomState instance or None, default=None
        Determines which samples are held out. The detector has its own.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted detectors: one, or with ``method="cross"`` one for each fold.
    detector_ : estimator
        The fitted detector. Not available with ``method="cross"``.
    calibration_scores_ : ndarray of shape (n_held_out,)
        Scores of the held-out samples, sorted; the lower, the more abnormal.
    offset_ : float
        Threshold of the scores, computed when it is asked for: the k-th lowest
        calibration score, where k is the largest integer with
        ``k / (n_held_out + 1) <= alpha``. Samples with a lower score are outliers.
    classes_ : ndarray of shape (2,)
        -1 and 1, the columns of `predict_proba`.
    n_features_in_ : int
        Number of features seen during `fit`. Only defined if the detector defines it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if the detector defines them.

    Notes
    -----
    The guarantee of ``"split"`` [1]_ [2]_ is marginal, over held-out and new samples.
    For one fit and continuous scores, the false-alarm rate has the distribution Beta(k,
    n_held_out + 1 - k): its mean is ``k / (n_held_out + 1)``, and it varies less, the
    more samples are held out. With `confidence`, k is the largest integer for which
    this distribution is at most `alpha` with that probability. Outliers among the
    held-out samples make the threshold more conservative.

    With ``"cross"`` [3]_ a held-out sample has the score of the detector that wasn't
    trained on it, and a new sample the mean score of all detectors. This mean varies
    less, so the rate tends to be below `alpha`: the more so, the less the detectors
    agree. Repeated folds bring it closer. No bound of the rate is proven, as it is for
    the more conservative ranks by fold of [4]_.

    References
    ----------
    .. [1] R. Laxhammar, G. Falkman, "Conformal prediction for distribution-independent
       anomaly detection in streaming vessel data", StreamKDD 2010.
    .. [2] S. Bates, E. Candes, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51(1), 2023, :arxiv:`2104.08279`.
    .. [3] O. Hennhöfer, C. Preisach, "Leave-One-Out-, Bootstrap- and Cross-Conformal
       Anomaly Detectors", 2024, :arxiv:`2402.16388`.
    .. [4] V. Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial
       Intelligence 74, 2015, :arxiv:`1208.0806`.

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
        "detector": [HasMethods(["fit"])],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "method": [StrOptions({"split", "cross"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "confidence": [Interval(Real, 0, 1, closed="neither"), None],
        "tail": [StrOptions({"empirical", "pareto"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detector: Any,
        *,
        alpha: float = 0.05,
        method: str = "split",
        validation_fraction: float = 0.2,
        cv: Any = 10,
        confidence: float | None = None,
        tail: Any = "empirical",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.detector = detector
        self.alpha = alpha
        self.method = method
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.confidence = confidence
        self.tail = tail
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the detector and calibrate its scores on held-out samples.

        A fit that fails leaves the detector as it was before.

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
            If too few samples are held out for `alpha`, or if the score of one is NaN.
        TypeError
            If the detector has no `score_samples`.
        """
        _check_detector(self)
        X = indexable_samples(X)
        splits = list(_make_splits(self, X))
        _check_rank(self, splits, n_samples=_num_samples(X))
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_fold)(clone(self.detector), X, train, held_out)
            for train, held_out in splits
        )
        estimators, scores = map(list, zip(*fitted, strict=True))
        scores = _average(scores, [held_out for _, held_out in splits])
        tail = Tail.fit(scores) if self.tail == "pareto" else None

        self.estimators_ = estimators
        self.calibration_scores_ = scores
        self.classes_ = np.array([-1, 1])
        self._tail, self._is_cross = tail, self.method == "cross"
        set_features_in(self, estimators)
        return self

    @property
    def detector_(self) -> Any:
        """The fitted detector, if there is but one."""
        check_is_fitted(self)
        if self._is_cross:
            raise AttributeError(
                "detector_ is not available with method='cross': estimators_ has the "
                "detector of each fold."
            )
        return self.estimators_[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        detector_tags = get_tags(self.detector)
        tags.input_tags = detector_tags.input_tags
        tags.non_deterministic = detector_tags.non_deterministic
        tags.classifier_tags = ClassifierTags(multi_class=False)  # of predict_proba
        return tags


def _check_detector(conformal):
    """Raise if the detector can't be wrapped, and say what can."""
    detector, is_cross = conformal.detector, conformal.method == "cross"
    if not hasattr(detector, "score_samples"):
        raise TypeError(
            f"detector must be an outlier detector with score_samples, got {detector!r}"
            ". LocalOutlierFactor has it with novelty=True only. Around a detector of "
            "another library put a class whose score_samples is low for outliers."
        )
    if is_cross and isinstance(detector, FrozenEstimator):
        raise ValueError(
            "method='cross' fits the detector for each fold, and this one is frozen: "
            "set method='split', or pass the detector without FrozenEstimator."
        )
    check_confidence(conformal.confidence, is_cross)


def _make_splits(conformal, X):
    """Return the training and the held-out rows of each fit; all rows if frozen."""
    if isinstance(conformal.detector, FrozenEstimator):
        rows = np.arange(_num_samples(X))
        return [(rows[:0], rows)]
    random_state = check_random_state(conformal.random_state)
    if conformal.method == "split":
        fraction = conformal.validation_fraction
        cv = ShuffleSplit(1, test_size=fraction, random_state=random_state)
    elif isinstance(conformal.cv, Integral):
        cv = KFold(conformal.cv, shuffle=True, random_state=random_state)
    else:
        cv = check_cv(conformal.cv)
    return cv.split(X)


def _check_rank(conformal, splits, n_samples):
    """Raise if the held-out rows are too few for alpha."""
    n_held_out = len(np.unique(np.concatenate([held_out for _, held_out in splits])))
    alpha = conformal.alpha
    confidence = conformal.confidence
    is_extrapolated = conformal.tail == "pareto" and confidence is None
    if is_extrapolated or find_rank(alpha, n_held_out, confidence):
        return
    n_samples_needed, remedies = n_needed(alpha, confidence), ""
    is_frozen = isinstance(conformal.detector, FrozenEstimator)
    if conformal.method == "split" and not is_frozen:
        fraction = conformal.validation_fraction
        n_samples_needed = int((n_samples_needed - 1) / fraction) + 1
        remedies = f"raise validation_fraction={fraction}, set method='cross', "
    raise ValueError(
        f"{explain_too_few(alpha, n_held_out, confidence)} Pass at least "
        f"{n_samples_needed} samples instead of {n_samples}, {remedies}or raise alpha."
    )


def _average(scores, held_out):
    """Return the sorted mean scores of the rows that were held out at least once."""
    _, row = np.unique(np.concatenate(held_out), return_inverse=True)
    return np.sort(np.bincount(row, np.concatenate(scores)) / np.bincount(row))


def _fit_fold(detector, X, train, held_out):
    """Return a detector, fitted unless it is frozen, and its held-out scores."""
    if isinstance(detector, FrozenEstimator):
        check_is_fitted(detector)
    else:
        detector.fit(_safe_indexing(X, train))
    return detector, scores_of(detector, _safe_indexing(X, held_out))
