"""Linear layers of several members as one batched product, under `torch.vmap`."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class BatchedLinears(TorchFunctionMode):
    """Computes linear layers with bias as one batched product.

    torch's own rule for them makes a product, a sum, and gradients that lie in memory
    otherwise than the weights: it costs a fifth more.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch, or what takes the place of a linear layer."""
        if func is F.linear and _is_layer(*args):
            return _MemberLinear.apply(*args)
        return func(*args, **(kwargs or {}))


class _MemberLinear(torch.autograd.Function):
    """A linear layer of one member; `torch.vmap` makes all of them one product."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads  # one output has one
        x, weight = ctx.saved_tensors
        return grad @ weight, grad.mT @ x, grad.sum(0)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> Any:
        stacked = (
            each.expand(info.batch_size, *each.shape)
            if dim is None
            else each.movedim(dim, 0)
            for each, dim in zip(inputs, in_dims, strict=True)
        )
        return _StackedLinear.apply(*stacked), 0


class _StackedLinear(torch.autograd.Function):
    """All members' layers: inputs and outputs have a first axis for the members."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        return (
            torch.bmm(grad, weight) if ctx.needs_input_grad[0] else None,
            torch.bmm(grad.mT, x),
            grad.sum(1),
        )


def _is_layer(*args: Any) -> bool:
    """Tell whether rows come in, and a bias is added."""
    return len(args) == 3 and args[2] is not None and args[0].ndim == 2
