"""OGNet: a discriminator that is trained on the quality of reconstructions."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skanomaly.base import (
    BaseDetector,
    LearningRate,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    UnitFloat,
    parameters,
)
from skanomaly.nn import DetectorModule, Phase, make_decoder, make_encoder
from skanomaly.nn.losses import squared_error, sum_per_sample


class QualityDiscriminator(nn.Module):
    r"""Logit of a bad reconstruction.

    .. math:: D(x, \hat x) = d(\hat x) + w \lVert x - \hat x \rVert^2 / u, \quad w > 0

    with the mean error u; without the second term, which the paper doesn't have, if
    `use_reconstruction_error` is False.
    """

    mean_error: Tensor

    def __init__(self, input_shape, hidden_sizes, activation, use_reconstruction_error):
        super().__init__()
        self.network = make_encoder(input_shape, hidden_sizes, 1, activation)
        self.use_reconstruction_error = use_reconstruction_error
        if use_reconstruction_error:
            self.log_weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean_error", torch.ones(()))

    def forward(self, x: Tensor, x_rec: Tensor) -> Tensor:
        """Return the logit: the higher, the worse the reconstruction."""
        logit = self.network(x_rec)[:, 0]
        if not self.use_reconstruction_error:
            return logit
        error = sum_per_sample(squared_error(x, x_rec))
        return logit + self.log_weight.exp() * error / self.mean_error


class OGNetModule(DetectorModule):
    """A denoising autoencoder for generator, its old state, and a discriminator."""

    networks = ("generator", "discriminator")
    min_epochs = 2

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.generator = nn.Sequential(
            make_encoder(input_shape, *sizes), make_decoder(input_shape, *sizes)
        )
        self.old_generator = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = QualityDiscriminator(
            input_shape, hidden_sizes, activation, self.use_reconstruction_error
        )

    @property
    def phase_one(self) -> Phase:
        """Adversarial training, each network with a learning rate of its own."""
        learning_rates = {"discriminator": self.discriminator_learning_rate}
        return Phase(self.losses, "phase one", learning_rates=learning_rates)

    def phases(self, data) -> Iterator[Phase]:
        """Train both networks, keep the old generator, and go on."""
        yield replace(self.phase_one, epochs=self.old_generator_epoch)
        self.old_generator.load_state_dict(self.generator.state_dict())
        yield from self.warm_start_phases(data)

    def warm_start_phases(self, data) -> Iterator[Phase]:
        """Finish phase one; in phase two train the discriminator alone."""
        yield self.phase_one
        mean_error = float(data.mean(self.error))
        self.discriminator.mean_error.fill_(mean_error or 1.0)
        yield Phase(
            self.quality_losses,
            "phase two",
            networks=("discriminator",),
            steps=self.n_phase_two_steps,
            learning_rates={"discriminator": self.phase_two_learning_rate},
            validation_loss=lambda x: self.quality_loss(x, x.roll(1, dims=0)),
        )

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of generator and discriminator (equations 1 to 3)."""
        x_rec = self.generator(x + self.noise_std * self.randn_like(x))
        error = squared_error(x, x_rec).flatten(1).mean(dim=1)
        fooled = self.cross_entropy(x, x_rec, is_bad=0.0)
        yield (error + self.adversarial_weight * fooled).mean() / 2
        real = self.cross_entropy(x, x, is_bad=0.0)
        fake = self.cross_entropy(x, x_rec.detach(), is_bad=1.0)
        yield (fake + real).mean() / 2

    def quality_losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the discriminator's loss of phase two."""
        order = torch.randperm(
            x.shape[0], generator=self.random_generator, device=x.device
        )
        yield self.quality_loss(x, x[order]).mean()

    def quality_loss(self, x: Tensor, partner: Tensor) -> Tensor:
        """Return the loss that tells good from bad (equation 6, sign turned)."""
        with torch.no_grad():
            x_rec, x_old = self.generator(x), self.old_generator(x)
            mixed = self.mix(x_old, self.old_generator(partner))
            pseudo = self.generator(mixed)
        good = self.alpha * self.cross_entropy(x, x, is_bad=0.0)
        good = good + (1 - self.alpha) * self.cross_entropy(x, x_rec, is_bad=0.0)
        bad = self.beta * self.cross_entropy(x, x_old, is_bad=1.0)
        bad = bad + (1 - self.beta) * self.cross_entropy(mixed, pseudo, is_bad=1.0)
        return good + bad

    def mix(self, first: Tensor, second: Tensor) -> Tensor:
        """Mix old reconstructions to pseudo anomalies (equation 5)."""
        if self.pseudo_anomalies == "mean":
            return (first + second) / 2
        return torch.where(self.randn_like(first) > 0, first, second)

    def cross_entropy(self, x: Tensor, x_rec: Tensor, is_bad: float) -> Tensor:
        """Return the discriminator's cross-entropy for reconstructions of one kind."""
        logit = self.discriminator(x, x_rec)
        target = torch.full_like(logit, is_bad)
        return F.binary_cross_entropy_with_logits(logit, target, reduction="none")

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode, without noise."""
        return self.generator(x)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the squared error, in phase one."""
        return self.error(x)

    def error(self, x: Tensor) -> Tensor:
        """Return the squared error of the reconstruction."""
        return sum_per_sample(squared_error(x, self.generator(x)))

    def score(self, x: Tensor) -> Tensor:
        """Return the discriminator's logit: it orders as the probability does."""
        return self.discriminator(x, self.generator(x))


@parameters
class OGNet(BaseDetector):
    """OGNet: one-class detector whose discriminator learns reconstruction quality.

    In phase one a denoising autoencoder, the generator, is trained against a
    discriminator, and an early state of it is kept: the old generator. In phase two the
    discriminator alone is trained, for some steps: samples and their reconstructions
    are good; reconstructions by the old generator, and of mixtures of two of these, are
    bad. The score is its logit for the reconstruction.

    Parameters
    ----------
    {shared_parameters}
    noise_std : float or None, default=None
        Standard deviation of the noise that is added to samples in phase one, in units
        of the features. None takes 0.3 for rows, and 0.8 for images and clips.
    adversarial_weight : float, default=1.0
        Weight of the generator's adversarial loss, beside the mean squared error.
    discriminator_learning_rate : float, default=1e-4
        The discriminator's in phase one; `learning_rate` is the generator's.
    old_generator_epoch : int, default=1
        Epoch after which the old generator is kept.
    n_phase_two_steps : int, default=75
        Steps of phase two, each with a batch of `batch_size`. Zero leaves it out.
    phase_two_learning_rate : float, default=5e-5
        The discriminator's in phase two.
    alpha : float, default=0.1
        Weight of samples among what is good; reconstructions have the rest.
    beta : float, default=0.001
        Weight of old reconstructions among what is bad; pseudo anomalies have the rest.
    pseudo_anomalies : {"auto", "mean", "crossover"}, default="auto"
        How two old reconstructions are mixed: by their mean, as in the paper, or by
        taking each feature from one of them. ``"auto"`` is the mean for images and
        clips, and the crossover for rows.
    use_reconstruction_error : bool, default=True
        Whether the discriminator's logit grows with the squared error of the
        reconstruction, by a learned weight. False is the paper's, whose discriminator
        sees the reconstruction alone and can't rank what is far from all training
        samples.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    Autoencoder : The generator alone.

    Notes
    -----
    For images and clips the code is the last feature map, without a bottleneck, unless
    `latent_size` says otherwise; rows always have a bottleneck.

    With `early_stopping`, held-out samples stop both phases: phase one by the squared
    error, phase two by its own loss, every 5 steps. No label is seen. `anomaly_map`
    is by integrated gradients.

    References
    ----------
    .. [1] M. Z. Zaheer, J.-H. Lee, M. Astrid, S.-I. Lee, "Old is Gold: Redefining the
       Adversarially Learned One-Class Classifier Training Paradigm", CVPR 2020,
       :arxiv:`2004.07657`.

    Examples
    --------
    >>> from skanomaly import OGNet
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = OGNet(max_epochs=5, random_state=0).fit(zeros)
    >>> [row["phase"] for row in detector.history_][-2:]
    ['phase one', 'phase two']
    """

    noise_std: NonNegativeFloat | None = None
    adversarial_weight: NonNegativeFloat = 1.0
    discriminator_learning_rate: LearningRate = 1e-4
    old_generator_epoch: PositiveInt = 1
    n_phase_two_steps: NonNegativeInt = 75
    phase_two_learning_rate: LearningRate = 5e-5
    alpha: UnitFloat = 0.1
    beta: UnitFloat = 0.001
    pseudo_anomalies: Literal["auto", "mean", "crossover"] = "auto"
    use_reconstruction_error: bool = True

    module_class = OGNetModule

    def _module_arguments(self, input_shape):
        arguments = super()._module_arguments(input_shape)
        is_row = len(input_shape) == 1
        if self.pseudo_anomalies == "auto":
            arguments["pseudo_anomalies"] = "crossover" if is_row else "mean"
        if self.noise_std is None:
            arguments["noise_std"] = 0.3 if is_row else 0.8
        return arguments if is_row else arguments | {"latent_size": self.latent_size}
