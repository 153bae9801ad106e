"""Scaling of encoded columns, dense or sparse."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted


class TableScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """StandardScaler that centers dense columns only.

    Whether encoded columns are sparse turns out in `fit`. Networks learn better from
    centered ones, and sparse ones can't be centered.
    """

    def fit(self, X, y=None):
        """Find the standard deviations and, of dense columns, the means."""
        self.scaler_ = StandardScaler(with_mean=not issparse(X)).fit(X)
        self.n_features_in_ = self.scaler_.n_features_in_
        if hasattr(self.scaler_, "feature_names_in_"):
            self.feature_names_in_ = self.scaler_.feature_names_in_
        return self

    def transform(self, X):
        """Return X in units of the standard deviations."""
        check_is_fitted(self)
        with np.errstate(over="ignore"):  # infinity is clipped, or refused, afterwards
            return self.scaler_.transform(X)

    def inverse_transform(self, X):
        """Return X in its own units."""
        check_is_fitted(self)
        return self.scaler_.inverse_transform(X)

    def __sklearn_tags__(self):
        """Tell scikit-learn that sparse rows are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
