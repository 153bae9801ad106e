"""What travels with a fitted detector: arguments, arrays of numpy and a seed."""

import itertools
import math
from collections.abc import Mapping
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
    tensors = {name: torch.from_numpy(np.array(w)) for name, w in weights.items()}
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
    _refuse_larger_than(weights, arguments)
    module = partial(module_class, **arguments)
    net = DetectorNet(module, streams=Streams(seed), device=device).initialize()
    load_weights(net, weights)
    return net


def _refuse_larger_than(
    weights: Mapping[str, np.ndarray], arguments: Mapping[str, Any]
) -> None:
    """Refuse to allocate a network for which there can't be enough weights."""
    n_weights = sum(np.size(each) for each in weights.values())
    sizes = [1, *arguments.get("hidden_sizes", ()), arguments.get("latent_size") or 1]
    largest = max(a * b for a, b in itertools.pairwise(sizes))
    if max(largest, math.prod(arguments["input_shape"])) > n_weights:
        raise ValueError(
            f"The file is damaged: it holds {n_weights} weights, too few for hidden "
            f"layers of {sizes[1:-1]} units."
        )
