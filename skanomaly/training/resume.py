"""What lets the phases of a training go on in the next one, as arrays of numpy."""

from typing import Any

import torch
from skorch.callbacks import Callback

from .optimizers import JointOptimizer
from .step import make_updates


class ResumePhases(Callback):
    """Begin each phase with the optimizers and weights that it ended with before.

    The learning rates are not among what is resumed: they are those of the net.

    Parameters
    ----------
    states : dict of str to dict
        What phases ended with, by their names; it is brought up to date at the end of
        each phase.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> detector = Autoencoder(random_state=0).partial_fit(np.eye(9))
    >>> list(detector.phase_states_)
    ['training']
    """

    def __init__(self, states):
        self.states = states

    def on_train_begin(self, net, **kwargs):
        """Resume the phase if it was run before."""
        state = self.states.get(net.phase_.name)
        if state is not None:
            _resume_optimizers(net, state)
            _resume_average(net, state)

    def on_train_end(self, net, **kwargs):
        """Keep what the phase has ended with."""
        self.states[net.phase_.name] = {
            "optimizer": net.optimizer.__name__,
            "optimizer_states": [_state_of(each) for each in _optimizers(net)],
            "weights": [_to_numpy(weight) for weight in net.average_.averaged],
            "n_updates": net.average_.n_updates,
        }


def _optimizers(net) -> list[torch.optim.Optimizer]:
    """List the optimizers of all networks."""
    joint = net.optimizer_
    return joint.optimizers if isinstance(joint, JointOptimizer) else [joint]


def _state_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return what an optimizer knows of each parameter; nothing if it has no step."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return [
        {name: _to_numpy(value) for name, value in optimizer.state[p].items()}
        if p in optimizer.state
        else {}
        for p in parameters
    ]


def _resume_optimizers(net, state: dict) -> None:
    """Give optimizers of the same kind the state that they had."""
    if state["optimizer"] != net.optimizer.__name__:
        return
    for optimizer, states in zip(
        _optimizers(net), state["optimizer_states"], strict=True
    ):
        found = {
            number: {name: _to_torch(value) for name, value in each.items()}
            for number, each in enumerate(states)
            if each
        }
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": found, "param_groups": groups})


def _resume_average(net, state: dict) -> None:
    """Go on with the weights themselves, of which the module holds the average."""
    if not net.module_.ema_decay or not state["weights"]:
        return
    updates = make_updates(net, net.phase_.networks)
    trained = {id(p) for update in updates for p in update.parameters}
    net.average_.averaged = [
        _to_torch(weight).to(p.device) if id(p) in trained else p.detach().clone()
        for p, weight in zip(net.module_.parameters(), state["weights"], strict=True)
    ]
    net.average_.n_updates = state["n_updates"]


def _to_numpy(value: Any) -> Any:
    """Return a copy of a tensor as an array; anything else as it is."""
    return value.cpu().numpy().copy() if isinstance(value, torch.Tensor) else value


def _to_torch(value: Any) -> Any:
    """Return a copy of an array as a tensor; anything else as it is."""
    return torch.tensor(value) if hasattr(value, "dtype") else value
