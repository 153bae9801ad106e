"""Metrics of a ranking of samples."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params
from skanomaly._namespace import to_host

from ._labels import is_outlier


@validate_params(
    {
        "y_true": ["array-like"],
        "scores": ["array-like"],
        "contamination": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def precision_recall_f1_at(
    y_true: Any, scores: Any, contamination: float, *, outlier_label: Any = None
) -> tuple[float, float, float]:
    """Compute precision, recall and F1 score at a given contamination.

    This is the KDD protocol of the DAGMM paper [1]_: the threshold is a percentile of
    the *test* scores. It evaluates the ranking, not a threshold that is known before
    the test samples are; for that evaluate `predict`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, in any coding; see `is_outlier`.
    scores : array-like of shape (n_samples,)
        From `score_samples` or `decision_function`: the lower, the more abnormal.
    contamination : float
        Fraction of the samples that is predicted to be outliers, in (0, 1). Samples
        whose score equals the threshold are included, so with ties it may be more.
    outlier_label : int, str or None, default=None
        As for `is_outlier`.

    Returns
    -------
    precision, recall, f1 : float
        Of the outliers, in [0, 1].

    Raises
    ------
    ValueError
        If lengths differ, if a score is not finite, or if the labels' coding can't be
        recognized.

    References
    ----------
    .. [1] B. Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised
       Anomaly Detection", ICLR 2018, section 4.4.

    Examples
    --------
    >>> from skanomaly.metrics import precision_recall_f1_at
    >>> precision_recall_f1_at([1, 1, 1, -1, -1], [5, 4, 1, 2, 3], 0.4)
    (0.5, 0.5, 0.5)
    """
    truth = is_outlier(y_true, outlier_label)
    scores = check_array(
        to_host(scores), ensure_2d=False, dtype=float, input_name="scores"
    )
    scores = column_or_1d(scores)
    check_consistent_length(truth, scores)
    # A score, not a value between two: exactly the fraction where there are no ties.
    threshold = np.quantile(scores, contamination, method="inverted_cdf")
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, scores <= threshold, average="binary", zero_division=0.0
    )
    return float(precision), float(recall), float(f1)
