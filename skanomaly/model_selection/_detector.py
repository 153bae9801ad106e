"""Training on inliers only, where outliers are labelled."""

from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    OutlierMixin,
    clone,
)
from sklearn.utils import (
    _safe_indexing,
    check_consistent_length,
    column_or_1d,
    get_tags,
)
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from skanomaly._decorators import fit_context
from skanomaly._features import set_features_in
from skanomaly._version import VersionMixin
from skanomaly.metrics import is_outlier

__all__ = ["NoveltyDetector"]


def fit_on_inliers(detector, X, y, outlier, params):
    """Fit a detector on the samples that are no outliers, and on their metadata."""
    if outlier.any():
        kept = np.flatnonzero(~outlier)
        params = _check_method_params(X, params, indices=kept)
        X, y = _safe_indexing(X, kept), _safe_indexing(y, kept)
    return detector.fit(X, y, **params)


def _detector_has(name):
    """Make an `available_if` check that the wrapped detector has a method."""

    def check(self):
        # Raises the detector's own AttributeError, which explains why.
        getattr(getattr(self, "detector_", self.detector), name)
        return True

    return check


class NoveltyDetector(VersionMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Outlier detector that is fitted on inliers only, where outliers are labelled.

    `fit` removes the samples that `y` labels as outliers, and fits the wrapped detector
    on the others. So whatever fits it (RandomizedSearchCV or HalvingGridSearchCV, with
    their refit, an optimizer of hyperparameters, a Pipeline of one's own) trains on
    normal samples. `NoveltySearchCV` does the same for a grid search and needs no
    wrapper.

    Parameters
    ----------
    detector : estimator
        Outlier detector, or a Pipeline that ends with one. Wrap the whole Pipeline, so
        that its scalers don't see outliers either.
    outlier_label : int, str or None, default=None
        The label of outliers. None takes labels that are 1 and -1 (outlier), as
        scikit-learn has them. For labels that are 0 and 1 (outlier) it must be given.

    Attributes
    ----------
    detector_ : estimator
        The fitted detector.
    offset_ : float
        Threshold of its scores. Only defined if the detector defines it.
    n_features_in_ : int
        Number of features seen during `fit`. Only defined if the detector defines it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if the detector defines them.

    See Also
    --------
    NoveltySearchCV : Grid search with labelled outliers.
    NoveltySplit : Splitter whose training folds hold inliers only.

    Notes
    -----
    Why 0 and 1 need `outlier_label`: scikit-learn's scorers by name, such as
    ``scoring="roc_auc"``, take the label 1 for inliers where an outlier detector is
    scored, and so would choose the worst detector. Either turn labels into 1 and -1, or
    pass ``outlier_label=1`` and ``scoring=outlier_scorer("roc_auc")``.

    Examples
    --------
    >>> from scipy.stats import randint
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from skanomaly.datasets import load_breast_cancer
    >>> from skanomaly.model_selection import NoveltyDetector, NoveltySplit
    >>> cancer = load_breast_cancer()
    >>> search = RandomizedSearchCV(
    ...     NoveltyDetector(LocalOutlierFactor(novelty=True)),
    ...     {"detector__n_neighbors": randint(5, 50)},
    ...     n_iter=3,
    ...     scoring="roc_auc",
    ...     cv=NoveltySplit(3),
    ...     random_state=0,
    ... )
    >>> search.fit(cancer.data, cancer.target).best_estimator_.detector_.n_samples_fit_
    357
    """

    _parameter_constraints = {
        "detector": [HasMethods(["fit", "predict"])],
        "outlier_label": "no_validation",
    }

    def __init__(self, detector: Any, *, outlier_label: Any = None):
        self.detector = detector
        self.outlier_label = outlier_label

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit the detector on the inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.
        y : array-like of shape (n_samples,) or None, default=None
            Labels. None, or labels without an outlier, fit the detector on all samples.
        **params : dict
            Passed to `fit` of the detector, less what belongs to outliers; with
            metadata routing enabled, what the detector requests.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the labels are no coding of outliers, or if all are outliers.
        """
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).detector.fit
        detector = clone(self.detector)
        if y is None:
            detector.fit(X, **params)
        else:
            fit_on_inliers(detector, X, y, self._find_outliers(X, y), params)
        self.detector_ = detector
        set_features_in(self, [detector])
        if hasattr(detector, "offset_"):
            self.offset_ = detector.offset_
        return self

    def _find_outliers(self, X, y):
        """Return which samples are outliers, with errors for what can't be meant."""
        check_consistent_length(X, y)
        label, y = self.outlier_label, column_or_1d(y)
        labels = set(np.unique(y).tolist()) if label is None else set()
        if 0 in labels and labels <= {0, 1}:
            raise ValueError(
                "y has labels 0 and 1. scikit-learn's scorers by name, such as "
                "'roc_auc', would take 1 for inliers. Pass y = np.where(y == 1, -1, 1)"
                ", or outlier_label=1 and scoring=outlier_scorer('roc_auc')."
            )
        if labels == {1}:
            label = -1  # a training fold without outliers
        outlier = is_outlier(y, label)
        if outlier.all():
            raise ValueError(
                f"All {len(outlier)} samples are labelled as outliers; there is none "
                "to fit a detector on."
            )
        return outlier

    def fit_predict(self, X: Any, y: Any = None, **params: Any) -> np.ndarray:
        """Fit on the inliers and predict all samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, as for `fit`.
        **params : dict
            As for `fit`.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        return self.fit(X, y, **params).predict(X)

    def predict(self, X: Any) -> np.ndarray:
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        check_is_fitted(self)
        return self.detector_.predict(X)

    @available_if(_detector_has("score_samples"))
    def score_samples(self, X: Any) -> np.ndarray:
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
        return self.detector_.score_samples(X)

    @available_if(_detector_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores relative to the detector's threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        check_is_fitted(self)
        return self.detector_.decision_function(X)

    def get_metadata_routing(self) -> Any:
        """Return what metadata is passed on to the detector.

        Returns
        -------
        routing : MetadataRouter
            A `sklearn.utils.metadata_routing.MetadataRouter`.
        """
        return MetadataRouter(owner=self).add(
            detector=self.detector,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        detector_tags = get_tags(self.detector)
        tags.input_tags = detector_tags.input_tags
        tags.non_deterministic = detector_tags.non_deterministic
        return tags
