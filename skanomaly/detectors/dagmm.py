"""DAGMM: the energy of a sample's code and reconstruction errors in a mixture."""

from collections.abc import Iterator
from numbers import Real
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skanomaly.base import (
    Activation,
    BaseDetector,
    Interval,
    NonNegativeFloat,
    PositiveInt,
    parameters,
)
from skanomaly.nn import DetectorModule, Phase, make_decoder, make_encoder
from skanomaly.nn.backbones import ACTIVATIONS
from skanomaly.nn.linear import Linear
from skanomaly.nn.losses import squared_error, sum_per_sample
from skanomaly.nn.mixture import GaussianMixture, estimate_mixture, mixture_energy

# The distance of a shorter sample is not relative: zeros would have an infinite one.
_SHORTEST_SAMPLE = 1.0


class DAGMMModule(DetectorModule):
    """Compression network, estimation network, and the mixture that scores."""

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)
        n_features = latent_size + 2
        self.hidden = nn.Sequential(
            Linear(n_features, self.estimation_size), ACTIVATIONS[activation]()
        )
        self.logits = Linear(self.estimation_size, self.n_components)
        self.mixture = GaussianMixture(self.n_components, n_features)

    def phases(self, data) -> Iterator[Phase]:
        """Train, and estimate the mixture from all training samples."""
        yield Phase(self.losses)
        z = torch.cat(list(data.map(lambda x: self.compress(x)[0])))
        self.mixture.fit(z, self.memberships(z))

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield error, energy in the batch's own mixture, and penalty (equation 7)."""
        z, x_rec = self.compress(x)
        mixture = estimate_mixture(z, self.memberships(z))
        self.mixture.keep(*mixture)  # held-out samples are measured by the last one
        error = sum_per_sample(squared_error(x, x_rec)).mean()
        energy = mixture_energy(z, *mixture).mean()
        penalty = mixture[2].diagonal(dim1=1, dim2=2).reciprocal().sum()
        yield error + self.energy_weight * energy + self.covariance_weight * penalty

    def compress(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z, the code with both errors of the reconstruction, and the latter."""
        code = self.encoder(x)
        x_rec = self.decoder(code)
        row, row_rec = x.flatten(1), x_rec.flatten(1)
        length = row.norm(dim=1).clamp(min=_SHORTEST_SAMPLE)
        distance = (row - row_rec).norm(dim=1) / length
        cosine = F.cosine_similarity(row, row_rec)
        return torch.cat([code, distance[:, None], cosine[:, None]], dim=1), x_rec

    def memberships(self, z: Tensor) -> Tensor:
        """Estimate the memberships in the components, in training with dropout."""
        hidden = self.hidden(z)
        if self.training:
            kept = torch.full_like(hidden, 1 - self.dropout)
            kept = torch.bernoulli(kept, generator=self.random_generator)
            hidden = hidden * kept / (1 - self.dropout)
        return self.logits(hidden).softmax(1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decoder(self.encoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the squared error of each feature; the energy has no such parts."""
        return squared_error(x, self.reconstruct(x))

    def score(self, x: Tensor) -> Tensor:
        """Return the energy of each sample."""
        return self.mixture.energy(self.compress(x)[0])

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return error and energy of each sample."""
        z, x_rec = self.compress(x)
        error = sum_per_sample(squared_error(x, x_rec))
        return error + self.energy_weight * self.mixture.energy(z)


@parameters
class DAGMM(BaseDetector):
    """DAGMM: a Gaussian mixture of codes and reconstruction errors, trained at once.

    An autoencoder gives a code of few numbers, and two errors of its reconstruction:
    the relative Euclidean distance and the cosine similarity. A second network
    estimates from them to which component of a Gaussian mixture a sample belongs. Both
    are trained together. The score is the energy, minus the log-density of code and
    errors in the mixture of all training samples.

    Parameters
    ----------
    {shared_parameters}
    n_components : int, default=4
        Number of components of the mixture, K.
    estimation_size : int, default=10
        Hidden units of the estimation network.
    dropout : float, default=0.5
        The fraction of these hidden units that is set to zero at random in training.
    energy_weight : float, default=0.1
        Weight of the energy in the loss, the paper's lambda 1.
    covariance_weight : float, default=0.005
        Weight of the penalty on small variances, the paper's lambda 2.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    Autoencoder : The reconstruction error alone.

    Notes
    -----
    The paper's `activation`, "tanh", bounds the code, so that far outliers score alike;
    None takes "leaky_relu", too. Its codes have one or two numbers. A sample near zero
    has no direction, and so may have a high energy, though it is the mean of
    standardized features.

    References
    ----------
    .. [1] B. Zong, Q. Song, M. R. Min, W. Cheng, C. Lumezanu, D. Cho, H. Chen, "Deep
       Autoencoding Gaussian Mixture Model for Unsupervised Anomaly Detection", ICLR
       2018.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import DAGMM
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), DAGMM(random_state=0)).fit(benign)
    >>> detector.predict([benign[0], 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    activation: Activation | None = "leaky_relu"
    n_components: PositiveInt = 4
    estimation_size: PositiveInt = 10
    dropout: Annotated[float, Interval(Real, 0, 1, closed="left")] = 0.5
    energy_weight: NonNegativeFloat = 0.1
    covariance_weight: NonNegativeFloat = 0.005

    module_class = DAGMMModule

    def _module_arguments(self, input_shape):
        activation = self.activation or "leaky_relu"
        return super()._module_arguments(input_shape) | {"activation": activation}
