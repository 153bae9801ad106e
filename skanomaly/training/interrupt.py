"""Ctrl-C as a request that training grants between two batches."""

import signal
import threading
from typing import Any


class DeferredInterrupt:
    """Keep a first Ctrl-C until `check` is called; a second one is raised at once.

    Raised anywhere, a KeyboardInterrupt can leave torch without gradients, skorch
    without an epoch, or look as if a callback had stopped the training. It is only
    deferred in the main thread, where Python's own handler is in place.

    Examples
    --------
    >>> from skanomaly.training.interrupt import DeferredInterrupt
    >>> with DeferredInterrupt() as interrupt:
    ...     interrupt.check()
    """

    def __init__(self) -> None:
        self.is_requested = False

    def __enter__(self) -> "DeferredInterrupt":
        self.is_handling = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self.is_handling:
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_handling:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _request(self, signum: int, frame: Any) -> None:
        """Handle the signal."""
        if self.is_requested:
            raise KeyboardInterrupt
        self.is_requested = True

    def check(self) -> None:
        """Raise if Ctrl-C was pressed.

        Raises
        ------
        KeyboardInterrupt
            If so.
        """
        if self.is_requested:
            raise KeyboardInterrupt
