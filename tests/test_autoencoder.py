"""Autoencoder and VAE, by values worked out by hand."""

import pytest
import torch
from modules import Scale, make_module, twos_like
from torch.distributions import Normal, kl_divergence

from skanomaly import VAE, Autoencoder
from skanomaly.nn.losses import gaussian_kl, gaussian_nll

X = torch.tensor([[1.0, -2.0], [3.0, 0.0]])


def make_autoencoder(**parameters):
    """Make one whose code is x / 2 and whose reconstruction is 3 x / 2."""
    module = make_module(Autoencoder, **parameters)
    module.encoder, module.decoder = Scale(0.5), Scale(3.0)
    return module


def test_autoencoder():
    module = make_autoencoder()
    torch.testing.assert_close(module.reconstruct(X), 1.5 * X)
    torch.testing.assert_close(module.anomaly_map(X), X.square() / 4)
    torch.testing.assert_close(module.score(X), X.square().sum(1) / 4)
    torch.testing.assert_close(module(X), module.score(X))
    (loss,) = module.losses(X)
    torch.testing.assert_close(loss, module.score(X).mean())


def test_sparsity_weight_adds_the_norm_of_the_code():
    (loss,) = make_autoencoder(sparsity_weight=0.7).losses(X)
    expected = X.square().sum(1) / 4 + 0.7 * X.abs().sum(1) / 2
    torch.testing.assert_close(loss, expected.mean())


def test_noise_is_added_in_training_and_removed_by_the_network():
    module = make_autoencoder(noise_std=0.2)
    module.randn_like = twos_like
    (loss,) = module.losses(X)
    error = X - 1.5 * (X + 0.2 * 2)
    torch.testing.assert_close(loss, error.square().sum(1).mean())
    torch.testing.assert_close(module.score(X), X.square().sum(1) / 4)


def make_vae(**parameters):
    module = make_module(VAE, (3,), **parameters)
    with torch.no_grad():
        module.log_variance.uniform_(-1, 1)
    return module, torch.randn(5, 3)


@pytest.mark.parametrize(
    "method", ["reconstruction_probability", "neg_elbo", "reconstruction_error"]
)
def test_vae_scores(method):
    module, x = make_vae(n_draws=7, score_method=method, beta=3.0)
    assert len(module.draws) == 7
    mean, log_variance = module.encoder(x).chunk(2, dim=1)
    std, x_std = (0.5 * log_variance).exp(), (0.5 * module.log_variance).exp()
    nll = torch.stack(
        [
            -Normal(module.decoder(mean + std * draw), x_std).log_prob(x)
            for draw in module.draws
        ]
    ).mean(0)
    kl = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(1)
    error = (x - module.decoder(mean)).square()
    expected = {
        "reconstruction_probability": nll.sum(1),
        "neg_elbo": nll.sum(1) + kl,
        "reconstruction_error": error.sum(1),
    }
    torch.testing.assert_close(module.score(x), expected[method])
    by_feature = error if method == "reconstruction_error" else nll
    torch.testing.assert_close(module.anomaly_map(x), by_feature)
    torch.testing.assert_close(module.validation_loss(x), nll.sum(1) + 3 * kl)


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_vae_loss_is_the_negative_elbo(beta):
    module, x = make_vae(beta=beta)
    module.randn_like = twos_like
    (loss,) = module.losses(x)
    mean, log_variance = module.encode(x)
    code = mean + 2 * (0.5 * log_variance).exp()
    nll = gaussian_nll(x, module.decoder(code), module.log_variance).sum(1)
    kl = gaussian_kl(mean, log_variance)
    torch.testing.assert_close(loss, (nll + beta * kl).mean())


@pytest.mark.parametrize("log_variance", [-100.0, 100.0])
def test_vae_variance_is_clamped(log_variance):
    module, _ = make_vae()
    with torch.no_grad():
        module.log_variance.fill_(log_variance)
    _, clamped = module.decode(torch.zeros(1, 2))
    assert clamped.abs().max() == 6
