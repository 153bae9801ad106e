"""EGBAD: a GAN with an encoder, which finds a sample's code in one pass."""

from collections.abc import Iterator
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from skanomaly.base import Interval, ReconstructionMixin, StrOptions, parameters
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.adversarial import Critic, cross_entropy, slope_penalty
from skanomaly.nn.functional import squared_error

from ._adversarial import AdversarialDetector

DISCRIMINATIONS = ("cross_entropy", "feature_matching")
NORMS = {"l1": 1, "l2": 2}


class EGBADModule(DetectorModule):
    """An encoder and a generator whose pairs a discriminator can't tell apart.

    The generator makes a sample of a code, the encoder a code of a sample. When the
    discriminator can't tell the pairs of the one from those of the other, each is the
    inverse of the other.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers; the other networks are like it.
    latent_size : int
        Length of the code.
    activation : str, default="tanh"
        What follows a hidden layer of the encoder and of the generator.
    discrimination : {"cross_entropy", "feature_matching"}, default="cross_entropy"
        What the discriminator adds to the score.
    discrimination_weight : float, default=0.1
        Its share of the score.
    norm : {"l1", "l2"}, default="l1"
        Of the error in the score.
    cycle_weight : float, default=0.0
        Weight of the squared error in the generator's and the encoder's loss.
    penalty_weight : float, default=1.0
        Weight of the discriminator's squared slope in its loss.
    """

    players: ClassVar[tuple[str, ...]] = ("discriminator", "generator", "encoder")

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        discrimination="cross_entropy",
        discrimination_weight=0.1,
        norm="l1",
        cycle_weight=0.0,
        penalty_weight=1.0,
    ):
        super().__init__()
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.generator = make_decoder(input_shape, *sizes)
        self.discriminator = Critic(input_shape, hidden_sizes, latent_size=latent_size)
        self.latent_size = latent_size
        self.discrimination = discrimination
        self.discrimination_weight = discrimination_weight
        self.norm = norm
        self.cycle_weight = cycle_weight
        self.penalty_weight = penalty_weight

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of the discriminator, the generator and the encoder.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Each player's mean over the samples.
        """
        z = self.randn_like(x.new_empty(len(x), self.latent_size))
        yield self.discriminator_loss(x, z).mean()
        fooled = cross_entropy(self.discriminator(self.generator(z), z), True)
        yield (fooled + self.reconstruction_loss(x, self.reconstruct(x))).mean()
        fooled = cross_entropy(self.discriminator(x, self.encoder(x)), False)
        yield (fooled + self.reconstruction_loss(x, self.reconstruct(x))).mean()

    def reconstruction_loss(self, x: Tensor, x_again: Tensor) -> Tensor:
        """Return what the generator and the encoder pay for the error.

        Parameters
        ----------
        x, x_again : Tensor of shape (n_samples, ...)
            Samples and their reconstructions.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Mean squared error, weighted.
        """
        return self.cycle_weight * squared_error(x, x_again).flatten(1).mean(1)

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Return how badly the encoder's pairs are told from the generator's.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples, to be encoded.
        z : Tensor of shape (n_samples, latent_size)
            Codes, to be made samples of.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Cross-entropies and slope penalty.
        """
        with torch.no_grad():
            encoded, generated = self.encoder(x), self.generator(z)
        loss = cross_entropy(self.discriminator(x, encoded), True)
        loss = loss + cross_entropy(self.discriminator(generated, z), False)
        if self.penalty_weight:
            slope = slope_penalty(self.discriminator, x, encoded)
            loss = loss + self.penalty_weight * slope
        return loss

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and generate.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            What the generator makes of the code.
        """
        return self.generator(self.encoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the absolute error of each feature.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            What the error's norm in the score is taken of.
        """
        return (x - self.reconstruct(x)).abs()

    def discriminate(self, x: Tensor) -> Tensor:
        """Say how unlike the pairs that it knows a sample and its code are.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The cross-entropy of the pair, or how far its features are from those of the
            reconstruction with the same code.
        """
        code = self.encoder(x)
        if self.discrimination == "cross_entropy":
            return cross_entropy(self.discriminator(x, code), True)
        features = self.discriminator.features
        return (features(x, code) - features(self.generator(code), code)).abs().sum(1)

    def score(self, x: Tensor) -> Tensor:
        """Return the weighted sum of the error's norm and of the discrimination.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The paper's A(x).
        """
        share = self.discrimination_weight
        return (1 - share) * self.error(x) + share * self.discriminate(x)

    def error(self, x: Tensor) -> Tensor:
        """Return how far the reconstruction is from the sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        error : Tensor of shape (n_samples,)
            In the L1 or the L2 norm.
        """
        return self.anomaly_map(x).flatten(1).norm(p=NORMS[self.norm], dim=1)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the error; the game's losses don't say how good it is.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Distance from the sample to its reconstruction.
        """
        return self.error(x)


@parameters
class EGBAD(ReconstructionMixin, AdversarialDetector):
    """Calls outliers what a bidirectional GAN can't encode and generate again.

    A generator makes samples of random codes and an encoder makes codes of samples,
    until a discriminator can't tell the pairs of the one from the pairs of the other.
    Then the encoder inverts the generator, which draws normal samples only. The score
    is the error of the sample drawn again plus what the discriminator thinks of it: one
    pass instead of `AnoGAN`'s search.

    Parameters
    ----------
    {shared_parameters}
    discrimination : {"cross_entropy", "feature_matching"}, default="cross_entropy"
        What the discriminator adds to the score: its doubt about the sample and its
        code, or how far its last hidden layer moves when the sample is replaced by its
        reconstruction.
    discrimination_weight : float, default=0.1
        Its share of the score, from 0 to 1; the paper's 1 - alpha.
    norm : {"l1", "l2"}, default="l1"
        Of the error in the score: the sum of absolute values, as in the paper, or the
        Euclidean length, in which few large errors count for more.
    cycle_weight : float, default=10.0
        Weight of the squared error, a mean over features, in the losses of generator
        and encoder [3]_. Zero leaves them to the game alone, as in the paper; then
        kinds of samples that are rare in training are not reconstructed.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    ALAD : Adds critics of the reconstructions and of the codes drawn again.

    Notes
    -----
    The paper's training diverges sooner or later. Here the discriminator pays for its
    slope [2]_, and the network that scores has averaged weights. With `early_stopping`
    the weights are taken from the epoch in which held-out samples are reconstructed
    best. The networks have no dropout.

    References
    ----------
    .. [1] H. Zenati, C. S. Foo, B. Lecouat, G. Manek, V. R. Chandrasekhar, "Efficient
       GAN-Based Anomaly Detection", 2018, :arxiv:`1802.06222`.
    .. [2] L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do
       actually Converge?", ICML 2018, :arxiv:`1801.04406`.
    .. [3] C. Li et al., "ALICE: Towards Understanding Adversarial Learning for Joint
       Distribution Matching", NeurIPS 2017, :arxiv:`1709.01215`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import EGBAD
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), EGBAD(random_state=0)).fit(benign)
    >>> detector.predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    discrimination: str = "cross_entropy"
    discrimination_weight: float = 0.1
    norm: str = "l1"
    cycle_weight: float = 10.0

    _parameter_constraints = AdversarialDetector._parameter_constraints | {
        "discrimination": [StrOptions(set(DISCRIMINATIONS))],
        "discrimination_weight": [Interval(Real, 0, 1, closed="both")],
        "norm": [StrOptions(set(NORMS))],
        "cycle_weight": [Interval(Real, 0, None, closed="left")],
    }

    def _make_module(self, input_shape):
        return EGBADModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            discrimination=self.discrimination,
            discrimination_weight=self.discrimination_weight,
            norm=self.norm,
            cycle_weight=self.cycle_weight,
            penalty_weight=self.penalty_weight,
        )
