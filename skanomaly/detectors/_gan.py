"""What the detectors share that train a generator against a discriminator."""

from collections.abc import Iterator
from numbers import Real
from typing import Annotated

import torch
from torch import Tensor, nn

from skanomaly.base import (
    Activation,
    BaseDetector,
    Interval,
    NonNegativeFloat,
    parameters,
    warn_unconverged,
)
from skanomaly.nn import DetectorModule, Phase, make_decoder, make_encoder
from skanomaly.nn.discriminator import Discriminator, adversarial_loss, r1_penalty
from skanomaly.nn.losses import squared_error

# Generated samples that vary so much less than real ones are all of one kind.
_MODE_COLLAPSE = 0.1
_N_COMPARED = 1000
# A held-out sample is compared with so many generated ones in validation.
_N_PROBES = 128
NORMS = {"l1": 1, "l2": 2}


class GANModule(DetectorModule):
    """A generator that is trained against a discriminator, whatever else there is."""

    adam_betas = (0.5, 0.999)
    generator: nn.Module
    probes: Tensor
    reset_below = {"discriminator": 1e-5}  # as in GANomaly's code

    def __init__(self, input_shape, latent_size, **parameters):
        super().__init__(input_shape, **parameters)
        self.latent_size = latent_size
        self.register_buffer("probes", torch.randn(_N_PROBES, latent_size))

    def phases(self, data) -> Iterator[Phase]:
        """Train all networks, and look at what is generated."""
        yield Phase(self.losses)
        self.check_mode_collapse(data)

    def sample_codes(self, x: Tensor) -> Tensor:
        """Draw a standard normal code for each sample."""
        return self.randn_like(x.new_empty(x.shape[0], self.latent_size))

    def sample(self, x: Tensor) -> Tensor:
        """Generate as many samples as there are in `x`."""
        return self.generator(self.sample_codes(x))

    def distance_to_generated(self, x: Tensor) -> Tensor:
        """Return the L1 distance to the nearest of some generated samples, `probes`."""
        generated = self.generator(self.probes).flatten(1)
        return torch.cdist(x.flatten(1), generated, p=1).amin(dim=1)

    def check_mode_collapse(self, data) -> None:
        """Compare the standard deviations of generated and real samples."""
        some = data.sample(_N_COMPARED)
        real, generated = (
            self._standard_deviation(some, fn) for fn in (lambda x: x, self.sample)
        )
        ratio = generated / real if real else 1.0  # constant data have but one mode
        self.diagnostics["generated_std_ratio"] = ratio
        if ratio < _MODE_COLLAPSE:
            warn_unconverged(
                "Mode collapse: the standard deviation of generated samples is "
                f"{ratio:.2g} times that of the training samples. Train for more "
                "epochs, or lower learning_rate or ema_decay."
            )

    def _standard_deviation(self, data, fn) -> float:
        """Return the square root of the variance, summed over features."""

        def moments(x):
            centered = (fn(x) - self.center).cpu().double()
            return torch.stack([centered, centered.square()], dim=1)

        mean, square = data.mean(moments)
        return float((square - mean.square()).sum().clamp(min=0).sqrt())

    def discriminator_loss(self, discriminator, real, fake) -> Tensor:
        """Return the cross-entropy of real and fake tuples, and the R1 penalty."""
        real = [each.detach().requires_grad_() for each in real]
        logit = discriminator(*real)
        loss = adversarial_loss(logit, True)
        loss = loss + adversarial_loss(discriminator(*fake), False)
        if self.penalty_weight:
            loss = loss + self.penalty_weight * r1_penalty(logit, *real)
        return loss


class BiGANModule(GANModule):
    """A GAN with an encoder; the discriminator sees pairs of a sample and a code."""

    spectral_norm = False

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, latent_size, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.generator = make_decoder(input_shape, *sizes)
        self.discriminator = Discriminator(
            input_shape,
            hidden_sizes,
            latent_size=latent_size,
            use_spectral_norm=self.spectral_norm,
        )

    def pair_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the discriminator's loss: (x, E(x)) is real, (G(z), z) is fake."""
        with torch.no_grad():
            code, generated = self.encoder(x), self.generator(z)
        return self.discriminator_loss(self.discriminator, (x, code), (generated, z))

    def cycle_loss(self, x: Tensor, x_rec: Tensor) -> Tensor:
        """Return the weighted mean squared error of the reconstruction."""
        return self.cycle_weight * squared_error(x, x_rec).flatten(1).mean(1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and generate."""
        return self.generator(self.encoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the absolute error of each feature."""
        return (x - self.reconstruct(x)).abs()

    def error(self, x: Tensor) -> Tensor:
        """Return the norm of the error."""
        return self.anomaly_map(x).flatten(1).norm(p=NORMS[self.norm], dim=1)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the error; adversarial losses don't tell how good a network is."""
        return self.error(x)


@parameters
class GANDetector(BaseDetector):
    """Base of the detectors that train a generator against a discriminator.

    Parameters
    ----------
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}
    """

    activation: Activation | None = "leaky_relu"
    ema_decay: Annotated[float, Interval(Real, 0, 1, closed="left")] = 0.999
    penalty_weight: NonNegativeFloat = 1.0

    _shared_parameters = """\
    ema_decay : float, default=0.999
        Decay of the exponential moving average of the weights, which scores. Zero takes
        the last weights.
    penalty_weight : float, default=1.0
        Weight of the R1 penalty in the discriminators' losses, which makes adversarial
        training converge. Zero leaves it out.
"""
    _shared_attributes = """\
    generated_std_ratio_ : float
        Standard deviation of generated samples, divided by that of the training
        samples. Near zero there is mode collapse.
"""
