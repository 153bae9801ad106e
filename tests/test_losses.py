"""The losses of every detector: what they reach, and that gradients are theirs."""

import pytest
import torch
from helpers import each_detector, make_samples, own_fields
from modules import make_module

from skanomaly.training.data import Data

STEP = 1e-6

# No phase is trained here, and MemAE says so of its memory.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def losses_by_network(module, phase, x):
    """Compute the losses of a step, with the same random numbers each time."""
    module.random_generator = torch.Generator().manual_seed(0)
    names = phase.networks or module.networks or ("",)
    return list(zip(names, phase.losses(x), strict=True))


def trained(module, name=""):
    network = module.get_submodule(name)
    return [p for p in network.parameters() if p.requires_grad]


def slope(module, phase, x, k, weights, directions):
    """Measure how a loss changes when weights are moved."""
    found = []
    for step in (STEP, -2 * STEP, STEP):
        for weight, direction in zip(weights, directions, strict=True):
            weight.data += step * direction
        found.append(losses_by_network(module, phase, x)[k][1].item())
    return (found[0] - found[1]) / (2 * STEP)


def check_losses(module, phase, x):
    for k, (name, loss) in enumerate(losses_by_network(module, phase, x)):
        weights, everything = trained(module, name), trained(module)
        gradients = torch.autograd.grad(
            loss, everything, retain_graph=True, allow_unused=True
        )
        gradient_of = dict(zip(map(id, everything), gradients, strict=True))
        own = [gradient_of.pop(id(weight)) for weight in weights]
        if name:
            assert all(gradient is not None for gradient in own), name
        if "discriminator" in name:
            assert all(gradient is None for gradient in gradient_of.values()), name
        torch.manual_seed(0)
        directions = [torch.randn_like(weight) for weight in weights]
        expected = sum(
            (gradient * direction).sum().item()
            for gradient, direction in zip(own, directions, strict=True)
            if gradient is not None
        )
        found = slope(module, phase, x, k, weights, directions)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), name


@each_detector
def test_each_loss_trains_its_network(Detector):
    """By its whole gradient; a discriminator's loss is of no other network."""
    X = make_samples()
    x = torch.from_numpy(X[:9]).double()
    weights = {name: 1.0 for name in own_fields(Detector) if name.endswith("_weight")}
    module = make_module(Detector, (6,), **weights)
    phases = module.phases(Data(X, held_out=Data(X)))
    n_phases = 0
    while True:
        with torch.no_grad():  # as they are resumed in training
            phase = next(phases, None)
        if phase is None:
            break
        check_losses(module.double(), phase, x)
        module.float()
        n_phases += 1
    assert n_phases
