"""The optimizers of several networks, seen as one."""

from collections.abc import Iterable
from inspect import signature
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn
from torch.optim import Optimizer

# One kernel for the whole step: torch's default costs a fit up to a half more.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def make_optimizers(net: NeuralNet) -> dict[str, Optimizer]:
    """Make the optimizers of a net, with the learning rates of its phase.

    Parameters
    ----------
    net : DetectorNet
        A net with a module.

    Returns
    -------
    optimizers : dict of str to torch.optim.Optimizer
        By the name of the net's attribute: one for each network, and one for all.
    """
    module = net.module_
    if not module.networks:
        return {"optimizer_": make_optimizer(net, "optimizer", module, net.lr)}
    made = {}
    for name in module.networks:
        lr = net.phase_.learning_rates.get(name, net.lr)
        prefix = f"{name}_optimizer"
        made[f"{prefix}_"] = make_optimizer(net, prefix, getattr(module, name), lr)
    return {**made, "optimizer_": JointOptimizer(made.values())}


def make_optimizer(net: NeuralNet, name: str, network: nn.Module, lr: float):
    """Make the optimizer of a network from the parameters of its net.

    Parameters
    ----------
    net : DetectorNet
        Its ``optimizer__<name>`` hold for all networks, ``<network>_optimizer__<name>``
        for one.
    name : str
        Prefix of the latter.
    network : torch.nn.Module
        What is trained.
    lr : float
        Learning rate, unless `net` names another.

    Returns
    -------
    optimizer : torch.optim.Optimizer
        Fused where torch can.
    """
    trained = ((n, p) for n, p in network.named_parameters() if p.requires_grad)
    groups, own = net.get_params_for_optimizer(name, trained)
    shared = net.get_params_for("optimizer")
    shared.pop("param_groups", None)
    if f"{name}__lr" not in vars(net):
        own["lr"] = shared.get("lr", lr)
    options = {**shared, **own}
    if net.optimizer is torch.optim.Adam:
        options.setdefault("betas", net.module_.adam_betas)
    if net.optimizer in _FUSED:
        options.setdefault("fused", not options.get("foreach", False))
    if net.cuda_graph and "capturable" in signature(net.optimizer).parameters:
        options.setdefault("capturable", True)
    return net.optimizer(*groups, **options)


class JointOptimizer(Optimizer):
    """One face for the networks' optimizers.

    Callbacks such as skorch's LRScheduler and Checkpoint ask a net for its
    ``optimizer_``. The parameter groups here are those of the networks' optimizers
    themselves, so a learning rate that is set here holds there. Steps are made by the
    networks' optimizers alone.

    Parameters
    ----------
    optimizers : iterable of torch.optim.Optimizer
        The networks' optimizers.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.optimizers import JointOptimizer
    >>> first, second = (torch.optim.SGD([torch.zeros(1)], lr=0.1) for _ in range(2))
    >>> for group in JointOptimizer([first, second]).param_groups:
    ...     group["lr"] = 0.01
    >>> first.param_groups[0]["lr"], second.param_groups[0]["lr"]
    (0.01, 0.01)
    """

    def __init__(self, optimizers: Iterable[Optimizer]):
        self.optimizers = list(optimizers)
        super().__init__(self.optimizers[0].param_groups, {})
        # All together would be refused if networks have a layer in common.
        self.param_groups = [g for each in self.optimizers for g in each.param_groups]
        # Schedulers warn unless they have seen a step, and those are made one by one.
        self._opt_called = True

    def step(self, closure: Any = None) -> Any:
        """Refuse: each network's optimizer steps after that network's loss.

        Parameters
        ----------
        closure : callable or None
            Not used.

        Raises
        ------
        RuntimeError
            Always.
        """
        raise RuntimeError("The networks' optimizers make the steps, one by one.")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all networks.

        Parameters
        ----------
        set_to_none : bool, default=True
            Whether gradients become None instead of zero.
        """
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the networks' optimizers.

        Returns
        -------
        state : dict
            With the one key ``"optimizers"``: a list of state dicts, one a network.
        """
        return {"optimizers": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Parameters
        ----------
        state_dict : dict
            As from `state_dict`.
        """
        states = state_dict["optimizers"]
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)
