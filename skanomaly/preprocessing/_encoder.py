"""From a table of any kinds of columns to numbers."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.sparse import hstack, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skanomaly._decorators import fit_context
from skanomaly._version import VersionMixin
from skanomaly._warnings import warn_user

from ._categories import CategoryEncoder
from ._dates import DateEncoder
from ._kinds import AMBIGUOUS_DATES, why_useless
from ._numbers import NumberEncoder
from ._readers import ColumnReader, read_columns
from ._tables import as_table

_MOST_NAMES_SHOWN = 10


class TableEncoder(VersionMixin, TransformerMixin, BaseEstimator):
    """Encode numbers, dates and categories of a table as numbers for a detector.

    The kind of a column follows from its dtype: numbers and durations; dates;
    categories, which are booleans, too. A column of strings or of mixed objects holds
    numbers or dates (ISO 8601) if nine tenths of its values can be read as such, and
    categories otherwise.

    Columns from which a detector can learn nothing are left out, and a warning names
    them: constant ones, ids and others whose values hardly repeat, free text, and what
    is all missing.

    Parameters
    ----------
    drop : list of str or list of int, default=None
        Columns to leave out without a warning; positions if the columns have no names.
    keep : list of str or list of int, default=None
        Columns to use even if they would be left out.
    min_frequency : float, default=0.01
        A level of a category that makes up a smaller fraction of the training samples
        has no column of its own: all such levels share one with those never seen. At
        most one over this many columns are made of a category.
    sparse_threshold : float, default=0.0
        If less than this fraction of the encoded values is nonzero, they are a CSR
        array, as in `sklearn.compose.ColumnTransformer`.

    Attributes
    ----------
    column_kinds_ : dict
        For each column ``"number"``, ``"date"``, ``"category"`` or ``"dropped"``, or
        why it was left out.
    transformer_ : ColumnTransformer
        The fitted encoders ``"numbers"``, ``"dates"`` and ``"categories"`` of what was
        read from the columns.
    output_indices_ : dict
        For each of the encoders the slice of the output that it makes.
    source_columns_ : ndarray of shape (n_features_out,)
        For each column of the output the position of the column that it is made from.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns. Only defined if they are all strings.

    See Also
    --------
    make_tabular_pipeline : This, scaling and clipping before a detector.

    Notes
    -----
    *Numbers* are encoded less their median. A missing one is the median and has an
    indicator, if values of the column were missing in training, too. What no training
    sample had the like of is moved far beyond the largest value: a missing value, a
    negative one, and a fraction among whole numbers.

    *Dates* become days since the median date, and hour and weekday as sine and cosine,
    with an indicator of hours and weekdays that are rare.

    *Categories* are one-hot encoded; a missing value is a level of its own.

    Examples
    --------
    >>> import pandas as pd
    >>> from skanomaly.preprocessing import TableEncoder
    >>> frame = pd.DataFrame({"size": [1.0, 2.0, 4.0], "kind": ["a", "a", "b"]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.get_feature_names_out().tolist()
    ['size', 'kind_a', 'kind_infrequent']
    >>> encoder.transform({"size": 3.0, "kind": "c"}).tolist()
    [[1.0, 0.0, 1.0]]
    """

    _parameter_constraints = {
        "drop": ["array-like", None],
        "keep": ["array-like", None],
        "min_frequency": [Interval(Real, 0, 1, closed="neither")],
        "sparse_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        drop: Sequence[str] | None = None,
        keep: Sequence[str] | None = None,
        min_frequency: float = 0.01,
        sparse_threshold: float = 0.0,
    ):
        self.drop = drop
        self.keep = keep
        self.min_frequency = min_frequency
        self.sparse_threshold = sparse_threshold

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find out what the columns hold.

        Parameters
        ----------
        X : DataFrame of pandas or polars, Arrow table, or array-like
            The training samples, of shape (n_samples, n_features).
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted encoder.

        Raises
        ------
        TypeError
            If X is no table.
        ValueError
            If no column is left, or one named in `drop` or `keep` isn't there.
        """
        self.fit_transform(X)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Find out what the columns hold, and encode them.

        Parameters
        ----------
        X : DataFrame of pandas or polars, Arrow table, or array-like
            The training samples, of shape (n_samples, n_features).
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        X_encoded : {ndarray, CSR array} of shape (n_samples, n_features_out)
            Of float32.
        """
        table = as_table(X)
        _check_shape(table.shape, min_samples=2)
        names: list[Any] = table.names or [*range(table.shape[1])]
        kinds, readers, values = _fit_readers(self, table, names)

        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if table.names:
            self.feature_names_in_ = np.array(table.names, dtype=object)
        self.column_kinds_ = kinds
        self.readers_ = readers
        self.transformer_ = _make_transformer(self, list(readers.values()))
        encoded = self.transformer_.fit_transform(np.column_stack(values))
        self.output_indices_ = self.transformer_.output_indices_
        sources = [positions[e.source_] for _, e, positions in self._encoders()]
        self.source_columns_ = np.concatenate(sources)
        return encoded

    def transform(self, X: Any) -> Any:
        """Encode the columns as in `fit`.

        Parameters
        ----------
        X : DataFrame, Arrow table, array-like, dict, Series or list of dict
            Samples. Columns are found by their names if they have some; those left out
            need not be there. One sample may be a dict or a Series, several a list of
            dicts.

        Returns
        -------
        X_encoded : {ndarray, CSR array} of shape (n_samples, n_features_out)
            Of float32.

        Raises
        ------
        ValueError
            If a column is missing.
        TypeError
            If X is no table, or a column holds values of another type than in `fit`.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        table = as_table(X, None if names is None else names.tolist())
        _check_shape(table.shape, min_samples=1)
        readers, positions = list(self.readers_.values()), _find_columns(self, table)
        return _encode(self.transformer_, read_columns(readers, table, positions))

    def inverse_transform(self, X: Any) -> Any:
        """Return a table that is encoded as X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_out)
            Encoded samples.

        Returns
        -------
        X_original : ndarray of shape (n_samples, `n_features_in_`)
            Objects: float, datetime and str, None where a value is missing. Columns
            that are left out are None, too; what is no frequent level of a category is
            ``"infrequent"``.
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse=True, input_name="X")
        X = X.toarray() if issparse(X) else X
        n_columns = len(self.source_columns_)
        if X.shape[1] != n_columns:
            raise ValueError(
                f"X has {X.shape[1]} features, but inverse_transform expects the "
                f"{n_columns} that transform returns."
            )
        table = np.full((len(X), self.n_features_in_), None, dtype=object)
        for name, encoder, positions in self._encoders():
            read = encoder.inverse_transform(X[:, self.output_indices_[name]])
            for position, values in zip(positions, read.T, strict=True):
                table[:, position] = self.readers_[position].decode(values)
        return table

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes those seen in `fit`, and else x0, x1, ...

        Returns
        -------
        feature_names_out : ndarray of str
            The name of a column, with what was made of it.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        used = [names[position] for position in self.readers_]
        return self.transformer_.get_feature_names_out(used)

    def _encoders(self):
        """List the fitted encoders and the positions of their columns in the table."""
        used = np.array(list(self.readers_))
        return [
            (name, encoder, used[columns])
            for name, encoder, columns in self.transformer_.transformers_
            if len(columns)
        ]

    def __sklearn_tags__(self):
        """Tell scikit-learn what may come in, and that CSR may come out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _fit_readers(encoder, table, names):
    """Return the kinds of the columns, readers of those used, and what these read."""
    drop, keep = (_check_names(encoder, name, names) for name in ("drop", "keep"))
    kinds, readers, values, notes = {}, {}, [], []
    for position, name in enumerate(names):
        if name in drop:
            kinds[name] = "dropped"
            continue
        column = table.column(position)
        reader = ColumnReader.fit(name, column, encoder.min_frequency)
        read = reader.values(column)
        reason = why_useless(reader.kind, read, encoder.min_frequency)
        kinds[name] = reason or reader.kind
        if reason and name not in keep:
            continue
        if reason == "all missing":
            reader = ColumnReader.fit_missing(name)
            read = reader.values(column)
        kinds[name] = reader.kind
        readers[position] = reader
        values.append(reader.encode(read))
        notes += reader.notes(column, read)
    _warn_of_columns(kinds, notes, any_left=bool(readers))
    return kinds, readers, values


def _make_transformer(encoder, readers):
    """Return the encoders of each kind of what the readers return."""
    kinds = np.array([reader.kind for reader in readers])
    at = {kind: np.flatnonzero(kinds == kind) for kind in set(kinds.tolist())}
    levels = [reader.levels for reader in readers if reader.kind == "category"]
    encoders: list[tuple[str, Any, Any]] = [
        ("numbers", NumberEncoder(), at.get("number", [])),
        ("dates", DateEncoder(encoder.min_frequency), at.get("date", [])),
        ("categories", CategoryEncoder(levels), at.get("category", [])),
    ]
    return ColumnTransformer(
        encoders,
        sparse_threshold=encoder.sparse_threshold,
        verbose_feature_names_out=False,
    ).set_output(transform="default")


def _encode(transformer, read):
    """Apply the encoders as a fitted ColumnTransformer does, without its checks.

    It would check what has just been made, for each encoder anew.
    """
    parts = [
        encoder.transform(read[:, columns])
        for _, encoder, columns in transformer.transformers_
        if len(columns)
    ]
    if transformer.sparse_output_:
        return hstack(parts, format="csr")
    return np.hstack([p.toarray() if issparse(p) else p for p in parts])


def _find_columns(encoder, table):
    """Return where in a table the columns that are read are."""
    if table.names is None or not hasattr(encoder, "feature_names_in_"):
        if table.shape[1] != encoder.n_features_in_:
            raise ValueError(
                f"X has {table.shape[1]} features, but TableEncoder is expecting "
                f"{encoder.n_features_in_} features as input."
            )
        return list(encoder.readers_)
    found = {name: position for position, name in enumerate(table.names)}
    wanted = [reader.name for reader in encoder.readers_.values()]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(
            f"Columns are missing: {missing}. Pass None or NaN for what is unknown."
        )
    return [found[name] for name in wanted]


def _check_shape(shape, *, min_samples):
    required = {"sample": (shape[0], min_samples), "feature": (shape[1], 1)}
    for what, (n, minimum) in required.items():
        if n < minimum:
            raise ValueError(
                f"Found array with {n} {what}(s) (shape={shape}) while a minimum of "
                f"{minimum} is required by TableEncoder."
            )


def _check_names(encoder, parameter, names):
    """Return the columns that a parameter names, or say that one isn't there."""
    wanted = getattr(encoder, parameter)
    wanted = [] if wanted is None else list(wanted)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(
            f"{parameter} names columns that X does not have: {_some(unknown)}. It has "
            f"{_some(names)}."
        )
    return set(wanted)


def _warn_of_columns(kinds, notes, *, any_left):
    """Name the columns that are left out, and what can't be read, in one warning."""
    reasons: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        if kind not in ("number", "date", "category", "dropped"):
            if kind == AMBIGUOUS_DATES:
                kind += ": convert them, for example by pandas.to_datetime"
            reasons.setdefault(kind, []).append(name)
    left_out = "; ".join(f"{_some(names)} ({why})" for why, names in reasons.items())
    if not any_left:
        raise ValueError(
            f"No column is left that a detector can learn from. Left out: "
            f"{left_out or 'those named in drop'}. Name those to use in keep."
        )
    if left_out:
        notes = [
            f"Columns are left out: {left_out}. Name them in keep to use them, or in "
            "drop to leave them out without this warning.",
            *notes,
        ]
    if notes:
        warn_user(" ".join(notes))


def _some(names):
    """Name columns, the first of them if there are many."""
    shown = ", ".join(map(repr, names[:_MOST_NAMES_SHOWN]))
    more = len(names) - _MOST_NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
