"""Variational autoencoder: the reconstruction probability of An and Cho."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from skanomaly.base import BaseDetector, NonNegativeFloat, PositiveInt, parameters
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.losses import (
    expected_gaussian_nll,
    gaussian_kl,
    gaussian_nll,
    squared_error,
    sum_per_sample,
)

# Without the lower bound a constant feature would be fitted with no variance, and one
# other value of it would outweigh everything else.
_LOG_VARIANCE = (-6.0, 6.0)


class VAEModule(DetectorModule):
    """Gaussian encoder and decoder; a feature has one variance for all samples."""

    draws: Tensor

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        self.encoder = make_encoder(
            input_shape, hidden_sizes, 2 * latent_size, activation
        )
        self.decoder = make_decoder(input_shape, hidden_sizes, latent_size, activation)
        self.log_variance = nn.Parameter(torch.zeros(input_shape))
        # The same draws for every sample and every call: scores are deterministic.
        self.register_buffer("draws", torch.randn(self.n_draws, latent_size))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z | x)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of p(x | z)."""
        return self.decoder(code), self.log_variance.clamp(*_LOG_VARIANCE)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the negative evidence lower bound, with one draw for each sample."""
        mean, log_variance = self.encode(x)
        code = mean + (0.5 * log_variance).exp() * self.randn_like(mean)
        nll = sum_per_sample(gaussian_nll(x, *self.decode(code)))
        yield (nll + self.beta * gaussian_kl(mean, log_variance)).mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x | z) at the mean code."""
        mean, _ = self.encode(x)
        return self.decode(mean)[0]

    def expected_nll(self, x: Tensor) -> Tensor:
        """Average the negative log-likelihood of each feature over the draws."""
        mean, log_variance = self.encode(x)
        std = (0.5 * log_variance).exp()
        error = torch.zeros_like(x)
        for draw in self.draws:
            x_rec, log_variance = self.decode(mean + std * draw)
            error += squared_error(x, x_rec)
        return expected_gaussian_nll(error / len(self.draws), log_variance)

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return each feature's part of the score, but for the KL divergence."""
        if self.score_method == "reconstruction_error":
            return squared_error(x, self.reconstruct(x))
        return self.expected_nll(x)

    def score(self, x: Tensor) -> Tensor:
        """Score by `score_method`, in nats or in squared units of the features."""
        score = sum_per_sample(self.anomaly_map(x))
        if self.score_method == "neg_elbo":
            score = score + gaussian_kl(*self.encode(x))
        return score

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the loss of each sample over the fixed draws."""
        divergence = gaussian_kl(*self.encode(x))
        return sum_per_sample(self.expected_nll(x)) + self.beta * divergence


@parameters
class VAE(BaseDetector):
    """Variational autoencoder, scored by the reconstruction probability.

    The encoder maps a sample to a Gaussian over codes, the decoder a code to a Gaussian
    over samples, with a learned variance for each feature. Training maximizes the
    evidence lower bound.

    Parameters
    ----------
    {shared_parameters}
    beta : float, default=1.0
        Weight of the KL divergence between codes and the standard normal distribution
        in the loss [2]_. Above one codes carry less.
    score_method : {"reconstruction_probability", "neg_elbo", "reconstruction_error"}, \
            default="reconstruction_probability"
        ``"reconstruction_probability"``: minus the log-likelihood of the sample,
        averaged over `n_draws` codes [3]_. ``"neg_elbo"``: the same plus the KL
        divergence, whatever `beta`. ``"reconstruction_error"``: the squared error at
        the mean code, which leaves the variances out.
    n_draws : int, default=10
        Codes drawn for the first two scores. The draws belong to the fitted detector
        and are the same for all samples: scores are deterministic.

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    In [3]_ the decoder gives a variance for each code, here one for all samples.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014,
       :arxiv:`1312.6114`.
    .. [2] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a
       Constrained Variational Framework", ICLR 2017.
    .. [3] J. An, S. Cho, "Variational Autoencoder based Anomaly Detection using
       Reconstruction Probability", SNU Data Mining Center, 2015.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import VAE
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), VAE(max_epochs=20, random_state=0))
    >>> detector.fit(benign).predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    beta: NonNegativeFloat = 1.0
    score_method: Literal[
        "reconstruction_probability", "neg_elbo", "reconstruction_error"
    ] = "reconstruction_probability"
    n_draws: PositiveInt = 10

    module_class = VAEModule
