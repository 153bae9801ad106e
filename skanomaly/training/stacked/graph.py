"""The losses of all members and their gradients, as one flat graph of operations."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx import GraphModule, Node
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
    forwards and backwards. To trace it takes as long as some dozens of calls, so that a
    shape that comes once an epoch had better do without for a while.

    Parameters
    ----------
    module : torch.nn.Module
        One of the members.
    losses : callable
        A method of it, which takes a batch and yields one loss.
    weights, buffers : dict of str to Tensor
        Of all members, stacked. Buffers that the losses write are written.
    n_calls_before : int
        How many calls are made before the next one is traced.
    """

    def __init__(
        self,
        module: nn.Module,
        losses: Losses,
        weights: dict[str, Tensor],
        buffers: dict[str, Tensor],
        n_calls_before: int,
    ):
        self.buffers = list(buffers.values())
        self.n_calls_before = n_calls_before
        self.is_traced = False
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

        self.to_trace = losses_and_gradients
        self.compute: Callable[..., list[Any]] = torch.enable_grad()(self.to_trace)

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

        Raises
        ------
        NotStackableError
            If `torch.vmap` can't compute the losses.
        """
        if self.is_traced:
            return _Replay.apply(self.compute, self.buffers, x, numbers, *weights)
        try:
            if not self.n_calls_before:
                self._trace(x, *weights, *self.buffers, *numbers)
            self.n_calls_before -= 1
            return _Replay.apply(self.compute, self.buffers, x, numbers, *weights)
        except (RuntimeError, ValueError) as error:
            raise NotStackableError(f"torch.vmap can't compute it: {error}") from error

    def _trace(self, *tensors: Tensor) -> None:
        """Replace what is computed by its graph."""
        with _TRACING:
            module = make_fx(self.to_trace)(*tensors)
        if any(node.op == "get_attr" for node in module.graph.nodes):
            raise NotStackableError("A tensor of one member is part of the losses.")
        _remove_what_does_nothing(module)
        self.compute, self.is_traced = module.forward, True


def _remove_what_does_nothing(module: GraphModule) -> None:
    """Remove calls that return what they are given."""
    for node in module.graph.nodes:
        if _does_nothing(node):
            node.replace_all_uses_with(node.args[0])
            module.graph.erase_node(node)
    module.recompile()


def _does_nothing(node: Node) -> bool:
    """Tell whether a node's value is its argument, where nothing has a gradient."""
    if node.target is torch.ops.aten.permute.default:
        axes: Any = node.args[1]
        return list(axes) == sorted(axes)
    return node.target is torch.ops.aten.detach.default


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
        compute: Callable[..., list[Any]],
        buffers: list[Tensor],
        x: Tensor,
        numbers: list[Tensor],
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        losses, *gradients = compute(x, *weights, *buffers, *numbers)
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
