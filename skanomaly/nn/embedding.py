"""What teachers and students see: rows, patches, or features of patches."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear import exact_linear
from .patches import Patches
from .samples import TrainingSamples

# A patch of less contrast than this fraction of the mean is not stretched further.
_LEAST_CONTRAST = 0.1
# A feature that varies less over the training samples is constant but for rounding.
_LEAST_DEVIATION = 1e-6


class RowEmbedding(nn.Module):
    """Rows as they are, with the face of a `PatchEmbedding`.

    Parameters
    ----------
    sample_shape : tuple of int
        ``(n_features,)``.
    """

    def __init__(self, sample_shape: Sequence[int]):
        super().__init__()
        self.raw_shape = tuple(sample_shape)
        self.size = sample_shape[0]

    def forward(self, x: Tensor) -> Tensor:
        """Return rows as they are."""
        return x

    def raw(self, x: Tensor) -> Tensor:
        """Return rows as they are."""
        return x

    def measure(self, data: TrainingSamples) -> None:
        """Measure nothing."""


class PatchEmbedding(nn.Module):
    """Patches with normalized contrast, beside brightness, contrast and position.

    Parameters
    ----------
    sample_shape : sequence of int
        As for `Patches`.
    size, stride : int
        As for `Patches`.
    """

    contrast: Tensor
    position: Tensor

    def __init__(self, sample_shape: Sequence[int], size: int, stride: int):
        super().__init__()
        self.patches = Patches(sample_shape, size, stride)
        self.raw_shape = self.patches.patch_shape
        n_values = prod(self.raw_shape)
        # A position that is as long as a patch of mean contrast.
        position = self.patches.position * n_values**0.5
        self.register_buffer("position", position, persistent=False)
        self.register_buffer("contrast", torch.ones(()))
        self.size = n_values + 2 + position.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Embed patches.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        rows : Tensor of shape (n_samples * n_patches, size)
            All patches of the first sample, then of the second, and so on.
        """
        pixels = self.patches(x).flatten(0, 1) / self.contrast
        brightness = pixels.mean(dim=1, keepdim=True)
        pixels = pixels - brightness
        contrast = pixels.square().mean(dim=1, keepdim=True).sqrt()
        normalized = pixels / (contrast + _LEAST_CONTRAST)
        position = self.position.repeat(x.shape[0], 1)
        return torch.cat([normalized, brightness, contrast, position], dim=1)

    def raw(self, x: Tensor) -> Tensor:
        """Return patches as they are, of shape (n_samples * n_patches, channels, ...).

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        patches : Tensor of shape (n_samples * n_patches, ...)
            In the units of `x`.
        """
        return self.patches(x).flatten(0, 1).unflatten(1, self.raw_shape)

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
        return self.patches.spread(values)

    def measure(self, data: TrainingSamples) -> None:
        """Measure the mean contrast of training samples.

        Parameters
        ----------
        data : TrainingSamples
            The training samples.
        """
        mean = data.mean(lambda x: self.patches(x).std(dim=2, correction=0).mean(1))
        self.contrast.fill_(float(mean) or 1.0)


class FeatureEmbedding(nn.Module):
    """Features of a pretrained network, averaged over each patch, of length one.

    What students see and what they are to predict is of different layers.

    Parameters
    ----------
    sample_shape : sequence of int
        Of images, as for `Patches`.
    size, stride : int
        As for `Patches`.
    features : ImageFeatures
        Knows the shape of the feature maps, and the layer that follows.
    """

    mean: Tensor
    std: Tensor
    weights: Tensor

    def __init__(
        self, sample_shape: Sequence[int], size: int, stride: int, features: Any
    ):
        super().__init__()
        self.patches = Patches(sample_shape, size, stride)
        self.size, *cells = features.map_shape
        self.raw_shape = (features.n_outputs,)
        self._head = features.head  # its network is not this module's child
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))
        # What a patch has of each cell of a map that is resized to the image.
        each_cell = torch.eye(prod(cells)).unflatten(1, (1, *cells))
        pixels = F.interpolate(
            each_cell, tuple(sample_shape[1:]), mode="bilinear", align_corners=False
        )
        weights = Patches(pixels.shape[1:], size, stride)(pixels).mean(dim=2).T
        self.register_buffer("weights", weights.contiguous(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return what students see.

        Parameters
        ----------
        maps : Tensor of shape (n_samples, size, n_rows, n_columns)
            Feature maps.

        Returns
        -------
        rows : Tensor of shape (n_samples * n_patches, size)
            All patches of the first sample, then of the second, and so on.
        """
        return (self._average(maps) - self.mean) / self.std

    def raw(self, maps: Tensor) -> Tensor:
        """Return what the teacher says.

        Parameters
        ----------
        maps : Tensor of shape (n_samples, size, n_rows, n_columns)
            Feature maps.

        Returns
        -------
        rows : Tensor of shape (n_samples * n_patches, n_outputs)
            In the order of `forward`.
        """
        return self._average(self._head(maps))

    def _average(self, maps: Tensor) -> Tensor:
        """Average maps over patches."""
        rows = exact_linear(maps.flatten(2), self.weights).mT.flatten(0, 1)
        return F.normalize(rows, dim=1)

    def spread(self, values: Tensor) -> Tensor:
        """Give each pixel the mean value of the patches that hold it.

        Parameters
        ----------
        values : Tensor of shape (n_samples, n_patches)
            One value a patch.

        Returns
        -------
        pixels : Tensor of shape (n_samples, ...)
            At the resolution of the image.
        """
        return self.patches.spread(values)

    def measure(self, data: TrainingSamples) -> None:
        """Measure what students see on training samples.

        Parameters
        ----------
        data : TrainingSamples
            Feature maps of the training samples.
        """

        def moment(power):
            rows = data.mean(lambda maps: self(maps).pow(power).view(len(maps), -1))
            return rows.view(-1, self.size).mean(dim=0)

        self.mean.copy_(moment(1))
        std = moment(2).sqrt()
        self.std.copy_(torch.where(std > _LEAST_DEVIATION, std, 1.0))
