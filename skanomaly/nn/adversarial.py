"""Critics, and what they and a generator play for."""

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


class Critic(nn.Module):
    """Gives samples, or pairs of a sample and a code, a logit of being real.

    Parameters
    ----------
    sample_shape : sequence of int
        Shape of a row, an image or a clip.
    hidden_sizes : sequence of int
        Widths of its hidden layers, as for `make_encoder`.
    latent_size : int, default=0
        Length of the code that comes with a sample; zero for none.
    is_spectral : bool, default=False
        Whether each weight matrix is divided by its largest singular value [1]_.

    References
    ----------
    .. [1] T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for
       Generative Adversarial Networks", ICLR 2018, arXiv:1802.05957.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.adversarial import Critic
    >>> critic = Critic((1, 8, 8), (16, 32), latent_size=3)
    >>> critic(torch.zeros(5, 1, 8, 8), torch.zeros(5, 3)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden_sizes: Sequence[int],
        *,
        latent_size: int = 0,
        is_spectral: bool = False,
    ):
        super().__init__()
        size = max(_FEWEST_FEATURES, *hidden_sizes)
        self.of_sample = make_encoder(sample_shape, hidden_sizes, size, "leaky_relu")
        if latent_size:
            self.of_code = Linear(latent_size, size)
            self.of_both = Linear(2 * size, size)
        self.head = Linear(size, 1, bias=False)
        if is_spectral:
            for layer in self.modules():
                if isinstance(layer, _HAVE_WEIGHTS):
                    spectral_norm(layer)

    def features(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Return the last hidden layer, which feature matching compares.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        code : Tensor of shape (n_samples, latent_size) or None, default=None
            Their codes, if the critic judges pairs.

        Returns
        -------
        features : Tensor of shape (n_samples, n_features)
            After the activation.
        """
        hidden = self.of_sample(x)
        if code is not None:
            pair = torch.cat([hidden, self.of_code(code)], dim=1)
            hidden = self.of_both(F.leaky_relu(pair, _SLOPE))
        return F.leaky_relu(hidden, _SLOPE)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Return the logit: the higher, the more real.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            Samples.
        code : Tensor of shape (n_samples, latent_size) or None, default=None
            Their codes, if the critic judges pairs.

        Returns
        -------
        logit : Tensor of shape (n_samples,)
            Of being real.
        """
        return self.head(self.features(x, code)).squeeze(1)


def cross_entropy(logit: Tensor, is_real: bool) -> Tensor:
    """Return how surprised a critic is by what is real, or by what is not.

    A generator that minimises it with ``is_real=True`` on its own samples plays the
    non-saturating game.

    Parameters
    ----------
    logit : Tensor of shape (n_samples,)
        From a `Critic`.
    is_real : bool
        The truth, or what a generator wants to be taken for it.

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
    >>> from skanomaly.nn.adversarial import cross_entropy
    >>> cross_entropy(torch.tensor([0.0, 9.0]), is_real=True)
    tensor([6.9315e-01, 1.2340e-04])
    """
    return F.softplus(-logit if is_real else logit)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor
) -> Tensor:
    r"""Return how far a critic's slope is from one between real and fake samples.

    .. math:: \left( \| \nabla D(\hat x) \|_2 - 1 \right)^2, \quad
              \hat x = u x + (1 - u) \tilde x

    Parameters
    ----------
    critic : callable
        Maps samples to numbers.
    real, fake : Tensor of shape (n_samples, ...)
        The samples between which the slope is taken.
    share : Tensor of shape (n_samples, 1, ...)
        The :math:`u` of each sample, between 0 and 1.

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
    >>> from skanomaly.nn.adversarial import gradient_penalty
    >>> def critic(x):
    ...     return 3 * x.sum(dim=1)
    >>> gradient_penalty(critic, *torch.zeros(2, 4, 1), torch.zeros(4, 1)).tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    total = critic(between).sum()
    (slope,) = torch.autograd.grad(total, between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square()


def slope_penalty(critic: Callable[..., Tensor], *real: Tensor) -> Tensor:
    r"""Return the squared slope of a critic at real samples: :math:`\|\nabla D\|^2`.

    With it the game of a generator and a critic settles instead of going in circles.

    Parameters
    ----------
    critic : callable
        Maps samples, or pairs, to numbers.
    *real : Tensor of shape (n_samples, ...)
        The samples, or samples and codes.

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
    >>> from skanomaly.nn.adversarial import slope_penalty
    >>> slope_penalty(lambda x: x.square().sum(dim=1), torch.ones(2, 1)).tolist()
    [4.0, 4.0]
    """
    at = [x.detach().requires_grad_() for x in real]
    slopes = torch.autograd.grad(critic(*at).sum(), at, create_graph=True)
    return torch.stack([s.flatten(1).square().sum(1) for s in slopes]).sum(0)
