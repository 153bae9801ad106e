"""AnoGAN: search among what a generator can draw for the twin of a sample."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from skanomaly.base import Interval, parameters
from skanomaly.nn import DetectorModule, make_decoder
from skanomaly.nn.adversarial import Critic, cross_entropy, slope_penalty
from skanomaly.nn.functional import sum_per_sample

from ._adversarial import AdversarialDetector

# So many generated samples a held-out sample is compared with in validation.
_N_PROBES = 128
# Convolutions gain nothing from being searched with more others than these.
_IMAGES_PER_SEARCH = 32


class AnoGANModule(DetectorModule):
    """A generator, a discriminator, and the search for a code.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the discriminator's hidden layers, which the generator mirrors.
    latent_size : int
        Length of the code.
    activation : str, default="tanh"
        What follows a hidden layer of the generator.
    lambda_ : float, default=0.1
        Share of the discrimination loss in the score.
    n_search_steps : int, default=500
        Steps of the search.
    search_learning_rate : float, default=0.05
        Length of its first steps.
    n_restarts : int, default=1
        How many starts it has.
    max_code_norm : float or None, default=1.0
        How far from the origin a code may go, in units of ``sqrt(latent_size)``.
    penalty_weight : float, default=1.0
        Weight of the discriminator's squared slope in its loss.
    """

    players: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        lambda_=0.1,
        n_search_steps=500,
        search_learning_rate=0.05,
        n_restarts=1,
        max_code_norm=1.0,
        penalty_weight=1.0,
    ):
        super().__init__()
        self.generator = make_decoder(
            input_shape, hidden_sizes, latent_size, activation
        )
        self.discriminator = Critic(input_shape, hidden_sizes)
        self.latent_size = latent_size
        self.lambda_ = lambda_
        self.n_search_steps = n_search_steps
        self.search_learning_rate = search_learning_rate
        self.max_code_norm = max_code_norm
        self.penalty_weight = penalty_weight
        if len(input_shape) > 1:
            self.max_scored_rows = _IMAGES_PER_SEARCH
        self.starts: Tensor
        self.probes: Tensor
        # Every search has the same starts, and every validation the same probes.
        self.register_buffer("starts", torch.randn(n_restarts, latent_size))
        self.register_buffer("probes", torch.randn(_N_PROBES, latent_size))

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the losses of the discriminator and the generator.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Each player's mean over the samples.
        """
        fake = self.generator(self.draw_codes(x))
        loss = cross_entropy(self.discriminator(x), True)
        loss = loss + cross_entropy(self.discriminator(fake.detach()), False)
        if self.penalty_weight:
            loss = loss + self.penalty_weight * slope_penalty(self.discriminator, x)
        yield loss.mean()
        yield cross_entropy(self.discriminator(fake), True).mean()

    def draw_codes(self, x: Tensor) -> Tensor:
        """Draw a random code for each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Gives their number.

        Returns
        -------
        codes : Tensor of shape (n_samples, latent_size)
            Standard normal.
        """
        return self.randn_like(x.new_empty(len(x), self.latent_size))

    def search_loss(self, x: Tensor, code: Tensor) -> Tensor:
        """Say how far a sample is from what the generator makes of a code.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        code : Tensor of shape (n_samples, latent_size)
            A code for each.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Residual loss and discrimination loss by feature matching, weighted.
        """
        fake = self.generator(code)
        features = self.discriminator.features
        residual = sum_per_sample((x - fake).abs())
        discrimination = (features(x) - features(fake)).abs().sum(1)
        return (1 - self.lambda_) * residual + self.lambda_ * discrimination

    def encode(self, x: Tensor) -> Tensor:
        """Search for the code of each sample by gradient descent.

        The samples are searched side by side: the loss is their sum and Adam's state is
        that of each number, so none of them knows of the others.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        code : Tensor of shape (n_samples, latent_size)
            The best over all starts.
        """
        best_code = x.new_zeros(len(x), self.latent_size)
        best_loss = x.new_full((len(x),), torch.inf)
        for start in self.starts:
            code = self._search(x, start.expand_as(best_code).clone())
            with torch.no_grad():
                loss = self.search_loss(x, code)
            is_better = loss < best_loss
            best_code = torch.where(is_better[:, None], code, best_code)
            best_loss = torch.where(is_better, loss, best_loss)
        return best_code

    def _search(self, x: Tensor, code: Tensor) -> Tensor:
        with torch.enable_grad():
            code.requires_grad_()
            optimizer = torch.optim.Adam([code], lr=self.search_learning_rate)
            schedule = CosineAnnealingLR(optimizer, self.n_search_steps)
            for _ in range(self.n_search_steps):
                loss = self.search_loss(x, code).sum()
                (code.grad,) = torch.autograd.grad(loss, code)
                optimizer.step()
                schedule.step()
                self._pull_back(code)
        return code.detach()

    @torch.no_grad()
    def _pull_back(self, code: Tensor) -> None:
        if self.max_code_norm is not None:
            largest = self.max_code_norm * self.latent_size**0.5
            norm = torch.linalg.vector_norm(code, dim=1, keepdim=True)
            code.mul_(largest / norm.clamp(min=largest))

    def generate(self, x: Tensor) -> Tensor:
        """Draw the twin of each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        twin : Tensor of the shape of x
            What the generator makes of the sample's code.
        """
        return self.generator(self.encode(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the residual of each feature.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            Absolute differences from the twin.
        """
        return (x - self.generate(x)).abs()

    def score(self, x: Tensor) -> Tensor:
        """Return the loss that the search ends with.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The paper's A(x).
        """
        return self.search_loss(x, self.encode(x))

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the distance to the nearest of some generated samples.

        A generator that draws few kinds of samples, or bad ones, is far from most. A
        search for each held-out sample in each epoch would take longer than training.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            L1 distances.
        """
        drawn = self.generator(self.probes).flatten(1)
        return torch.cdist(x.flatten(1), drawn, p=1).amin(dim=1)


class TwinMixin:
    """For detectors whose generator draws the nearest normal sample.

    The module has a method ``generate``.
    """

    def generate(self, X):
        """Draw the twin of each sample: the nearest normal one that was found.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        twins : ndarray of the shape of X
            Dense, float64.
        """
        return self._evaluate_shaped("generate", X)  # type: ignore[attr-defined] # AdversarialDetector, beside which this stands


@parameters
class AnoGAN(TwinMixin, AdversarialDetector):
    """Calls outliers what has no twin among the samples that a GAN can draw.

    A generator learns to draw normal samples from random codes. For each sample to be
    scored, its code is searched for by gradient descent until the drawing is as near as
    it comes. What then differs is the score: in the sample itself and, weighted by
    `lambda_`, in the features of the discriminator.

    Parameters
    ----------
    {shared_parameters}
    lambda_ : float, default=0.1
        Share of the discrimination loss in the score, from 0 to 1; the residual has the
        rest. Both are sums, over features and over the discriminator's last layer.
    n_search_steps : int, default=500
        Steps of the search, of which each costs about as much as a step of training.
    search_learning_rate : float, default=0.05
        How far a number of the code is moved in the first steps; it falls to zero along
        a cosine. Codes are standard normal.
    n_restarts : int, default=1
        From how many codes the search starts; the best end counts.
    max_code_norm : float or None, default=1.0
        How far from the origin a code may go, in units of the square root of the
        code's length, which is about the norm of the random codes of training. Farther
        off a generator draws what it never learned, outliers among it. None, as in the
        paper, sets no bound.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    FAnoGAN : An encoder learns to find the code, so that scoring takes one pass.

    Notes
    -----
    All samples start from the same codes, drawn in `fit`, and are searched side by side
    without knowing of each other: scores are the same in each call. `score_samples` and
    `anomaly_map` search anew. The threshold is set on 1000 training samples, drawn at
    random, or on all if there are no more.

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
    >>> detector.generate(digits.data[:3]).shape
    (3, 1, 8, 8)
    """

    lambda_: float = 0.1
    n_search_steps: int = 500
    search_learning_rate: float = 0.05
    n_restarts: int = 1
    max_code_norm: float | None = 1.0

    _n_threshold_samples = 1000

    _parameter_constraints = AdversarialDetector._parameter_constraints | {
        "lambda_": [Interval(Real, 0, 1, closed="both")],
        "n_search_steps": [Interval(Integral, 1, None, closed="left")],
        "search_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "max_code_norm": [Interval(Real, 0, None, closed="neither"), None],
    }

    def _make_module(self, input_shape):
        return AnoGANModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            lambda_=self.lambda_,
            n_search_steps=self.n_search_steps,
            search_learning_rate=self.search_learning_rate,
            n_restarts=self.n_restarts,
            max_code_norm=self.max_code_norm,
            penalty_weight=self.penalty_weight,
        )
