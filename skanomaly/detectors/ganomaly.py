"""GANomaly: what is encoded, drawn and encoded again should have the same code."""

from collections.abc import Iterator
from numbers import Real

from torch import Tensor, nn

from skanomaly.base import Interval, ReconstructionMixin, StrOptions, parameters
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.adversarial import Critic, cross_entropy, slope_penalty
from skanomaly.nn.functional import squared_error

from ._adversarial import AdversarialDetector

NORMS = ("l1", "l2")


class EncoderDecoderEncoder(nn.Module):
    """The generator: an autoencoder, and an encoder of what it draws.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    *sizes : sequence of int, int, str
        As for `make_encoder`: hidden sizes, length of the code, activation.
    """

    def __init__(self, input_shape, *sizes):
        super().__init__()
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)
        self.second_encoder = make_encoder(input_shape, *sizes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw, encode again.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            The sample drawn again.
        code, code_again : Tensor of shape (n_samples, latent_size)
            Of the sample, and of the reconstruction.
        """
        code = self.encoder(x)
        reconstruction = self.decoder(code)
        return reconstruction, code, self.second_encoder(reconstruction)


class GANomalyModule(DetectorModule):
    """The generator and a discriminator of samples and reconstructions.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers; the other networks are like it.
    latent_size : int
        Length of the code.
    activation : str, default="tanh"
        What follows a hidden layer of the generator.
    adversarial_weight, contextual_weight, encoder_weight : float
        Weights of the three terms of the generator's loss; 1, 50 and 1 by default.
    norm : {"l1", "l2"}, default="l1"
        How two codes are compared in the score.
    penalty_weight : float, default=1.0
        Weight of the discriminator's squared slope in its loss.
    """

    players = ("generator", "discriminator")

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        adversarial_weight=1.0,
        contextual_weight=50.0,
        encoder_weight=1.0,
        norm="l1",
        penalty_weight=1.0,
    ):
        super().__init__()
        self.generator = EncoderDecoderEncoder(
            input_shape, hidden_sizes, latent_size, activation
        )
        self.discriminator = Critic(input_shape, hidden_sizes)
        self.adversarial_weight = adversarial_weight
        self.contextual_weight = contextual_weight
        self.encoder_weight = encoder_weight
        self.norm = norm
        self.penalty_weight = penalty_weight

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the generator's loss and the discriminator's.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Means over samples and, as the paper's weights want it, over features.
        """
        features = self.discriminator.features
        reconstruction, code, code_again = self.generator(x)
        yield (
            self.adversarial_weight
            * squared_error(features(x), features(reconstruction)).mean()
            + self.contextual_weight * (x - reconstruction).abs().mean()
            + self.encoder_weight * squared_error(code, code_again).mean()
        )
        real, fake = self.discriminator(x), self.discriminator(reconstruction.detach())
        loss = (cross_entropy(real, True) + cross_entropy(fake, False)) / 2
        if self.penalty_weight:
            loss = loss + self.penalty_weight * slope_penalty(self.discriminator, x)
        yield loss.mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            The sample drawn again.
        """
        return self.generator(x)[0]

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the absolute error of each feature.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            Where the sample is drawn otherwise. The score compares codes and is no sum
            of this.
        """
        return (x - self.reconstruct(x)).abs()

    def score(self, x: Tensor) -> Tensor:
        """Return the distance of the two codes.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            In the L1 or the L2 norm.
        """
        _, code, code_again = self.generator(x)
        return (code - code_again).norm(p=1 if self.norm == "l1" else 2, dim=1)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the mean absolute error: the codes are no fixed measure.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The contextual loss of each.
        """
        return self.anomaly_map(x).flatten(1).mean(1)


@parameters
class GANomaly(ReconstructionMixin, AdversarialDetector):
    """Calls outliers what has another code when it is drawn again.

    An autoencoder draws a sample again, and a second encoder looks at the drawing. Both
    encoders learn to agree on normal samples. An abnormal sample is drawn as a normal
    one, so the second code differs from the first, and their distance is the score.
    A discriminator helps the drawings to look real.

    Parameters
    ----------
    {shared_parameters}
    adversarial_weight : float, default=1.0
        Weight of the difference of the discriminator's features in the generator's
        loss.
    contextual_weight : float, default=50.0
        Weight of the absolute error.
    encoder_weight : float, default=1.0
        Weight of the squared difference of the codes. All three are means over
        features, so the weights don't depend on a sample's size.
    norm : {"l1", "l2"}, default="l1"
        How the two codes are compared in the score: as in the paper, or as in its
        authors' code, whose square gives the same ranks as the norm here.

    Attributes
    ----------
    {shared_attributes}

    Notes
    -----
    The paper scales scores to [0, 1] by the least and the largest of the test set, and
    its authors' code takes the epoch with the best test figure and normalises batches
    by their own statistics in testing. Nothing of it is done here; for scores in
    [0, 1] see `skanomaly.calibration.NormalizedScores`.

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

    adversarial_weight: float = 1.0
    contextual_weight: float = 50.0
    encoder_weight: float = 1.0
    norm: str = "l1"

    _parameter_constraints = AdversarialDetector._parameter_constraints | {
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "contextual_weight": [Interval(Real, 0, None, closed="left")],
        "encoder_weight": [Interval(Real, 0, None, closed="left")],
        "norm": [StrOptions(set(NORMS))],
    }

    def _make_module(self, input_shape):
        return GANomalyModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            adversarial_weight=self.adversarial_weight,
            contextual_weight=self.contextual_weight,
            encoder_weight=self.encoder_weight,
            norm=self.norm,
            penalty_weight=self.penalty_weight,
        )

    def _imagine(self, net, X):
        return net.evaluate("reconstruct", X)
