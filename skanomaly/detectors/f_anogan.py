"""f-AnoGAN: an encoder learns what AnoGAN searches for."""

from collections.abc import Iterator

import torch
from torch import Tensor

from skanomaly.base import NonNegativeFloat, OpenUnitFloat, PositiveInt, parameters
from skanomaly.nn import Phase, make_decoder, make_encoder
from skanomaly.nn.discriminator import Discriminator, gradient_penalty
from skanomaly.nn.losses import squared_error

from ._gan import GANDetector, GANModule


class FAnoGANModule(GANModule):
    """A Wasserstein GAN with gradient penalty, and an encoder."""

    networks = ("discriminator", "generator", "encoder")
    adam_betas = (0.0, 0.9)
    reset_below = {}  # a Wasserstein loss has no bound
    min_epochs = 2

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, latent_size, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.generator = make_decoder(input_shape, *sizes)
        self.discriminator = Discriminator(input_shape, hidden_sizes)
        self.encoder = make_encoder(input_shape, *sizes)

    def phases(self, data) -> Iterator[Phase]:
        """Train the GAN, and then the encoder while the GAN stays as it is."""
        yield Phase(
            self.losses,
            "GAN",
            networks=("discriminator",) * self.n_critic_steps + ("generator",),
            fraction=1 - self.encoder_fraction,
            validation_loss=self.distance_to_generated,
        )
        self.check_mode_collapse(data)
        yield Phase(
            self.encoder_losses, "encoder", networks=("encoder",), is_required=True
        )

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield several losses of the critic, and one of the generator."""
        for _ in range(self.n_critic_steps):
            yield self.critic_loss(x).mean()
        yield -self.discriminator(self.sample(x)).mean()

    def critic_loss(self, x: Tensor) -> Tensor:
        """Return the Wasserstein loss with its gradient penalty."""
        with torch.no_grad():
            fake = self.sample(x)
        loss = self.discriminator(fake) - self.discriminator(x)
        if self.penalty_weight:
            penalty = gradient_penalty(
                self.discriminator, x, fake, self.random_generator
            )
            loss = loss + self.penalty_weight * penalty
        return loss

    def encoder_losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the loss of izi_f: the errors from image to code to image."""
        yield self.score(x).mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and generate."""
        return self.generator(self.encoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the absolute error of each feature."""
        return (x - self.reconstruct(x)).abs()

    def score(self, x: Tensor) -> Tensor:
        """Return the mean squared errors of sample and discriminator features."""
        features = self.discriminator.features
        x_rec = self.reconstruct(x)
        residual = squared_error(x, x_rec).flatten(1).mean(1)
        discrimination = squared_error(features(x), features(x_rec)).mean(1)
        return residual + self.kappa * discrimination


@parameters
class FAnoGAN(GANDetector):
    """Fast AnoGAN (f-AnoGAN): a GAN with an encoder instead of a search.

    As `AnoGAN`, but the code of a sample is not searched for: in a second phase of the
    training an encoder learns to map each sample to the code of its nearest generated
    sample, while generator and critic stay as they are. So scoring takes one pass.

    Parameters
    ----------
    {shared_parameters}
    kappa : float, default=0.1
        Weight of the discriminator's features, beside the sample itself, in the
        encoder's loss and in the score. Both are means over their numbers; the paper
        has 1.
    n_critic_steps : int, default=5
        Steps of the critic for one of the generator.
    encoder_fraction : float, default=0.5
        Fraction of `max_epochs` in which the encoder is trained; in the epochs before,
        the GAN. Each has one epoch at least.

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    `penalty_weight` is that of the Wasserstein gradient penalty [2]_ here. The encoder
    ends with a linear layer, as codes are standard normal.

    References
    ----------
    .. [1] T. Schlegl, P. Seeböck, S. M. Waldstein, G. Langs, U. Schmidt-Erfurth,
       "f-AnoGAN: Fast Unsupervised Anomaly Detection with Generative Adversarial
       Networks", Medical Image Analysis 54, 2019, :doi:`10.1016/j.media.2019.01.010`.
    .. [2] I. Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
       :arxiv:`1704.00028`.

    Examples
    --------
    >>> from skanomaly import FAnoGAN
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = FAnoGAN(max_epochs=40, random_state=0).fit(zeros)
    >>> detector.reconstruct(digits.data[:3]).shape
    (3, 1, 8, 8)
    """

    penalty_weight: NonNegativeFloat = 10.0
    kappa: NonNegativeFloat = 0.1
    n_critic_steps: PositiveInt = 5
    encoder_fraction: OpenUnitFloat = 0.5

    module_class = FAnoGANModule

    def _module_arguments(self, input_shape):
        if self.max_epochs == 1:
            raise ValueError(
                "FAnoGAN trains its GAN and then its encoder, each for one epoch at "
                "least: max_epochs must be at least 2, got 1."
            )
        return super()._module_arguments(input_shape)
