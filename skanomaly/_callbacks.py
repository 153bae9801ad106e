"""scikit-learn's own callbacks, which it has since 1.9."""

from typing import Any

from ._decorators import Decorated
from .training.tasks import FitTasks

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn < 1.9
    # mypy knows scikit-learn's class by the same name, and not that one of two is made.
    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in: such a scikit-learn sets no callbacks."""

    def _with_callbacks(method):
        return method


__all__ = ["CallbackSupportMixin", "begin_tasks", "with_callbacks"]


def with_callbacks(method: Decorated) -> Decorated:
    """Let scikit-learn's callbacks follow a fit, whose types stay."""
    return _with_callbacks(method)


def begin_tasks(detector: Any, X: Any, y: Any) -> FitTasks | None:
    """Begin the task of a whole fit, if any callback is there to be told."""
    if not getattr(detector, "_skl_callbacks", None):
        return None
    # How many phases there are is known when the last is over.
    context = detector._init_callback_context(max_subtasks=None)
    return FitTasks(context, estimator=detector, X=X, y=y)
