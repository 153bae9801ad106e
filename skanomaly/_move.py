"""From one array library, or device, to another."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import config_context

from ._check_parameters import find_device
from ._namespace import namespace_of


class MoveMixin:
    """What scikit-learn's `move_estimator_to` asks of an estimator without arrays."""

    def __sklearn_array_api_convert__(self: Any, converter: Callable) -> Any:
        """Return a copy for samples of another library or on another device."""
        state = self.__getstate__()
        if "_namespace" in state:
            with config_context(array_api_dispatch=True):
                x = converter(np.empty(0))
                state["_namespace"] = namespace_of(x)
            state["_device"] = find_device(self.device, x)
        moved = object.__new__(type(self))
        moved.__setstate__(state)
        return moved
