"""The type of a row: the columns that a detector was fitted on, for pydantic."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skanomaly.preprocessing import TableEncoder


def as_text(value):
    """Return booleans and whole numbers as the levels of a category that they are."""
    return str(value) if isinstance(value, bool | int) else value


def check_date(value):
    """Return a date as it is written, or raise if it isn't one of ISO 8601."""
    datetime.fromisoformat(value)
    return value


# Of a kind of TableEncoder; durations are numbers, in seconds.
TYPES = {
    "number": Annotated[float, Field(strict=True, allow_inf_nan=False)],
    "date": Annotated[
        str,
        Field(max_length=40, json_schema_extra={"format": "date-time"}),
        AfterValidator(check_date),
    ],
    "category": Annotated[
        str, BeforeValidator(as_text, json_schema_input_type=str | bool | int)
    ],
}


def make_row_type(detector):
    """Return the model of a row: null where a value is missing, no column left out.

    What the detector doesn't look at, such as ids, may be there and is not read.
    """
    kinds = find_kinds(detector)
    fields = {}
    # The columns' names need not be names in Python.
    for n, (name, kind) in enumerate(kinds.items()):
        is_used = kind in TYPES
        fields[f"column_{n}"] = (
            TYPES[kind] | None if is_used else Any,
            Field(... if is_used else None, alias=name, exclude=not is_used),
        )
    return create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)


def find_kinds(detector):
    """Return the kind of each column, and why it is left out if no encoder uses it."""
    kinds = {}
    for encoder in find_encoders(detector):
        if not hasattr(encoder, "feature_names_in_"):
            break
        for name, kind in encoder.column_kinds_.items():
            if kind in TYPES or name not in kinds:
                kinds[name] = kind
    if not kinds:
        raise TypeError(
            "Rows are checked by the names and kinds of the columns, which only a "
            "TableEncoder knows that was fitted on a frame. Fit a pipeline of "
            f"make_tabular_pipeline on one; got {detector!r}."
        )
    return kinds


def find_encoders(estimator):
    """Yield the encoders that are given the rows, one for each fold of a detector."""
    if isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    if isinstance(estimator, TableEncoder):
        yield estimator
    elif isinstance(estimator, Pipeline):
        yield from find_encoders(estimator[0])
    else:
        held = [getattr(estimator, a, None) for a in ("best_estimator_", "detector_")]
        for each in [*getattr(estimator, "estimators_", ()), *held]:
            if each is not None:
                yield from find_encoders(each)
