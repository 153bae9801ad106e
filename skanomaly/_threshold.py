"""From scores and a threshold to predictions, for whatever has `score_samples`."""

from typing import Any

import numpy as np
from sklearn.base import OutlierMixin

from ._namespace import check_same_namespace, labels_below


class ThresholdMixin(OutlierMixin):
    """`decision_function` and `predict` of an outlier detector with `offset_`."""

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores less `offset_`: negative for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        check_same_namespace(self, X, "decision_function")
        return self.score_samples(X) - float(self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        check_same_namespace(self, X, "predict")
        return labels_below(self.decision_function(X), 0)
