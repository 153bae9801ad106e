"""Encoders and decoders, chosen by the shape of a sample.

==============  ===================================  ========================
sample          shape                                network
==============  ===================================  ========================
row of a table  ``(n_features,)``                    dense
image           ``(channels, height, width)``        strided convolutions
video clip      ``(channels, time, height, width)``  strided 3-d convolutions
==============  ===================================  ========================

A decoder mirrors the encoder of the same arguments.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from .linear import Linear

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

_CONVOLUTIONS: dict[int, tuple[Any, Any]] = {
    3: (nn.Conv2d, nn.ConvTranspose2d),
    4: (nn.Conv3d, nn.ConvTranspose3d),
}
# An axis shorter than this is no longer halved: 4 becomes 2, and 3, 2 and 1 stay.
_SHORTEST_HALVED = 4


def make_encoder(
    sample_shape: Sequence[int],
    hidden_sizes: Sequence[int],
    out_size: int | None,
    activation: str = "relu",
) -> nn.Sequential:
    """Build a network from samples to codes.

    The output layer is linear.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(n_features,)``, ``(channels, height, width)`` or ``(channels, time, height,
        width)``.
    hidden_sizes : sequence of int
        Units of the hidden layers of a dense network, or channels of the strided
        convolutions, from the input to the code.
    out_size : int or None
        Length of a sample's code. None ends with the last feature map of an image or a
        clip; rows need a length.
    activation : str, default="relu"
        A name in ``ACTIVATIONS``, put after every hidden layer.

    Returns
    -------
    encoder : torch.nn.Sequential
        Maps (n_samples, ...) to (n_samples, out_size), or to feature maps.

    Raises
    ------
    ValueError
        For a shape that no backbone takes.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn import make_encoder
    >>> make_encoder((1, 28, 28), (16, 32), 8)(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 8])
    """
    if _is_row(sample_shape):
        return _dense(activation, *sample_shape, *hidden_sizes, out_size)
    convolution, _ = _CONVOLUTIONS[len(sample_shape)]
    maps = _feature_maps(sample_shape, hidden_sizes)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(maps):
        layer = convolution(
            before[0], after[0], 3, stride=_strides(before, after), padding=1
        )
        layers += [layer, ACTIVATIONS[activation]()]
    if out_size is None:
        return nn.Sequential(*layers[:-1])
    return nn.Sequential(*layers, nn.Flatten(), Linear(math.prod(maps[-1]), out_size))


def make_decoder(
    sample_shape: Sequence[int],
    hidden_sizes: Sequence[int],
    in_size: int | None,
    activation: str = "relu",
) -> nn.Sequential:
    """Build the mirror of `make_encoder`: a network from codes to samples.

    The output layer is linear.

    Parameters
    ----------
    sample_shape : sequence of int
        Shape of a sample that comes out.
    hidden_sizes : sequence of int
        As given to the encoder: from the input to the code. The decoder runs through
        them backwards.
    in_size : int or None
        Length of a sample's code; None for feature maps.
    activation : str, default="relu"
        A name in ``ACTIVATIONS``, put after every hidden layer.

    Returns
    -------
    decoder : torch.nn.Sequential
        Maps (n_samples, in_size), or feature maps, to (n_samples, ...).

    Raises
    ------
    ValueError
        For a shape that no backbone takes.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn import make_decoder
    >>> make_decoder((1, 9, 7), (16, 32), 8)(torch.zeros(5, 8)).shape
    torch.Size([5, 1, 9, 7])
    """
    if _is_row(sample_shape):
        return _dense(activation, in_size, *reversed(hidden_sizes), *sample_shape)
    _, transposed = _CONVOLUTIONS[len(sample_shape)]
    maps = _feature_maps(sample_shape, hidden_sizes)
    layers: list[nn.Module] = []
    if in_size is not None:
        size = math.prod(maps[-1])
        layers += [Linear(in_size, size), nn.Unflatten(1, maps[-1])]
    for small, large in zip(maps[:0:-1], maps[-2::-1], strict=True):
        strides = _strides(large, small)
        # A strided convolution maps two sizes to one; the padding picks the right one.
        missing = tuple(
            n - ((m - 1) * stride + 1)
            for n, m, stride in zip(large[1:], small[1:], strides, strict=True)
        )
        layer = transposed(
            small[0], large[0], 3, stride=strides, padding=1, output_padding=missing
        )
        if layers:  # a code that is a feature map comes as the encoder left it
            layers.append(ACTIVATIONS[activation]())
        layers.append(layer)
    return nn.Sequential(*layers)


def code_shape(
    sample_shape: Sequence[int], hidden_sizes: Sequence[int], out_size: int | None
) -> tuple[int, ...]:
    """Tell the shape of a code that an encoder of these arguments gives.

    Parameters
    ----------
    sample_shape, hidden_sizes, out_size
        As for `make_encoder`.

    Returns
    -------
    shape : tuple of int
        Without the samples.

    Examples
    --------
    >>> from skanomaly.nn.backbones import code_shape
    >>> code_shape((1, 28, 28), (16, 32), None)
    (32, 7, 7)
    """
    if out_size is not None:
        return (out_size,)
    return _feature_maps(sample_shape, hidden_sizes)[-1]


def _is_row(sample_shape: Sequence[int]) -> bool:
    """Tell rows from images and clips, and refuse all else."""
    if len(sample_shape) not in (1, *_CONVOLUTIONS):
        raise ValueError(
            "A sample must be a row (n_features,), an image (channels, height, width) "
            "or a clip (channels, time, height, width), got the shape "
            f"{tuple(sample_shape)}."
        )
    return len(sample_shape) == 1


def _dense(activation: str, *sizes: Any) -> nn.Sequential:
    """Chain linear layers with the activation between them, none at the end."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [Linear(n_in, n_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def _feature_maps(
    sample_shape: Sequence[int], channels: Sequence[int]
) -> list[tuple[int, ...]]:
    """List the shapes from the sample to the last feature map."""
    maps = [tuple(sample_shape)]
    for n_channels in channels:
        sides = (
            math.ceil(side / 2) if side >= _SHORTEST_HALVED else side
            for side in maps[-1][1:]
        )
        maps.append((n_channels, *sides))
    return maps


def _strides(large: Sequence[int], small: Sequence[int]) -> tuple[int, ...]:
    """Tell which axes were halved between two feature maps."""
    return tuple(1 if n == m else 2 for n, m in zip(large[1:], small[1:], strict=True))
