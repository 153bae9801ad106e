"""Modules of detectors, and networks whose every output is known."""

import torch
from skorch.callbacks import Callback
from torch import nn


def make_module(Detector, shape=(2,), **parameters):
    """Build the untrained module of a detector."""
    torch.manual_seed(0)
    detector = Detector(**{"hidden_sizes": (4,), "latent_size": 2, **parameters})
    return Detector.module_class(**detector._module_arguments(shape))


def twos_like(x):
    """Stand in for random numbers."""
    return torch.full_like(x, 2.0)


def fit_and_watch(detector, X):
    """Fit a detector, and return its weights after each epoch or round of steps."""
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            state = net.module_.state_dict()
            seen.append({name: value.clone() for name, value in state.items()})

    detector.set_params(net_params={"callbacks": [Watch]}).fit(X)
    return seen


class Scale(nn.Module):
    """Multiply by a number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, x):
        return self.factor * x


class SumDiscriminator(nn.Module):
    """Have the scaled sample for features, and their sum plus the code's for logit."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def features(self, x, code=None):
        return self.factor * x

    def forward(self, x, code=None):
        total = self.features(x).sum(1)
        return total if code is None else total + code.sum(1)
