"""Backbones by their shapes, formulas by values worked out by hand."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from skanomaly.detectors.autoencoder import AutoencoderModule
from skanomaly.detectors.vae import SCORE_METHODS, VAEModule
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.backbones import ACTIVATIONS
from skanomaly.nn.functional import (
    gaussian_kl,
    gaussian_nll,
    squared_error,
    sum_per_sample,
)
from skanomaly.nn.linear import Linear

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


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("hidden_sizes", [(), (4,), (8, 4, 2, 2, 2)], ids=str)
def test_decoder_returns_what_the_encoder_took(shape, hidden_sizes):
    x = torch.randn(2, *shape)
    encoder = make_encoder(shape, hidden_sizes, 5, "relu")
    decoder = make_decoder(shape, hidden_sizes, 5, "relu")
    code = encoder(x)
    assert code.shape == (2, 5)
    assert decoder(code).shape == x.shape
    shapes = [p.shape for p in encoder.parameters() if p.dim() > 1]
    mirrored = [p.shape for p in decoder.parameters() if p.dim() > 1][::-1]
    sizes = [math.prod(s) for s in shapes]
    assert sizes == [math.prod(s) for s in mirrored]


def test_convolutions_halve_sides():
    encoder = make_encoder((1, 28, 28), (4, 8, 16), 3)
    sides, x = [], torch.zeros(1, 1, 28, 28)
    for layer in encoder:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d):
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


def test_functional_formulas():
    x, mean = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    log_variance = torch.tensor([[0.5, -1.0]])
    assert squared_error(x, mean).tolist() == [[1.0, 4.0]]
    assert sum_per_sample(squared_error(x, mean)).tolist() == [5.0]
    code = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(gaussian_nll(x, mean, log_variance), -code.log_prob(x))
    torch.testing.assert_close(
        gaussian_kl(mean, log_variance),
        kl_divergence(code, Normal(0.0, 1.0)).sum(1),
    )


def test_module_draws_from_its_own_generator():
    module = AutoencoderModule((3,), (4,), 2)
    x = torch.zeros(4, 3)
    module.random_generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    first, second = module.randn_like(x), module.randn_like(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    module.random_generator.manual_seed(0)
    assert torch.equal(module.randn_like(x), first)


def test_module_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        DetectorModule()


# -- autoencoder -----------------------------------------------------------------------


def test_autoencoder_score_is_the_squared_error():
    module = AutoencoderModule((3,), (4,), 2)
    x = torch.randn(5, 3)
    error = (x - module.decoder(module.encoder(x))) ** 2
    torch.testing.assert_close(module.score(x), error.sum(1))
    torch.testing.assert_close(module.anomaly_map(x), error)
    torch.testing.assert_close(module(x), module.score(x))
    (loss,) = module.losses(x)
    torch.testing.assert_close(loss, error.sum(1).mean())


def test_sparsity_weight_adds_the_absolute_code():
    module = AutoencoderModule((3,), (4,), 2)
    x = torch.randn(5, 3)
    (plain,) = module.losses(x)
    module.sparsity_weight = 0.5
    (sparse,) = module.losses(x)
    expected = 0.5 * module.encoder(x).abs().sum(1).mean()
    torch.testing.assert_close(sparse - plain, expected)


def test_noise_enters_the_loss_and_not_the_score():
    module = AutoencoderModule((3,), (4,), 2, noise_std=1.0)
    x = torch.randn(5, 3)
    (first,), (second,) = module.losses(x), module.losses(x)
    assert first != second
    assert torch.equal(module.score(x), module.score(x))


# -- VAE -------------------------------------------------------------------------------


def test_vae_scores():
    module = VAEModule((3,), (4,), 2, n_draws=7)
    with torch.no_grad():
        module.log_variance.uniform_(-1, 1)
    x = torch.randn(5, 3)
    mean, log_variance = module.encode(x)
    codes = [mean + (0.5 * log_variance).exp() * draw for draw in module.draws]
    std = (0.5 * module.log_variance).exp()
    nll = torch.stack([-Normal(module.decoder(c), std).log_prob(x) for c in codes])
    kl = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    probability = nll.mean(0).sum(1)
    expected = {
        "reconstruction_probability": probability,
        "neg_elbo": probability + kl.sum(1),
        "reconstruction_error": (x - module.decoder(mean)).square().sum(1),
    }
    assert set(expected) == set(SCORE_METHODS)
    for method, value in expected.items():
        module.score_method = method
        torch.testing.assert_close(module.score(x), value)
        if method != "neg_elbo":
            torch.testing.assert_close(module.anomaly_map(x).sum(1), value)
    assert len(module.draws) == 7


def test_vae_loss_is_the_negative_elbo():
    x = torch.randn(5, 3)
    plain, heavy = (VAEModule((3,), (4,), 2, beta=beta) for beta in (1.0, 3.0))
    heavy.load_state_dict(plain.state_dict())
    for module in (plain, heavy):
        module.random_generator = torch.Generator().manual_seed(0)
    (loss,), (heavier,) = plain.losses(x), heavy.losses(x)
    kl = gaussian_kl(*plain.encode(x)).mean()
    torch.testing.assert_close(heavier - loss, 2 * kl)
    plain.random_generator.manual_seed(0)
    mean, log_variance = plain.encode(x)
    code = mean + (0.5 * log_variance).exp() * plain.randn_like(mean)
    nll = gaussian_nll(x, *plain.decode(code)).sum(1).mean()
    torch.testing.assert_close(loss, nll + kl)


@pytest.mark.parametrize("log_variance", [-100.0, 100.0])
def test_vae_variance_is_clamped(log_variance):
    module = VAEModule((3,), (4,), 2)
    with torch.no_grad():
        module.log_variance.fill_(log_variance)
    _, clamped = module.decode(torch.zeros(1, 2))
    assert clamped.abs().max() == 6
