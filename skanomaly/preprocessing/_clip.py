"""Clipping of scaled values."""

from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from skanomaly._decorators import fit_context


class ClipTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Clip all values to [-limit, limit].

    Parameters
    ----------
    limit : float, default=10.0
        Largest absolute value.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if `X` has feature names that
        are all strings.

    Examples
    --------
    >>> from skanomaly.preprocessing import ClipTransformer
    >>> ClipTransformer(limit=3.0).fit_transform([[1.0, -7.0]])
    array([[ 1., -3.]])
    """

    _parameter_constraints = {"limit": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, limit: float = 10.0):
        self.limit = limit

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters and the features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        self._validate(X, reset=True)
        return self

    def transform(self, X: Any) -> Any:
        """Clip the values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; NaN stays NaN.

        Returns
        -------
        X_clipped : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Of the dtype of X.
        """
        X = self._validate(X, reset=False)
        if not issparse(X):
            return np.clip(X, -self.limit, self.limit)
        X = X.copy()
        np.clip(X.data, -self.limit, self.limit, out=X.data)
        return X

    def inverse_transform(self, X: Any) -> Any:
        """Return the values as they are: what was clipped is lost.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Clipped samples.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The same.
        """
        return X

    def _validate(self, X, *, reset):
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse=("csr", "csc"),
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
