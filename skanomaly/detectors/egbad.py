"""EGBAD: a bidirectional GAN, whose encoder finds a code in one pass."""

from collections.abc import Iterator
from typing import Literal

from torch import Tensor

from skanomaly.base import NonNegativeFloat, UnitFloat, parameters
from skanomaly.nn.discriminator import adversarial_loss

from ._gan import BiGANModule, GANDetector


class EGBADModule(BiGANModule):
    """An encoder and a generator, whose pairs a discriminator compares."""

    networks = ("discriminator", "generator", "encoder")

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of discriminator, generator and encoder (equation 1)."""
        z = self.sample_codes(x)
        yield self.pair_loss(x, z).mean()
        fooled = adversarial_loss(self.discriminator(self.generator(z), z), True)
        yield (fooled + self.cycle_loss(x, self.reconstruct(x))).mean()
        fooled = adversarial_loss(self.discriminator(x, self.encoder(x)), False)
        yield (fooled + self.cycle_loss(x, self.reconstruct(x))).mean()

    def discriminate(self, x: Tensor) -> Tensor:
        """Return the cross-entropy of the pair (x, E(x)), or its feature matching."""
        code = self.encoder(x)
        if self.discrimination == "cross_entropy":
            return adversarial_loss(self.discriminator(x, code), True)
        features = self.discriminator.features
        return (features(x, code) - features(self.generator(code), code)).abs().sum(1)

    def score(self, x: Tensor) -> Tensor:
        """Return the weighted sum of error and discrimination, the paper's A(x)."""
        weight = self.discrimination_weight
        return (1 - weight) * self.error(x) + weight * self.discriminate(x)


@parameters
class EGBAD(GANDetector):
    """EGBAD with cycle consistency: a bidirectional GAN, scored by reconstruction.

    A generator maps random codes to samples and an encoder maps samples to codes, until
    a discriminator can't tell the pairs of the one from the pairs of the other. Then
    the encoder inverts the generator, which generates normal samples only. The score is
    the reconstruction error plus the discriminator's loss: one pass instead of
    `AnoGAN`'s search.

    Parameters
    ----------
    {shared_parameters}
    discrimination : {"cross_entropy", "feature_matching"}, default="cross_entropy"
        What the discriminator adds to the score: its cross-entropy for the sample and
        its code, or how far its last hidden layer moves when the sample is replaced by
        its reconstruction.
    discrimination_weight : float, default=0.1
        Its weight in the score, from 0 to 1; the paper's 1 - alpha.
    norm : {"l1", "l2"}, default="l1"
        Of the error in the score: L1, as in the paper, or L2, in which few large errors
        count for more.
    cycle_weight : float, default=10.0
        Weight of the squared error, a mean over features, in the losses of generator
        and encoder [3]_. Zero leaves it out, as in the paper; then kinds of samples
        that are rare in training are not reconstructed.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    ALAD : Adds discriminators of the two cycles.

    Notes
    -----
    The paper's training diverges sooner or later. Here the discriminator has the R1
    penalty [2]_, and the network that scores has averaged weights. With
    `early_stopping` the weights are those of the epoch in which held-out samples are
    reconstructed best. The networks have no dropout.

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
    >>> detector = make_pipeline(
    ...     StandardScaler(), EGBAD(max_epochs=200, random_state=0)
    ... )
    >>> detector.fit(benign).predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    discrimination: Literal["cross_entropy", "feature_matching"] = "cross_entropy"
    discrimination_weight: UnitFloat = 0.1
    norm: Literal["l1", "l2"] = "l1"
    cycle_weight: NonNegativeFloat = 10.0

    module_class = EGBADModule
