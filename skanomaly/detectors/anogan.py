"""AnoGAN: search for the generated sample that is nearest to a given one."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from skanomaly.base import (
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    UnitFloat,
    parameters,
)
from skanomaly.nn import make_decoder
from skanomaly.nn.discriminator import Discriminator, adversarial_loss
from skanomaly.nn.losses import sum_per_sample

from ._gan import GANDetector, GANModule


class AnoGANModule(GANModule):
    """A generator, a discriminator, and the search for a code."""

    networks = ("discriminator", "generator")
    max_threshold_samples = 1000
    draws: Tensor

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, latent_size, **parameters)
        self.generator = make_decoder(
            input_shape, hidden_sizes, latent_size, activation
        )
        self.discriminator = Discriminator(input_shape, hidden_sizes)
        # Searched side by side; convolutions gain nothing from more.
        self.batch_sizes = (16, 64, 256) if len(input_shape) == 1 else (32,)
        # The same for every sample and every call: scores are deterministic.
        self.register_buffer("draws", torch.randn(self.n_draws, latent_size))

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of the discriminator and of the generator (equation 1)."""
        fake = self.sample(x)
        real, detached = (x,), (fake.detach(),)
        yield self.discriminator_loss(self.discriminator, real, detached).mean()
        yield adversarial_loss(self.discriminator(fake), True).mean()

    def search_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Return residual and discrimination loss, weighted (equations 2, 4 and 5)."""
        generated = self.generator(z)
        features = self.discriminator.features
        residual = sum_per_sample((x - generated).abs())
        discrimination = (features(x) - features(generated)).abs().sum(1)
        return (1 - self.lambda_) * residual + self.lambda_ * discrimination

    def nearest_draws(self, x: Tensor) -> Tensor:
        """Return where searches start: for each sample the nearest of the draws."""
        generated = self.generator(self.draws)
        features = self.discriminator.features
        residual = torch.cdist(x.flatten(1), generated.flatten(1), p=1)
        discrimination = torch.cdist(features(x), features(generated), p=1)
        loss = (1 - self.lambda_) * residual + self.lambda_ * discrimination
        nearest = loss.topk(self.n_restarts, largest=False).indices
        return self.draws[nearest.t()]

    def encode(self, x: Tensor) -> Tensor:
        """Search for the code of each sample; the best end of all starts counts."""
        starts = self.nearest_draws(x)
        n_starts, n_samples, _ = starts.shape
        x = x.repeat(n_starts, *(1 for _ in x.shape[1:]))
        code = self.search(x, starts.flatten(0, 1))
        best = self.search_loss(x, code).view(n_starts, n_samples).argmin(0)
        return code.view(starts.shape)[best, torch.arange(n_samples, device=x.device)]

    def search(self, x: Tensor, code: Tensor) -> Tensor:
        """Minimize the search loss by Adam, whose state is that of each number."""
        code = code.clone().requires_grad_()
        optimizer = torch.optim.Adam([code], lr=self.search_learning_rate)
        schedule = CosineAnnealingLR(optimizer, self.n_search_steps)
        for _ in range(self.n_search_steps):
            with torch.enable_grad():
                loss = self.search_loss(x, code).sum()
            (code.grad,) = torch.autograd.grad(loss, code)
            optimizer.step()
            schedule.step()
            if self.max_code_norm is not None:
                largest = self.max_code_norm * self.latent_size**0.5
                norm = torch.linalg.vector_norm(code.data, dim=1, keepdim=True)
                code.data.mul_(largest / norm.clamp(min=largest))
        return code.detach()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Generate from the code that was found."""
        return self.generator(self.encode(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the residual of each feature."""
        return (x - self.reconstruct(x)).abs()

    def score(self, x: Tensor) -> Tensor:
        """Return the loss that the search ends with (equation 6)."""
        return self.search_loss(x, self.encode(x))

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the distance to the nearest of some generated samples: no search."""
        return self.distance_to_generated(x)


@parameters
class AnoGAN(GANDetector):
    """AnoGAN: a GAN, scored by the distance to the nearest generated sample.

    A generator learns to generate normal samples from random codes. For each sample to
    be scored, its code is searched for by gradient descent. How far the generated
    sample remains is the score: in itself and, weighted by `lambda_`, in the features
    of the discriminator.

    Parameters
    ----------
    {shared_parameters}
    lambda_ : float, default=0.1
        Weight of the discrimination loss in the score, from 0 to 1; the residual has
        the rest. Both are sums, over features and over the discriminator's last layer.
    n_search_steps : int, default=500
        Steps of the search, of which each costs about as much as a step of training.
    search_learning_rate : float, default=0.05
        Step size of the search; it falls to zero along a cosine. Codes are standard
        normal.
    n_draws : int, default=500
        Number of random codes that are drawn once, in `fit`. The search for a sample
        starts at those from which the samples nearest to it are generated. 1, as in the
        paper, starts all searches at one random code.
    n_restarts : int, default=1
        From how many of the draws the search starts; the best end counts.
    max_code_norm : float or None, default=1.0
        How far from the origin a code may go, in units of the square root of the code's
        length, which is about the norm of the random codes of training. None, as in the
        paper, sets no bound: then codes are found that were never trained on.

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    Every call searches anew, from the same draws. The threshold is set on 1000
    training samples at most. `FAnoGAN` needs no search.

    References
    ----------
    .. [1] T. Schlegl, P. Seeböck, S. M. Waldstein, U. Schmidt-Erfurth, G. Langs,
       "Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide
       Marker Discovery", IPMI 2017, :arxiv:`1703.05921`.

    Examples
    --------
    >>> from skanomaly import AnoGAN
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = AnoGAN(max_epochs=40, n_search_steps=100, random_state=0).fit(zeros)
    >>> detector.reconstruct(digits.data[:3]).shape
    (3, 1, 8, 8)
    """

    # With a weight of 1 some of the rows of a table are not generated.
    penalty_weight: NonNegativeFloat = 10.0
    lambda_: UnitFloat = 0.1
    n_search_steps: PositiveInt = 500
    search_learning_rate: PositiveFloat = 0.05
    n_draws: PositiveInt = 500
    n_restarts: PositiveInt = 1
    max_code_norm: PositiveFloat | None = 1.0

    module_class = AnoGANModule

    def _module_arguments(self, input_shape):
        if self.n_restarts > self.n_draws:
            raise ValueError(
                f"n_restarts={self.n_restarts} searches can't start from different "
                f"codes, as n_draws={self.n_draws}: raise n_draws."
            )
        return super()._module_arguments(input_shape)
