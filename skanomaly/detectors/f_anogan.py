"""f-AnoGAN: an encoder learns what AnoGAN searches for."""

import math
from collections.abc import Iterator
from numbers import Integral, Real

import torch
from torch import Tensor

from skanomaly.base import Interval, parameters
from skanomaly.nn import make_encoder
from skanomaly.nn.adversarial import gradient_penalty
from skanomaly.nn.functional import squared_error

from ._adversarial import AdversarialDetector
from .anogan import AnoGANModule, TwinMixin


class FAnoGANModule(AnoGANModule):
    """A Wasserstein GAN, and an encoder that is trained on what it has learned.

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
    kappa : float, default=0.1
        Weight of the critic's features in the encoder's loss and in the score.
    n_critic_steps : int, default=5
        Steps of the critic for one of the generator.
    penalty_weight : float, default=10.0
        Weight of the critic's gradient penalty.

    Attributes
    ----------
    is_gan_trained, is_encoder_trained : bool
        Which phase of the training it is; both at once is a phase, too.
    """

    players = ("discriminator", "generator", "encoder")

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        kappa=0.1,
        n_critic_steps=5,
        penalty_weight=10.0,
    ):
        sizes = (hidden_sizes, latent_size, activation)
        super().__init__(input_shape, *sizes, penalty_weight=penalty_weight)
        self.max_scored_rows = type(self).max_scored_rows  # nothing is searched for
        self.encoder = make_encoder(input_shape, *sizes)
        self.kappa = kappa
        self.n_critic_steps = n_critic_steps
        self.is_gan_trained = self.is_encoder_trained = True

    @property
    def turns(self) -> tuple[str, ...]:
        """Several steps of the critic and one of the generator; one of the encoder."""
        gan = ("discriminator",) * self.n_critic_steps + ("generator",)
        encoder = ("encoder",)
        return gan * self.is_gan_trained + encoder * self.is_encoder_trained

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of those whose phase it is.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Each player's mean over the samples.
        """
        if self.is_gan_trained:
            for _ in range(self.n_critic_steps):
                yield self.critic_loss(x).mean()
            yield -self.discriminator(self.generator(self.draw_codes(x))).mean()
        if self.is_encoder_trained:
            yield self.score(x).mean()

    def critic_loss(self, x: Tensor) -> Tensor:
        """Return the Wasserstein loss with its gradient penalty.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Real samples.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Negative where real samples are told from generated ones.
        """
        with torch.no_grad():
            fake = self.generator(self.draw_codes(x))
        loss = self.discriminator(fake) - self.discriminator(x)
        if self.penalty_weight:
            share = torch.rand(
                len(x),
                *(1 for _ in x.shape[1:]),
                generator=self.random_generator,
                device=x.device,
            )
            penalty = gradient_penalty(self.discriminator, x, fake, share)
            loss = loss + self.penalty_weight * penalty
        return loss

    def encode(self, x: Tensor) -> Tensor:
        """Return the code that the encoder gives each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        code : Tensor of shape (n_samples, latent_size)
            In one pass.
        """
        return self.encoder(x)

    def score(self, x: Tensor) -> Tensor:
        """Return the mean squared errors of sample and features.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The paper's A(x), which is the encoder's loss, too.
        """
        features = self.discriminator.features
        twin = self.generate(x)
        residual = squared_error(x, twin).flatten(1).mean(1)
        discrimination = squared_error(features(x), features(twin)).mean(1)
        return residual + self.kappa * discrimination

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the score, or in the phase of the GAN the distance to a drawing.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The lower, the better.
        """
        if self.is_encoder_trained:
            return self.score(x)
        return super().validation_loss(x)


@parameters
class FAnoGAN(TwinMixin, AdversarialDetector):
    """Calls outliers what a GAN's encoder can't find a twin for.

    As `AnoGAN`, but the code of a sample is not searched for: in a second phase of the
    training an encoder learns to give each sample the code of its twin, while generator
    and critic stay as they are. So scoring takes one pass.

    Parameters
    ----------
    {shared_parameters}
    kappa : float, default=0.1
        Weight of the critic's features, beside the sample itself, in the encoder's loss
        and in the score. Both are means over their numbers. With the paper's 1, codes
        are sought that please the critic rather than draw the sample.
    n_critic_steps : int, default=5
        Steps that the critic makes with a batch for one of the generator.
    encoder_fraction : float, default=0.5
        Share of `max_epochs` in which the encoder is trained; in the epochs before, the
        GAN. With one epoch in all, both share it.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    AnoGAN : The search, and `generate`.

    Notes
    -----
    The encoder is trained by the paper's *izi_f*: from image to code to image, and
    features. It ends with a linear layer, as codes are standard normal; the authors'
    code ends it with tanh, which codes beyond one can't pass.

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
    >>> detector.generate(digits.data[:3]).shape
    (3, 1, 8, 8)
    """

    # The paper's optimiser; a Wasserstein loss has no bound that says who has won.
    _betas = (0.0, 0.9)
    _restart_below = {}

    penalty_weight: float = 10.0
    kappa: float = 0.1
    n_critic_steps: int = 5
    encoder_fraction: float = 0.5

    _parameter_constraints = AdversarialDetector._parameter_constraints | {
        "kappa": [Interval(Real, 0, None, closed="left")],
        "n_critic_steps": [Interval(Integral, 1, None, closed="left")],
        "encoder_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    def _make_module(self, input_shape):
        return FAnoGANModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            kappa=self.kappa,
            n_critic_steps=self.n_critic_steps,
            penalty_weight=self.penalty_weight,
        )

    def _play(self, net, X):
        module = net.module_
        n_encoder = min(
            math.ceil(self.encoder_fraction * self.max_epochs), self.max_epochs - 1
        )
        if not n_encoder:
            module.is_gan_trained = module.is_encoder_trained = True
            net.partial_fit(X)
            return
        module.is_gan_trained, module.is_encoder_trained = True, False
        net.set_params(max_epochs=self.max_epochs - n_encoder)
        net.partial_fit(X)
        if net.interrupted_:
            raise KeyboardInterrupt  # without an encoder there are no scores
        module.is_gan_trained, module.is_encoder_trained = False, True
        net.set_params(max_epochs=n_encoder)
        n_epochs_before = len(net.history)
        net.partial_fit(X)
        if net.interrupted_ and len(net.history) <= n_epochs_before + 1:
            raise KeyboardInterrupt
