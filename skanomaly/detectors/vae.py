"""The variational autoencoder, and the reconstruction probability of An and Cho."""

from collections.abc import Iterator
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from skanomaly.base import (
    BaseDetector,
    Interval,
    ReconstructionMixin,
    StrOptions,
    parameters,
)
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.functional import (
    gaussian_kl,
    gaussian_nll,
    squared_error,
    sum_per_sample,
)

SCORE_METHODS = ("neg_elbo", "reconstruction_error", "reconstruction_probability")

# The logarithm of a feature's variance is kept in here. Without the lower bound a
# constant feature would be fitted with no variance at all, and one unusual value of it
# would outweigh everything else.
_LOG_VARIANCE = (-6.0, 6.0)


class VAEModule(DetectorModule):
    """An encoder and a decoder whose outputs are Gaussians.

    The decoder gives the mean; the variance is a parameter of each feature.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers.
    latent_size : int
        Length of the code.
    activation : str, default="tanh"
        What follows a hidden layer.
    beta : float, default=1.0
        Weight of the divergence in the loss.
    score_method : str, default="reconstruction_probability"
        One of `SCORE_METHODS`.
    n_draws : int, default=10
        Codes drawn for a score.
    """

    draws: Tensor

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        beta=1.0,
        score_method="reconstruction_probability",
        n_draws=10,
    ):
        super().__init__()
        self.encoder = make_encoder(
            input_shape, hidden_sizes, 2 * latent_size, activation
        )
        self.decoder = make_decoder(input_shape, hidden_sizes, latent_size, activation)
        self.log_variance = nn.Parameter(torch.zeros(input_shape))
        self.beta = beta
        self.score_method = score_method
        # The same draws for every sample and every call: scores are deterministic.
        self.register_buffer("draws", torch.randn(n_draws, latent_size))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the codes.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        mean, log_variance : Tensor of shape (n_samples, latent_size)
            The Gaussian q(z | x).
        """
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the samples that a code stands for.

        Parameters
        ----------
        code : Tensor of shape (n_samples, latent_size)
            Codes.

        Returns
        -------
        mean : Tensor of shape (n_samples, ...)
            Of the Gaussian p(x | z).
        log_variance : Tensor of shape sample_shape
            The same for all codes, clamped.
        """
        return self.decoder(code), self.log_variance.clamp(*_LOG_VARIANCE)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the negative evidence lower bound, with one code drawn a sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            The mean over the samples, in nats.
        """
        mean, log_variance = self.encode(x)
        code = mean + (0.5 * log_variance).exp() * self.randn_like(mean)
        nll = sum_per_sample(gaussian_nll(x, *self.decode(code)))
        yield (nll + self.beta * gaussian_kl(mean, log_variance)).mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the mean code.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            The mean of p(x | z) at the mean of q(z | x).
        """
        mean, _ = self.encode(x)
        return self.decode(mean)[0]

    def expected_nll(self, x: Tensor) -> Tensor:
        """Average the negative log-likelihood of each feature over the drawn codes.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        nll : Tensor of the shape of x
            In nats.
        """
        mean, log_variance = self.encode(x)
        std = (0.5 * log_variance).exp()
        total = torch.zeros_like(x)
        for draw in self.draws:
            total += gaussian_nll(x, *self.decode(mean + std * draw))
        return total / len(self.draws)

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return each feature's part of the score.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            Adds up to the score, but for the divergence in ``"neg_elbo"``, which
            belongs to no feature.
        """
        if self.score_method == "reconstruction_error":
            return squared_error(x, self.reconstruct(x))
        return self.expected_nll(x)

    def score(self, x: Tensor) -> Tensor:
        """Score by `score_method`.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            In nats, or in squared units of the features.
        """
        score = sum_per_sample(self.anomaly_map(x))
        if self.score_method == "neg_elbo":
            score = score + gaussian_kl(*self.encode(x))
        return score

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the loss of each sample over the fixed draws.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            In nats, whatever the score method.
        """
        divergence = gaussian_kl(*self.encode(x))
        return sum_per_sample(self.expected_nll(x)) + self.beta * divergence


@parameters
class VAE(ReconstructionMixin, BaseDetector):
    """Calls outliers what is improbable under a variational autoencoder.

    The encoder turns a sample into a Gaussian over codes, the decoder a code into a
    Gaussian over samples. The variance of each feature is learned too, so that one
    that is hard to predict weighs less. Training maximises a lower bound of the
    likelihood.

    Parameters
    ----------
    {shared_parameters}
    beta : float, default=1.0
        Weight of the divergence between codes and the standard normal distribution in
        the loss [2]_. Above one codes carry less.
    score_method : {"reconstruction_probability", "neg_elbo", "reconstruction_error"}, \
            default="reconstruction_probability"
        What is taken for the score. ``"reconstruction_probability"``: minus the
        log-likelihood of the sample, averaged over `n_draws` codes [3]_.
        ``"neg_elbo"``: the same plus the divergence, whatever `beta`.
        ``"reconstruction_error"``: the squared error at the mean code, which leaves
        the variances out.
    n_draws : int, default=10
        Codes drawn for the first two scores. The draws belong to the fitted detector
        and are the same for all samples: scores are deterministic.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    Autoencoder : Without distributions.

    Notes
    -----
    In [3]_ the decoder gives a variance for each code, and so can excuse what it draws
    badly: the user guide has figures. Here a feature has one variance for all samples.
    Its logarithm is clamped to [-6, 6], so that a feature which never changed in
    training can't outweigh the rest.

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

    beta: float = 1.0
    score_method: str = "reconstruction_probability"
    n_draws: int = 10

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "beta": [Interval(Real, 0, None, closed="left")],
        "score_method": [StrOptions(set(SCORE_METHODS))],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    }

    def _make_module(self, input_shape):
        return VAEModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            beta=self.beta,
            score_method=self.score_method,
            n_draws=self.n_draws,
        )
