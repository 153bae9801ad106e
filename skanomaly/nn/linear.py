"""A linear layer whose gradients are the same wherever a row stands in its batch."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """`torch.nn.Linear`, but for the last bits of what a network in scoring sends back.

    Scores that are found by gradients must not depend on a row's neighbours. The
    product with the weights as they lie in memory, which is the usual way back, rounds
    rows of a batch differently for some widths; the product with the transposed
    weights, as on the way forth, doesn't.

    Parameters
    ----------
    in_features : int
        Numbers in a row that comes in.
    out_features : int
        Numbers in a row that goes out.
    bias : bool, default=True
        Whether a bias is added.
    device : torch.device or None, default=None
        Where the weights are.
    dtype : torch.dtype or None, default=None
        Of which type they are.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.linear import Linear
    >>> layer = Linear(6, 128).eval()
    >>> x = torch.randn(1024, 6, requires_grad=True)
    >>> layer(x).square().sum().backward()
    >>> order = torch.randperm(1024)
    >>> shuffled = x.detach()[order].requires_grad_()
    >>> layer(shuffled).square().sum().backward()
    >>> torch.equal(x.grad[order], shuffled.grad)
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Parameters
        ----------
        x : Tensor of shape (n_samples, in_features)
            A batch.

        Returns
        -------
        y : Tensor of shape (n_samples, out_features)
            Its products with the weights, plus the bias.
        """
        if self.training or not x.requires_grad:
            return super().forward(x)
        return _ByTransposed.apply(x, self.weight, self.bias)


class _ByTransposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override] # torch declares any number of gradients
        x, weight = ctx.saved_tensors
        _, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            F.linear(grad, weight.t().contiguous()),
            grad.t() @ x if needs_weight else None,
            grad.sum(0) if needs_bias else None,
        )
