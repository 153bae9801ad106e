"""The driver of all phases of a training."""

from numbers import Real
from typing import Any

import torch

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
    phases = module.warm_start_phases(data) if is_warm_start else module.phases(data)
    n_left, is_interrupted = net.max_epochs, False
    if not is_warm_start:
        module.center.copy_(data.mean())
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
