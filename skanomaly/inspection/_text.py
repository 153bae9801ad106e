"""Values and reasons in words."""

from datetime import datetime
from numbers import Real

import numpy as np


def tell(column, value, expected):
    """Return what is seen and what is expected in a column, in words."""
    seen = f"{column} is missing" if value is None else f"{column} = {show(value)}"
    return seen if expected is None else f"{seen}\n(expected {show(expected)})"


def show(value):
    """Return a value as a short text."""
    if isinstance(value, datetime):
        text = value.replace(microsecond=0).isoformat(" ")
        return text.removesuffix(" 00:00:00")
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if is_number and not float(value).is_integer():
        return f"{value:.4g}"
    return f"{value:.15g}" if is_number else str(value)
