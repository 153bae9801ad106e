"""ALAD: a bidirectional GAN with discriminators of both cycles."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from skanomaly.base import NonNegativeFloat, parameters
from skanomaly.nn.discriminator import Discriminator, adversarial_loss

from ._gan import NORMS, BiGANModule, GANDetector


class ALADModule(BiGANModule):
    """D_xz as in EGBAD, D_xx for (x, x) and (x, G(E(x))), D_zz for the codes."""

    networks = (
        "discriminator",
        "sample_discriminator",
        "code_discriminator",
        "generator",
        "encoder",
    )

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        sizes = (hidden_sizes, latent_size, activation)
        super().__init__(input_shape, *sizes, **parameters)
        self.norm = self.score_method if self.score_method in NORMS else "l1"
        n_channels, *sides = input_shape
        self.sample_discriminator, self.code_discriminator = (
            Discriminator(shape, hidden_sizes, use_spectral_norm=self.spectral_norm)
            for shape in ((2 * n_channels, *sides), (2 * latent_size,))
        )

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of D_xz, D_xx, D_zz, generator and encoder (equation 6)."""
        z = self.sample_codes(x)
        yield self.pair_loss(x, z).mean()
        yield self.cycle_pair_loss(
            self.sample_discriminator, x, self.reconstruct
        ).mean()
        yield self.cycle_pair_loss(
            self.code_discriminator, z, self.encode_generated
        ).mean()
        yield self.generator_loss(x, z).mean()
        yield self.encoder_loss(x, z).mean()

    def encode_generated(self, z: Tensor) -> Tensor:
        """Generate and encode."""
        return self.encoder(self.generator(z))

    def cycle_pair_loss(self, discriminator, real: Tensor, cycle) -> Tensor:
        """Return the loss of D_xx or D_zz: (v, v) is real, (v, cycle(v)) is fake."""
        with torch.no_grad():
            fake = _pair(real, cycle(real))
        return self.discriminator_loss(discriminator, (_pair(real, real),), (fake,))

    def generator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the loss of the generator, against all discriminators."""
        code, generated = self.encoder(x), self.generator(z)
        fooled = adversarial_loss(self.discriminator(generated, z), True)
        return fooled + self.cycles_loss(x, z, code, generated)

    def encoder_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the loss of the encoder, against all discriminators."""
        code, generated = self.encoder(x), self.generator(z)
        fooled = adversarial_loss(self.discriminator(x, code), False)
        return fooled + self.cycles_loss(x, z, code, generated)

    def cycles_loss(self, x: Tensor, z: Tensor, code: Tensor, generated: Tensor):
        """Return the cross-entropies of both cycles, and the reconstruction error."""
        x_rec, z_rec = self.generator(code), self.encoder(generated)
        loss = adversarial_loss(self.sample_discriminator(_pair(x, x_rec)), True)
        loss = loss + adversarial_loss(self.code_discriminator(_pair(z, z_rec)), True)
        return loss + self.cycle_loss(x, x_rec)

    def score(self, x: Tensor) -> Tensor:
        """Return the error, or how far the features of D_xx move (equation 8)."""
        if self.score_method in NORMS:
            return self.error(x)
        features = self.sample_discriminator.features
        same, rec = _pair(x, x), _pair(x, self.reconstruct(x))
        return (features(same) - features(rec)).abs().sum(1)


def _pair(first: Tensor, second: Tensor) -> Tensor:
    """Concatenate two rows, or the channels of two images."""
    return torch.cat([first, second], dim=1)


@parameters
class ALAD(GANDetector):
    """ALAD with cycle consistency: a BiGAN with discriminators of its cycles.

    A bidirectional GAN as in `EGBAD`, with two more discriminators: one compares a
    sample with its reconstruction, the other a code with the code of what is generated
    from it. They make encoder and generator inverse to each other. The score is the
    distance between the features that the discriminator of samples has for a pair of
    equal samples, and for the sample with its reconstruction.

    Parameters
    ----------
    {shared_parameters}
    spectral_norm : bool, default=False
        Whether the weights of the discriminators are divided by their largest singular
        value [2]_.
    score_method : {"features", "l1", "l2"}, default="features"
        How a sample is compared with its reconstruction: by the features of the
        discriminator of samples, or by the L1 or the L2 norm of the error.
    cycle_weight : float, default=10.0
        Weight of the squared error, a mean over features, in the losses of generator
        and encoder [3]_. Zero leaves the cycle to its discriminators, as in the paper;
        then kinds of samples that are rare in training are reconstructed badly.

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    `penalty_weight` and `cycle_weight` are not of the paper.

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
    >>> detector = make_pipeline(StandardScaler(), ALAD(max_epochs=200, random_state=0))
    >>> detector.fit(benign).predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    spectral_norm: bool = False
    score_method: Literal["features", "l1", "l2"] = "features"
    cycle_weight: NonNegativeFloat = 10.0

    module_class = ALADModule
