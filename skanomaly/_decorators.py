"""scikit-learn's decorators, which have no types: what they decorate keeps its own."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn import base
from sklearn.utils import _param_validation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

fit_context: Callable[..., Callable[[Decorated], Decorated]] = base._fit_context
validate_params: Callable[..., Callable[[Decorated], Decorated]] = (
    _param_validation.validate_params
)
