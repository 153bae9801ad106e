"""OGNet: a discriminator that judges how well a sample is drawn."""

import copy
from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skanomaly.base import (
    BaseDetector,
    Interval,
    ReconstructionMixin,
    StrOptions,
    parameters,
)
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.functional import (
    integrated_gradients,
    squared_error,
    sum_per_sample,
)

PSEUDO_ANOMALIES = ("auto", "mean", "crossover")

# Steps of phase two between two looks at the held-out samples.
_STEPS_BETWEEN_LOOKS = 5


class Judge(nn.Module):
    r"""The discriminator: a verdict on a drawing, and on how far it is from its model.

    .. math:: D(x, \hat x) = d(\hat x) + w \lVert x - \hat x \rVert^2 / u, \quad w > 0

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the hidden layers of d.
    activation : str
        What follows a hidden layer.
    sees_error : bool
        Whether there is the second term. Without it, this is the paper's.
    """

    usual_error: Tensor

    def __init__(self, input_shape, hidden_sizes, activation, sees_error):
        super().__init__()
        self.network = make_encoder(input_shape, hidden_sizes, 1, activation)
        self.sees_error = sees_error
        if sees_error:
            self.log_weight = nn.Parameter(torch.zeros(()))
        # The error that is usual, u.
        self.register_buffer("usual_error", torch.ones(()))

    def forward(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Judge drawings.

        Parameters
        ----------
        x, drawn : Tensor of shape (n_samples, ...)
            What was to be drawn, and what was.

        Returns
        -------
        logit : Tensor of shape (n_samples,)
            The higher, the worse.
        """
        logit = self.network(drawn)[:, 0]
        if not self.sees_error:
            return logit
        error = sum_per_sample(squared_error(x, drawn))
        return logit + self.log_weight.exp() * error / self.usual_error


class OGNetModule(DetectorModule):
    """A denoising autoencoder, its former self, and a judge of what they draw.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's and of the discriminator's hidden layers.
    latent_size : int or None
        Length of the code; None, for images and clips, leaves the last feature map.
    activation : str, default="tanh"
        What follows a hidden layer.
    noise_std : float, default=0.8
        Standard deviation of the noise on what is encoded in phase one.
    adversarial_weight : float, default=1.0
        Weight of the discriminator's verdict in the generator's loss.
    alpha : float, default=0.1
        Weight of samples among what is drawn well.
    beta : float, default=0.001
        Weight of old reconstructions among what is drawn badly.
    mixes_features : bool, default=False
        Whether pseudo anomalies take each feature from one of two reconstructions,
        instead of the mean of both.
    sees_error : bool, default=True
        Whether the discriminator sees how far a drawing is from its model.
    """

    players = ("autoencoder", "discriminator")
    centre: Tensor

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        noise_std=0.8,
        adversarial_weight=1.0,
        alpha=0.1,
        beta=0.001,
        mixes_features=False,
        sees_error=True,
    ):
        super().__init__()
        sizes = (hidden_sizes, latent_size, activation)
        self.autoencoder = nn.Sequential(
            make_encoder(input_shape, *sizes), make_decoder(input_shape, *sizes)
        )
        self.discriminator = Judge(input_shape, hidden_sizes, activation, sees_error)
        # The old generator is a snapshot: numbers that nothing trains.
        for name, weights in self.autoencoder.state_dict().items():
            self.register_buffer(_old(name), weights.clone())
        self.register_buffer("centre", torch.zeros(input_shape))
        self.noise_std = noise_std
        self.adversarial_weight = adversarial_weight
        self.alpha = alpha
        self.beta = beta
        self.mixes_features = mixes_features
        self.is_in_phase_two = False

    @property
    def turns(self) -> tuple[str, ...]:
        """Both players in phase one, and the discriminator alone in phase two."""
        return self.players[self.is_in_phase_two :]

    def remember_autoencoder(self) -> None:
        """Keep the generator as it is now for the old one."""
        for name, weights in self.autoencoder.state_dict().items():
            getattr(self, _old(name)).copy_(weights)

    def draw_as_before(self, x: Tensor) -> Tensor:
        """Draw samples again as the old generator does.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            Of low quality.
        """
        old = {
            name: getattr(self, _old(name)) for name in self.autoencoder.state_dict()
        }
        return torch.func.functional_call(self.autoencoder, old, (x,))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Draw samples again.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            Of the quality of the training's end.
        """
        return self.autoencoder(x)

    def judge(self, x: Tensor, drawn: Tensor, is_bad: float) -> Tensor:
        """Return the discriminator's cross entropy for drawings of one kind.

        Parameters
        ----------
        x, drawn : Tensor of shape (n_samples, ...)
            What was to be drawn, and what was.
        is_bad : float
            The target: 1 for what is drawn badly, 0 for what is real or drawn well.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            In nats.
        """
        logit = self.discriminator(x, drawn)
        target = torch.full_like(logit, is_bad)
        return F.binary_cross_entropy_with_logits(logit, target, reduction="none")

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of the phase.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Phase one: the generator's, then the discriminator's. Phase two: the
            discriminator's.
        """
        if self.is_in_phase_two:
            order = torch.randperm(
                len(x), generator=self.random_generator, device=x.device
            )
            yield self.quality_loss(x, x[order]).mean()
            return
        drawn = self.autoencoder(x + self.noise_std * self.randn_like(x))
        error = squared_error(x, drawn).flatten(1).mean(dim=1)
        yield (error + self.adversarial_weight * self.judge(x, drawn, 0.0)).mean() / 2
        drawn = drawn.detach()
        yield (self.judge(x, drawn, 1.0) + self.judge(x, x, 0.0)).mean() / 2

    def mix(self, x: Tensor, partner: Tensor) -> Tensor:
        """Make models for pseudo anomalies of two old reconstructions each.

        Parameters
        ----------
        x, partner : Tensor of shape (n_samples, ...)
            Two samples for each.

        Returns
        -------
        mixture : Tensor of the shape of x
            The mean of the two, or features of the one among those of the other.
        """
        first, second = self.draw_as_before(x), self.draw_as_before(partner)
        if not self.mixes_features:
            return (first + second) / 2
        is_first = self.randn_like(x) > 0
        return torch.where(is_first, first, second)

    def quality_loss(self, x: Tensor, partner: Tensor) -> Tensor:
        """Return the loss of phase two, which tells good drawings from bad ones.

        Parameters
        ----------
        x, partner : Tensor of shape (n_samples, ...)
            Samples, and others for the pseudo anomalies.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Equation 6 of the paper with the sign turned.
        """
        with torch.no_grad():
            drawn, old = self.autoencoder(x), self.draw_as_before(x)
            mixture = self.mix(x, partner)
            pseudo = self.autoencoder(mixture)
        good = self.alpha * self.judge(x, x, 0.0)
        good = good + (1 - self.alpha) * self.judge(x, drawn, 0.0)
        bad = self.beta * self.judge(x, old, 1.0)
        return good + bad + (1 - self.beta) * self.judge(mixture, pseudo, 1.0)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the squared error in phase one, and the loss in phase two.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch of samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            In phase two a sample's partner is the one before it in the batch.
        """
        if self.is_in_phase_two:
            return self.quality_loss(x, x.roll(1, dims=0))
        return self.error(x)

    def error(self, x: Tensor) -> Tensor:
        """Return the squared error of the reconstruction.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        error : Tensor of shape (n_samples,)
            Summed over features.
        """
        return sum_per_sample(squared_error(x, self.autoencoder(x)))

    def score(self, x: Tensor) -> Tensor:
        """Return the discriminator's verdict on the reconstruction.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The logit: it orders samples as the probability does, but never saturates.
        """
        return self.discriminator(x, self.autoencoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Share the score out by its gradient, from the mean sample to this one.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            Adds up to the score less that of the training samples' mean.
        """
        return integrated_gradients(self.score, x, self.centre)


def _old(name: str) -> str:
    """Name the old generator's copy of a weight; buffers can't have dots in theirs."""
    return "old_" + name.replace(".", "_")


@parameters
class OGNet(ReconstructionMixin, BaseDetector):
    """Calls outliers what is drawn badly, by a discriminator trained to see it.

    In phase one a denoising autoencoder, the generator, is trained against a
    discriminator, and a copy of it is kept early: the old one. In phase two the
    discriminator alone is trained again, for some steps: samples and their
    reconstructions are good; reconstructions by the old generator, and of mixtures of
    two of these, are bad. The score is its verdict on the reconstruction.

    Parameters
    ----------
    {shared_parameters}
    noise_std : float, default=0.8
        Standard deviation of the noise that is added to samples in phase one, in units
        of the features.
    adversarial_weight : float, default=1.0
        Weight of the discriminator's verdict in the generator's loss, beside the mean
        squared error.
    discriminator_learning_rate : float, default=1e-4
        The discriminator's step size in phase one; `learning_rate` is the generator's.
    old_epochs : int, default=1
        Epochs after which the old generator is kept.
    n_refinements : int, default=75
        Steps of phase two, each with a batch of `batch_size`. Zero leaves it out.
    refinement_learning_rate : float, default=5e-5
        The discriminator's step size in phase two.
    alpha : float, default=0.1
        Weight of samples among what is good; reconstructions have the rest.
    beta : float, default=0.001
        Weight of old reconstructions among what is bad; pseudo anomalies have the rest.
    pseudo_anomalies : {"auto", "mean", "crossover"}, default="auto"
        How two old reconstructions are mixed: by their mean, as in the paper, or by
        taking each feature from one of them. ``"auto"`` is the mean for images and
        clips, and the crossover for rows.
    sees_error : bool, default=True
        Whether the discriminator's verdict grows with the squared error of the
        reconstruction, by a learned weight. False is the paper's, which judges the
        reconstruction alone: fit for images whose outliers come out like mixtures of
        normal ones; what is far from all that was seen in training, it can't judge.

    Attributes
    ----------
    {shared_attributes}
    n_refinements_ : int
        Steps of phase two that the discriminator's weights have had in the last fit.

    See Also
    --------
    Autoencoder : The generator alone.

    Notes
    -----
    For images and clips the code is the last feature map, without a bottleneck, unless
    `latent_size` says otherwise; rows always have a bottleneck.

    With `early_stopping`, held-out samples stop both phases: phase one by the squared
    error, phase two by its own loss, at which it looks every 5 steps. No label is seen.

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
    >>> detector.reconstruct(zeros[:3]).shape, detector.n_refinements_
    ((3, 1, 8, 8), 75)
    """

    noise_std: float = 0.8
    adversarial_weight: float = 1.0
    discriminator_learning_rate: float = 1e-4
    old_epochs: int = 1
    n_refinements: int = 75
    refinement_learning_rate: float = 5e-5
    alpha: float = 0.1
    beta: float = 0.001
    pseudo_anomalies: str = "auto"
    sees_error: bool = True

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "noise_std": [Interval(Real, 0, None, closed="left")],
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "discriminator_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "old_epochs": [Interval(Integral, 1, None, closed="left")],
        "n_refinements": [Interval(Integral, 0, None, closed="left")],
        "refinement_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "beta": [Interval(Real, 0, 1, closed="both")],
        "pseudo_anomalies": [StrOptions(set(PSEUDO_ANOMALIES))],
        "sees_error": ["boolean"],
    }

    def _make_module(self, input_shape):
        is_row = len(input_shape) == 1
        pseudo = self.pseudo_anomalies
        latent_size = self.latent_size
        return OGNetModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape) if is_row else latent_size,
            self.activation,
            noise_std=self.noise_std,
            adversarial_weight=self.adversarial_weight,
            alpha=self.alpha,
            beta=self.beta,
            mixes_features=pseudo == "crossover" or (pseudo == "auto" and is_row),
            sees_error=self.sees_error,
        )

    def _net_options(self, seed):
        own = {"discriminator_optimizer__lr": self.discriminator_learning_rate}
        return own | super()._net_options(seed)

    def _train(self, net, X):
        is_interrupted = False
        if not self.history_:
            self._begin(net, X)
            is_interrupted = net.interrupted_
        if net.max_epochs and not is_interrupted:
            super()._train(net, X)
        self.n_refinements_ = 0
        if net.interrupted_:
            return
        if self.sees_error:
            error = float(net.evaluate("error", X).mean())
            net.module_.discriminator.usual_error.fill_(error or 1.0)
        if self.n_refinements:
            self._refine(net, X)

    def _begin(self, net, X):
        """Train the first epochs of phase one, and keep the old generator."""
        mean = net.evaluate("unchanged", X).mean(axis=0)
        net.module_.centre.copy_(torch.from_numpy(mean))
        n_epochs = min(self.old_epochs, self.max_epochs)
        net.set_params(max_epochs=n_epochs)
        super()._train(net, X)
        net.module_.remember_autoencoder()
        net.set_params(max_epochs=self.max_epochs - n_epochs)

    def _refine(self, net, X):
        """Train the discriminator again, for single steps instead of whole epochs."""
        lessons, exam = net.get_split_datasets(X)
        before = {
            "n_epochs": len(net.history),
            "train_split": net.train_split,
        }
        optimizer = net.discriminator_optimizer_
        optimizer.state.clear()
        for group in optimizer.param_groups:
            group["lr"] = self.refinement_learning_rate
        net.module_.is_in_phase_two = True
        if exam is None:
            self._take_steps(net, X, np.arange(X.shape[0]), self.n_refinements)
            self.n_refinements_ = self.n_refinements
        else:
            net.set_params(train_split=lambda dataset, *_, **__: (dataset, exam))
            self._take_steps_while_they_help(net, X, np.asarray(lessons.indices))
        # As it was: a warm start begins with phase one, and epochs are those of it.
        net.module_.is_in_phase_two = False
        net.set_params(train_split=before["train_split"])
        for group in optimizer.param_groups:
            group["lr"] = self.discriminator_learning_rate
        del net.history[before["n_epochs"] :]

    def _take_steps(self, net, X, rows, n_steps, random_state=None):
        """Train on so many batches of rows; all come before one comes again."""
        random_state = random_state or np.random.RandomState(net.seed)
        n_drawn = n_steps * net.batch_size
        n_rounds = -(-n_drawn // len(rows))
        drawn = [random_state.permutation(rows) for _ in range(n_rounds)]
        net.set_params(max_epochs=1)
        net.partial_fit(X[np.concatenate(drawn)[:n_drawn]])

    def _take_steps_while_they_help(self, net, X, rows):
        """Stop when held-out samples are judged no better, and go back to the best."""
        random_state = np.random.RandomState(net.seed)
        discriminator = net.module_.discriminator
        best, weights, n_worse = np.inf, copy.deepcopy(discriminator.state_dict()), 0
        for n_done in range(0, self.n_refinements, _STEPS_BETWEEN_LOOKS):
            n_more = min(_STEPS_BETWEEN_LOOKS, self.n_refinements - n_done)
            self._take_steps(net, X, rows, n_more, random_state)
            if net.interrupted_:
                break
            loss, n_worse = net.history[-1, "valid_loss"], n_worse + 1
            if loss < best:
                best, n_worse = loss, 0
                weights = copy.deepcopy(discriminator.state_dict())
                self.n_refinements_ = n_done + n_more
            if n_worse == self.n_iter_no_change:
                break
        discriminator.load_state_dict(weights)
