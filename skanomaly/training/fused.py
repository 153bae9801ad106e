"""The step of fused Adam, without what torch does around its kernel each time."""

from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Options of Adam that its kernel takes, and those that it knows nothing of.
_TAKEN = ("lr", "weight_decay", "eps", "maximize")
_NOT_TAKEN = ("amsgrad", "capturable", "differentiable", "decoupled_weight_decay")
_STATE = ("exp_avg", "exp_avg_sq", "step")


class FusedStep:
    """Make the steps of an optimizer; those of fused Adam by its kernel alone.

    `torch.optim.Adam.step` finds out anew which parameters have gradients and states,
    groups them by device and increments a counter for each, which takes several times
    what its kernel takes for a small network. Here that is done once, and again when
    any of it has changed. All else is left to the optimizer: other classes, options
    that the kernel doesn't know, hooks, and other devices than the CPU. Both ways share
    one state and give the same bits.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose steps are made.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.fused import FusedStep
    >>> weight = torch.zeros(1, requires_grad=True)
    >>> step = FusedStep(torch.optim.Adam([weight], lr=0.5, fused=True))
    >>> for _ in range(2):
    ...     weight.grad = torch.ones(1)
    ...     step()
    >>> round(weight.item(), 4)
    -1.0
    """

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.state: Any = None  # the optimizer's, if the lists below are of it
        self.lists: list[tuple[list[Tensor], ...]] = []
        self.others: list[Tensor] = []

    def __call__(self) -> None:
        """Update the parameters by their gradients."""
        if self.state and self.optimizer.state is self.state:
            grads = [[p.grad for p in parameters] for parameters, *_ in self.lists]
            if self._is_as_listed(grads):
                self._run_kernel(grads)
                return
        self.optimizer.step()
        self._make_lists()

    def _is_as_listed(self, grads: list[list[Tensor | None]]) -> bool:
        """Tell whether those parameters have gradients that had them before."""
        return (
            len(self.optimizer.param_groups) == len(grads)
            and all(grad is not None for grad in chain.from_iterable(grads))
            and all(parameter.grad is None for parameter in self.others)
        )

    @torch.no_grad()
    def _run_kernel(self, grads: list[list[Any]]) -> None:
        """Update all groups of parameters."""
        self.counts.add_(1)
        for group, own, (parameters, averages, squares, counts) in zip(
            self.optimizer.param_groups, grads, self.lists, strict=True
        ):
            if not own:
                continue
            beta1, beta2 = group["betas"]
            torch._fused_adam_(
                *(parameters, own, averages, squares, [], counts),
                beta1=beta1,
                beta2=beta2,
                amsgrad=False,
                **{name: group[name] for name in _TAKEN},
            )

    def _make_lists(self) -> None:
        """List parameters and states, if the kernel can make the next step."""
        self.state = None
        groups, state = self.optimizer.param_groups, self.optimizer.state
        if not (_is_plain(self.optimizer) and all(map(_is_known, groups))):
            return
        listed = [[p for p in group["params"] if p in state] for group in groups]
        everything = list(chain.from_iterable(listed))
        # One vector of all counters, which the optimizer itself can count on, too.
        self.counts = torch.stack([state[p]["step"] for p in everything])
        for parameter, count in zip(everything, self.counts, strict=True):
            state[parameter]["step"] = count
        self.lists = [
            (own, *([state[p][name] for p in own] for name in _STATE)) for own in listed
        ]
        self.others = [p for g in groups for p in g["params"] if p not in state]
        self.state = state


def _is_plain(optimizer: Optimizer) -> bool:
    """Tell whether an optimizer is Adam and nobody watches its steps."""
    return type(optimizer) is torch.optim.Adam and not (
        optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    )


def _is_known(group: dict[str, Any]) -> bool:
    """Tell whether a group's options are those of the kernel, on the CPU."""
    return (
        bool(group["fused"])
        and not any(group.get(name) for name in _NOT_TAKEN)
        and all(parameter.device.type == "cpu" for parameter in group["params"])
    )
