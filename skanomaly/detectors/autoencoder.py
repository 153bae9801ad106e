"""The autoencoder: what is normal can be drawn again from a short code."""

from collections.abc import Iterator
from numbers import Real

from torch import Tensor

from skanomaly.base import BaseDetector, Interval, ReconstructionMixin, parameters
from skanomaly.nn import DetectorModule, make_decoder, make_encoder
from skanomaly.nn.functional import squared_error, sum_per_sample


class AutoencoderModule(DetectorModule):
    """An encoder and its mirror, trained to return what they are given.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers.
    latent_size : int
        Length of the code.
    activation : str, default="tanh"
        What follows a hidden layer.
    sparsity_weight : float, default=0.0
        Weight of the code's absolute values in the loss.
    noise_std : float, default=0.0
        Standard deviation of the noise added to what is encoded in training.
    """

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        sparsity_weight=0.0,
        noise_std=0.0,
    ):
        super().__init__()
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)
        self.sparsity_weight = sparsity_weight
        self.noise_std = noise_std

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error, plus the sparsity of the code.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            The mean over the samples.
        """
        noisy = x + self.noise_std * self.randn_like(x) if self.noise_std else x
        code = self.encoder(noisy)
        loss = sum_per_sample(squared_error(x, self.decoder(code)))
        if self.sparsity_weight:
            loss = loss + self.sparsity_weight * sum_per_sample(code.abs())
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
            What the decoder makes of the code.
        """
        return self.decoder(self.encoder(x))

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the squared error of each feature.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            Adds up to the score.
        """
        return squared_error(x, self.reconstruct(x))

    def score(self, x: Tensor) -> Tensor:
        """Return the squared error of each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            Squared Euclidean distance from the sample to its reconstruction.
        """
        return sum_per_sample(self.anomaly_map(x))


@parameters
class Autoencoder(ReconstructionMixin, BaseDetector):
    """Calls outliers what can't be drawn again from a short code.

    An encoder squeezes a sample into a code of `latent_size` numbers and a decoder
    draws the sample from it. Both are trained on what is mostly normal, so what is
    normal comes out well, and the squared error of the rest is large. The network is
    dense for rows of a table and convolutional for images and clips.

    Scale the features first: a feature of large variance is all that an unscaled
    squared error sees.

    Parameters
    ----------
    {shared_parameters}
    sparsity_weight : float, default=0.0
        Weight of the L1 norm of the code in the loss: a sparse autoencoder, the
        "AE-L1" that [2]_ compares with.
    noise_std : float, default=0.0
        Standard deviation of the normal noise that is added to a sample in training
        before it is encoded, in units of the features: a denoising autoencoder [3]_.
        Scores are free of it.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    VAE : Codes that are distributions, and likelihoods for scores.
    skanomaly.preprocessing.make_tabular_pipeline : Scaling and encoding before it.

    References
    ----------
    .. [1] S. Hawkins, H. He, G. Williams, R. Baxter, "Outlier Detection Using
       Replicator Neural Networks", DaWaK 2002, :doi:`10.1007/3-540-46145-0_17`.
    .. [2] D. Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019,
       :arxiv:`1904.02639`, section 4.4.
    .. [3] P. Vincent et al., "Extracting and Composing Robust Features with Denoising
       Autoencoders", ICML 2008, :doi:`10.1145/1390156.1390294`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), Autoencoder(random_state=0))
    >>> detector.fit(benign)[-1].n_iter_
    100
    >>> detector.predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    sparsity_weight: float = 0.0
    noise_std: float = 0.0

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
        "noise_std": [Interval(Real, 0, None, closed="left")],
    }

    def _make_module(self, input_shape):
        return AutoencoderModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            sparsity_weight=self.sparsity_weight,
            noise_std=self.noise_std,
        )
