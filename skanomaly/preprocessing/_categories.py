"""One-hot encoding of codes."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._numbers import deviations_of_unseen

INFREQUENT, MISSING = "infrequent", "missing"


class CategoryEncoder(TransformerMixin, BaseEstimator):
    """One-hot columns of the frequent levels, and one for all other values.

    scikit-learn's OneHotEncoder has no column for what is not in the training samples.
    It is constant there, and no scaler can know its scale: its value is that of what
    occurs once.
    """

    def __init__(self, levels):
        self.levels = levels

    def fit(self, X, y=None):
        """Find out which columns have nothing but frequent levels."""
        n_levels = np.array([len(levels) for levels in self.levels])
        self.ends_ = np.cumsum(n_levels + 1)
        self.starts_ = self.ends_ - n_levels - 1
        self.values_ = np.ones(self.ends_[-1], dtype=np.float32)
        is_unseen = (n_levels - X > 0).all(axis=0)
        self.values_[self.ends_[is_unseen] - 1] = deviations_of_unseen(len(X))
        return self

    def transform(self, X):
        """Return a sparse float32 matrix."""
        check_is_fitted(self)
        n_samples, n_columns = X.shape
        columns = (X + self.starts_).astype(np.int32).ravel()
        rows = np.arange(0, n_samples * n_columns + 1, n_columns, dtype=np.int32)
        shape = (n_samples, len(self.values_))
        return csr_array((self.values_[columns], columns, rows), shape=shape)

    def inverse_transform(self, X):
        """Return the code of the largest output of each column."""
        X = X / self.values_
        codes = [
            X[:, start:end].argmax(axis=1)
            for start, end in zip(self.starts_, self.ends_, strict=True)
        ]
        return np.column_stack(codes).astype(float)

    @property
    def source_(self):
        """Which input each output is made from."""
        return np.repeat(np.arange(len(self.ends_)), self.ends_ - self.starts_)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns with those of their levels."""
        return np.array(
            [
                f"{name}_{MISSING if level is None else level}"
                for name, levels in zip(input_features, self.levels, strict=True)
                for level in (*levels, INFREQUENT)
            ],
            dtype=object,
        )
