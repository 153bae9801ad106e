"""What a column holds, and whether a detector can learn from it."""

import re
from collections import Counter
from typing import Any

import numpy as np

from ._tables import Column
from ._values import is_missing, to_dates, to_numbers, to_text

# Of an untyped column's values so many must be numbers, or dates, for it to hold such.
_MIN_READABLE = 0.9
_N_VALUES_LOOKED_AT = 1000
# A categorical column is left out if its frequent values make up less than this.
_MIN_COVERAGE = 0.3
_MIN_WORDS_OF_TEXT = 3
# Which of the numbers is the day, and which the month, nobody can tell from one value.
_AMBIGUOUS_DATE = re.compile(
    r"(\d{4}([./-])\d{1,2}\2\d{1,2}|\d{1,2}([./-])\d{1,2}\3(\d{4}|\d{2}))(?![\d./-])"
)
AMBIGUOUS_DATES = "dates that are not in ISO 8601"
# Whole numbers that never repeat are ids if chance alone would have made so many pairs
# of them equal, or if there are many and all are as long as this.
_EXPECTED_REPETITIONS = 5
_MIN_DIGITS_OF_ID, _MIN_NUMBER_OF_IDS = 8, 50


def kind_of(column: Column) -> str:
    """Return "number", "date" or "category": what the values are read as."""
    if column.kind is not None:
        return column.kind
    present = column.values[~is_missing(column.values)]
    some = present[:: max(len(present) // _N_VALUES_LOOKED_AT, 1)]
    if not len(some) or all(isinstance(value, bool | np.bool_) for value in some):
        return "category"
    if np.mean(~np.isnan(to_numbers(some))) >= _MIN_READABLE:
        return "number"
    if np.mean(~np.isnat(to_dates(some))) >= _MIN_READABLE:
        return "date"
    return "category"


def frequent_levels(text: np.ndarray, min_frequency: float) -> list[str | None]:
    """List what makes up at least a fraction of a column, None for missing values."""
    smallest = max(2, min_frequency * len(text))
    counts = Counter(text.tolist())
    found = [level for level, count in counts.items() if count >= smallest]
    return sorted(found, key=lambda level: (level is None, level or ""))


def why_useless(kind: str, values: Any, min_frequency: float) -> str | None:
    """Say why a detector can learn nothing from a column; None if it can."""
    if kind == "category":
        return _why_useless_text(to_text(values), min_frequency)
    present = values[~(np.isnan(values) if kind == "number" else np.isnat(values))]
    if not len(present):
        return "all missing"
    if len(present) == len(values) and (values == values[0]).all():
        return "constant"
    return "near-unique" if kind == "number" and _are_ids(present) else None


def _why_useless_text(text: np.ndarray, min_frequency: float) -> str | None:
    counts = Counter(text.tolist())
    n_present = len(text) - counts[None]
    if not n_present:
        return "all missing"
    if counts.most_common(1)[0][1] == len(text):
        return "constant"
    levels = [v for v in frequent_levels(text, min_frequency) if v is not None]
    if sum(counts[level] for level in levels) >= _MIN_COVERAGE * n_present:
        return None
    present = [value for value in text if value is not None]
    if np.mean([bool(_AMBIGUOUS_DATE.match(v)) for v in present]) >= _MIN_READABLE:
        return AMBIGUOUS_DATES
    n_words = np.median([len(value.split()) for value in present])
    return "free text" if n_words >= _MIN_WORDS_OF_TEXT else "near-unique"


def _are_ids(values: np.ndarray) -> bool:
    """Tell ids: whole numbers that are unique on purpose, not by chance."""
    n = len(values)
    if (values != np.floor(values)).any() or len(np.unique(values)) < n:
        return False
    lowest, highest = values.min(), values.max()
    # Numbers drawn from a range with repetition: the expected number of equal pairs.
    n_equal_pairs = n * (n - 1) / 2 / (highest - lowest + 1)
    if n_equal_pairs >= _EXPECTED_REPETITIONS:
        return True
    are_long = lowest >= 10 ** (_MIN_DIGITS_OF_ID - 1)
    return bool(
        are_long
        and n >= _MIN_NUMBER_OF_IDS
        and np.floor(np.log10(lowest)) == np.floor(np.log10(highest))
    )
