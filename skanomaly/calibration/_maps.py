"""What detectors have beside scores, averaged over those that are wrapped."""

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skanomaly._namespace import like, to_host


def _detector_has(name):
    """Make an `available_if` check that the wrapped detector has a method."""

    def check(self):
        # Raises the detector's own AttributeError, which explains why.
        getattr(getattr(self, "estimators_", [self.detector])[0], name)
        return True

    return check


class MapsMixin:
    """`anomaly_map` and `reconstruct` of what has `detector` and `estimators_`."""

    estimators_: list

    @available_if(_detector_has("anomaly_map"))
    def anomaly_map(self, X: Any) -> np.ndarray:
        """Return the anomaly maps of the wrapped detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        anomaly_map : ndarray of the shape of X
            The higher, the more abnormal. The mean over `estimators_`.
        """
        return self._average("anomaly_map", X)

    @available_if(_detector_has("reconstruct"))
    def reconstruct(self, X: Any) -> np.ndarray:
        """Return the reconstructions of the wrapped detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples as the detector takes them.

        Returns
        -------
        X_rec : ndarray of the shape of X
            Reconstructed samples. The mean over `estimators_`.
        """
        return self._average("reconstruct", X)

    def _average(self, method, X):
        """Return the mean of what a method of the fitted detectors returns."""
        check_is_fitted(self)
        values = [to_host(getattr(each, method)(X)) for each in self.estimators_]
        return like(np.mean(values, axis=0), X)
