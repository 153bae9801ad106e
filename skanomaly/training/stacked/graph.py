"""The losses of all members and their gradients, as one flat graph of operations."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from .draws import NotStackableError, Replayer
from .linear import BatchedLinears

Losses = Callable[[Tensor], Iterator[Tensor]]
# The tracer is one for all threads.
_TRACING = threading.Lock()


class LossGraph:
    """What `torch.func` computes for members, traced once for a shape of batches.

    Each call of `torch.vmap` goes through the modules in Python, and costs a small
    network as much as its numbers do. The graph calls torch's operations directly,
    forwards and backwards.

    Parameters
    ----------
    module : torch.nn.Module
        One of the members.
    losses : callable
        A method of it, which takes a batch and yields one loss.
    weights, buffers : dict of str to Tensor
        Of all members, stacked. Buffers that the losses write are written.
    x : Tensor of shape (n_members, n_samples, ...)
        A batch for each member.
    numbers : list of Tensor
        What members draw, stacked.

    Raises
    ------
    NotStackableError
        If `torch.vmap` can't compute the losses.
    """

    def __init__(
        self,
        module: nn.Module,
        losses: Losses,
        weights: dict[str, Tensor],
        buffers: dict[str, Tensor],
        x: Tensor,
        numbers: list[Tensor],
    ):
        self.buffers = list(buffers.values())
        trained = [name for name, weight in weights.items() if weight.requires_grad]
        names, n_weights = [*weights, *buffers], len(weights)
        bound = _Bound(module, losses)

        def member_loss(tensors: Sequence[Tensor], x: Tensor, numbers: Any) -> Tensor:
            state = {f"module.{n}": t for n, t in zip(names, tensors, strict=True)}
            with Replayer(numbers), BatchedLinears():
                (loss,) = functional_call(bound, state, (x,))
            return loss

        def losses_and_gradients(x: Tensor, *tensors: Tensor) -> list[Tensor | None]:
            state = [tensor.detach() for tensor in tensors[: len(names)]]
            leaves = dict(zip(names, state[:n_weights], strict=False))
            inputs = [leaves[name].requires_grad_() for name in trained]
            losses = vmap(member_loss)(state, x, list(tensors[len(names) :]))
            return [
                losses.detach(),
                *torch.autograd.grad(losses.sum(), inputs, allow_unused=True),
            ]

        tensors = (*weights.values(), *self.buffers, *numbers)
        try:
            with _TRACING:
                self.graph = make_fx(losses_and_gradients)(x, *tensors)
        except (RuntimeError, ValueError) as error:
            raise NotStackableError(f"torch.vmap can't compute it: {error}") from error
        if any(node.op == "get_attr" for node in self.graph.graph.nodes):
            raise NotStackableError("A tensor of one member is part of the losses.")

    def __call__(
        self, x: Tensor, weights: Iterable[Tensor], numbers: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Compute the losses of all members.

        Parameters
        ----------
        x : Tensor of shape (n_members, n_samples, ...)
            A batch for each member.
        weights : iterable of Tensor
            Of all members, stacked.
        numbers : list of Tensor
            What members draw, stacked.

        Returns
        -------
        total : Tensor of shape ()
            Their sum: its gradients are those of each member's own loss.
        losses : Tensor of shape (n_members,)
            Without gradients.
        """
        return _Replay.apply(self.graph, self.buffers, x, numbers, *weights)


class _Bound(nn.Module):
    """A method of a module as a module, so that its weights can be replaced."""

    def __init__(self, module: nn.Module, method: Losses):
        super().__init__()
        self.module, self.method = module, method

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(self.method(x))


class _Replay(torch.autograd.Function):
    """The graph, whose gradients are known as soon as its losses are."""

    @staticmethod
    def forward(
        ctx: Any,
        graph: Callable[..., list[Any]],
        buffers: list[Tensor],
        x: Tensor,
        numbers: list[Tensor],
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        losses, *gradients = graph(x, *weights, *buffers, *numbers)
        of_trained = iter(gradients)
        ctx.gradients = [
            next(of_trained) if is_trained else None
            for is_trained in ctx.needs_input_grad[4:]
        ]
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        # The sum is what is minimized, so that its own gradient is one. Let go of the
        # gradients, lest they be copied.
        gradients, ctx.gradients = ctx.gradients, None
        return None, None, None, None, *gradients
