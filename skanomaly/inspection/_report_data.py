"""What a report says of the samples: columns of a table, or images."""

from collections import Counter

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from skanomaly.preprocessing._kinds import kind_of
from skanomaly.preprocessing._tables import as_table
from skanomaly.preprocessing._values import is_missing, to_dates, to_numbers, to_text

from ._innermost import layers
from ._report_html import element, join, section, table
from ._text import show

_MOST_COLUMNS = 100
_MOST_LETTERS = 40


def data_section(estimator, X, samples):
    """Return what is in the samples."""
    if samples is None:
        X = np.asarray(X)
        facts = {
            "shape": " x ".join(map(str, X.shape)),
            "type": X.dtype,
            "smallest, mean and largest value": (
                f"{show(X.min())}, {show(X.mean())}, {show(X.max())}"
            ),
        }
        return section("Data", table(["", ""], facts.items()))
    names = samples.names[:_MOST_COLUMNS]
    if issparse(X):
        X = X.tocsr()[:, :_MOST_COLUMNS].toarray()
    read = as_table(X, samples.names)
    kinds = _kinds_of_encoder(estimator)
    rows = [
        [name, *_describe(read.column(position), kinds.get(name))]
        for position, name in enumerate(names)
    ]
    header = ["column", "kind", "missing", "distinct", "values"]
    found = element(
        "div", table(header, rows, ("missing", "distinct")), class_="scroll"
    )
    n_more = len(samples.names) - len(names)
    more = element("p", f"and {n_more} more columns") if n_more else ""
    return section("Data", join([found, more]))


def _kinds_of_encoder(estimator):
    """Return what a `TableEncoder` in a Pipeline says of each column."""
    for each, _ in layers(estimator):
        for step in each if isinstance(each, Pipeline) else ():
            if hasattr(step, "column_kinds_"):
                return step.column_kinds_
    return {}


def _describe(column, kind_in_fit):
    """Return kind, missing and distinct values, and a summary of a column."""
    kind = kind_of(column)
    read, summarize = _READ_AS[kind]
    is_read = column.values.dtype != object
    values = column.values if is_read else read(column.values)
    values = values[~is_missing(values)]
    summary = summarize(values) if len(values) else ""
    n_missing = len(column.values) - len(values)
    missing = f"{n_missing / max(len(column.values), 1):.1%}" if n_missing else "0"
    left_out = kind_in_fit not in (None, "number", "date", "category")
    kind = f"{kind}, left out ({kind_in_fit})" if left_out else kind
    return kind, missing, len(np.unique(values)), summary


def _quantiles(values):
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{show(low)} … {show(middle)} … {show(high)}"


def _first_and_last(values):
    ends = np.datetime_as_string([values.min(), values.max()], unit="s").tolist()
    return " … ".join(end.replace("T", " ") for end in ends)


def _most_frequent(values):
    """Return the two most frequent values with their fractions."""
    found = Counter(values.tolist()).most_common(2)
    return ", ".join(
        f"{_short(value)} ({n / len(values):.0%})" if n > 1 else _short(value)
        for value, n in found
    )


def _short(text):
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


_READ_AS = {
    "number": (to_numbers, _quantiles),
    "date": (to_dates, _first_and_last),
    "category": (to_text, _most_frequent),
}
