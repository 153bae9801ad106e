"""What travels with a fitted detector: arguments, arrays of numpy and a seed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from .training import DetectorNet, Streams


def weights_of(net: DetectorNet) -> dict[str, np.ndarray]:
    """Return a network's weights as arrays of numpy."""
    state = net.module_.state_dict()
    return {name: value.cpu().numpy().copy() for name, value in state.items()}


def load_weights(net: DetectorNet, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights into a network, or say that they are another's."""
    # torch warns of an array that is read-only, as a memory map is.
    writable = {name: np.require(w, requirements="W") for name, w in weights.items()}
    tensors = {name: torch.from_numpy(w) for name, w in writable.items()}
    try:
        net.module_.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"The weights are those of another network: {error}") from None
    net.module_.eval()


def rebuild_net(
    module_class: type,
    arguments: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    seed: int,
    device: str,
) -> DetectorNet:
    """Build a fitted net again from what was kept of it."""
    module = partial(module_class, **arguments)
    _refuse_other_shapes(module, weights)
    net = DetectorNet(module, streams=Streams(seed), device=device).initialize()
    load_weights(net, weights)
    return net


def _refuse_other_shapes(
    module: Callable[[], torch.nn.Module], weights: Mapping[str, np.ndarray]
) -> None:
    """Refuse arguments of another network than the weights', before it is allocated."""
    found = {name: np.shape(each) for name, each in weights.items()}
    try:
        with torch.device("meta"):  # which has shapes, and no values
            expected = {k: tuple(v.shape) for k, v in module().state_dict().items()}
    except RuntimeError:  # too large even for a shape
        expected = {}
    if found != expected:
        raise ValueError(
            "The state is damaged: its weights are those of another network than its "
            "arguments make."
        )
