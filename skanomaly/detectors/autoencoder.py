"""Autoencoder: the error of reconstructing a sample from its code, or from noise."""

from collections.abc import Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from skanomaly.base import (
    Activation,
    BaseDetector,
    NonNegativeFloat,
    check_interval,
    parameters,
)
from skanomaly.nn import ReconstructionModule, make_decoder, make_encoder
from skanomaly.nn.backbones import ACTIVATIONS
from skanomaly.nn.losses import squared_error, sum_per_sample


class AutoencoderModule(ReconstructionModule):
    """An encoder and a decoder that reconstruct samples, of which some have noise."""

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        if latent_size is None:  # no bottleneck: the last hidden layer is the code
            *before, width = hidden_sizes
            self.encoder = nn.Sequential(
                *make_encoder(input_shape, before, width, activation),
                ACTIVATIONS[activation](),
            )
            self.decoder = make_decoder(input_shape, (), width, activation)
        else:
            sizes = (hidden_sizes, latent_size, activation)
            self.encoder = make_encoder(input_shape, *sizes)
            self.decoder = make_decoder(input_shape, *sizes)

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error, plus the L1 norm of the code."""
        code = self.encoder(self.add_noise(x))
        loss = sum_per_sample(squared_error(x, self.decoder(code)))
        if self.sparsity_weight:
            loss = loss + self.sparsity_weight * sum_per_sample(code.abs())
        yield loss.mean()

    def add_noise(self, x: Tensor) -> Tensor:
        """Add normal noise, with a standard deviation drawn for each sample."""
        low, high = self.noise_std
        if not high:
            return x
        draws = torch.rand(
            (x.shape[0], *(1,) * (x.ndim - 1)),
            generator=self.random_generator,
            dtype=x.dtype,
            device=x.device,
        )
        return x + (low + (high - low) * draws) * self.randn_like(x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decoder(self.encoder(x))


@parameters
class Autoencoder(BaseDetector):
    """Autoencoder (denoising, plain or sparse), scored by reconstruction error.

    A network learns to reconstruct samples of which most are normal, and the squared
    error of others is large. It must not learn to copy whatever it is given. Rows of a
    table get noise, which the network has to remove [3]_: it learns where normal rows
    lie around the noisy one. With `latent_size`, and for images and clips, samples are
    reconstructed from a code of fewer numbers instead. The network is dense for rows
    and convolutional for images and clips.

    Scale the features first: a feature of large variance is all that an unscaled
    squared error depends on.

    Parameters
    ----------
    {shared_parameters}
    sparsity_weight : float, default=0.0
        Weight of the L1 norm of the code in the loss: a sparse autoencoder, the
        "AE-L1" that [2]_ compares with.
    noise_std : float, (float, float) or None, default=None
        Standard deviation of the normal noise that is added to a sample in training
        before it is encoded, in units of the features: a denoising autoencoder [3]_. Of
        a pair, a value between the two is drawn for each sample. None takes (0.05,
        0.55) where there is no bottleneck, and no noise otherwise. Scores are free of
        it.

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    VAE : Codes that are distributions, and likelihoods for scores.
    skanomaly.default_ensemble : It and the nearest neighbor together.
    skanomaly.make_tabular_pipeline : Scaling and encoding before it.

    Notes
    -----
    `latent_size` None means for rows that there is no bottleneck: `hidden_sizes`, by
    default (256, 256), are the widths from the input to the output. Images and clips
    have a code all the same, as in the other detectors. The plain autoencoder of [1]_
    for rows is ``Autoencoder(latent_size=16)``. `activation` None takes "leaky_relu"
    for rows, and "tanh" for images and clips.

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
    500
    >>> detector.predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    activation: Activation | None = None
    sparsity_weight: NonNegativeFloat = 0.0
    noise_std: NonNegativeFloat | Annotated[Any, "array-like"] | None = None

    module_class = AutoencoderModule

    def _module_arguments(self, input_shape):
        arguments = super()._module_arguments(input_shape)
        is_row = len(input_shape) == 1
        default = "leaky_relu" if is_row else "tanh"
        arguments["activation"] = self.activation or default
        has_bottleneck = self.latent_size is not None or not is_row
        if not has_bottleneck:
            arguments["latent_size"] = None
            if self.hidden_sizes is None:
                arguments["hidden_sizes"] = (256, 256)
        noise_std = self.noise_std
        if noise_std is None:
            noise_std = 0.0 if has_bottleneck else (0.05, 0.55)
        return arguments | {"noise_std": check_interval("noise_std", noise_std)}
