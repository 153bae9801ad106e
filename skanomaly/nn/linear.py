"""Linear maps that round every row of a batch alike, wherever it stands."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Matrix kernels handle the rest of an inner dimension otherwise at the end of a batch
# than within it; a dimension that is a multiple of four leaves none.
_MULTIPLE = 4
# Kernels for fewer rows than this add in another order, on some processors.
_FEWEST_ROWS = 32


def exact_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias`` with every row rounded alike.

    The same row gives the same bits at every position of a batch, and in a batch of few
    rows, which `torch.nn.functional.linear` doesn't promise.

    Parameters
    ----------
    x : Tensor of shape (n_samples, in_features)
        A batch.
    weight : Tensor of shape (out_features, in_features)
        The weights.
    bias : Tensor of shape (out_features,) or None, default=None
        The bias.

    Returns
    -------
    y : Tensor of shape (n_samples, out_features)
        With gradients that are rounded alike, too.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.linear import exact_linear
    >>> x, weight = torch.randn(1024, 33), torch.randn(5, 33)
    >>> order = torch.randperm(1024)
    >>> torch.equal(exact_linear(x, weight)[order], exact_linear(x[order], weight))
    True
    """
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return _ExactLinear.apply(x, weight, bias)
    return _linear(x, weight, bias)


class Linear(nn.Linear):
    """`torch.nn.Linear` whose scores don't depend on the rest of the batch.

    Parameters
    ----------
    in_features : int
        Length of a row that comes in.
    out_features : int
        Length of a row that comes out.
    bias : bool, default=True
        Whether a bias is added.
    device : torch.device or None, default=None
        Where the weights are.
    dtype : torch.dtype or None, default=None
        Of which type they are.

    See Also
    --------
    exact_linear : What it computes when it isn't training.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.linear import Linear
    >>> Linear(6, 128).eval()(torch.zeros(3, 6)).shape
    torch.Size([3, 128])
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
        if self.training:
            return super().forward(x)
        return exact_linear(x, self.weight, self.bias)


class _ExactLinear(torch.autograd.Function):
    """`exact_linear` with a way back that rounds every row alike."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads  # one output has one
        x, weight = ctx.saved_tensors
        _, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            _linear(grad, weight.t().contiguous()),
            grad.t() @ x if needs_weight else None,
            grad.sum(0) if needs_bias else None,
        )


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply with both matrices padded with zeros."""
    n_columns = -x.shape[-1] % _MULTIPLE
    n_rows = max(_FEWEST_ROWS - len(x), 0) if x.ndim == 2 else 0
    if n_columns:
        weight = F.pad(weight, (0, n_columns))
    if not n_columns and not n_rows:
        return F.linear(x, weight, bias)
    padding = (0, n_columns, 0, n_rows) if n_rows else (0, n_columns)
    return F.linear(F.pad(x, padding), weight, bias)[: len(x)]
