"""Discriminators, their losses and their gradient penalties."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .backbones import make_encoder
from .linear import Linear

_FEWEST_FEATURES = 32
_SLOPE = 0.2
_HAVE_WEIGHTS = (nn.Linear, nn.Conv2d, nn.Conv3d)


class Discriminator(nn.Module):
    """Logit of being real, for samples or for pairs of a sample and a code.

    Parameters
    ----------
    sample_shape : sequence of int
        Shape of a row, an image or a clip.
    hidden_sizes : sequence of int
        Widths of its hidden layers, as for `make_encoder`.
    latent_size : int, default=0
        Length of the code of a pair; zero for samples alone.
    use_spectral_norm : bool, default=False
        Whether each weight matrix is divided by its largest singular value [1]_.

    References
    ----------
    .. [1] T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for
       Generative Adversarial Networks", ICLR 2018, arXiv:1802.05957.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.discriminator import Discriminator
    >>> discriminator = Discriminator((1, 8, 8), (16, 32), latent_size=3)
    >>> discriminator(torch.zeros(5, 1, 8, 8), torch.zeros(5, 3)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden_sizes: Sequence[int],
        *,
        latent_size: int = 0,
        use_spectral_norm: bool = False,
    ):
        super().__init__()
        size = max(_FEWEST_FEATURES, *hidden_sizes)
        self.sample_layers = make_encoder(
            sample_shape, hidden_sizes, size, "leaky_relu"
        )
        if latent_size:
            self.code_layer = Linear(latent_size, size)
            self.joint_layer = Linear(2 * size, size)
        self.head = Linear(size, 1, bias=False)
        if use_spectral_norm:
            for layer in self.modules():
                if isinstance(layer, _HAVE_WEIGHTS):
                    spectral_norm(layer)

    def features(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Return the last hidden layer, for feature matching.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        code : Tensor of shape (n_samples, latent_size) or None, default=None
            Their codes, if the discriminator takes pairs.

        Returns
        -------
        features : Tensor of shape (n_samples, n_features)
            After the activation.
        """
        hidden = self.sample_layers(x)
        if code is not None:
            pair = torch.cat([hidden, self.code_layer(code)], dim=1)
            hidden = self.joint_layer(F.leaky_relu(pair, _SLOPE))
        return F.leaky_relu(hidden, _SLOPE)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Return the logit: the higher, the more real.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        code : Tensor of shape (n_samples, latent_size) or None, default=None
            Their codes, if the discriminator takes pairs.

        Returns
        -------
        logit : Tensor of shape (n_samples,)
            Of being real.
        """
        return self.head(self.features(x, code)).squeeze(1)


def adversarial_loss(logit: Tensor, is_real: bool) -> Tensor:
    """Return the binary cross-entropy of a discriminator's logits.

    A generator that minimizes it with ``is_real=True`` on generated samples has the
    non-saturating loss.

    Parameters
    ----------
    logit : Tensor of shape (n_samples,)
        From a `Discriminator`.
    is_real : bool
        The label.

    Returns
    -------
    loss : Tensor of shape (n_samples,)
        In nats.

    References
    ----------
    .. [1] I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014,
       arXiv:1406.2661, section 3.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.discriminator import adversarial_loss
    >>> adversarial_loss(torch.tensor([0.0, 9.0]), is_real=True)
    tensor([6.9315e-01, 1.2340e-04])
    """
    return F.softplus(-logit if is_real else logit)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Return the gradient penalty of a Wasserstein critic, between real and fake.

    .. math:: \left( \| \nabla D(\hat x) \|_2 - 1 \right)^2, \quad
              \hat x = u x + (1 - u) \tilde x

    Parameters
    ----------
    critic : callable
        Maps samples to numbers.
    real, fake : Tensor of shape (n_samples, ...)
        The samples between which the gradient is taken.
    generator : torch.Generator or None, default=None
        Draws the :math:`u` of each sample, uniform between 0 and 1.

    Returns
    -------
    penalty : Tensor of shape (n_samples,)
        With a graph, so that it can be trained.

    References
    ----------
    .. [1] I. Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
       arXiv:1704.00028, equation 3.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.discriminator import gradient_penalty
    >>> def critic(x):
    ...     return 3 * x.sum(dim=1)
    >>> gradient_penalty(critic, *torch.zeros(2, 4, 1)).tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    u = torch.rand(
        (real.shape[0], *(1 for _ in real.shape[1:])),
        generator=generator,
        device=real.device,
        dtype=real.dtype,
    )
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    total = critic(between).sum()
    (gradient,) = torch.autograd.grad(total, between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square()


def r1_penalty(logit: Tensor, *real: Tensor) -> Tensor:
    r"""Return the R1 penalty: :math:`\|\nabla D\|^2` at real samples.

    With it the training of a generator against a discriminator converges locally.

    Parameters
    ----------
    logit : Tensor of shape (n_samples,)
        Of the real samples, or pairs.
    *real : Tensor of shape (n_samples, ...)
        The samples, or samples and codes, from which the logit was computed; they
        require gradients.

    Returns
    -------
    penalty : Tensor of shape (n_samples,)
        With a graph, so that it can be trained.

    References
    ----------
    .. [1] L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do
       actually Converge?", ICML 2018, arXiv:1801.04406, equation 9.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.discriminator import r1_penalty
    >>> x = torch.ones(2, 1, requires_grad=True)
    >>> r1_penalty(x.square().sum(dim=1), x).tolist()
    [4.0, 4.0]
    """
    gradients = torch.autograd.grad(logit.sum(), real, create_graph=True)
    return torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
