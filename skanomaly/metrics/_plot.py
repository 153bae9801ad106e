"""scikit-learn's curves of binary classifiers, for outlier detectors."""

from typing import Any, Self

import numpy as np
from sklearn import metrics
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skanomaly._matplotlib import check_matplotlib

from ._labels import is_outlier
from ._scorer import _OutlierClassifier

_CLASSES = ("inlier", "outlier")


class _NamingClassifier(_OutlierClassifier):
    """A fitted detector as a classifier of these two classes."""

    classes_ = np.array(_CLASSES)

    def __sklearn_is_fitted__(self):
        return True


class _OutlierCurveMixin:
    """Constructors from scores that are low for outliers, and labels in any coding.

    It is mixed into one of scikit-learn's displays, which draws the curve.
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        outlier_label: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curve of a fitted outlier detector.

        Parameters
        ----------
        estimator : estimator
            Fitted outlier detector with `score_samples`, or a Pipeline that ends with
            one.
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.
        y : array-like of shape (n_samples,)
            Labels, in any coding; see `skanomaly.metrics.is_outlier`.
        outlier_label : int, str or None, default=None
            As for `skanomaly.metrics.is_outlier`.
        name : str or None, default=None
            Name of the curve in the legend; None takes that of the estimator's class.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `from_predictions` of scikit-learn's display.

        Returns
        -------
        display : display
            It has been drawn.

        Raises
        ------
        ValueError
            If the labels' coding can't be recognized, or if they are of one class only.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        check_consistent_length(X, y)
        return cls.from_predictions(
            y,
            estimator.score_samples(X),
            outlier_label=outlier_label,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        scores: Any,
        *,
        outlier_label: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curve of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, in any coding; see `skanomaly.metrics.is_outlier`.
        scores : array-like of shape (n_samples,)
            From `score_samples` or `decision_function`: the lower, the more abnormal.
        outlier_label : int, str or None, default=None
            As for `skanomaly.metrics.is_outlier`.
        name : str or None, default=None
            Name of the curve in the legend; None is "Detector".
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `from_predictions` of scikit-learn's display.

        Returns
        -------
        display : display
            It has been drawn.

        Raises
        ------
        ValueError
            If lengths differ, if the labels' coding can't be recognized, or if they are
            of one class only.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        truth, scores = is_outlier(y_true, outlier_label), column_or_1d(scores)
        check_consistent_length(truth, scores)
        display: Any = super()  # scikit-learn's, which this is mixed into
        return display.from_predictions(
            _class_names(cls, truth),
            -scores,
            pos_label="outlier",
            name="Detector" if name is None else name,
            ax=ax,
            **kwargs,
        )


class _CrossValidatedCurveMixin(_OutlierCurveMixin):
    """The same, with a curve for each fold of a cross-validation."""

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Any,
        X: Any,
        y: Any,
        *,
        outlier_label: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a curve for each fold of a cross-validation.

        It needs a version of scikit-learn whose display has this method.

        Parameters
        ----------
        cv_results : dict
            From `sklearn.model_selection.cross_validate` with ``return_estimator=True``
            and ``return_indices=True``. The splitter may be
            `skanomaly.model_selection.NoveltySplit`.
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            The samples that were given to `cross_validate`.
        y : array-like of shape (n_samples,)
            Their labels, in any coding; see `skanomaly.metrics.is_outlier`.
        outlier_label : int, str or None, default=None
            As for `skanomaly.metrics.is_outlier`.
        **kwargs : dict
            Passed to `from_cv_results` of scikit-learn's display.

        Returns
        -------
        display : display
            It has been drawn.

        Raises
        ------
        ValueError
            If `cv_results` lacks estimators or indices, if the labels' coding can't be
            recognized, or if they are of one class only.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_cv_results")
        labels = _class_names(cls, is_outlier(y, outlier_label))
        results = dict(cv_results)
        if {"estimator", "indices"} <= results.keys():
            estimators = map(_NamingClassifier, results["estimator"])
            results["estimator"] = list(estimators)
            # scikit-learn expects each row in one part of a fold or the other, but no
            # outlier is in a training part of NoveltySplit.
            every_row = np.arange(len(labels))
            tests = results["indices"]["test"]
            results["indices"] = {
                "train": [np.setdiff1d(every_row, test) for test in tests],
                "test": tests,
            }
        display: Any = super()
        return display.from_cv_results(
            results, X, labels, pos_label="outlier", **kwargs
        )


class RocCurveDisplay(_CrossValidatedCurveMixin, metrics.RocCurveDisplay):
    """ROC curve of an outlier detector.

    It is `sklearn.metrics.RocCurveDisplay` with the outlier as the positive class: the
    fraction of the outliers that are found, over the fraction of the inliers that are
    false alarms.

    Parameters
    ----------
    fpr : ndarray or list of ndarray
        False-alarm rates, of one curve or of several.
    tpr : ndarray or list of ndarray
        Fractions of the outliers that are found.
    roc_auc : float, list of float or None, default=None
        Area under the curve, for the legend.
    name : str, list of str or None, default=None
        Name of the curve, for the legend.
    pos_label : str or None, default=None
        Label of the positive class, for the labels of the axes.

    Attributes
    ----------
    line_ : matplotlib Line2D or list of Line2D
        The curve.
    chance_level_ : matplotlib Line2D or None
        The curve of a detector that ranks by chance, if it was asked for.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    PrecisionRecallDisplay : Where outliers are few.
    DetCurveDisplay : Where false alarms must be few.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from skanomaly.metrics import RocCurveDisplay
    >>> X, y = [[0.0], [0.1], [0.2], [9.0]], [1, 1, 1, -1]
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> display = RocCurveDisplay.from_estimator(forest, X, y)
    >>> float(display.roc_auc)
    1.0
    """


class PrecisionRecallDisplay(_CrossValidatedCurveMixin, metrics.PrecisionRecallDisplay):
    """Precision-recall curve of an outlier detector.

    It is `sklearn.metrics.PrecisionRecallDisplay` with the outlier as the positive
    class: the fraction of the alarms that are right, over the fraction of the outliers
    that are found.

    Parameters
    ----------
    precision : ndarray or list of ndarray
        Fractions of the alarms that are right, of one curve or of several.
    recall : ndarray or list of ndarray
        Fractions of the outliers that are found.
    average_precision : float, list of float or None, default=None
        Average precision, for the legend.
    name : str, list of str or None, default=None
        Name of the curve, for the legend.
    pos_label : str or None, default=None
        Label of the positive class, for the labels of the axes.
    prevalence_pos_label : float, list of float or None, default=None
        Fraction of the samples that are outliers, which is the precision by chance.
    estimator_name : str, default="deprecated"
        The former name of `name` in scikit-learn.

    Attributes
    ----------
    line_ : matplotlib Line2D or list of Line2D
        The curve.
    chance_level_ : matplotlib Line2D, list of Line2D or None
        The precision by chance, if it was asked for.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    RocCurveDisplay : Independent of how many outliers there are.

    Examples
    --------
    >>> from skanomaly.metrics import PrecisionRecallDisplay
    >>> display = PrecisionRecallDisplay.from_predictions([1, 1, 1, -1], [3, 2, 4, 1])
    >>> float(display.average_precision)
    1.0
    """


class DetCurveDisplay(_OutlierCurveMixin, metrics.DetCurveDisplay):
    """DET curve of an outlier detector.

    It is `sklearn.metrics.DetCurveDisplay` with the outlier as the positive class: the
    fraction of the outliers that are missed, over the fraction of the inliers that are
    false alarms, both on the scale of normal deviates, which shows small rates.

    Parameters
    ----------
    fpr : ndarray
        False-alarm rates.
    fnr : ndarray
        Fractions of the outliers that are missed.
    estimator_name : str or None, default=None
        Name of the curve, for the legend.
    pos_label : str or None, default=None
        Label of the positive class, for the labels of the axes.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    RocCurveDisplay : The same rates on a linear scale.

    Examples
    --------
    >>> from skanomaly.metrics import DetCurveDisplay
    >>> display = DetCurveDisplay.from_predictions([1, 1, -1, -1], [3, 1, 2, 0])
    >>> display.fpr.round(1).tolist(), display.fnr.round(1).tolist()
    ([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
    """


def _class_names(cls, truth):
    """Return labels that are shown as the name of the positive class."""
    if len(np.unique(truth)) == 1:
        raise ValueError(
            f"{cls.__name__} needs labels of inliers and of outliers; all "
            f"{len(truth)} are {_CLASSES[int(truth[0])]}s."
        )
    return np.array(_CLASSES)[truth.astype(int)]
