"""Several networks of one architecture as one: a batched product a layer."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .backbones import ACTIVATIONS
from .linear import exact_linear


class StackedLinear(nn.Module):
    r"""A linear layer for each of several members, as one batched product.

    .. math:: y_m = x_m W_m + b_m

    Each member's weights are initialized as those of `torch.nn.Linear`.

    Parameters
    ----------
    n_members : int
        Number of layers, m.
    in_features : int
        Length of what enters.
    out_features : int
        Length of what comes out.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.ensemble import StackedLinear
    >>> StackedLinear(5, 3, 2)(torch.zeros(10, 3)).shape
    torch.Size([5, 10, 2])
    """

    def __init__(self, n_members: int, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_members, in_features, out_features))
        self.bias = nn.Parameter(torch.empty(n_members, 1, out_features))
        bound = in_features**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's layer.

        Parameters
        ----------
        x : Tensor of shape (n_samples, in_features) or (n_members, n_samples, \
                in_features)
            What all members see, or what each of them sees.

        Returns
        -------
        y : Tensor of shape (n_members, n_samples, out_features)
            A member's outputs are those that it would give alone.
        """
        if x.ndim == 2:
            x = x.expand(self.weight.shape[0], *x.shape)
        if self.training:
            return torch.baddbmm(self.bias, x, self.weight)
        # The batched product rounds a row by its place in the batch.
        members = zip(x, self.weight.mT, self.bias[:, 0], strict=True)
        return torch.stack([exact_linear(x, w.contiguous(), b) for x, w, b in members])


def make_stacked_encoder(
    n_members: int, sizes: Sequence[int], activation: str = "relu"
) -> nn.Sequential:
    """Build several dense networks of one shape that train and run as one.

    A small network spends most of a step on calls, not on numbers. Here the calls are
    as many as for one network. The members share nothing but what they are given: the
    gradient of a sum of their losses is, for each of them, that of its own loss.

    Parameters
    ----------
    n_members : int
        How many.
    sizes : sequence of int
        Units from the input to the output.
    activation : str, default="relu"
        A name in ``ACTIVATIONS``, put after every layer but the last.

    Returns
    -------
    encoder : torch.nn.Sequential
        Maps (n_samples, sizes[0]) to (n_members, n_samples, sizes[-1]).

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.ensemble import make_stacked_encoder
    >>> make_stacked_encoder(5, (6, 16, 3))(torch.zeros(10, 6)).shape
    torch.Size([5, 10, 3])
    """
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [StackedLinear(n_members, n_in, n_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
