"""Choosing a detector by labelled outliers, without training on them."""

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length

from .metrics import is_outlier

__all__ = ["NoveltySplit"]


class NoveltySplit:
    """A splitter that keeps outliers out of the training folds.

    Each fold of the wrapped splitter is tested on as it is, and trained on without its
    outliers. So GridSearchCV tunes a novelty detector as it will be used: trained on
    what is normal, tested on both.

    Parameters
    ----------
    cv : int, splitter or iterable, default=5
        An int makes that many stratified folds, so that each tests on its share of
        outliers; anything else that scikit-learn takes for ``cv`` is used as it is.
    outlier_label : int, str or None, default=None
        The label of outliers. None recognises 1 and -1 (outlier), and 0 and 1
        (outlier).

    See Also
    --------
    skanomaly.metrics.outlier_scorer : For labels that are not 1 and -1.

    Notes
    -----
    A search with ``refit=True``, the default, fits its ``best_estimator_`` on all that
    it is given, outliers included. To keep them out, take ``refit=False`` and fit a
    detector with ``best_params_`` on the inliers.

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

    def __init__(self, cv=5, *, outlier_label=None):
        self.cv = cv
        self.outlier_label = outlier_label

    def split(self, X, y=None, groups=None):
        """Yield the positions of training and test samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples; only their number counts.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,) or None, default=None
            For a splitter that wants them.

        Yields
        ------
        train : ndarray of int
            Inliers of the training fold.
        test : ndarray of int
            The test fold.

        Raises
        ------
        ValueError
            Without labels, or with fewer outliers than folds.
        """
        if y is None:
            raise ValueError(
                "NoveltySplit needs y, to know which samples are outliers; got None."
            )
        check_consistent_length(X, y)
        outlier = is_outlier(y, self.outlier_label)
        splitter = self._splitter(outlier)
        n_splits = splitter.get_n_splits(X, outlier, groups)
        if outlier.sum() < n_splits:
            raise ValueError(
                f"There are {outlier.sum()} outliers for {n_splits} folds; each fold "
                "needs one to be tested on."
            )
        for train, test in splitter.split(X, outlier, groups):
            train = np.asarray(train)
            yield train[~outlier[train]], np.asarray(test)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Tell how many folds there are.

        Parameters
        ----------
        X, y, groups : object
            For a splitter that wants them.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self._splitter(y).get_n_splits(X, y, groups)

    def _splitter(self, y):
        # "classifier" is what makes scikit-learn stratify.
        return check_cv(self.cv, y, classifier=y is not None)

    def __repr__(self):
        return f"NoveltySplit({self.cv!r}, outlier_label={self.outlier_label!r})"
