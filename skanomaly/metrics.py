"""Evaluation of anomaly scores and anomaly maps, for labels in any coding.

scikit-learn's detectors, and these, label outliers -1 and give them *low* scores;
most benchmarks label them 1. With labels of the second coding ``scoring="roc_auc"``
silently selects the worst detector. `outlier_scorer` handles both.
"""

from numbers import Real

import numpy as np
from scipy import ndimage
from sklearn.metrics import precision_recall_fscore_support
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, validate_params

__all__ = [
    "is_outlier",
    "outlier_scorer",
    "per_region_overlap",
    "precision_recall_f1_at",
]


def is_outlier(y, outlier_label=None):
    """Return which labels are those of outliers.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    outlier_label : int, str or None, default=None
        The label of outliers. None recognises two codings: 1 and -1, where -1 is an
        outlier, and 0 and 1, where 1 is one. Labels that are all 1 could be of either
        coding and are refused.

    Returns
    -------
    is_outlier : ndarray of shape (n_samples,), dtype bool
        True for outliers.

    Raises
    ------
    ValueError
        If the coding can't be recognised.

    Examples
    --------
    >>> from skanomaly.metrics import is_outlier
    >>> is_outlier([1, 1, -1])
    array([False, False,  True])
    >>> is_outlier([0, 0, 1])
    array([False, False,  True])
    >>> is_outlier(["smurf", "normal"], outlier_label="smurf")
    array([ True, False])
    """
    y = column_or_1d(y)
    if outlier_label is not None:
        return y == outlier_label
    labels = set(np.unique(y).tolist())
    if -1 in labels and labels <= {-1, 1}:
        return y == -1
    if 0 in labels and labels <= {0, 1}:
        return y == 1
    if labels == {1}:
        raise ValueError(
            "All labels are 1, which is an inlier in the coding 1 and -1 and an "
            "outlier in the coding 0 and 1. Pass the label of outliers as "
            "outlier_label=."
        )
    raise ValueError(
        "Labels must be 1 and -1 (outlier), or 0 and 1 (outlier); got "
        f"{sorted(labels, key=str)[:5]}. Pass the label of outliers as outlier_label=."
    )


@validate_params(
    {
        "y_true": ["array-like"],
        "scores": ["array-like"],
        "contamination": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def precision_recall_f1_at(y_true, scores, contamination, *, outlier_label=None):
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
        If lengths differ, or if the labels' coding can't be recognised.

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
    scores = column_or_1d(scores)
    check_consistent_length(truth, scores)
    # A score, not a value between two: exactly the fraction where there are no ties.
    threshold = np.quantile(scores, contamination, method="inverted_cdf")
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, scores <= threshold, average="binary", zero_division=0.0
    )
    return float(precision), float(recall), float(f1)


@validate_params(
    {
        "masks": ["array-like"],
        "maps": ["array-like"],
        "max_fpr": [Interval(Real, 0, 1, closed="right")],
    },
    prefer_skip_nested_validation=True,
)
def per_region_overlap(masks, maps, *, max_fpr=0.3):
    """Compute the area under the per-region overlap curve of anomaly maps (PRO).

    At each threshold, the overlap of a region is the fraction of its pixels above the
    threshold. The curve is the mean overlap over all regions of all images, whatever
    their size, against the false-positive rate: the fraction of normal pixels above the
    threshold. The area under it up to `max_fpr` is returned, divided by `max_fpr`.

    Parameters
    ----------
    masks : array-like of shape (n_images, height, width)
        True, or anything but zero, for abnormal pixels. A region is a connected
        component, neighbours across a corner included.
    maps : array-like of shape (n_images, height, width)
        The higher, the more abnormal. Those of a detector have an axis of channels:
        ``detector.anomaly_map(X).sum(axis=1)``.
    max_fpr : float, default=0.3
        Upper limit of the false-positive rate, in (0, 1].

    Returns
    -------
    pro : float
        In [0, 1]: 1 if every abnormal pixel is above every normal one, and
        ``max_fpr / 2`` in expectation if maps are noise.

    Raises
    ------
    ValueError
        If the shapes differ or are not those of images, if a value of a map is not
        finite, or if no pixel is abnormal, or none normal.

    References
    ----------
    .. [1] P. Bergmann, M. Fauser, D. Sattlegger, C. Steger, "Uninformed Students:
       Student-Teacher Anomaly Detection with Discriminative Latent Embeddings", CVPR
       2020, arXiv:1911.02357, section 4.

    Examples
    --------
    One of two regions is above all normal pixels, the other one below all of them:

    >>> from skanomaly.metrics import per_region_overlap
    >>> masks = [[[1, 1, 0, 0, 1]]]
    >>> per_region_overlap(masks, [[[5, 4, 3, 2, 1]]])
    0.5
    """
    masks = check_array(masks, allow_nd=True, ensure_2d=False, input_name="masks") != 0
    maps = check_array(maps, allow_nd=True, ensure_2d=False, input_name="maps")
    if masks.ndim != 3 or masks.shape != maps.shape:
        raise ValueError(
            "masks and maps must have one shape, (n_images, height, width), got "
            f"{masks.shape} and {maps.shape}."
        )
    if masks.all() or not masks.any():
        kind = "normal" if masks.all() else "abnormal"
        raise ValueError(f"No pixel of the masks is {kind}.")
    neighbours = np.zeros((3, 3, 3), dtype=int)
    neighbours[1] = 1  # pixels are connected within an image only
    regions, n_regions = ndimage.label(masks, structure=neighbours)
    region_sizes = np.bincount(regions.ravel())
    order = np.argsort(-maps, axis=None, kind="stable")
    regions, scores = regions.ravel()[order], maps.ravel()[order]
    # Increments of the curve's two coordinates, pixel by pixel.
    overlap_steps = np.where(regions > 0, 1 / (n_regions * region_sizes[regions]), 0.0)
    fpr_steps = np.where(regions > 0, 0.0, 1 / region_sizes[0])
    # Pixels of one score pass the threshold together.
    is_last = np.append(scores[1:] != scores[:-1], True)
    overlap = np.append(0.0, np.cumsum(overlap_steps)[is_last])
    false_rate = np.append(0.0, np.cumsum(fpr_steps)[is_last])
    end = np.searchsorted(false_rate, max_fpr, side="right")
    false_rate, overlap = (
        np.append(false_rate[:end], max_fpr),
        np.append(overlap[:end], np.interp(max_fpr, false_rate, overlap)),
    )
    area = np.sum(np.diff(false_rate) * (overlap[1:] + overlap[:-1]) / 2)
    return float(min(area / max_fpr, 1.0))


def outlier_scorer(
    metric, *, outlier_label=None, response_method="score_samples", **kwargs
):
    """Make a scorer for outlier detectors, for labels in any coding.

    Parameters
    ----------
    metric : callable
        Called as ``metric(is_outlier, abnormality, **kwargs)``, the higher the better:
        `sklearn.metrics.roc_auc_score`, `average_precision_score`, `f1_score`, ...
    outlier_label : int, str or None, default=None
        As for `is_outlier`.
    response_method : {"score_samples", "decision_function", "predict"}, \
            default="score_samples"
        Method of the estimator. Scores are given to `metric` with the sign flipped, so
        that those of outliers are high; predictions as booleans, True for outliers.
    **kwargs : dict
        More arguments for `metric`.

    Returns
    -------
    scorer : callable
        For ``scoring=`` of GridSearchCV, cross_validate and the like. Its value is NaN
        where the labels are of one class only, in whatever coding.

    Raises
    ------
    TypeError
        If `metric` is not callable.
    ValueError
        If `response_method` is none of the three.

    See Also
    --------
    skanomaly.model_selection.NoveltySplit : Keeps outliers out of training.

    Notes
    -----
    Training folds of `NoveltySplit` hold inliers only, so their scores are NaN in
    `learning_curve`, `validation_curve` and searches with ``return_train_score=True``,
    of which scikit-learn warns. Test scores, and so the choice of a search, are not
    affected.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> from skanomaly.metrics import outlier_scorer
    >>> X, y = [[0.0], [0.1], [0.2], [9.0]], [0, 0, 0, 1]
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> outlier_scorer(roc_auc_score)(forest, X, y)
    1.0
    """
    if not callable(metric):
        raise TypeError(
            "metric must be a function such as sklearn.metrics.roc_auc_score, got "
            f"{metric!r}. To use one of scikit-learn's scorers, pass its name as "
            "scoring= and labels that are 1 and -1 (outlier)."
        )
    if response_method not in _RESPONSES:
        raise ValueError(
            f"response_method must be one of {_RESPONSES}, got {response_method!r}."
        )
    return _OutlierScorer(metric, outlier_label, response_method, kwargs)


_RESPONSES = ("score_samples", "decision_function", "predict")


class _OutlierScorer:
    """Scorer that can be pickled and printed."""

    def __init__(self, metric, outlier_label, response_method, kwargs):
        self.metric = metric
        self.outlier_label = outlier_label
        self.response_method = response_method
        self.kwargs = kwargs
        self.__name__ = getattr(metric, "__name__", repr(metric))

    def __call__(self, estimator, X, y):
        y = column_or_1d(y)
        # All 1 are inliers in one coding and outliers in the other: NaN in both.
        if self.outlier_label is None and len(np.unique(y)) == 1:
            return np.nan
        truth = is_outlier(y, self.outlier_label)
        if truth.all() or not truth.any():
            return np.nan
        response = getattr(estimator, self.response_method)(X)
        if self.response_method == "predict":
            return self.metric(truth, response == -1, **self.kwargs)
        return self.metric(truth, -response, **self.kwargs)

    def __repr__(self):
        options = {
            "outlier_label": self.outlier_label,
            "response_method": self.response_method,
            **self.kwargs,
        }
        shown = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"outlier_scorer({self.__name__}{shown})"
