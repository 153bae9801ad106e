"""Transformers of scikit-learn, and this package's own, as operators."""

import copy
import warnings
from functools import singledispatch
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from skanomaly.preprocessing import ClipTransformer, TableEncoder
from skanomaly.preprocessing._scaler import TableScaler

from ._graph import Graph
from ._skl2onnx import convert_step
from ._tables import encode_table, look_up
from ._values import Block, Values, numbers

_UNSEEN = "a text that no training sample has"


@singledispatch
def transform(transformer: Any, graph: Graph, values: Values) -> Values:
    """Apply a fitted transformer; one that has no rule here is left to skl2onnx."""
    value, dtype, n_columns = convert_step(transformer, graph, values)
    return numbers(value, n_columns, dtype)


def steps_of(pipeline: Pipeline) -> list[Any]:
    """Return the steps that do something."""
    steps = [step for _, step in pipeline.steps]
    return [step for step in steps if step is not None and step != "passthrough"]


@transform.register
def _(transformer: TableEncoder, graph: Graph, values: Values) -> Values:
    return encode_table(transformer, graph, values)


@transform.register
def _(transformer: Pipeline, graph: Graph, values: Values) -> Values:
    for step in steps_of(transformer):
        values = transform(step, graph, values)
    return values


@transform.register
def _(transformer: ColumnTransformer, graph: Graph, values: Values) -> Values:
    values = values.of(transformer)
    blocks: list[Block] = []
    for name, part, _ in transformer.transformers_:
        positions = transformer._transformer_to_input_indices.get(name, [])
        if len(positions) and part != "drop":
            selected = values.select(graph, positions)
            blocks += transform(part, graph, selected).blocks
    return Values(tuple(blocks))


@transform.register
def _(transformer: FunctionTransformer, graph: Graph, values: Values) -> Values:
    if transformer.func is not None:
        raise TypeError(
            f"{transformer!r} calls a function of Python, which no ONNX model can. "
            "Apply it before, to the samples given to the model."
        )
    return values.of(transformer)


@transform.register
def _(transformer: ClipTransformer, graph: Graph, values: Values) -> Values:
    values = values.of(transformer)
    limit = np.asarray(transformer.limit, dtype=values.dtype)
    clipped = graph.add("Clip", values.numbers(graph, values.dtype), -limit, limit)
    return numbers(clipped, values.n_columns, values.dtype)


@transform.register
def _(transformer: StandardScaler, graph: Graph, values: Values) -> Values:
    """Scale in the precision that is given, bit for bit as scikit-learn does."""
    values = values.of(transformer)
    x = values.numbers(graph, values.dtype)
    if transformer.with_mean:
        x = graph.add("Sub", x, transformer.mean_.astype(values.dtype))
    if transformer.with_std:
        x = graph.add("Div", x, transformer.scale_.astype(values.dtype))
    return numbers(x, values.n_columns, values.dtype)


@transform.register
def _(transformer: TableScaler, graph: Graph, values: Values) -> Values:
    return transform(transformer.scaler_, graph, values)


@transform.register
def _(transformer: SimpleImputer, graph: Graph, values: Values) -> Values:
    """Replace missing values; skl2onnx does so neither in float64 nor in text."""
    values = values.of(transformer)
    columns = values.columns(graph)
    is_missing = [_is_missing(transformer, graph, column) for column in columns]
    imputed = [
        _impute(graph, *each)
        for each in zip(columns, is_missing, transformer.statistics_, strict=True)
    ]
    blocks = [each for each in imputed if each is not None]
    if transformer.add_indicator:
        blocks += [
            Block(graph.cast(is_missing[position], np.float64), 1, np.float64)
            for position in transformer.indicator_.features_
        ]
    return Values(tuple(blocks))


def _is_missing(imputer: SimpleImputer, graph: Graph, column: Block) -> str:
    marker = imputer.missing_values
    is_nan = marker is None or marker != marker
    if column.is_text:
        return graph.add("Equal", column.value, np.array(["" if is_nan else marker]))
    if is_nan:
        return graph.add("IsNaN", column.value)
    return graph.add("Equal", column.value, np.asarray(marker, column.dtype))


def _impute(
    graph: Graph, column: Block, is_missing: str, statistic: Any
) -> Block | None:
    """Return a column with its missing values replaced; None if all were missing."""
    if statistic is None or statistic != statistic:
        return None
    fill = np.array([statistic], dtype=column.dtype)
    value = graph.add("Where", is_missing, fill, column.value)
    return Block(value, 1, column.dtype)


@transform.register(OneHotEncoder)
@transform.register(OrdinalEncoder)
def _(transformer: Any, graph: Graph, values: Values) -> Values:
    """Look up what the encoder itself makes of each category."""
    columns = values.of(transformer).columns(graph)
    tables = _tables_of(transformer)
    parts = []
    for column, categories, rows in zip(
        columns, transformer.categories_, tables, strict=True
    ):
        if column.is_text:
            codes = {_text_of(each): n for n, each in enumerate(categories)}
            parts.append(look_up(graph, column.value, codes, rows))
        else:
            parts.append(_look_up_number(graph, column.value, categories, rows))
    return numbers(graph.concat(parts), sum(rows.shape[1] for rows in tables))


def _tables_of(encoder: Any) -> list[np.ndarray]:
    """Return for each column what is made of its categories, and of any other value.

    An encoder that refuses unknown categories makes NaN of them, which no detector
    takes either.
    """
    first = [categories[0] for categories in encoder.categories_]
    n_outputs = getattr(
        encoder, "_n_features_outs", [1] * len(first)
    )  # of OrdinalEncoder
    ends = np.cumsum(n_outputs)
    tables = []
    for position, categories in enumerate(encoder.categories_):
        part = slice(ends[position] - n_outputs[position], ends[position])
        rows = _encode(encoder, first, position, categories)[:, part]
        if encoder.handle_unknown == "error":
            other = np.full((1, n_outputs[position]), np.nan)
        else:
            unseen = _unseen(categories)
            other = _encode(encoder, first, position, [unseen])[:, part]
        tables.append(np.vstack([rows, other]))
    return tables


def _encode(encoder: Any, row: list, position: int, values: Any) -> np.ndarray:
    """Encode a row with each of some values in one column."""
    has_text = any(isinstance(each, str) for each in row)
    table = np.empty((len(values), len(row)), dtype=object if has_text else float)
    table[:] = row
    table[:, position] = values
    unnamed = copy.copy(encoder).set_output(transform="default")
    unnamed.__dict__.pop("feature_names_in_", None)
    with warnings.catch_warnings():  # the unknown one is there on purpose
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
        encoded = unnamed.transform(table)
    dense = encoded.toarray() if hasattr(encoded, "toarray") else encoded
    return np.asarray(dense, dtype=float)


def _unseen(categories: np.ndarray) -> Any:
    """Return a value that is none of the categories."""
    if any(isinstance(each, str) for each in categories):
        return _UNSEEN
    present = [
        each for each in categories.tolist() if each == each and each is not None
    ]
    return max(present, default=0) + 1


def _text_of(category: Any) -> str:
    """Return a category as the text of a model's input: empty if it is missing."""
    is_missing = category is None or category != category
    return "" if is_missing else str(category)


def _look_up_number(
    graph: Graph, column: str, categories: np.ndarray, rows: np.ndarray
) -> str:
    """Return for each number its row of a table, the last for all others."""
    known = np.asarray(categories, dtype=float)
    is_equal = graph.add("Equal", column, known)
    if np.isnan(known).any():
        both_nan = graph.add("And", graph.add("IsNaN", column), np.isnan(known))
        is_equal = graph.add("Or", is_equal, both_nan)
    # The position of the one that is equal, or that after the last.
    other = np.float64(len(known))
    code = graph.add(
        "MatMul", graph.cast(is_equal, np.float64), np.arange(len(known)) - other
    )
    code = graph.cast(graph.add("Add", code, other), np.int64)
    return graph.add("Gather", rows, code, axis=0)
