"""The driver of all phases of a training."""

from collections.abc import Iterator
from numbers import Real
from typing import Any

import torch

from skanomaly.nn import Phase

from .data import Data
from .net import DetectorNet


def train(net: DetectorNet, data: Data, *, is_warm_start: bool = False) -> bool:
    """Train a module through its phases.

    The driver owns what is the same for all of them: the budget of epochs, evaluation
    mode and no gradients between phases, and what an interruption means. An interrupted
    training runs no further phase, but what the module does between its phases.

    Parameters
    ----------
    net : DetectorNet
        An initialized net; its ``max_epochs`` is the budget.
    data : Data
        The training samples.
    is_warm_start : bool, default=False
        Whether the module has been trained before.

    Returns
    -------
    is_interrupted : bool
        Whether Ctrl-C has ended the training.

    Raises
    ------
    FloatingPointError
        If training diverges.
    KeyboardInterrupt
        If interrupted before the first epoch was over, or before the first of a phase
        without which there is no score.

    Examples
    --------
    >>> import numpy as np
    >>> from functools import partial
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.training import Data, DetectorNet, train
    >>> arguments = Autoencoder()._module_arguments((4,))
    >>> net = DetectorNet(partial(Autoencoder.module_class, **arguments), max_epochs=3)
    >>> train(net.initialize(), Data(np.ones((50, 4), dtype=np.float32)))
    False
    """
    module = net.module_
    if is_warm_start:
        return run_phases(net, data, module.warm_start_phases(data))
    module.center.copy_(data.mean())
    return run_phases(net, data, module.phases(data))


def train_on_chunk(net: DetectorNet, chunk: Data, recent: Data | None = None) -> bool:
    """Train a module on a chunk of a stream, once in each of its phases.

    Parameters
    ----------
    net : DetectorNet
        An initialized net.
    chunk : Data
        The training samples.
    recent : Data or None, default=None
        What the module measures, of which the chunk may be a small part: a sample of
        what it was trained on of late. None begins a stream with `chunk`.

    Returns
    -------
    is_interrupted : bool
        Whether Ctrl-C has ended the training.

    Raises
    ------
    FloatingPointError
        If training diverges.
    KeyboardInterrupt
        As for `train`.
    """
    module = net.module_
    measured = chunk if recent is None else recent
    module.center.copy_(measured.mean())
    phases = module.phases if recent is None else module.warm_start_phases
    n_batches = -(-len(chunk) // net.batch_size)
    each_once = (phase.single_pass(n_batches) for phase in phases(measured))
    return run_phases(net, chunk, each_once)


def run_phases(net: DetectorNet, data: Data, phases: Iterator[Phase]) -> bool:
    """Run phases within the budget of a net; returns and raises what `train` does."""
    module = net.module_
    n_left, is_interrupted = net.max_epochs, False
    while True:
        module.eval()
        with torch.no_grad():
            phase = next(phases, None)
        if phase is None:
            break
        n_epochs = phase.n_epochs(net.max_epochs, n_left)
        n_before = len(finished_epochs(net))
        if not is_interrupted and (n_epochs or phase.steps):
            is_interrupted = net.train_phase(phase, data, n_epochs)
            n_left -= n_epochs
        is_missing = phase.is_required and len(finished_epochs(net)) == n_before
        if is_interrupted and (is_missing or not finished_epochs(net)):
            raise KeyboardInterrupt
    if not all(parameter.isfinite().all() for parameter in module.parameters()):
        raise FloatingPointError("the network's weights are not finite")
    return is_interrupted


def finished_epochs(net: DetectorNet) -> list[dict]:
    """Return the rows of the history of epochs that came to their end.

    Parameters
    ----------
    net : DetectorNet
        A net.

    Returns
    -------
    rows : list of dict
        As in ``net.history``.
    """
    return [row for row in net.history if "train_loss" in row]


def history_rows(net: DetectorNet, n_before: int = 0) -> list[dict[str, Any]]:
    """Return what the history says of the finished epochs, in plain numbers.

    Parameters
    ----------
    net : DetectorNet
        A trained net.
    n_before : int, default=0
        Entries of the trainings before.

    Returns
    -------
    rows : list of dict
        Number, phase and duration of each epoch, its losses, and the values of
        callbacks.
    """
    rows = []
    for number, row in enumerate(finished_epochs(net), n_before + 1):
        values = {
            name: float(value)
            for name, value in row.items()
            if isinstance(value, Real)
            and not isinstance(value, bool)
            and not name.endswith(("_batch_count", "_batch_size"))
        }
        rows.append({**values, "epoch": number, "phase": row["phase"]})
    return rows
