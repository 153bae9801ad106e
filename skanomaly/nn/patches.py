"""Patches of images and clips, and the way from patches back to pixels."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn


class Patches(nn.Module):
    """Cut samples into patches, and spread values of patches over their pixels.

    Patches lie on a grid. The last one of each axis ends with the sample, so that every
    pixel is in a patch.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(channels, height, width)`` or ``(channels, time, height, width)``.
    size : int
        Side of a patch. Along an axis that is shorter the patch is as long as the axis.
    stride : int
        Pixels from one patch to the next; at the most as many as a patch has.

    Attributes
    ----------
    n_patches : int
        Patches in a sample.
    patch_shape : tuple of int
        Shape of a patch, channels included.
    position : Tensor of shape (n_patches, n_axes)
        Where each patch lies along each axis, from -1 to 1; 0 where there is one only.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.patches import Patches
    >>> patches = Patches((1, 5, 4), size=3, stride=2)
    >>> patches(torch.zeros(10, 1, 5, 4)).shape
    torch.Size([10, 4, 9])
    >>> patches.spread(torch.ones(10, 4)).shape
    torch.Size([10, 1, 5, 4])
    """

    index: Tensor
    position: Tensor
    n_covering: Tensor

    def __init__(self, sample_shape: Sequence[int], size: int, stride: int):
        super().__init__()
        n_channels, *sides = sample_shape
        lengths = [min(size, side) for side in sides]
        starts = [
            [*range(0, side - length, min(stride, length)), side - length]
            for side, length in zip(sides, lengths, strict=True)
        ]
        grid = torch.meshgrid(*map(torch.tensor, starts), indexing="ij")
        corners = torch.stack(grid, dim=-1).reshape(-1, len(sides))
        pixels = torch.arange(prod(sample_shape)).reshape(*sample_shape)
        first = pixels[:, *(slice(n) for n in lengths)].flatten()
        strides = torch.tensor(pixels.stride()[1:])
        index = (corners * strides).sum(dim=1, keepdim=True) + first
        self.sample_shape = tuple(sample_shape)
        self.patch_shape = (n_channels, *lengths)
        self.n_patches = len(index)
        last = corners.amax(dim=0).float()
        position = torch.where(last > 0, 2 * corners / last.clamp_min(1) - 1, 0.0)
        n_covering = torch.zeros(pixels.numel(), dtype=torch.int64)
        n_covering.index_add_(0, index.flatten(), torch.ones_like(index).flatten())
        # What the shapes decide need not travel with the weights.
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("position", position, persistent=False)
        self.register_buffer("n_covering", n_covering, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Cut samples into patches.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        patches : Tensor of shape (n_samples, n_patches, patch_size)
            Each patch as a row.
        """
        rows = x.flatten(1).index_select(1, self.index.flatten())
        return rows.reshape(x.shape[0], self.n_patches, -1)

    def spread(self, values: Tensor) -> Tensor:
        """Give each pixel the mean value of the patches that hold it.

        Parameters
        ----------
        values : Tensor of shape (n_samples, n_patches)
            One value a patch.

        Returns
        -------
        pixels : Tensor of shape (n_samples, ...)
            At the resolution of the sample.
        """
        total = values.new_zeros(values.shape[0], len(self.n_covering))
        held = values[:, :, None].expand(-1, -1, self.index.shape[1])
        total.index_add_(1, self.index.flatten(), held.flatten(1))
        return (total / self.n_covering).reshape(values.shape[0], *self.sample_shape)
