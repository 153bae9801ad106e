"""Errors about samples that say what to do about them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sklearn.utils import indexable

# What numpy, pandas and scikit-learn say of values that are none.
_NO_NUMBERS = ("could not convert", "float() argument", "Cannot cast")
_NO_ARRAY = ("inhomogeneous", "setting an array element")
_NOT_FINITE = ("contains NaN.", "too large for dtype")


def not_finite(what: str, name: str) -> ValueError:
    """Return the error about samples with NaN or infinity."""
    return ValueError(
        f"Input X contains {what}: {name} needs finite numbers. "
        "skanomaly.make_tabular_pipeline imputes what is missing and clips what is "
        "extreme."
    )


@contextmanager
def advice_if_not_numeric(name: str) -> Iterator[None]:
    """Say in errors about values what an estimator takes, and what to do."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        kind = TypeError if isinstance(error, TypeError) else ValueError
        if any(each in text for each in _NO_NUMBERS):
            raise kind(
                f"{text}: {name} takes numbers only. For a table with categories use "
                "skanomaly.make_tabular_pipeline."
            ) from error
        if any(each in text for each in _NO_ARRAY):
            raise kind(
                f"{text} {name} takes numbers only, as many for each sample."
            ) from error
        if any(each in text for each in _NOT_FINITE):
            what = text.partition("contains ")[2].partition(".")[0]
            raise not_finite(what, name) from error
        raise


def indexable_samples(X: Any) -> Any:
    """Return samples of which some can be taken, or say that X holds none."""
    is_array = hasattr(X, "shape") or hasattr(X, "__array__")
    is_list = hasattr(X, "__len__") and not isinstance(X, str | bytes | Mapping)
    if not (is_array or is_list):
        raise TypeError(
            "X must be an array or a frame in memory, with a row for each sample, got "
            f"{type(X).__name__}. Read it first, or convert it by pandas.DataFrame(X)."
        )
    (X,) = indexable(X)
    return X
