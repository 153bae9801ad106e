"""Which column each feature of a preprocessing is made from, and the way back."""

from functools import singledispatch
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
)

from skanomaly.preprocessing import TableEncoder


@singledispatch
def source_columns(step: Any, n_columns: int) -> np.ndarray | None:
    """Return the position of the column that each output feature is made from.

    None if a feature is made of several columns, or if nothing is known of the step.
    """
    return np.arange(n_columns) if isinstance(step, OneToOneFeatureMixin) else None


@source_columns.register
def _(step: str | None, n_columns):
    return np.arange(n_columns)  # "passthrough"


@source_columns.register
def _(step: Pipeline, n_columns):
    sources = np.arange(n_columns)
    for _, each in step.steps:
        own = source_columns(each, len(sources))
        if own is None:
            return None
        sources = sources[own]
    return sources


@source_columns.register
def _(step: TableEncoder, n_columns):
    return step.source_columns_


@source_columns.register
def _(step: ColumnTransformer, n_columns):
    n_features = max(part.stop for part in step.output_indices_.values())
    sources = np.empty(n_features, dtype=int)
    for name, each, positions in _parts(step):
        own = source_columns(each, len(positions))
        if own is None:
            return None
        sources[step.output_indices_[name]] = positions[own]
    return sources


@source_columns.register
def _(step: FeatureUnion, n_columns):
    told = [source_columns(each, n_columns) for _, each in step.transformer_list]
    own = [part for part in told if part is not None]
    return np.concatenate(own) if len(own) == len(told) else None


@source_columns.register
def _(step: SelectorMixin, n_columns):
    return step.get_support(indices=True)


@source_columns.register
def _(step: FunctionTransformer, n_columns):
    is_known = step.func is None or step.feature_names_out == "one-to-one"
    return np.arange(n_columns) if is_known else None


@source_columns.register
def _(step: SimpleImputer, n_columns):
    kept = _kept_by(step)
    if not step.add_indicator:
        return kept
    return np.concatenate([kept, step.indicator_.features_])


@source_columns.register
def _(step: MissingIndicator, n_columns):
    return step.features_


@source_columns.register
def _(step: OneHotEncoder, n_columns):
    n_levels = np.array([len(levels) for levels in step.categories_])
    if step.drop_idx_ is not None:
        n_levels -= [index is not None for index in step.drop_idx_]
    # All infrequent levels share one feature.
    infrequent = getattr(step, "infrequent_categories_", [None] * n_columns)
    n_levels -= [0 if levels is None else len(levels) - 1 for levels in infrequent]
    return np.repeat(np.arange(n_columns), n_levels)


@source_columns.register
def _(step: KBinsDiscretizer, n_columns):
    columns = np.arange(n_columns)
    return columns if step.encode == "ordinal" else np.repeat(columns, step.n_bins_)


@singledispatch
def invert(step: Any, X: np.ndarray) -> np.ndarray | None:
    """Return the columns of which features are made, None where nothing is known.

    The features are those of a reconstruction: no code, no indicator and no level is
    exact.
    """
    if not hasattr(step, "inverse_transform"):
        return None
    inverted = step.inverse_transform(X)
    return inverted.toarray() if issparse(inverted) else np.asarray(inverted)


@invert.register
def _(step: str | None, X):
    return X


@invert.register
def _(step: Pipeline, X):
    for _, each in reversed(step.steps):
        X = invert(each, X)
        if X is None:
            return None
    return X


@invert.register
def _(step: ColumnTransformer, X):
    table = np.full((len(X), step.n_features_in_), None, dtype=object)
    for name, each, positions in _parts(step):
        part = invert(each, X[:, step.output_indices_[name]])
        if part is not None:
            table[:, positions] = part
    return table


@invert.register
def _(step: FeatureUnion, X):
    return None  # each of its transformers may say something else


@invert.register
def _(step: SelectorMixin, X):
    # Its own inverse puts zeros where nothing is known.
    return _spread(X, step.get_support(indices=True), step.n_features_in_)


@invert.register
def _(step: FunctionTransformer, X):
    # Without an inverse it would return X as it is.
    if step.func is not None and step.inverse_func is None:
        return None
    return np.asarray(step.inverse_transform(X))


@invert.register
def _(step: SimpleImputer, X):
    kept = _kept_by(step)
    return _spread(X[:, : len(kept)], kept, step.n_features_in_)


@invert.register
def _(step: MissingIndicator, X):
    return None


@invert.register
def _(step: OrdinalEncoder, X):
    last = [len(levels) - 1 for levels in step.categories_]
    return step.inverse_transform(np.clip(np.rint(np.asarray(X, float)), 0, last))


def _parts(step: ColumnTransformer) -> list[tuple[str, Any, np.ndarray]]:
    """List the fitted transformers that have outputs, and the columns they take."""
    positions = step._transformer_to_input_indices
    return [
        (name, each, np.asarray(positions[name], dtype=int))
        for name, each, _ in step.transformers_
        if len(positions[name]) and not (isinstance(each, str) and each == "drop")
    ]


def _kept_by(step: SimpleImputer) -> np.ndarray:
    """Return which columns an imputer keeps: not those that were all missing."""
    is_missing = np.array([value != value for value in step.statistics_], dtype=bool)
    return np.flatnonzero(~is_missing | step.keep_empty_features)


def _spread(X: np.ndarray, positions: np.ndarray, n_columns: int) -> np.ndarray:
    """Return a table with features at these columns, and None at the others."""
    table = np.full((len(X), n_columns), None, dtype=object)
    table[:, positions] = X
    return table
