"""Networks, losses and penalties, by values worked out by hand."""

import math

import numpy as np
import pytest
import torch
from modules import SumDiscriminator
from torch import nn
from torch.distributions import Normal, kl_divergence

from skanomaly.nn import DetectorModule, Phase, make_decoder, make_encoder
from skanomaly.nn.attribution import integrated_gradients
from skanomaly.nn.backbones import ACTIVATIONS
from skanomaly.nn.discriminator import (
    Discriminator,
    adversarial_loss,
    gradient_penalty,
    r1_penalty,
)
from skanomaly.nn.embedding import PatchEmbedding
from skanomaly.nn.ensemble import StackedLinear, make_stacked_encoder
from skanomaly.nn.linear import Linear, exact_linear
from skanomaly.nn.losses import (
    entropy,
    gaussian_kl,
    gaussian_nll,
    hard_shrinkage,
    squared_error,
    sum_per_sample,
)
from skanomaly.nn.patches import Patches

SHAPES = [
    (1,),
    (121,),
    (1, 28, 28),
    (3, 32, 32),
    (1, 7, 13),
    (2, 1, 1),
    (1, 3, 64),
    (1, 16, 64, 96),
    (1, 2, 9, 5),
    (3, 1, 4, 4),
]

# -- backbones -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("hidden_sizes", [(), (4,), (8, 4, 2, 2, 2)], ids=str)
def test_decoder_mirrors_encoder(shape, hidden_sizes):
    x = torch.randn(2, *shape)
    encoder = make_encoder(shape, hidden_sizes, 5, "relu")
    decoder = make_decoder(shape, hidden_sizes, 5, "relu")
    code = encoder(x)
    assert code.shape == (2, 5)
    assert decoder(code).shape == x.shape
    sizes, mirrored = (
        [p.numel() for p in network.parameters() if p.dim() > 1]
        for network in (encoder, decoder)
    )
    assert sizes == mirrored[::-1]


def test_convolutions_halve_sides():
    encoder = make_encoder((1, 28, 28), (4, 8, 16), 3)
    sides, x = [], torch.zeros(1, 1, 28, 28)
    for layer in encoder:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            sides.append(x.shape[-1])
    assert sides == [14, 7, 4]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_follows_hidden_layers_only(activation):
    kinds = [type(layer) for layer in make_encoder((9,), (8, 7), 2, activation)]
    assert kinds == [Linear, ACTIVATIONS[activation]] * 2 + [Linear]


@pytest.mark.parametrize("make", [make_encoder, make_decoder])
@pytest.mark.parametrize("shape", [(), (8, 8), (1, 2, 3, 4, 5)], ids=str)
def test_other_shapes_are_refused(make, shape):
    with pytest.raises(ValueError, match="A sample must be a row"):
        make(shape, (4,), 2)


# -- losses ----------------------------------------------------------------------------


def test_squared_error_and_gaussians():
    x, mean = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    log_variance = torch.tensor([[0.5, -1.0]])
    assert squared_error(x, mean).tolist() == [[1.0, 4.0]]
    assert sum_per_sample(squared_error(x, mean)).tolist() == [5.0]
    code = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(gaussian_nll(x, mean, log_variance), -code.log_prob(x))
    kl = kl_divergence(code, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), kl)


def test_hard_shrinkage_is_the_papers_formula():
    w = torch.tensor([0.0, 0.1, 0.3, 0.6], requires_grad=True)
    shrunk = hard_shrinkage(w, 0.2)
    paper = (w - 0.2).relu() * w / ((w - 0.2).abs() + 1e-12)
    torch.testing.assert_close(shrunk, paper)
    shrunk.sum().backward()
    assert w.grad.tolist() == [0, 0, 1, 1]


def test_entropy():
    weights = torch.tensor([[1.0, 0.0], [0.5, 0.5]], requires_grad=True)
    found = entropy(weights)
    torch.testing.assert_close(found, torch.tensor([0.0, math.log(2)]))
    found.sum().backward()
    assert weights.grad.isfinite().all()


def test_adversarial_loss():
    logit = torch.tensor([0.0, 2.0])
    expected = torch.log1p(torch.exp(-logit))
    torch.testing.assert_close(adversarial_loss(logit, True), expected)
    torch.testing.assert_close(adversarial_loss(logit, False), logit + expected)


def test_penalties():
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    discriminator = SumDiscriminator(3.0)
    penalty = gradient_penalty(discriminator, x, -x)
    torch.testing.assert_close(penalty, torch.full((2,), (3 * 2**0.5 - 1) ** 2))
    x.requires_grad_()
    code = torch.ones(2, 1, requires_grad=True)
    assert r1_penalty(discriminator(x), x).tolist() == [18, 18]
    pairs = r1_penalty(discriminator(x, code), x, code)
    assert pairs.tolist() == [19, 19]
    # the derivative of 2 w ** 2, for both samples
    (gradient,) = torch.autograd.grad(pairs.sum(), discriminator.factor)
    assert gradient == 2 * 4 * 3


def test_gradient_penalty_is_taken_between_real_and_fake():
    def critic(x):
        return x.square().sum(1)

    real, fake = torch.full((3, 2), 4.0), torch.full((3, 2), 1.0)
    u = torch.rand(3, 1, generator=torch.Generator().manual_seed(0))
    between = 4 * u + (1 - u)
    found = gradient_penalty(critic, real, fake, torch.Generator().manual_seed(0))
    expected = (2 * 2**0.5 * between - 1).square()[:, 0]
    torch.testing.assert_close(found, expected)


def test_spectral_norm_is_one():
    torch.manual_seed(0)
    discriminator = Discriminator((6,), (16,), use_spectral_norm=True)
    for _ in range(200):  # each pass in training mode improves the estimate
        discriminator(torch.randn(8, 6))
    discriminator.eval()
    for layer in (discriminator.sample_layers[0], discriminator.head):
        norm = torch.linalg.matrix_norm(layer.weight, ord=2)
        torch.testing.assert_close(norm, torch.tensor(1.0), rtol=1e-3, atol=0)


def test_discriminator_of_pairs_depends_on_both():
    discriminator = Discriminator((6,), (16,), latent_size=3)
    x, code = torch.randn(4, 6), torch.randn(4, 3)
    logit = discriminator(x, code)
    torch.testing.assert_close(
        logit, discriminator.features(x, code) @ discriminator.head.weight[0]
    )
    assert (discriminator(x + 1, code) != logit).all()
    assert (discriminator(x, code + 1) != logit).all()


def test_integrated_gradients_add_up():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    x, baseline = torch.randn(6, 4), torch.randn(4)
    with torch.no_grad():
        parts = integrated_gradients(network, x, baseline, n_steps=200)
        total = network(x) - network(baseline[None])
    torch.testing.assert_close(parts.sum(1), total, atol=1e-4, rtol=1e-4)


# -- stacked networks and patches ------------------------------------------------------


@pytest.mark.parametrize("mode", [True, False])
def test_stacked_members_return_what_they_would_alone(mode):
    torch.manual_seed(0)
    stacked = make_stacked_encoder(3, (4, 6, 2), "tanh").train(mode)
    x = torch.randn(7, 4)
    outputs = stacked(x)
    assert outputs.shape == (3, 7, 2)
    for m, output in enumerate(outputs):
        first, _, last = stacked
        hidden = torch.tanh(x @ first.weight[m] + first.bias[m])
        torch.testing.assert_close(output, hidden @ last.weight[m] + last.bias[m])
    assert not torch.allclose(outputs[0], outputs[1])


def test_stacked_members_learn_as_they_would_alone():
    """The gradient of the sum of losses is each member's own."""
    torch.manual_seed(0)
    stacked, x, target = StackedLinear(2, 3, 2), torch.randn(5, 3), torch.randn(5, 2)
    (stacked(x) - target).square().sum().backward()
    for m in range(2):
        alone = nn.Linear(3, 2)
        alone.weight.data, alone.bias.data = stacked.weight[m].T, stacked.bias[m, 0]
        (alone(x) - target).square().sum().backward()
        torch.testing.assert_close(stacked.weight.grad[m].T, alone.weight.grad)


def test_patches():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    patches = Patches((1, 3, 4), size=2, stride=2)
    assert patches.patch_shape == (1, 2, 2)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [4, 5, 8, 9], [6, 7, 10, 11]]
    assert patches(x)[0].tolist() == expected
    assert patches.position.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    spread = patches.spread(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    rows = [[1, 1, 2, 2], [2, 2, 3, 3], [3, 3, 4, 4]]  # the middle row is in two
    assert spread[0, 0].tolist() == rows


@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 3, 6, 5), (3, 1, 9)], ids=str)
@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("stride", [1, 2, 30])
def test_patches_cover_every_pixel(shape, size, stride):
    patches = Patches(shape, size, stride)
    assert patches.n_covering.min() >= 1
    x = torch.randn(4, *shape)
    assert patches(x).shape == (4, patches.n_patches, np.prod(patches.patch_shape))
    flat = patches.spread(torch.ones(4, patches.n_patches))
    torch.testing.assert_close(flat, torch.ones_like(x))


def test_patches_are_embedded_with_normalized_contrast():
    embedding = PatchEmbedding((1, 6, 6), 6, 1)
    embedding.contrast.fill_(2.0)
    x = torch.randn(3, 1, 6, 6)
    pixels = x.flatten(1) / 2
    brightness, contrast = pixels.mean(1), pixels.std(1, correction=0)
    normalized = (pixels - brightness[:, None]) / (contrast + 0.1)[:, None]
    position = torch.zeros(3, 2)
    expected = torch.column_stack([normalized, brightness, contrast, position])
    torch.testing.assert_close(embedding(x), expected)
    torch.testing.assert_close(embedding.raw(x), x)
    corners = PatchEmbedding((1, 6, 6), 4, 2)(x)[:4, -2:]
    assert corners.tolist() == [[-4, -4], [-4, 4], [4, -4], [4, 4]]


# -- modules and phases ----------------------------------------------------------------


class Distance(DetectorModule):
    def losses(self, x):
        yield self.score(x).mean()

    def score(self, x):
        return x.square().sum(1)


def test_module_draws_from_its_own_generator():
    module, x = Distance((3,)), torch.zeros(4, 3)
    module.random_generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    first, second = module.randn_like(x), module.randn_like(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    module.random_generator.manual_seed(0)
    assert torch.equal(module.randn_like(x), first)


def test_module_attributes_its_score_from_the_center():
    module = Distance((2,))
    module.center.copy_(torch.tensor([1.0, 0.0]))
    found = module.anomaly_map(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(found, torch.tensor([[8.0, 16.0]]))
    with pytest.raises(TypeError, match="abstract"):
        DetectorModule((2,))


@pytest.mark.parametrize(
    ("settings", "n_epochs"),
    [
        ({}, 7),
        ({"epochs": 3}, 3),
        ({"epochs": 30}, 7),
        ({"steps": 30}, 0),
        ({"fraction": 0.3}, 3),
        ({"fraction": 0.01}, 1),
        ({"fraction": 0.0}, 0),
        ({"fraction": 1.0}, 6),
    ],
    ids=str,
)
def test_epochs_of_a_phase(settings, n_epochs):
    assert Phase(None, **settings).n_epochs(max_epochs=10, n_left=7) == n_epochs


# -- linear maps -----------------------------------------------------------------------


@pytest.mark.parametrize(("n_in", "n_out"), [(3, 2), (8, 1), (33, 16), (128, 40)])
def test_few_rows_are_rounded_as_in_a_large_batch(n_in, n_out):
    """Kernels for few rows add in another order."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, n_in, generator=generator)
    weight = torch.randn(n_out, n_in, generator=generator)
    bias = torch.randn(n_out, generator=generator)

    def with_gradient(x):
        x = x.clone().requires_grad_()
        y = exact_linear(x, weight, bias)
        y.backward(torch.ones_like(y).cumsum(1))
        return y.detach(), x.grad

    whole = exact_linear(x, weight, bias)
    y, grad = with_gradient(x)
    assert torch.equal(y, whole)
    for n_rows in (1, 2, 4, 8, 31, 33):
        assert torch.equal(exact_linear(x[:n_rows], weight, bias), whole[:n_rows])
        few, few_grad = with_gradient(x[:n_rows])
        assert torch.equal(few, whole[:n_rows])
        assert torch.equal(few_grad, grad[:n_rows])
