"""Readers of columns: from the values of one kind to float64."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._categories import INFREQUENT
from ._kinds import frequent_levels, kind_of
from ._tables import Column, Table
from ._values import (
    as_objects,
    from_seconds,
    is_missing,
    to_dates,
    to_numbers,
    to_seconds,
    to_text,
)

_EXAMPLES = {"number": "numbers", "date": "dates", "category": "categories"}


@dataclass
class ColumnReader:
    """Reads a column as it was read in `fit`, or says what is wrong with it.

    Numbers stay what they are, dates become seconds, and categories codes: the position
    among the frequent levels, and after the last of them for all other values.
    """

    name: Any
    kind: str
    # The dtype said what the values are: one that is something else is an error. Where
    # values had to be looked at, one that can't be read counts as missing.
    is_strict: bool
    levels: list[str | None] = field(default_factory=list)

    @classmethod
    def fit(cls, name: Any, column: Column, min_frequency: float) -> "ColumnReader":
        """Find out what a column of the training samples holds."""
        kind = kind_of(column)
        if kind != "category":
            return cls(name, kind, column.kind is not None)
        is_text = all(isinstance(v, str) for v in column.values if v is not None)
        levels = frequent_levels(to_text(column.values), min_frequency)
        return cls(name, kind, is_text, levels)

    @classmethod
    def fit_missing(cls, name: Any) -> "ColumnReader":
        """Read a column that is all missing: any value is another level."""
        return cls(name, "category", False, [None])

    def values(self, column: Column) -> np.ndarray:
        """Return the values as numbers, dates or text."""
        if self.kind == "category":
            self._refuse(column, self.is_strict and column.kind in ("number", "date"))
            return to_text(as_objects(column.values))
        if column.kind == self.kind:
            values = column.values
        else:
            self._refuse(column, column.kind in ("number", "date"))
            read = to_numbers if self.kind == "number" else to_dates
            objects = as_objects(column.values)
            values = read(objects)
            is_wrong = is_missing(values) & ~is_missing(objects)
            if self.is_strict and is_wrong.any():
                self._raise(f"the value {objects[is_wrong][0]!r}")
        if self.kind == "number":
            return np.where(np.isfinite(values), values, np.nan)
        return values

    def read(self, column: Column) -> np.ndarray:
        """Return the values as float64, NaN for missing numbers and dates."""
        return self.encode(self.values(column))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return numbers, dates or text as float64."""
        if self.kind == "number":
            return values
        if self.kind == "date":
            return to_seconds(values)
        codes = {level: code for code, level in enumerate(self.levels)}
        other = len(codes)
        return np.array([codes.get(v, other) for v in values.tolist()], dtype=float)

    def decode(self, read: np.ndarray) -> np.ndarray:
        """Return objects from what `read` returned: the inverse."""
        if self.kind == "category":
            names = np.array([*self.levels, INFREQUENT], dtype=object)
            return names[read.astype(int)]
        if self.kind == "number":
            return as_objects(read)
        return from_seconds(read)

    def notes(self, column: Column, values: np.ndarray) -> list[str]:
        """Say how many values are there and can't be read."""
        if self.kind == "category" or column.kind is not None:
            return []
        is_wrong = is_missing(values) & ~is_missing(column.values)
        if not is_wrong.any():
            return []
        return [
            f"{is_wrong.sum()} values of {self.name!r}, such as "
            f"{column.values[is_wrong][0]!r}, are no {_EXAMPLES[self.kind]} and count "
            "as missing."
        ]

    def _refuse(self, column: Column, is_other: bool) -> None:
        """Raise if the dtype tells of another kind, unless all values are missing."""
        if is_other and not is_missing(column.values).all():
            self._raise(f"{_EXAMPLES[column.kind or '']}")

    def _raise(self, found: str) -> None:
        raise TypeError(
            f"Column {self.name!r} held {_EXAMPLES[self.kind]} in fit and has {found} "
            "now. Convert it to the type that it had."
        )


def read_columns(
    readers: list[ColumnReader], table: Table, positions: list[int]
) -> np.ndarray:
    """Return the columns at these positions as float64, numeric ones read at once."""
    read = np.empty((table.shape[0], len(readers)))
    numeric = []
    for i, (reader, position) in enumerate(zip(readers, positions, strict=True)):
        if reader.kind == "number" and table.is_numeric(position):
            numeric.append(i)
        else:
            read[:, i] = reader.read(table.column(position))
    if numeric:
        read[:, numeric] = table.numbers([positions[i] for i in numeric])
        read[np.isinf(read)] = np.nan
    return read
