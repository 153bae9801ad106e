"""A Gaussian mixture whose memberships a network gives."""

import math

import torch
from torch import Tensor, nn

from skanomaly._warnings import warn_unconverged

from .linear import exact_linear

# Added to the variances: an absolute part, as in scikit-learn's GaussianMixture, and a
# part of the variances themselves, so that float32 finds a factor of each covariance.
_ABSOLUTE_RIDGE, _RELATIVE_RIDGE = 1e-6, 1e-4
_COLLAPSED_VARIANCE = 1e-5


class GaussianMixture(nn.Module):
    """The mixture that points are measured by, in buffers.

    Parameters
    ----------
    n_components : int
        Number of components.
    n_features : int
        Length of a point.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.mixture import GaussianMixture
    >>> mixture = GaussianMixture(1, 1)
    >>> mixture.fit(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1))
    >>> mixture.energy(torch.tensor([[1.0], [3.0]])).round(decimals=2)
    tensor([0.9200, 2.9200])
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor
    whitening: Tensor
    log_norms: Tensor

    def __init__(self, n_components: int, n_features: int):
        super().__init__()
        identities = torch.eye(n_features).repeat(n_components, 1, 1)
        self.register_buffer("weights", torch.full((n_components,), 1 / n_components))
        self.register_buffer("means", torch.zeros(n_components, n_features))
        self.register_buffer("covariances", identities)
        # What follows from the covariances, so that scoring has no factors to find.
        log_norm = n_features / 2 * math.log(2 * math.pi)
        self.register_buffer("whitening", identities.clone())
        self.register_buffer("log_norms", torch.full((n_components,), log_norm))

    @torch.no_grad()
    def keep(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Set the mixture.

        Parameters
        ----------
        weights, means, covariances : Tensor
            As from `estimate_mixture`; their gradients are left out.
        """
        whitening, log_norms = whiten(covariances)
        self.weights.copy_(weights)
        self.means.copy_(means)
        self.covariances.copy_(covariances)
        self.whitening.copy_(whitening)
        self.log_norms.copy_(log_norms)

    def fit(self, z: Tensor, memberships: Tensor) -> None:
        """Set the mixture to that of all training samples, and warn of a collapse.

        Parameters
        ----------
        z : Tensor of shape (n_samples, n_features)
            The points.
        memberships : Tensor of shape (n_samples, n_components)
            Not negative, with rows that sum to one.
        """
        z, memberships = z.cpu().double(), memberships.cpu().double()
        self.keep(*estimate_mixture(z, memberships))
        variances = z.var(0, correction=0)
        smallest, largest = variances.min(), variances.max()
        if smallest < _COLLAPSED_VARIANCE < largest:
            warn_unconverged(
                "The mixture has collapsed: a part of the code, or an error of the "
                "reconstruction, is the same for all training samples (variance "
                f"{smallest:.1e}). Raise covariance_weight, or lower energy_weight, "
                "latent_size or learning_rate."
            )

    def energy(self, z: Tensor) -> Tensor:
        """Return the energy of points in the mixture.

        Parameters
        ----------
        z : Tensor of shape (n_samples, n_features)
            The points.

        Returns
        -------
        energy : Tensor of shape (n_samples,)
            As from `mixture_energy`.
        """
        return _energy(z, self.weights, self.means, self.whitening, self.log_norms)


def estimate_mixture(z: Tensor, memberships: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Estimate a Gaussian mixture from points and their soft memberships.

    .. math::
        \phi_k = \frac{1}{N} \sum_i \gamma_{ik}, \quad
        \mu_k = \frac{\sum_i \gamma_{ik} z_i}{\sum_i \gamma_{ik}}, \quad
        \Sigma_k = \frac{\sum_i \gamma_{ik} (z_i - \mu_k) (z_i - \mu_k)^T}
        {\sum_i \gamma_{ik}}

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_features)
        The points.
    memberships : Tensor of shape (n_samples, n_components)
        The :math:`\gamma`: not negative, with rows that sum to one.

    Returns
    -------
    weights : Tensor of shape (n_components,)
        They sum to one.
    means : Tensor of shape (n_components, n_features)
        The centers.
    covariances : Tensor of shape (n_components, n_features, n_features)
        With a small number added to the variances.

    References
    ----------
    .. [1] B. Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised
       Anomaly Detection", ICLR 2018, equation 5.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.mixture import estimate_mixture
    >>> z = torch.tensor([[0.0], [2.0]])
    >>> weights, means, covariances = estimate_mixture(z, torch.ones(2, 1))
    >>> weights.item(), means.item(), round(covariances.item(), 3)
    (1.0, 1.0, 1.0)
    """
    weights = memberships.mean(0)
    # A component without samples has a mean of zero, and gradients that are finite.
    shares = memberships / memberships.sum(0).clamp(min=torch.finfo(z.dtype).eps)
    means = shares.t() @ z
    centered = z - means[:, None]
    covariances = (shares.t()[:, :, None] * centered).mT @ centered
    variances = covariances.diagonal(dim1=1, dim2=2)
    ridge = _ABSOLUTE_RIDGE + _RELATIVE_RIDGE * variances
    return weights, means, covariances + torch.diag_embed(ridge)


def mixture_energy(
    z: Tensor, weights: Tensor, means: Tensor, covariances: Tensor
) -> Tensor:
    r"""Return the energy of points: minus the logarithm of the mixture's density.

    .. math::
        E(z) = -\log \sum_k \phi_k \frac{\exp \left( -\frac{1}{2} (z - \mu_k)^T
        \Sigma_k^{-1} (z - \mu_k) \right)}{\sqrt{|2 \pi \Sigma_k|}}

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_features)
        The points.
    weights : Tensor of shape (n_components,)
        Not negative.
    means : Tensor of shape (n_components, n_features)
        The centers.
    covariances : Tensor of shape (n_components, n_features, n_features)
        Positive definite.

    Returns
    -------
    energy : Tensor of shape (n_samples,)
        In nats; negative where the density is above one. The same to the bit wherever
        a point stands in the batch.

    Raises
    ------
    FloatingPointError
        If a covariance is singular.

    References
    ----------
    .. [1] B. Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised
       Anomaly Detection", ICLR 2018, equation 6.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.mixture import mixture_energy
    >>> z = torch.tensor([[0.0], [2.0]])
    >>> standard = torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1)
    >>> mixture_energy(z, *standard)
    tensor([0.9189, 2.9189])
    """
    return _energy(z, weights, means, *whiten(covariances))


def whiten(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Find what the densities of a mixture need of its covariances.

    Parameters
    ----------
    covariances : Tensor of shape (n_components, n_features, n_features)
        Positive definite.

    Returns
    -------
    whitening : Tensor of shape (n_components, n_features, n_features)
        The inverses of their lower Cholesky factors.
    log_norms : Tensor of shape (n_components,)
        Logarithms of what the densities are divided by.

    Raises
    ------
    FloatingPointError
        If a covariance is singular.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.mixture import whiten
    >>> whitening, _ = whiten(torch.tensor([[[4.0]]]))
    >>> whitening.item()
    0.5
    """
    factors, failures = torch.linalg.cholesky_ex(covariances)
    if failures.any():
        raise FloatingPointError("a covariance of the mixture is singular")
    n_features = covariances.shape[-1]
    identity = torch.eye(n_features, dtype=factors.dtype, device=factors.device)
    whitening = torch.linalg.solve_triangular(
        factors, identity.expand_as(factors), upper=False
    )
    log_volumes = factors.diagonal(dim1=1, dim2=2).log().sum(1)
    return whitening, log_volumes + n_features / 2 * math.log(2 * math.pi)


def _energy(
    z: Tensor, weights: Tensor, means: Tensor, whitening: Tensor, log_norms: Tensor
) -> Tensor:
    squares = torch.stack(
        [
            exact_linear(z - mean, matrix).square().sum(1)
            for mean, matrix in zip(means, whitening, strict=True)
        ],
        dim=1,
    )
    # A component without weight has no logarithm.
    log_weights = weights.clamp(min=torch.finfo(z.dtype).tiny).log()
    return -(log_weights - log_norms - squares / 2).logsumexp(1)
