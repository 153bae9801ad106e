"""What the parameters of a detector may be, where scikit-learn's constraints end."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

# skorch's names of what are parameters here.
_OWN_NAMES = {
    "max_epochs": "max_epochs",
    "batch_size": "batch_size",
    "lr": "learning_rate",
    "optimizer__lr": "learning_rate",
    "device": "device",
    "verbose": "verbose",
    "warm_start": "warm_start",
}


def check_parameters(detector: Any) -> None:
    """Check what scikit-learn's constraints can't say."""
    for name, constraints in detector._parameter_constraints.items():
        value = getattr(detector, name)
        takes_bool = any(each in ("boolean", "verbose") for each in constraints)
        if isinstance(value, bool) and not takes_bool:
            raise ValueError(f"{name} must not be a bool, got {value!r}.")
    if detector.hidden_sizes is not None:
        check_sizes("hidden_sizes", detector.hidden_sizes)
    find_device(detector.device)
    check_net_params(detector.net_params or {})


def check_sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """Return sizes as a tuple, or say that they are no whole numbers above zero."""
    sizes = tuple(sizes)
    is_whole = [isinstance(n, Integral) and not isinstance(n, bool) for n in sizes]
    if not sizes or not all(is_whole) or min(sizes) < 1:
        raise ValueError(
            f"{name} must hold whole numbers of at least 1, and one at least, got "
            f"{sizes}."
        )
    return tuple(int(n) for n in sizes)


def check_interval(name: str, value: Any) -> tuple[float, float]:
    """Return a number, or the two ends of an interval, as two ends."""
    ends = np.atleast_1d(np.asarray(value, dtype=object)).tolist()
    is_number = [isinstance(x, Real) and not isinstance(x, bool) for x in ends]
    is_valid = 1 <= len(ends) <= 2 and all(is_number)
    if not is_valid or not 0 <= min(ends) <= max(ends) < np.inf:
        raise ValueError(
            f"{name} must be a number of at least 0 or a pair of them, got {value!r}."
        )
    low, high = float(ends[0]), float(ends[-1])
    if low > high:
        raise ValueError(f"{name} must be a pair (low, high), got {value!r}.")
    return low, high


def find_device(device: str | torch.device, X: Any = None) -> str:
    """Return the name of a device that exists here, or say which do."""
    if device == "auto":
        if isinstance(X, torch.Tensor) and X.device.type != "cpu":
            return str(X.device)
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} is not available here. Use 'auto', 'cpu' or the name "
            "of an accelerator of this machine."
        ) from error
    return str(found)


def check_net_params(net_params: dict[str, Any]) -> None:
    """Refuse settings of the net that the detector has parameters for."""
    for name in _OWN_NAMES.keys() & net_params.keys():
        raise ValueError(
            f"net_params[{name!r}] would override the parameter {_OWN_NAMES[name]!r}. "
            f"Set {_OWN_NAMES[name]} instead."
        )
    callbacks = net_params.get("callbacks", [])
    if not isinstance(callbacks, list | tuple):
        raise TypeError(
            f"net_params['callbacks'] must be a list of skorch callbacks, got "
            f"{callbacks!r}."
        )
    optimizer = net_params.get("optimizer", torch.optim.Adam)
    if not isinstance(optimizer, type) or optimizer is torch.optim.LBFGS:
        raise TypeError(
            "net_params['optimizer'] must be an optimizer class of torch that needs no "
            f"closure, such as torch.optim.AdamW, got {optimizer!r}."
        )
