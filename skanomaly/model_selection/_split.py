"""Cross-validation of novelty detectors with labelled outliers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import get_routing_for_object

from skanomaly.metrics import is_outlier

__all__ = ["NoveltySplit"]


class NoveltySplit:
    """Cross-validation splitter that removes outliers from the training folds.

    The test folds of the wrapped splitter are left as they are. So a novelty detector
    is evaluated as it will be used: trained on normal samples, tested on both kinds.

    Parameters
    ----------
    cv : int, splitter or iterable, default=5
        An int makes that many stratified folds, so that each test fold has its part of
        the outliers; anything else that scikit-learn takes for ``cv`` is used as it is.
    outlier_label : int, str or None, default=None
        The label of outliers. None recognizes 1 and -1 (outlier), and 0 and 1
        (outlier).

    See Also
    --------
    NoveltySearchCV : Grid search that uses it, and refits on inliers.
    NoveltyDetector : Keeps outliers out of any other fit.
    skanomaly.metrics.outlier_scorer : Scorer for labels in any coding.

    Notes
    -----
    It is right by itself where nothing is fitted but the folds: in `cross_val_score`,
    `cross_validate`, `learning_curve` and the like. A search with ``refit=True``, its
    default, fits ``best_estimator_`` on all samples, outliers included. So use
    `NoveltySearchCV` instead of GridSearchCV, and with another search wrap the
    detector in `NoveltyDetector`.

    Groups are given to the wrapped splitter: ``NoveltySplit(GroupKFold(3))`` and
    ``search.fit(X, y, groups=groups)``. With metadata routing, what the wrapped
    splitter requests is requested; ``set_split_request`` is a method of that splitter.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.model_selection import NoveltySplit
    >>> y = np.array([1, 1, 1, 1, -1, -1])
    >>> for train, test in NoveltySplit(2).split(y, y):
    ...     print(y[train], y[test])
    [1 1] [ 1  1 -1]
    [1 1] [ 1  1 -1]
    """

    def __init__(self, cv: Any = 5, *, outlier_label: Any = None):
        self.cv = cv
        self.outlier_label = outlier_label

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the indices of training and test samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples; only their number is used.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,) or None, default=None
            Groups of the samples, for the wrapped splitter.

        Yields
        ------
        train : ndarray of int
            Inliers of the training fold.
        test : ndarray of int
            The test fold.

        Raises
        ------
        ValueError
            If there are no labels, no inliers, or fewer outliers than folds.
        """
        if y is None:
            raise ValueError(
                "NoveltySplit needs y, to know which samples are outliers; got None."
            )
        check_consistent_length(X, y)
        outlier = is_outlier(y, self.outlier_label)
        if outlier.all():
            raise ValueError(
                f"All {len(outlier)} samples are labelled as outliers; the training "
                "folds need inliers."
            )
        splitter = self._splitter(outlier)
        n_splits = splitter.get_n_splits(X, outlier, groups)
        if outlier.sum() < n_splits:
            raise ValueError(
                f"There are {outlier.sum()} outliers for {n_splits} folds; each test "
                "fold needs at least one. Take fewer folds."
            )
        for train, test in splitter.split(X, outlier, groups):
            train = np.asarray(train)
            yield train[~outlier[train]], np.asarray(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            For the wrapped splitter.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self._splitter(y).get_n_splits(X, y, groups)

    def get_metadata_routing(self) -> Any:
        """Return the metadata requests of the wrapped splitter.

        Returns
        -------
        routing : MetadataRequest
            A `sklearn.utils.metadata_routing.MetadataRequest`.
        """
        return get_routing_for_object(self.cv)

    def _splitter(self, y):
        # "classifier" is what makes scikit-learn stratify.
        return check_cv(self.cv, y, classifier=y is not None)

    def __repr__(self):
        return f"NoveltySplit({self.cv!r}, outlier_label={self.outlier_label!r})"
