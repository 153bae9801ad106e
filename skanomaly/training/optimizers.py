"""The optimisers of several players, seen as one."""

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer


class JointOptimizer(Optimizer):
    """One face for the players' optimisers.

    Callbacks such as skorch's LRScheduler and Checkpoint ask a net for its
    ``optimizer_``. The parameter groups here are those of the players' optimisers
    themselves, so a learning rate that is set here holds there. Steps are made by the
    players' optimisers alone.

    Parameters
    ----------
    optimizers : iterable of torch.optim.Optimizer
        The players' optimisers.

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
        groups = [group for each in self.optimizers for group in each.param_groups]
        super().__init__(groups, {})
        # Schedulers warn unless they have seen a step, and the players make them.
        self._opt_called = True

    def step(self, closure: Any = None) -> None:  # type: ignore[override] # torch declares overloads for closures that return a loss
        """Refuse: the players step by themselves, each after its own loss.

        Parameters
        ----------
        closure : callable or None
            Not used.

        Raises
        ------
        RuntimeError
            Always.
        """
        raise RuntimeError("The players' optimisers make the steps, one by one.")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all players.

        Parameters
        ----------
        set_to_none : bool, default=True
            Whether gradients become None instead of zero.
        """
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the players' optimisers.

        Returns
        -------
        state : dict
            With the one key ``"optimizers"``: a list of state dicts, a player each.
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
