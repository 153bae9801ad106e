"""Warnings that point at the caller's line, however deep they arise."""

import sys
import warnings
from pathlib import Path

# Frames of these packages stand between a user's line and ours.
_INNER = {"skanomaly", "sklearn", "skops", "skorch", "joblib", "torch", "contextlib"}


def warn_user(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn as if the user's own line had done it.

    Parameters
    ----------
    message : str or Warning
        What is wrong and what to do.
    category : type of Warning, default=UserWarning
        Its class, if it is a text.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_inner(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_unconverged(message: str) -> None:
    """Warn of a training that has not come to what it is for.

    Parameters
    ----------
    message : str
        What is wrong and what to do.
    """
    from sklearn.exceptions import ConvergenceWarning  # networks need torch only

    warn_user(message, ConvergenceWarning)


def _is_inner(filename: str) -> bool:
    """Tell whether a file belongs to one of the packages."""
    path = Path(filename)
    return not _INNER.isdisjoint((*path.parts[-6:-1], path.stem))
