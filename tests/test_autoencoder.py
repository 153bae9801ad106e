"""Autoencoder and VAE, by values worked out by hand."""

import numpy as np
import pytest
import torch
from modules import Scale, make_module, twos_like
from torch.distributions import Normal, kl_divergence

from skanomaly import VAE, Autoencoder

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


@pytest.mark.parametrize("noise_std", [0.3, (0.1, 0.4)])
def test_noise_is_drawn_for_each_sample(noise_std):
    module = make_module(Autoencoder, (5000,), noise_std=noise_std)
    x = torch.zeros(400, 5000)
    std = module.add_noise(x).std(dim=1)
    low, high = (noise_std, noise_std) if noise_std == 0.3 else noise_std
    torch.testing.assert_close(std.min().item(), low, atol=0.02, rtol=0)
    torch.testing.assert_close(std.max().item(), high, atol=0.02, rtol=0)
    torch.testing.assert_close(std.mean().item(), (low + high) / 2, atol=0.02, rtol=0)


def test_rows_have_no_bottleneck_but_noise():
    module = make_module(Autoencoder, (7,), hidden_sizes=None, latent_size=None)
    widths = [p.shape[0] for name, p in module.named_parameters() if p.ndim == 2]
    assert widths == [256, 256, 7]
    assert module.noise_std == (0.05, 0.55)
    x = torch.randn(3, 7)
    torch.testing.assert_close(
        module.reconstruct(x), module.decoder[-1](module.encoder(x))
    )


def test_hidden_sizes_without_a_bottleneck():
    module = make_module(Autoencoder, (7,), hidden_sizes=(5, 9, 4), latent_size=None)
    widths = [p.shape[0] for name, p in module.named_parameters() if p.ndim == 2]
    assert widths == [5, 9, 4, 7]


@pytest.mark.parametrize(
    ("shape", "latent_size"), [((7,), 3), ((1, 8, 8), None), ((1, 8, 8), 3)]
)
def test_a_bottleneck_needs_no_noise(shape, latent_size):
    module = make_module(Autoencoder, shape, latent_size=latent_size)
    x = torch.randn(3, *shape)
    assert module.add_noise(x) is x
    assert module.encoder(x).shape == (3, latent_size or 16)


@pytest.mark.parametrize(
    "noise_std", [-0.1, (0.5, 0.1), (0.1, 0.2, 0.3), (), (0.1, None), "a", (0, np.inf)]
)
def test_noise_std_must_be_a_number_or_a_range(noise_std):
    with pytest.raises(ValueError, match="noise_std"):
        Autoencoder(noise_std=noise_std).fit([[1.0, 2.0]] * 5)


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
    """By the densities, and by the KL divergence of two normal distributions."""
    module, x = make_vae(beta=beta)
    module.randn_like = twos_like
    (loss,) = module.losses(x)
    with torch.no_grad():
        code_mean, code_log_variance = module.encode(x)
        code_std = np.exp(code_log_variance.numpy() / 2)
        x_mean = module.decoder(code_mean + 2 * torch.from_numpy(code_std)).numpy()
        variance = np.exp(module.log_variance.numpy())
    squares = (x.numpy() - x_mean) ** 2
    density = np.exp(-squares / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    mean = code_mean.numpy()
    kl = (code_std**2 + mean**2 - 1) / 2 - np.log(code_std)
    expected = -np.log(density).sum(axis=1) + beta * kl.sum(axis=1)
    assert loss.item() == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("log_variance", [-100.0, 100.0])
def test_vae_variance_is_clamped(log_variance):
    module, _ = make_vae()
    with torch.no_grad():
        module.log_variance.fill_(log_variance)
    _, clamped = module.decode(torch.zeros(1, 2))
    assert clamped.abs().max() == 6
