"""ALAD: a bidirectional GAN whose cycles are judged, too."""

from collections.abc import Iterator
from numbers import Real

import torch
from torch import Tensor

from skanomaly.base import Interval, ReconstructionMixin, StrOptions, parameters
from skanomaly.nn.adversarial import Critic, cross_entropy, slope_penalty

from ._adversarial import AdversarialDetector
from .egbad import NORMS, EGBADModule

SCORE_METHODS = ("features", *NORMS)


class ALADModule(EGBADModule):
    """`EGBADModule` and two critics of what comes back from a cycle.

    One tells (x, x) from (x, G(E(x))) and the other (z, z) from (z, E(G(z))).

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
    penalty_weight : float, default=1.0
        Weight of a critic's squared slope in its loss.
    spectral_norm : bool, default=False
        Whether the weights of the critics have a largest singular value of one.
    score_method : {"features", "l1", "l2"}, default="l1"
        How a sample is compared with its reconstruction.
    cycle_weight : float, default=0.0
        Weight of the squared error in the generator's and the encoder's loss.
    """

    players = (
        "discriminator",
        "sample_critic",
        "code_critic",
        "generator",
        "encoder",
    )

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        penalty_weight=1.0,
        spectral_norm=False,
        score_method="l1",
        cycle_weight=0.0,
    ):
        sizes = (hidden_sizes, latent_size, activation)
        norm = score_method if score_method in NORMS else "l1"
        super().__init__(
            input_shape,
            *sizes,
            norm=norm,
            cycle_weight=cycle_weight,
            penalty_weight=penalty_weight,
        )
        self.score_method = score_method
        n_channels, *sides = input_shape
        critics = {"hidden_sizes": hidden_sizes, "is_spectral": spectral_norm}
        self.discriminator = Critic(input_shape, latent_size=latent_size, **critics)
        self.sample_critic = Critic((2 * n_channels, *sides), **critics)
        self.code_critic = Critic((2 * latent_size,), **critics)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of three critics, the generator and the encoder.

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
        with torch.no_grad():
            x_again, z_again = self.reconstruct(x), self.encoder(self.generator(z))
        for critic, real, again in (
            (self.sample_critic, x, x_again),
            (self.code_critic, z, z_again),
        ):
            same = _pair(real, real)
            loss = cross_entropy(critic(same), True)
            loss = loss + cross_entropy(critic(_pair(real, again)), False)
            if self.penalty_weight:
                loss = loss + self.penalty_weight * slope_penalty(critic, same)
            yield loss.mean()
        generated = self.generator(z)
        loss = cross_entropy(self.discriminator(generated, z), True)
        yield (loss + self.cycle_loss(x, z, self.encoder(x), generated)).mean()
        code = self.encoder(x)
        loss = cross_entropy(self.discriminator(x, code), False)
        yield (loss + self.cycle_loss(x, z, code, self.generator(z))).mean()

    def cycle_loss(self, x: Tensor, z: Tensor, code: Tensor, generated: Tensor):
        """Return how far the cycles are from being taken for the originals.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        z : Tensor of shape (n_samples, latent_size)
            Codes.
        code : Tensor of shape (n_samples, latent_size)
            Of the samples.
        generated : Tensor of shape (n_samples, ...)
            From the codes.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The cross-entropies of both critics, and the price of the error.
        """
        x_again, z_again = self.generator(code), self.encoder(generated)
        loss = cross_entropy(self.sample_critic(_pair(x, x_again)), True)
        loss = loss + cross_entropy(self.code_critic(_pair(z, z_again)), True)
        return loss + self.reconstruction_loss(x, x_again)

    def score(self, x: Tensor) -> Tensor:
        """Return how far a sample, or what the critic sees, is from G(E(x)).

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            Norm of the error, or L1 distance between what the critic sees in (x, x) and
            in (x, G(E(x))).
        """
        if self.score_method in NORMS:
            return self.error(x)
        features = self.sample_critic.features
        same, again = _pair(x, x), _pair(x, self.reconstruct(x))
        return (features(same) - features(again)).abs().sum(1)


def _pair(first: Tensor, second: Tensor) -> Tensor:
    """Put two rows, or the channels of two images, beside each other."""
    return torch.cat([first, second], dim=1)


@parameters
class ALAD(ReconstructionMixin, AdversarialDetector):
    """Calls outliers what a critic can tell from its own reconstruction.

    A bidirectional GAN as in `EGBAD`, with two more critics: one compares a sample with
    its reconstruction, the other a code with the code of what is generated from it.
    They hold encoder and generator to be inverse to each other. The score is the error
    of the reconstruction, or as in the paper how far the features that the critic of
    samples computes move when one of two equal samples is replaced by its
    reconstruction.

    Parameters
    ----------
    {shared_parameters}
    spectral_norm : bool, default=False
        Whether the weights of the critics have a largest singular value of one [2]_.
    score_method : {"features", "l1", "l2"}, default="l1"
        How a sample is compared with its reconstruction: by what the critic of samples
        sees, or by the L1 or the L2 norm of the error.
    cycle_weight : float, default=10.0
        Weight of the squared error, a mean over features, in the losses of generator
        and encoder [3]_. Zero leaves the cycle to its critics, as in the paper; then
        kinds of samples that are rare in training are reconstructed badly.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    EGBAD : The same without the two critics.

    Notes
    -----
    `anomaly_map` is the absolute error of each feature. The critics have no dropout and
    the encoder no spectral norm; `penalty_weight` and `cycle_weight` are not of the
    paper.

    References
    ----------
    .. [1] H. Zenati, M. Romain, C. S. Foo, B. Lecouat, V. R. Chandrasekhar,
       "Adversarially Learned Anomaly Detection", ICDM 2018, :arxiv:`1812.02288`.
    .. [2] T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for
       Generative Adversarial Networks", ICLR 2018, :arxiv:`1802.05957`.
    .. [3] C. Li et al., "ALICE: Towards Understanding Adversarial Learning for Joint
       Distribution Matching", NeurIPS 2017, :arxiv:`1709.01215`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import ALAD
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), ALAD(random_state=0)).fit(benign)
    >>> detector.predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    spectral_norm: bool = False
    score_method: str = "l1"
    cycle_weight: float = 10.0

    _parameter_constraints = AdversarialDetector._parameter_constraints | {
        "spectral_norm": ["boolean"],
        "score_method": [StrOptions(set(SCORE_METHODS))],
        "cycle_weight": [Interval(Real, 0, None, closed="left")],
    }

    def _make_module(self, input_shape):
        return ALADModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            penalty_weight=self.penalty_weight,
            spectral_norm=self.spectral_norm,
            score_method=self.score_method,
            cycle_weight=self.cycle_weight,
        )
