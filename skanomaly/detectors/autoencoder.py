"""Autoencoder: the reconstruction error through a short code."""

from collections.abc import Iterator

from torch import Tensor

from skanomaly.base import BaseDetector, NonNegativeFloat, parameters
from skanomaly.nn import ReconstructionModule, make_decoder, make_encoder
from skanomaly.nn.losses import squared_error, sum_per_sample


class AutoencoderModule(ReconstructionModule):
    """An encoder and its mirror, trained to reconstruct samples."""

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error, plus the L1 norm of the code."""
        noisy = x + self.noise_std * self.randn_like(x) if self.noise_std else x
        code = self.encoder(noisy)
        loss = sum_per_sample(squared_error(x, self.decoder(code)))
        if self.sparsity_weight:
            loss = loss + self.sparsity_weight * sum_per_sample(code.abs())
        yield loss.mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decoder(self.encoder(x))


@parameters
class Autoencoder(BaseDetector):
    """Autoencoder (plain, sparse or denoising), scored by reconstruction error.

    An encoder maps a sample to a code of `latent_size` numbers and a decoder
    reconstructs the sample from it. Trained on what is mostly normal, they reconstruct
    normal samples well, and the squared error of others is large. The network is dense
    for rows of a table and convolutional for images and clips.

    Scale the features first: a feature of large variance is all that an unscaled
    squared error depends on.

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

    sparsity_weight: NonNegativeFloat = 0.0
    noise_std: NonNegativeFloat = 0.0

    module_class = AutoencoderModule
