"""Tensors, and arrays of other libraries, as what a network is fed with."""

from typing import Any

import torch

from ._namespace import copy, is_dispatched, to_host


def take_array(X: Any, name: str) -> Any:
    """Return tensors as they are under dispatch, as numpy's arrays without it.

    What is no array of an array API library is returned as it came.
    """
    if isinstance(X, torch.Tensor):
        _check_tensor(X, name)
        return X if is_dispatched(X) else _as_numpy(X)
    if not is_dispatched(X):
        return X
    # torch ends the process where memory runs backwards; not all arrays tell.
    if min(getattr(X, "strides", [-1]), default=0) < 0:
        X = copy(X)
    try:
        return torch.from_dlpack(X)  # shares memory
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return torch.from_numpy(to_host(X))


def _as_numpy(X: torch.Tensor) -> Any:
    """Return a tensor as an array of numpy, which has no bfloat16."""
    return (X.float() if X.dtype == torch.bfloat16 else X).cpu().numpy()


def _check_tensor(X: torch.Tensor, name: str) -> None:
    """Refuse tensors that are more, or less, than an array of numbers."""
    if X.layout != torch.strided:
        raise TypeError(
            f"X is a sparse tensor, and {name} takes dense ones. Use X.to_dense(), or "
            "a CSR matrix of scipy."
        )
    if X.is_meta:
        raise ValueError(
            f"X is on the device 'meta', where tensors have no values: {name} needs "
            "some."
        )
    if X.is_complex():
        raise ValueError(f"Complex data not supported by {name}, got {X.dtype}.")
    if X.requires_grad:
        raise ValueError(
            f"X requires gradients, and results of {name} have none. Pass X.detach(). "
            "For gradients of the scores call module_.score of a fitted detector."
        )
