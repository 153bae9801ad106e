"""In whose arrays results are wanted: scikit-learn's array API dispatch."""

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils import _array_api

try:
    from sklearn.externals.array_api_compat import is_array_api_obj
    from sklearn.utils._array_api import get_namespace_and_device, move_to

    HAS_ARRAY_API = True
except ImportError:  # scikit-learn < 1.8 can't move arrays between libraries
    HAS_ARRAY_API = False

# What detectors are fitted with where there is no dispatch.
_NUMPY = ("numpy", "cpu")


def is_dispatched(X: Any) -> bool:
    """Tell whether X is another library's array, and results are wanted as such."""
    return (
        HAS_ARRAY_API
        and get_config()["array_api_dispatch"]
        and is_array_api_obj(X)
        and not isinstance(X, np.ndarray | np.generic)
    )


def namespace_of(X: Any) -> tuple[str, str]:
    """Name the library of X and the device that X is on."""
    if not is_dispatched(X):
        return _NUMPY
    xp, _, device = get_namespace_and_device(X)
    return xp.__name__, str(device)


def check_same_namespace(estimator: Any, X: Any, method: str) -> None:
    """Refuse arrays of another library or device than those that were fitted.

    scikit-learn's function of this name compares with an array among the fitted
    attributes; a detector has none, only what `namespace_of` returned.
    """
    fitted = getattr(estimator, "_namespace", None)
    if fitted is None or not get_config()["array_api_dispatch"]:
        return
    given = namespace_of(X)
    if given != fitted:
        name = type(estimator).__name__
        raise ValueError(
            f"Inputs passed to {name}.{method}() must use the same namespace and the "
            f"same device as those passed to fit(): {given[0]} on {given[1]} is not "
            f"{fitted[0]} on {fitted[1]}. Convert X, or move the detector with "
            "move_estimator_to of sklearn.utils._array_api."
        )


def to_host(X: Any) -> Any:
    """Return another library's array as one of numpy, and all else as it is."""
    return move_to(X, xp=np, device="cpu") if is_dispatched(X) else X


def like(values: Any, X: Any) -> Any:
    """Return values as an array of the library of X, on its device."""
    if not is_dispatched(X):
        return np.asarray(values)
    xp, _, device = get_namespace_and_device(X)
    return move_to(values, xp=xp, device=device)


def copy(array: Any) -> Any:
    """Copy any library's array to memory of its own."""
    return _array_api.get_namespace(array)[0].asarray(array, copy=True)


def reshape(array: Any, shape: tuple[int, ...]) -> Any:
    """Reshape any library's array."""
    return _array_api.get_namespace(array)[0].reshape(array, shape)


def labels_below(scores: Any, threshold: float) -> Any:
    """Return -1 where a score is below a threshold, else 1."""
    xp, _ = _array_api.get_namespace(scores)
    return 1 - 2 * xp.astype(scores < threshold, xp.int64)
