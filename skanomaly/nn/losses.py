"""Loss functions: pure functions of tensors.

All of them sum over the features of a sample and never over samples, so that a loss
has the units of a score and weights mean the same for wide and narrow samples.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def sum_per_sample(x: Tensor) -> Tensor:
    """Sum everything but the first axis.

    Parameters
    ----------
    x : Tensor of shape (n_samples, ...)
        Values of any shape for each sample.

    Returns
    -------
    total : Tensor of shape (n_samples,)
        One number a sample.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import sum_per_sample
    >>> sum_per_sample(torch.ones(2, 3, 4)).tolist()
    [12.0, 12.0]
    """
    return x.flatten(1).sum(1)


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the squared difference, element by element.

    Parameters
    ----------
    x, reconstruction : Tensor
        The two to compare, broadcast against each other.

    Returns
    -------
    error : Tensor
        Not reduced.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import squared_error
    >>> squared_error(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.0])).tolist()
    [4.0, 0.0]
    """
    # One kernel each way, which warns of tensors that are not of one shape.
    x, reconstruction = torch.broadcast_tensors(x, reconstruction)
    return F.mse_loss(x, reconstruction, reduction="none")


def gaussian_nll(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Return the negative log-density of a diagonal Gaussian, element by element.

    .. math::
        \frac{1}{2} \left( \log 2\pi + \log\sigma^2 + (x - \mu)^2 / \sigma^2 \right)

    Parameters
    ----------
    x, mean, log_variance : Tensor
        Broadcast against each other; `log_variance` is the natural logarithm of the
        variance.

    Returns
    -------
    nll : Tensor
        In nats, not reduced; negative where the density is above one.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import gaussian_nll
    >>> round(float(gaussian_nll(*torch.zeros(3))), 4)
    0.9189
    """
    return expected_gaussian_nll(squared_error(x, mean), log_variance)


def expected_gaussian_nll(error: Tensor, log_variance: Tensor) -> Tensor:
    """Return the mean of `gaussian_nll` over draws of the mean, of one variance.

    Parameters
    ----------
    error : Tensor
        Mean of the squared errors over the draws.
    log_variance : Tensor
        Natural logarithm of the variance; broadcast against `error`.

    Returns
    -------
    nll : Tensor
        In nats, not reduced.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import expected_gaussian_nll
    >>> round(float(expected_gaussian_nll(torch.tensor(2.0), torch.tensor(0.0))), 4)
    1.9189
    """
    return 0.5 * (math.log(2 * math.pi) + log_variance + error * (-log_variance).exp())


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Return the KL divergence of a diagonal Gaussian from the standard normal.

    .. math::
        KL = \frac{1}{2} \sum_j \left( \mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2 \right)

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n_samples, latent_size)
        The Gaussian; `log_variance` is the natural logarithm of the variance.

    Returns
    -------
    kl : Tensor of shape (n_samples,)
        In nats, never negative.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013,
       arXiv:1312.6114, appendix B.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import gaussian_kl
    >>> gaussian_kl(torch.tensor([[2.0]]), torch.tensor([[0.0]])).tolist()
    [2.0]
    """
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)


def hard_shrinkage(weights: Tensor, threshold: float) -> Tensor:
    r"""Set weights that are not above a threshold to zero, and leave the others.

    So that it has a gradient, the paper writes it as

    .. math:: \max(w - \lambda, 0)\, w / (|w - \lambda| + \epsilon).

    This is the limit of small :math:`\epsilon`: the same values, and a gradient of one
    above the threshold, without the spike at it.

    Parameters
    ----------
    weights : Tensor
        Not negative.
    threshold : float
        The :math:`\lambda`.

    Returns
    -------
    shrunk : Tensor of the shape of weights
        Zero up to the threshold, the weight itself above.

    References
    ----------
    .. [1] D. Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019,
       arXiv:1904.02639, equation 7.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import hard_shrinkage
    >>> hard_shrinkage(torch.tensor([0.125, 0.25, 0.625]), 0.25).tolist()
    [0.0, 0.0, 0.625]
    """
    return torch.where(weights > threshold, weights, 0.0)


def entropy(weights: Tensor, eps: float = 1e-12) -> Tensor:
    r"""Return the entropy of weights that sum to one.

    .. math:: -\sum_i w_i \log (w_i + \epsilon)

    Parameters
    ----------
    weights : Tensor of shape (..., n_items)
        Not negative.
    eps : float, default=1e-12
        Keeps the gradient of a weight of zero finite.

    Returns
    -------
    entropy : Tensor of shape (...)
        In nats: zero where one weight is all, the logarithm of their number where all
        are equal.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.losses import entropy
    >>> entropy(torch.tensor([[0.0, 1.0], [0.5, 0.5]])).abs()
    tensor([0.0000, 0.6931])
    """
    return -(weights * (weights + eps).log()).sum(dim=-1)
