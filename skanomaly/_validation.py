"""What samples may enter a detector, and their schema."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._advice import advice_if_not_numeric, not_finite
from ._array_api import take_array
from ._check_parameters import check_sizes
from ._namespace import namespace_of, to_host
from ._warnings import warn_user

# Typical values in this range need no word: a network expects about 1.
_SMALLEST_TYPICAL, _LARGEST_TYPICAL = 1e-3, 50.0
_N_ROWS_LOOKED_AT = 1000
_VALUES_CHECKED_AT_ONCE = 2**20
_NUMBERS_OF_COLORS = (1, 3, 4)


@dataclass(frozen=True)
class Schema:
    """What samples look like: the shape for the network, the columns for the user."""

    input_shape: tuple[int, ...]
    feature_names: np.ndarray | None
    namespace: tuple[str, str]

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that scikit-learn expects."""
        found: dict[str, Any] = {
            "input_shape_": self.input_shape,
            "_namespace": self.namespace,
        }
        found["n_features_in_"] = math.prod(self.input_shape)
        if self.feature_names is not None:
            found["feature_names_in_"] = self.feature_names
        return found


def check_training_samples(detector: Any, X: Any, y: Any = None) -> tuple[Any, Schema]:
    """Return float32 samples as the network takes them, and their schema."""
    warn_of_labeled_outliers(y)
    namespace = namespace_of(X)
    name = type(detector).__name__
    X = _refuse_other_than_numbers(X, name)
    with advice_if_not_numeric(name):
        shape = shape_of(X)
    wanted = _shape_for_fit(detector, shape)
    _refuse_sparse_images(X, wanted)
    # A stand-in keeps scikit-learn from changing the detector before it is fitted.
    stand_in = object.__new__(type(detector))
    stand_in.__dict__.update(detector.get_params(deep=False))
    X = _read(stand_in, X, is_fit=True, use_validate_data=True)
    X = X if len(wanted) == 1 else X.reshape(X.shape[0], *wanted)
    names = getattr(stand_in, "feature_names_in_", None)
    _warn_of_units(X)
    return X, Schema(tuple(X.shape[1:]), names, namespace)


def check_samples(detector: Any, X: Any) -> Any:
    """Return float32 samples of the shape seen in fit."""
    if _is_plain(detector, X):
        with np.errstate(over="ignore", invalid="ignore"):
            X = np.asarray(X, dtype=np.float32, order="C")
            _check_values(X, type(detector).__name__)
        return X
    name, wanted = type(detector).__name__, detector.input_shape_
    X = _refuse_other_than_numbers(X, name)
    with advice_if_not_numeric(name):
        shape = shape_of(X)
    _refuse_sparse_images(X, wanted)
    if len(shape) > 2 and shape[1:] != wanted:
        raise ValueError(
            f"X has samples of shape {shape[1:]}, but {name} was fitted with samples "
            f"of shape {wanted}."
        )
    # scikit-learn's width check would compare channels with features.
    X = _read(detector, X, is_fit=False, use_validate_data=len(shape) <= 2)
    return X if len(wanted) == 1 else X.reshape(X.shape[0], *wanted)


def _is_plain(detector: Any, X: Any) -> bool:
    """Tell an array of which nothing but the values is left to be checked.

    For all else scikit-learn knows what to convert, refuse or warn of, which takes
    longer than to score a few rows.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.shape[1:] == detector.input_shape_
        and len(X) > 0
        and not hasattr(detector, "feature_names_in_")
    )


def shape_of(X: Any) -> tuple[int, ...]:
    """Return the shape of anything array-like without letting it do more."""
    return tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)


def _read(detector: Any, X: Any, *, is_fit: bool, use_validate_data: bool) -> Any:
    """Convert to float32 and check the values."""
    options: dict[str, Any] = {
        "dtype": torch.float32 if isinstance(X, torch.Tensor) else np.float32,
        "order": "C",
        "accept_sparse": "csr",
        "allow_nd": True,
        "ensure_all_finite": False,
        "ensure_min_samples": 2 if is_fit else 1,
    }
    name = type(detector).__name__
    with np.errstate(over="ignore", invalid="ignore"):
        with advice_if_not_numeric(name):
            if use_validate_data:
                X = validate_data(detector, X, reset=is_fit, **options)
            else:
                X = check_array(X, estimator=detector, input_name="X", **options)
        _check_values(X, name)
    return X


def _check_values(X: Any, name: str) -> None:
    """Refuse NaN and infinity, part by part."""
    xp: Any = torch if isinstance(X, torch.Tensor) else np
    for values in _parts(X):
        # The sum takes one pass, and no mask.
        if math.isfinite(values.sum()) or xp.isfinite(values).all():
            continue
        too_large = "infinity or a value too large for float32"
        raise not_finite("NaN" if xp.isnan(values).any() else too_large, name)


def _parts(X: Any) -> Iterator[Any]:
    """Cut values into parts of bounded size."""
    values = X.data if sparse.issparse(X) else X
    size = max(_VALUES_CHECKED_AT_ONCE // max(math.prod(values.shape[1:]), 1), 1)
    for start in range(0, len(values), size):
        part = values[start : start + size]
        yield part if isinstance(part, torch.Tensor) else np.asarray(part)


def warn_of_labeled_outliers(y: Any) -> None:
    """Warn where y labels outliers, which are trained on all the same.

    A search with refit does so: NoveltySplit keeps outliers out of the folds only.
    """
    try:
        labels = np.asarray(to_host(y))
    except (TypeError, ValueError):  # ragged, or on a device: no labels
        return
    if labels.ndim != 1 or labels.dtype.kind not in "if":
        return
    n_outliers = int((labels == -1).sum())
    if 0 < n_outliers < len(labels) and np.isin(labels, (-1, 1)).all():
        warn_user(
            f"y marks {n_outliers} of {len(labels)} samples as outliers; they are "
            "trained on, since fit doesn't use y. Fit on X[y == 1], or use "
            "NoveltySearchCV or NoveltyDetector of skanomaly.model_selection."
        )


def _refuse_other_than_numbers(X: Any, name: str) -> Any:
    """Refuse dates, masks and frames that are no data yet."""
    X = take_array(X, name)
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(
            f"{name} takes data, got a {type(X).__name__}. Use X.collect()."
        )
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            f"X is a masked array, and {name} would take masked values for numbers. "
            "Impute them first, for example from X.filled(np.nan)."
        )
    dates = _date_columns(X)
    if dates:
        raise TypeError(
            f"{name} takes numbers, but X has dates or durations in {dates}. Turn them "
            "into numbers first, for example into seconds since a certain date."
        )
    return X


def _date_columns(X: Any) -> str:
    """Name what holds dates or durations; nothing if there are none."""
    if isinstance(X, np.ndarray):
        return f"an array of {X.dtype}" if X.dtype.kind in "mM" else ""
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None or not hasattr(X, "columns"):
        return ""
    found = [
        str(column)
        for column, dtype in zip(X.columns, dtypes, strict=False)
        if getattr(dtype, "kind", "") in ("m", "M")
        or (hasattr(dtype, "is_temporal") and dtype.is_temporal())
    ]
    return f"the columns {found}" if found else ""


def _refuse_sparse_images(X: Any, wanted: tuple[int, ...]) -> None:
    if sparse.issparse(X) and len(wanted) > 1:
        raise TypeError(
            "Sparse data was passed for X, but images and clips must be dense. "
            "Give OneHotEncoder sparse_output=False or ColumnTransformer "
            "sparse_threshold=0, or use X.toarray()."
        )


def _shape_for_fit(detector: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Find the shape that samples are given before they enter the network."""
    name = type(detector).__name__
    if detector.sample_shape is None:
        if len(shape) == 3 or len(shape) > 5:
            raise ValueError(
                f"{name} takes rows (n, features), images (n, channels, height, width) "
                f"or clips (n, channels, time, height, width), got X of shape {shape}. "
                "For grey images add the axis of channels: X[:, np.newaxis]."
            )
        if len(shape) > 2 and 0 in shape[1:]:
            raise ValueError(f"X has samples without values, of shape {shape[1:]}.")
        if len(shape) == 4 and shape[3] in _NUMBERS_OF_COLORS and shape[1] > 4:
            warn_user(
                f"X of shape {shape} is taken for images of {shape[1]} channels. If "
                "the channels come last, use np.moveaxis(X, -1, 1)."
            )
        return shape[1:] if len(shape) > 2 else (0,)
    wanted = check_sizes("sample_shape", detector.sample_shape)
    if len(wanted) not in (3, 4):
        raise ValueError(
            "sample_shape must be (channels, height, width) or (channels, time, "
            f"height, width), got {wanted}."
        )
    if len(shape) > 2 and shape[1:] != wanted:
        raise ValueError(
            f"X has samples of shape {shape[1:]}, but sample_shape={wanted}."
        )
    if len(shape) == 2 and shape[1] != math.prod(wanted):
        raise ValueError(
            f"X has {shape[1]} features, but sample_shape={wanted} needs "
            f"{math.prod(wanted)}."
        )
    return wanted


def _warn_of_units(X: Any) -> None:
    """Warn of values far from 1, which no network is initialized for."""
    some = X[:: max(X.shape[0] // _N_ROWS_LOOKED_AT, 1)]
    if isinstance(some, torch.Tensor):
        some = some.cpu().numpy()
    values = np.abs(some.toarray() if sparse.issparse(some) else some)
    typical = float(np.percentile(values, 90))
    if typical and not _SMALLEST_TYPICAL <= typical <= _LARGEST_TYPICAL:
        warn_user(
            f"X has values of about {typical:.2g}, and a network expects about 1: its "
            "scores may be of little use. Divide images in 0..255 by 255; put "
            "StandardScaler before a table, or use skanomaly.make_tabular_pipeline."
        )
