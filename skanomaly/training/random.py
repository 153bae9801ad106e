"""Named streams of random numbers, all of them functions of one seed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# A stream's number decides its numbers: append, never reorder.
STREAMS = (
    "weights",
    "order",
    "noise",
    "split",
    "subsample",
    "reset",
    "memory",
    "chunk",
    "reservoir",
)
# Training that continues must not see the same orders and noise again. All other
# streams stay: rows that were held out must be held out again.
_CONTINUED = {"order", "noise", "reset", "chunk", "reservoir"}

# Layers draw their first weights from torch's global generator: there is no other way
# to seed them. One thread at a time borrows it and gives it back as it was.
_TORCH_GENERATOR = threading.Lock()


def _renew_lock() -> None:
    """Forget the threads of the parent process, which will never give the lock back."""
    global _TORCH_GENERATOR
    _TORCH_GENERATOR = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class Streams:
    """Independent random streams by name, for one fit.

    Parameters
    ----------
    seed : int
        Decides all of them.
    n_epochs : int, default=0
        Epochs trained before: a warm start continues the streams of training.

    Examples
    --------
    >>> from skanomaly.training.random import Streams
    >>> Streams(0).seed("order") == Streams(0).seed("order")
    True
    >>> Streams(0).seed("order") == Streams(0, n_epochs=5).seed("order")
    False
    """

    def __init__(self, seed: int, n_epochs: int = 0):
        self.root = seed
        self.n_epochs = n_epochs

    def seed(self, name: str) -> int:
        """Return the seed of a stream.

        Parameters
        ----------
        name : str
            One of ``STREAMS``.

        Returns
        -------
        seed : int
            Of 32 bits.
        """
        key = (STREAMS.index(name), self.n_epochs if name in _CONTINUED else 0)
        sequence = np.random.SeedSequence(self.root, spawn_key=key)
        return int(sequence.generate_state(1)[0])

    def torch_generator(self, name: str, device: str = "cpu") -> torch.Generator:
        """Return a stream as a generator of torch.

        Parameters
        ----------
        name : str
            One of ``STREAMS``.
        device : str, default="cpu"
            Where the numbers are wanted.

        Returns
        -------
        generator : torch.Generator
            At the stream's beginning.
        """
        return torch.Generator(device).manual_seed(self.seed(name))

    def random_state(self, name: str) -> np.random.RandomState:
        """Return a stream as numpy's and scikit-learn's random state.

        Parameters
        ----------
        name : str
            One of ``STREAMS``.

        Returns
        -------
        random_state : RandomState
            At the stream's beginning.
        """
        return np.random.RandomState(self.seed(name))


@contextmanager
def weights_drawn_from(seed: int) -> Iterator[None]:
    """Let layers draw their first weights from a seed, in float32.

    The global states of torch are as before afterwards.

    Parameters
    ----------
    seed : int
        Decides the weights.

    Yields
    ------
    None
        While layers are made.
    """
    with _TORCH_GENERATOR, torch.random.fork_rng(devices=[]):
        dtype = torch.get_default_dtype()
        try:
            torch.set_default_dtype(torch.float32)
            torch.default_generator.manual_seed(seed)
            yield
        finally:
            torch.set_default_dtype(dtype)
