"""Single values as numbers, dates and text."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

_EPOCH, _SECOND = np.datetime64(0, "us"), np.timedelta64(1, "s")


def to_numbers(values: np.ndarray) -> np.ndarray:
    """Return objects as float64; NaN where one is missing or can't be read."""
    return np.fromiter(map(_to_number, values), np.float64, len(values))


def to_dates(values: np.ndarray) -> np.ndarray:
    """Return objects as datetime64[us]; NaT where one is missing or can't be read."""
    return np.array([_to_date(value) for value in values], dtype="datetime64[us]")


def is_missing(values: np.ndarray) -> np.ndarray:
    """Tell None, NaN and NaT by the dtype of the values."""
    if values.dtype == object:
        return np.fromiter((v is None for v in values), bool, len(values))
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


def as_objects(values: np.ndarray) -> np.ndarray:
    """Return the values as objects, None for each that is missing."""
    if values.dtype == object:
        return values
    objects = values.astype(object)
    objects[is_missing(values)] = None
    return objects


def to_seconds(dates: np.ndarray) -> np.ndarray:
    """Return dates as seconds from 1970-01-01, NaN where one is missing."""
    return (dates - _EPOCH) / _SECOND


def from_seconds(seconds: np.ndarray) -> np.ndarray:
    """Return objects from what `to_seconds` returned: the inverse."""
    microseconds = np.where(np.isnan(seconds), 0, seconds * 1e6).astype("m8[us]")
    dates = (_EPOCH + microseconds).astype(object)
    dates[np.isnan(seconds)] = None
    return dates


def to_text(values: np.ndarray) -> np.ndarray:
    """Return objects as strings, None where one is missing.

    A whole number has one text however it is stored: missing values make 1 of 1.0.
    """
    text = np.empty(len(values), dtype=object)
    text[:] = [v if v is None or type(v) is str else _to_text(v) for v in values]
    return text


def _to_number(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _to_date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value if isinstance(value, date | np.datetime64) else None


def _to_text(value: Any) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)
