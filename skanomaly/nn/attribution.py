"""Which features make a score high: attribution by gradients."""

from collections.abc import Callable

import torch
from torch import Tensor


def integrated_gradients(
    score: Callable[[Tensor], Tensor], x: Tensor, baseline: Tensor, n_steps: int = 32
) -> Tensor:
    r"""Attribute a score to the features by its gradients on the way from a baseline.

    .. math::
        (x_j - b_j) \int_0^1 \frac{\partial s}{\partial x_j}
        \bigl( b + t (x - b) \bigr) \, dt

    The attributions sum to the difference between the scores of sample and baseline
    (completeness), which the gradient at the sample alone does not promise. The
    integral is a sum over midpoints.

    Parameters
    ----------
    score : callable
        Takes samples of the shape of `x` and returns one score each, of shape
        (n_samples,), each of which depends on its own sample only.
    x : Tensor of shape (n_samples, ...)
        The samples.
    baseline : Tensor
        A reference sample, or one for each; broadcast against `x`.
    n_steps : int, default=32
        Midpoints of the sum.

    Returns
    -------
    attributions : Tensor of the shape of x
        Positive where a feature makes the sample more abnormal than the baseline.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks",
       ICML 2017, arXiv:1703.01365, equation 1.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.attribution import integrated_gradients
    >>> def score(x):
    ...     return x.square().sum(dim=1)
    >>> integrated_gradients(score, torch.tensor([[1.0, 2.0]]), torch.zeros(2)).tolist()
    [[1.0, 4.0]]
    """
    way = x - baseline
    gradient = torch.zeros_like(x)
    for step in range(n_steps):
        with torch.enable_grad():
            point = (baseline + (step + 0.5) / n_steps * way).requires_grad_()
            gradient += torch.autograd.grad(score(point).sum(), point)[0]
    return way * gradient / n_steps
