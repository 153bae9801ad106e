"""GANomaly: a reconstruction should have the same code as the sample."""

from collections.abc import Iterator
from typing import Literal

from torch import Tensor, nn

from skanomaly.base import NonNegativeFloat, parameters, warn_unconverged
from skanomaly.nn import Phase, make_decoder, make_encoder
from skanomaly.nn.discriminator import Discriminator, adversarial_loss, r1_penalty
from skanomaly.nn.losses import squared_error

from ._gan import NORMS, GANDetector, GANModule

_CODE_OF_ROWS = 100  # as in the paper


class EncoderDecoderEncoder(nn.Module):
    """The generator: an autoencoder, and an encoder of the reconstruction."""

    def __init__(self, input_shape, *sizes):
        super().__init__()
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)
        self.second_encoder = make_encoder(input_shape, *sizes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the reconstruction, and the codes of the sample and of it."""
        code = self.encoder(x)
        x_rec = self.decoder(code)
        return x_rec, code, self.second_encoder(x_rec)


class GANomalyModule(GANModule):
    """The generator, and a discriminator of samples and reconstructions."""

    networks = ("generator", "discriminator")

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, latent_size, **parameters)
        self.generator = EncoderDecoderEncoder(
            input_shape, hidden_sizes, latent_size, activation
        )
        if self.output_activation == "tanh":
            self.generator.decoder.append(nn.Tanh())
        self.discriminator = Discriminator(input_shape, hidden_sizes)

    def phases(self, data) -> Iterator[Phase]:
        """Train all networks, after a look at whether samples can be reconstructed."""
        if self.output_activation == "tanh" and data.any(lambda x: x.abs() > 1).any():
            warn_unconverged(
                "With output_activation='tanh' reconstructions are between -1 and 1, "
                "but there are training samples beyond. Scale them to [-1, 1], or take "
                "output_activation='linear'."
            )
        yield from super().phases(data)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the generator's loss (equations 1 to 4) and the discriminator's."""
        features = self.discriminator.features
        x_rec, code, code_rec = self.generator(x)
        yield (
            self.adversarial_weight * squared_error(features(x), features(x_rec)).mean()
            + self.contextual_weight * (x - x_rec).abs().mean()
            + self.encoder_weight * squared_error(code, code_rec).mean()
        )
        real = x.detach().requires_grad_()
        logit, logit_rec = self.discriminator(real), self.discriminator(x_rec.detach())
        loss = (adversarial_loss(logit, True) + adversarial_loss(logit_rec, False)) / 2
        if self.penalty_weight:
            loss = loss + self.penalty_weight * r1_penalty(logit, real)
        yield loss.mean()

    def sample(self, x: Tensor) -> Tensor:
        """Reconstruct: this generator has no random codes."""
        return self.reconstruct(x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.generator(x)[0]

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the absolute error of each feature, of which the score is no sum."""
        return (x - self.reconstruct(x)).abs()

    def score(self, x: Tensor) -> Tensor:
        """Return the distance of the two codes (equation 5)."""
        _, code, code_rec = self.generator(x)
        return (code - code_rec).norm(p=NORMS[self.norm], dim=1)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the mean absolute error: the codes are no fixed measure."""
        return self.anomaly_map(x).flatten(1).mean(1)


@parameters
class GANomaly(GANDetector):
    """GANomaly: encoder-decoder-encoder, scored by the distance of its codes.

    An autoencoder reconstructs a sample, and a second encoder encodes the
    reconstruction. On normal samples both codes learn to agree. An abnormal sample is
    reconstructed like a normal one, so its codes differ, and their distance is the
    score. A discriminator helps reconstructions to look real.

    Parameters
    ----------
    {shared_parameters}
    adversarial_weight : float, default=1.0
        Weight of the feature matching loss of the discriminator in the generator's
        loss.
    contextual_weight : float, default=50.0
        Weight of the absolute error.
    encoder_weight : float, default=1.0
        Weight of the squared difference of the codes. All three are means over
        features, so the weights don't depend on a sample's size.
    norm : {"l1", "l2"}, default="l1"
        How the two codes are compared in the score: as in the paper, or as in its
        authors' code, whose square gives the same ranks as the norm here.
    output_activation : {"linear", "tanh"}, default="linear"
        The decoder's last activation function; ``"tanh"``, as in the authors' code, is
        for images scaled to [-1, 1].

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    `latent_size` None takes 100 for rows, as in the paper: two short codes agree too
    easily.

    The paper scales scores to [0, 1] by the least and the largest of the test set. For
    p-values without test data see `skanomaly.calibration.ConformalDetector`.

    References
    ----------
    .. [1] S. Akcay, A. Atapour-Abarghouei, T. P. Breckon, "GANomaly: Semi-Supervised
       Anomaly Detection via Adversarial Training", ACCV 2018, :arxiv:`1805.06725`.

    Examples
    --------
    >>> from skanomaly import GANomaly
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = GANomaly(max_epochs=30, random_state=0).fit(zeros)
    >>> detector.reconstruct(zeros[:3]).shape
    (3, 1, 8, 8)
    """

    adversarial_weight: NonNegativeFloat = 1.0
    contextual_weight: NonNegativeFloat = 50.0
    encoder_weight: NonNegativeFloat = 1.0
    norm: Literal["l1", "l2"] = "l1"
    output_activation: Literal["linear", "tanh"] = "linear"

    module_class = GANomalyModule

    def _module_arguments(self, input_shape):
        arguments = super()._module_arguments(input_shape)
        if self.latent_size is None and len(input_shape) == 1:
            arguments["latent_size"] = _CODE_OF_ROWS
        return arguments
