"""What a model takes: the columns of a table, or samples as one array."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from skanomaly.base import BaseDetector
from skanomaly.calibration import ConformalDetector
from skanomaly.ensemble import DeepEnsemble, DetectorEnsemble
from skanomaly.inspection._innermost import held_by
from skanomaly.preprocessing import TableEncoder

from ._libraries import library
from ._transformers import steps_of
from ._values import Block, Values, column_names

Kind = Literal["number", "date", "category", "array"]
_MEANING = {
    "number": "a number; NaN is missing",
    "date": "seconds from 1970-01-01T00:00 to the date, as the clock on the wall shows "
    "it; NaN is missing",
    "category": "text; empty is missing",
    "array": "samples",
}


@dataclass(frozen=True)
class Input:
    """An input of a model: a column of shape (n, 1), or an array."""

    name: str
    kind: Kind
    shape: tuple[int, ...] = (1,)
    dtype: Any = np.float64

    def info(self) -> Any:
        """Return what ONNX declares of it."""
        helper = library("onnx").helper
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        info = helper.make_tensor_value_info(
            self.name, element, ["n_samples", *self.shape]
        )
        info.doc_string = _MEANING[self.kind]
        return info


def find_inputs(estimator: Any, X: Any = None) -> list[Input]:
    """Return the inputs of a fitted estimator: what its first steps were fitted on.

    An array is taken in the dtype of a sample, as it decides how scikit-learn computes.
    """
    found: dict[str, Input] = {}
    all_heads = list(heads(estimator))
    for head in all_heads:
        for each in _inputs_of(head):
            before = found.setdefault(each.name, each)
            if (before.kind, before.shape) != (each.kind, each.shape):
                raise TypeError(
                    f"Column {each.name!r} is a {before.kind} to one of the detectors, "
                    f"and a {each.kind} to another. Convert it to one type before fit."
                )
            if each.dtype == np.float64:
                found[each.name] = each
    if "X" in found and found["X"].kind == "array" and _is_float32(X):
        found["X"] = replace(found["X"], dtype=np.float32)
    return list(found.values())


def _is_float32(X: Any) -> bool:
    return getattr(X, "dtype", None) == np.float32


def heads(estimator: Any) -> Iterator[Any]:
    """Yield the estimators inside that are given the samples as they come."""
    if isinstance(estimator, ConformalDetector | DeepEnsemble | DetectorEnsemble):
        for each in estimator.estimators_:
            yield from heads(each)
    elif isinstance(estimator, Pipeline):
        yield from heads(steps_of(estimator)[0])
    elif held_by(estimator) is not None:
        yield from heads(held_by(estimator))
    else:
        yield estimator


def as_values(inputs: list[Input]) -> Values:
    """Return the inputs as values of the graph."""
    blocks = tuple(
        Block(each.name, int(np.prod(each.shape)), each.dtype) for each in inputs
    )
    is_table = inputs[0].kind != "array"
    return Values(blocks, tuple(each.name for each in inputs) if is_table else None)


def describe(inputs: list[Input]) -> str:
    """Return the kinds of the inputs as JSON, for the properties of the model."""
    return json.dumps({each.name: each.kind for each in inputs}, ensure_ascii=False)


def _inputs_of(head: Any) -> list[Input]:
    if isinstance(head, TableEncoder):
        names = column_names(head)
        return [
            _column(names[position], reader.kind)
            for position, reader in head.readers_.items()
        ]
    with_text = texts_of(head)
    if hasattr(head, "feature_names_in_") or with_text:
        return [
            _column(name, "category" if position in with_text else "number")
            for position, name in enumerate(column_names(head))
        ]
    if isinstance(head, BaseDetector):
        return [Input("X", "array", head.input_shape_, np.float32)]
    return [Input("X", "array", (head.n_features_in_,))]


def _column(name: str, kind: Kind) -> Input:
    return Input(name, kind, dtype=object if kind == "category" else np.float64)


def texts_of(transformer: Any) -> dict[int, list[str]]:
    """Return the positions of the columns that were text in fit, and some values."""
    if isinstance(transformer, TableEncoder):
        return {
            position: ["" if level is None else level for level in reader.levels]
            for position, reader in transformer.readers_.items()
            if reader.kind == "category"
        }
    if isinstance(transformer, Pipeline):
        return texts_of(steps_of(transformer)[0])
    if isinstance(transformer, ColumnTransformer):
        positions = transformer._transformer_to_input_indices
        return {
            positions[name][inner]: texts
            for name, part, _ in transformer.transformers_
            if part != "drop" and len(positions.get(name, []))
            for inner, texts in texts_of(part).items()
        }
    values: list[Any] = []
    if isinstance(transformer, OneHotEncoder | OrdinalEncoder):
        values = transformer.categories_
    elif isinstance(transformer, SimpleImputer):
        values = [[each] for each in transformer.statistics_]
    texts = [[v for v in each if isinstance(v, str)] for each in values]
    return {position: each for position, each in enumerate(texts) if each}
