"""Losses and scores as pure functions of tensors.

All of them sum over the features of a sample and never over samples, so that a loss
has the units of a score and weights mean the same for wide and narrow samples.
"""

import math

import torch
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
    >>> from skanomaly.nn.functional import sum_per_sample
    >>> sum_per_sample(torch.ones(2, 3, 4)).tolist()
    [12.0, 12.0]
    """
    return x.flatten(1).sum(1)


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the squared difference, element by element.

    Parameters
    ----------
    x, reconstruction : Tensor of one shape
        The two to compare.

    Returns
    -------
    error : Tensor of the same shape
        Not reduced.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.functional import squared_error
    >>> squared_error(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.0])).tolist()
    [4.0, 0.0]
    """
    return (x - reconstruction).square()


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
    >>> from skanomaly.nn.functional import gaussian_nll
    >>> round(float(gaussian_nll(*torch.zeros(3))), 4)
    0.9189
    """
    error = squared_error(x, mean)
    return 0.5 * (math.log(2 * math.pi) + log_variance + error * (-log_variance).exp())


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Return the divergence of a diagonal Gaussian from the standard normal.

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
    >>> from skanomaly.nn.functional import gaussian_kl
    >>> gaussian_kl(torch.tensor([[2.0]]), torch.tensor([[0.0]])).tolist()
    [2.0]
    """
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)
