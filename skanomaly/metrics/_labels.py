"""Labels of outliers, in the codings that are in use."""

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

from skanomaly._namespace import to_host


def is_outlier(y: Any, outlier_label: Any = None) -> np.ndarray:
    """Return which labels are those of outliers.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    outlier_label : int, str or None, default=None
        The label of outliers. None recognizes two codings: 1 and -1, where -1 is an
        outlier, and 0 and 1, where 1 is one. Labels that are all 1 could be of either
        coding and are refused.

    Returns
    -------
    is_outlier : ndarray of shape (n_samples,), dtype bool
        True for outliers.

    Raises
    ------
    ValueError
        If the coding can't be recognized.

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
    y = column_or_1d(to_host(y))
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
