"""Samples on which a model is compared with its estimator."""

import math
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import _num_samples

from skanomaly.base import BaseDetector
from skanomaly.preprocessing import TableEncoder
from skanomaly.preprocessing._dates import SECONDS_A_DAY
from skanomaly.preprocessing._tables import as_table
from skanomaly.preprocessing._values import (
    as_objects,
    from_seconds,
    to_dates,
    to_numbers,
    to_seconds,
    to_text,
)

from ._inputs import Input, heads, texts_of
from ._values import column_names

Feed = dict[str, np.ndarray]

_N_DRAWN, _MOST_GIVEN = 200, 1000
# What may be wrong in a column: each takes the place of a value of an ordinary row.
_ODD: dict[str, list[Any]] = {
    "number": [np.nan, 0.0, -1.0, 0.5, 1e6, -1e6, 1e30, -1e30],
    "date": [np.nan, 0.0, 1e5 + 0.25, 4e9],
    "category": ["", "a text that no training sample has"],
}
_FACTORS = (0.0, -1.0, 10.0, 1e3, 1e15, 1e30)
_MOST_SPIKES = 20


def read(X: Any, inputs: list[Input]) -> tuple[Any, Feed]:
    """Return some of the samples of a caller, and the same as a model takes them."""
    if inputs[0].kind == "array":
        (only,) = inputs
        X = check_array(X, allow_nd=True, ensure_all_finite=False, input_name="X")
        if math.prod(X.shape[1:]) != math.prod(only.shape):
            raise ValueError(
                f"X has samples of shape {X.shape[1:]}, but the estimator was fitted "
                f"with samples of shape {only.shape}."
            )
        X = _some(X)
        return X, {only.name: X.astype(only.dtype).reshape(-1, *only.shape)}
    X = _some(X)
    table = as_table(X, [each.name for each in inputs])
    names = table.names or [f"x{position}" for position in range(table.shape[1])]
    missing = [each.name for each in inputs if each.name not in names]
    if missing:
        raise ValueError(f"X has no columns {missing}, which the estimator uses.")
    feed = {
        each.name: _read_column(table.column(names.index(each.name)), each.kind)
        for each in inputs
    }
    return X, {name: values[:, None] for name, values in feed.items()}


def draw(estimator: Any, inputs: list[Input]) -> Feed:
    """Draw samples that are like those which an estimator was fitted on."""
    rng = np.random.default_rng(0)
    feed: Feed = {}
    for head in heads(estimator):
        numbers = _draw_numbers(head, rng)
        if inputs[0].kind == "array":
            (only,) = inputs
            return {only.name: numbers.astype(only.dtype).reshape(-1, *only.shape)}
        texts = texts_of(head)
        for position, name in enumerate(column_names(head)):
            column = numbers[:, position]
            if position in texts:
                column = rng.choice(
                    np.array(texts[position] or ["a"], dtype=object), _N_DRAWN
                )
            feed.setdefault(name, column[:, None])
    return {each.name: feed[each.name] for each in inputs}


def make_odd(ordinary: Feed, inputs: list[Input]) -> Feed:
    """Return ordinary samples that are changed: missing, unknown and huge values."""
    if inputs[0].kind == "array":
        name, X = inputs[0].name, ordinary[inputs[0].name]
        row = X[:1]
        spikes: np.ndarray = np.repeat(
            row.reshape(1, -1), min(row.size, _MOST_SPIKES), axis=0
        )
        np.fill_diagonal(spikes, 100.0)
        odd = [factor * row for factor in _FACTORS] + [spikes.reshape(-1, *X.shape[1:])]
        return {name: np.concatenate(odd).astype(X.dtype)}
    first = {each.name: ordinary[each.name][0, 0] for each in inputs}
    rows = [first | {each.name: value} for each in inputs for value in _ODD[each.kind]]
    return {
        each.name: np.array([row[each.name] for row in rows], dtype=each.dtype)[:, None]
        for each in inputs
    }


def as_samples(feed: Feed, inputs: list[Input], estimator: Any) -> Any:
    """Return samples as the estimator takes them, from what its model takes."""
    if inputs[0].kind == "array":
        return feed[inputs[0].name]
    columns = {each.name: _objects(feed[each.name][:, 0], each.kind) for each in inputs}
    all_heads = list(heads(estimator))
    if not hasattr(all_heads[0], "feature_names_in_"):
        n_rows = len(next(iter(columns.values())))
        array = np.full((n_rows, all_heads[0].n_features_in_), None, dtype=object)
        for name, values in columns.items():
            array[:, int(name[1:])] = values
        return array
    if all(isinstance(head, TableEncoder) for head in all_heads):
        return [
            dict(zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
    pd = _import_pandas()
    kinds = {each.name: each.kind for each in inputs}
    names = dict.fromkeys(name for head in all_heads for name in column_names(head))
    frame = {
        name: columns[name] if kinds[name] == "category" else feed[name][:, 0]
        for name in names
    }
    return pd.DataFrame(frame)


def _import_pandas() -> Any:
    """Import pandas, of whose frames scikit-learn's ColumnTransformer takes columns."""
    try:
        return import_module("pandas")
    except ImportError as error:
        raise ImportError(
            "to_onnx needs pandas for an estimator that was fitted on a frame: pip "
            "install 'skanomaly[frames]'."
        ) from error


def _some(X: Any) -> Any:
    """Return samples from all over those of a caller."""
    n_samples = _num_samples(X)
    step = max(n_samples // _MOST_GIVEN, 1)
    return _safe_indexing(X, np.arange(0, n_samples, step))


def _read_column(column: Any, kind: str) -> np.ndarray:
    """Return the values of a column as a model takes them."""
    values = column.values
    if kind == "category":
        texts = to_text(as_objects(values))
        return np.array(["" if v is None else v for v in texts], dtype=object)
    if kind == "number":
        return values if column.kind == "number" else to_numbers(values)
    dates = values if column.kind == "date" else to_dates(values)
    return to_seconds(dates)


def _objects(values: np.ndarray, kind: str) -> np.ndarray:
    """Return values of a feed as objects, None for each that is missing."""
    if kind == "category":
        return np.array([v or None for v in values], dtype=object)
    if kind == "number":
        return as_objects(values)
    return from_seconds(values)


def _draw_numbers(head: Any, rng: np.random.Generator) -> np.ndarray:
    """Draw numbers for all columns, as far as it is known what they are like."""
    if isinstance(head, BaseDetector):
        center = head.module_.center.cpu().numpy().ravel()
        return center + rng.normal(size=(_N_DRAWN, len(center)))
    drawn = rng.normal(size=(_N_DRAWN, head.n_features_in_))
    if isinstance(head, TableEncoder):
        for name, part, positions in head._encoders():
            if name == "numbers":
                drawn[:, positions] = _like(part, drawn[:, positions])
            elif name == "dates":
                drawn[:, positions] = (
                    _like(part.days_, drawn[:, positions]) * SECONDS_A_DAY
                )
    elif hasattr(head, "transformers_"):
        for name, part, _ in head.transformers_:
            positions = head._transformer_to_input_indices.get(name, [])
            if hasattr(part, "scale_"):
                drawn[:, positions] = part.inverse_transform(drawn[:, positions])
    elif hasattr(head, "scale_"):
        drawn = head.inverse_transform(drawn)
    return drawn


def _like(encoder: Any, drawn: np.ndarray) -> np.ndarray:
    """Return standard normal numbers in the units of a NumberEncoder's columns."""
    values = encoder.median_ + drawn * (encoder.impossible_ - encoder.median_) / 20
    skewed = encoder.is_skewed_
    values[:, skewed] = np.exp(values[:, skewed]) - encoder.shift_[skewed]
    return np.where(encoder.is_whole_, np.floor(values), values)
