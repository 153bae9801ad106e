"""TableEncoder as operators: numbers, dates and categories of a table."""

from typing import Any

import numpy as np

from skanomaly.preprocessing import TableEncoder
from skanomaly.preprocessing._categories import CategoryEncoder
from skanomaly.preprocessing._dates import CYCLES, SECONDS_A_DAY, DateEncoder
from skanomaly.preprocessing._numbers import NumberEncoder

from ._graph import Graph
from ._values import Values, column_names, numbers

# What counts as missing: str.isspace in the syntax of RE2.
_BLANK = r"[\s\v\x1c-\x1f\x{85}\p{Z}]*"
_LARGEST = np.finfo(np.float64).max
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def encode_table(encoder: TableEncoder, graph: Graph, values: Values) -> Values:
    """Encode the columns of a table; the result is of float32, as the encoder's."""
    names = column_names(encoder)
    parts = []
    for _, part, positions in encoder._encoders():
        columns = [values.column(names[position]) for position in positions]
        parts.append(_ENCODE[type(part)](part, graph, columns))
    return numbers(graph.concat(parts), len(encoder.source_columns_), np.float32)


def encode_numbers(encoder: NumberEncoder, graph: Graph, x: str) -> str:
    """Encode float64 numbers of shape (n, n_features), as NumberEncoder does."""
    is_missing = is_not_finite(graph, x)
    # What is missing is like nothing impossible: one is whole and positive.
    x = graph.add("Where", is_missing, np.float64(1), x)
    shift, skewed = encoder.shift_, encoder.is_skewed_
    impossible = [
        graph.add("And", is_missing, ~encoder.has_missing_),
        graph.add("And", encoder.is_nonnegative_, graph.add("Less", x, np.float64(0))),
        graph.add("And", encoder.is_whole_, _is_fraction(graph, x)),
    ]
    encoded = x
    if skewed.any():
        shifted = graph.add("Add", x, np.where(skewed, shift, 0.0))
        has_none = graph.add("LessOrEqual", shifted, np.float64(0))
        impossible.append(graph.add("And", skewed, has_none))
        shifted = graph.add("Where", has_none, np.float64(1), shifted)
        encoded = graph.add("Where", skewed, graph.add("Log", shifted), x)
    if any(encoder.gaps_):
        impossible.append(_is_in_gap(graph, encoder.gaps_, encoded))
    is_impossible = impossible[0]
    for each in impossible[1:]:
        is_impossible = graph.add("Or", is_impossible, each)
    encoded = graph.add("Where", is_impossible, encoder.impossible_, encoded)
    centered = graph.add("Sub", encoded, encoder.median_)
    is_median = graph.add("And", is_missing, encoder.has_missing_)
    centered = graph.add("Where", is_median, np.float64(0), centered)
    limits = np.float64(-_LARGEST_FLOAT32), np.float64(_LARGEST_FLOAT32)
    parts = [graph.cast(graph.add("Clip", centered, *limits), np.float32)]
    with_indicator = np.flatnonzero(encoder.has_missing_)
    if len(with_indicator):
        indicators = graph.take(is_missing, with_indicator)
        parts.append(graph.cast(indicators, np.float32))
    return graph.concat(parts)


def is_not_finite(graph: Graph, x: str) -> str:
    """Tell NaN and infinite values of float64: no comparison with NaN is true."""
    is_finite = graph.add("LessOrEqual", graph.add("Abs", x), np.float64(_LARGEST))
    return graph.add("Not", is_finite)


def _is_fraction(graph: Graph, x: str) -> str:
    return graph.add("Not", graph.add("Equal", x, graph.add("Floor", x)))


def _is_in_gap(graph: Graph, gaps_of_columns: list, x: str) -> str:
    """Tell for each column whether a value is in one of its gaps."""
    gaps = [
        (column, *gap) for column, gaps in enumerate(gaps_of_columns) for gap in gaps
    ]
    columns, lower, upper = map(np.array, zip(*gaps, strict=True))
    value = graph.take(x, columns)
    is_between = graph.add(
        "And", graph.add("Less", lower, value), graph.add("Less", value, upper)
    )
    holds = columns[:, None] == np.arange(len(gaps_of_columns))
    n_gaps = graph.add("MatMul", graph.cast(is_between, np.float32), np.float32(holds))
    return graph.add("Greater", n_gaps, np.float32(0))


def _encode_number_columns(encoder: Any, graph: Graph, columns: list[str]) -> str:
    return encode_numbers(encoder, graph, graph.concat(columns))


def _encode_dates(encoder: DateEncoder, graph: Graph, columns: list[str]) -> str:
    """Encode seconds since 1970."""
    seconds = graph.concat(columns)
    days = graph.add("Div", seconds, np.float64(SECONDS_A_DAY))
    parts = [encode_numbers(encoder.days_, graph, days)]
    if encoder.cycles_:
        parts.append(_encode_cycles(encoder.cycles_, graph, seconds))
    return graph.concat(parts)


def _encode_cycles(cycles: list, graph: Graph, seconds: str) -> str:
    """Encode hours and weekdays: sine, cosine and the indicator of each."""
    positions, names, _, _ = zip(*cycles, strict=True)
    unit, length, start = np.array([CYCLES[name] for name in names], dtype=float).T
    is_day = np.array([name == "weekday" for name in names])
    seconds = graph.take(seconds, positions)
    is_missing = is_not_finite(graph, seconds)
    phase = graph.add(
        "Div", graph.add("Where", is_missing, np.float64(0), seconds), unit
    )
    phase = graph.add("Where", is_day, graph.add("Floor", phase), phase)
    phase = graph.add("Add", phase, start)
    n_cycles = graph.add("Floor", graph.add("Div", phase, length))
    phase = graph.add("Sub", phase, graph.add("Mul", n_cycles, length))
    angle = graph.add("Mul", phase, 2 * np.pi / length)
    # The operator for the cosine has no float64 in all runtimes.
    quarter = graph.add("Add", angle, np.float64(np.pi / 2))
    position = graph.add("Clip", graph.add("Floor", phase), np.float64(0))
    position = graph.add("Min", position, length - 1)
    ends = np.cumsum(length)
    place = graph.cast(graph.add("Add", position, ends - length), np.int64)
    is_rare = np.concatenate(
        [np.where(is_rare, value, 0.0) for _, _, is_rare, value in cycles]
    )
    parts = [
        graph.add("Sin", angle),
        graph.add("Sin", quarter),
        graph.add("Gather", is_rare, place),
    ]
    absent = [graph.add("Where", is_missing, np.float64(0), part) for part in parts]
    order = np.arange(3 * len(cycles)).reshape(3, -1).T.ravel()
    return graph.cast(graph.take(graph.concat(absent), order), np.float32)


def _encode_categories(
    encoder: CategoryEncoder, graph: Graph, columns: list[str]
) -> str:
    """Look up the one-hot columns of each level."""
    parts = []
    for column, levels, start, end in zip(
        columns, encoder.levels, encoder.starts_, encoder.ends_, strict=True
    ):
        rows = np.diag(encoder.values_[start:end])
        codes = {"" if level is None else level: n for n, level in enumerate(levels)}
        if None in levels:
            is_blank = graph.add("RegexFullMatch", column, pattern=_BLANK)
            column = graph.add("Where", is_blank, np.array([""]), column)
        parts.append(look_up(graph, column, codes, rows))
    return graph.concat(parts)


def look_up(graph: Graph, column: str, codes: dict[str, int], rows: np.ndarray) -> str:
    """Return for each text of a column its row of a table, the last for all others."""
    other = len(rows) - 1
    codes = {"": other, **codes}
    code = graph.add(
        "LabelEncoder",
        column,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=other,
    )
    code = graph.add("Squeeze", code, np.array([1]))
    return graph.add("Gather", rows, code, axis=0)


_ENCODE: dict[type, Any] = {
    NumberEncoder: _encode_number_columns,
    DateEncoder: _encode_dates,
    CategoryEncoder: _encode_categories,
}
