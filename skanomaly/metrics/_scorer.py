"""A scorer for outlier detectors, for labels in any coding."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import column_or_1d
from sklearn.utils.metadata_routing import get_routing_for_object

from skanomaly._namespace import to_host

from ._labels import is_outlier

_RESPONSES = ("score_samples", "decision_function", "predict")
SKLEARN_SCORER = type(get_scorer("roc_auc"))


def outlier_scorer(
    metric: Any,
    *,
    outlier_label: Any = None,
    response_method: str = "score_samples",
    **kwargs: Any,
) -> Any:
    """Make a scorer for outlier detectors, for labels in any coding.

    Parameters
    ----------
    metric : str or callable
        - The name of one of scikit-learn's scorers for binary classifiers, such as
          "roc_auc", "average_precision" or "f1", or a scorer made by
          `sklearn.metrics.make_scorer`: the detector is scored as a classifier whose
          positive class is the outlier.
        - A function, called as ``metric(is_outlier, abnormality, **kwargs)``, the
          higher the better: `sklearn.metrics.roc_auc_score`, `f1_score`, ...
    outlier_label : int, str or None, default=None
        As for `is_outlier`.
    response_method : {"score_samples", "decision_function", "predict"}, \
            default="score_samples"
        Method of the estimator whose values a function is given. Scores have their sign
        flipped, so that those of outliers are high; predictions are booleans, True for
        outliers. A scorer knows itself what it needs.
    **kwargs : dict
        More arguments for a function.

    Returns
    -------
    scorer : callable
        For ``scoring=`` of GridSearchCV, cross_validate and the like. Its value is NaN
        where the labels are of one class only, in whatever coding.

    Raises
    ------
    TypeError
        If `metric` is neither a string nor callable.
    ValueError
        If there is no scorer of that name, if a scorer is given `kwargs`, or if
        `response_method` is none of the three.

    See Also
    --------
    skanomaly.model_selection.NoveltySearchCV : A grid search that uses it by itself.
    skanomaly.model_selection.NoveltySplit : Keeps outliers out of training.

    Notes
    -----
    Training folds of `~skanomaly.model_selection.NoveltySplit` hold inliers only, so
    their scores are NaN in `learning_curve`, `validation_curve` and searches with
    ``return_train_score=True``, of which scikit-learn warns. Test scores, and so the
    choice of a search, are not affected.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> from skanomaly.metrics import outlier_scorer
    >>> X, y = [[0.0], [0.1], [0.2], [9.0]], [0, 0, 0, 1]
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> outlier_scorer("roc_auc")(forest, X, y)
    1.0
    >>> outlier_scorer(roc_auc_score, max_fpr=0.5)(forest, X, y)
    1.0
    """
    if response_method not in _RESPONSES:
        raise ValueError(
            f"response_method must be one of {_RESPONSES}, got {response_method!r}."
        )
    if isinstance(metric, (str, SKLEARN_SCORER)):
        if kwargs:
            raise ValueError(
                f"Arguments such as {sorted(kwargs)} go with a function; {metric!r} is "
                "a scorer. Pass sklearn.metrics.roc_auc_score instead of 'roc_auc', "
                "for example."
            )
        if isinstance(metric, str) and metric not in get_scorer_names():
            raise ValueError(
                f"There is no scorer of the name {metric!r}. Use 'roc_auc', "
                "'average_precision', another one of "
                "sklearn.metrics.get_scorer_names(), or a function."
            )
    elif not callable(metric):
        raise TypeError(
            "metric must be a name such as 'roc_auc' or a function such as "
            f"sklearn.metrics.roc_auc_score, got {metric!r}."
        )
    return _OutlierScorer(metric, outlier_label, response_method, kwargs)


class _OutlierScorer:
    """Scorer that can be pickled and printed."""

    def __init__(self, metric, outlier_label, response_method, kwargs):
        self.metric = metric
        self.outlier_label = outlier_label
        self.response_method = response_method
        self.kwargs = kwargs
        is_name = isinstance(metric, str)
        self.__name__ = metric if is_name else getattr(metric, "__name__", repr(metric))

    def __call__(self, estimator, X, y, **params):
        y = column_or_1d(to_host(y))
        # All 1 are inliers in one coding and outliers in the other: NaN in both.
        if self.outlier_label is None and len(np.unique(y)) == 1:
            return np.nan
        truth = is_outlier(y, self.outlier_label)
        if truth.all() or not truth.any():
            return np.nan
        if isinstance(self.metric, (str, SKLEARN_SCORER)):
            scorer = get_scorer(self.metric)
            return scorer(_OutlierClassifier(estimator), X, truth.astype(int), **params)
        response = to_host(getattr(estimator, self.response_method)(X))
        is_label = self.response_method == "predict"
        response = response == -1 if is_label else -response
        return self.metric(truth, response, **self.kwargs, **params)

    def get_metadata_routing(self):
        """Request what the wrapped scorer does."""
        return get_routing_for_object(self.metric)

    def __repr__(self):
        options = {
            "outlier_label": self.outlier_label,
            "response_method": self.response_method,
            **self.kwargs,
        }
        shown = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"outlier_scorer({self.__name__}{shown})"


class _OutlierClassifier(ClassifierMixin, BaseEstimator):
    """A fitted detector as a binary classifier: 1 for outliers, high if abnormal."""

    classes_ = np.array([0, 1])

    def __init__(self, detector):
        self.detector = detector

    def fit(self, X, y=None):
        """Do nothing: the detector is fitted."""
        return self

    def decision_function(self, X):
        return -to_host(self.detector.score_samples(X))

    def predict(self, X):
        return (to_host(self.detector.predict(X)) == -1).astype(int)
