"""The version that an estimator was saved with, as scikit-learn keeps its own."""

from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from . import __version__
from ._warnings import warn_user


class VersionMixin:
    """State with the version of this package, and a warning where it is another."""

    def __getstate__(self):
        """Return the state with the version."""
        state: Any = super().__getstate__()
        return {**state, "_skanomaly_version": __version__}

    def __setstate__(self, state):
        """Set the state, and warn if it is that of another version."""
        state = dict(state)
        saved_with = state.pop("_skanomaly_version", "unknown")
        if saved_with != __version__:
            warn_user(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=__version__,
                    original_sklearn_version=saved_with,
                )
            )
        base: Any = super()  # mypy takes it for object; it is BaseEstimator
        base.__setstate__(state)
