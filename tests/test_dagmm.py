"""DAGMM: its equations by values worked out by hand, and the mixture that scores."""

import numpy as np
import pytest
import torch
from helpers import QUICK, make_samples
from modules import Scale, make_module
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from skorch.dataset import ValidSplit

from skanomaly.detectors.dagmm import DAGMM
from skanomaly.nn.mixture import GaussianMixture, estimate_mixture, mixture_energy

# -- the mixture -----------------------------------------------------------------------


def test_estimate_mixture():
    """Two points and a half belong to the first component (equation 5)."""
    z = torch.tensor([[0.0, 0.0], [2.0, 4.0], [4.0, 0.0], [9.0, 9.0]])
    memberships = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    weights, means, covariances = estimate_mixture(z, memberships)
    assert weights.tolist() == [0.625, 0.375]
    torch.testing.assert_close(means, torch.tensor([[1.6, 1.6], [22 / 3, 6.0]]))
    # E[zz'] - mm': (4 + 8) / 2.5 - 1.6**2, 8 / 2.5 - 1.6**2, 16 / 2.5 - 1.6**2
    first = torch.tensor([[2.24, 0.64], [0.64, 3.84]])
    second = torch.tensor([[89 / 1.5 - 22**2 / 9, 54 - 44.0], [54 - 44.0, 54 - 36.0]])
    expected = torch.stack([first, second])  # but for what is added to the variances
    torch.testing.assert_close(covariances, expected, rtol=2e-4, atol=1e-5)


def test_energy_is_minus_the_log_density():
    weights = torch.tensor([0.25, 0.75])
    means = torch.tensor([[0.0, 1.0], [-2.0, 0.5]])
    covariances = torch.tensor([[[2.0, 0.5], [0.5, 1.0]], [[0.5, -0.2], [-0.2, 0.3]]])
    z = torch.tensor([[0.0, 0.0], [3.0, -1.0], [-2.0, 0.0], [20.0, 20.0]])
    density = sum(
        weight * multivariate_normal(mean, covariance).pdf(z)
        for weight, mean, covariance in zip(
            weights.numpy(), means.numpy(), covariances.numpy(), strict=True
        )
    )
    energy = mixture_energy(z, weights, means, covariances)
    torch.testing.assert_close(energy[:3], -torch.tensor(density[:3]).log().float())
    # Where the density underflows, the energy doesn't.
    assert 100 < energy[3] < 1000


def test_component_without_samples():
    z = torch.randn(9, 2, requires_grad=True)
    memberships = torch.eye(2)[[0] * 9].requires_grad_()
    mixture = estimate_mixture(z, memberships)
    alone = estimate_mixture(z, torch.ones(9, 1))
    energy = mixture_energy(z, *mixture)
    torch.testing.assert_close(energy, mixture_energy(z, *alone))
    (energy.sum() + mixture[2].diagonal(dim1=1, dim2=2).reciprocal().sum()).backward()
    assert z.grad.isfinite().all()
    assert memberships.grad.isfinite().all()


def test_singular_covariance():
    z, flat = torch.zeros(2, 2), torch.ones(1, 2, 2)
    with pytest.raises(FloatingPointError, match="covariance of the mixture is sing"):
        mixture_energy(z, torch.ones(1), torch.zeros(1, 2), flat)
    # What is estimated never is: points on a line, and one point alone.
    for line in (torch.arange(9.0)[:, None] * torch.ones(2), torch.ones(1, 2)):
        mixture = estimate_mixture(1e3 * line, torch.ones(len(line), 1))
        assert mixture_energy(line, *mixture).isfinite().all()


def test_many_samples_are_summed_in_double_precision():
    z = 300 + torch.randn(20_000, 2)
    mixture = GaussianMixture(1, 2)
    mixture.fit(z, torch.ones(20_000, 1))
    expected = np.cov(z.double().numpy().T, bias=True)
    expected += np.diag(1e-6 + 1e-4 * np.diag(expected))
    np.testing.assert_allclose(mixture.covariances[0], expected, rtol=1e-6)


def test_collapse():
    mixture, memberships = GaussianMixture(2, 3), torch.full((50, 2), 0.5)
    z = torch.randn(50, 3)
    mixture.fit(z, memberships)
    mixture.fit(0 * z, memberships)  # constant data are none
    z[:, 1] = 0.7
    with pytest.warns(ConvergenceWarning, match=r"collapsed.*Raise covariance_weight"):
        mixture.fit(z, memberships)


# -- the module ------------------------------------------------------------------------


def make_known(**parameters):
    """Make one whose code is x, and whose reconstruction is x / 2."""
    module = make_module(DAGMM, latent_size=2, **parameters)
    module.encoder, module.decoder = torch.nn.Identity(), Scale(0.5)
    return module


def test_errors_of_the_reconstruction():
    module = make_known()
    z, x_rec = module.compress(torch.tensor([[3.0, 4.0], [0.0, 0.4], [0.0, 0.0]]))
    # A relative distance, but for samples shorter than one.
    assert z[:, 2].tolist() == pytest.approx([0.5, 0.2, 0.0])
    assert z[:, 3].tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert z[:, :2].tolist() == [[3.0, 4.0], [0.0, pytest.approx(0.4)], [0.0, 0.0]]
    assert x_rec[0].tolist() == [1.5, 2.0]
    module.decoder = Scale(-1.0)
    z, _ = module.compress(torch.tensor([[3.0, 4.0]]))
    assert z[0, 2:].tolist() == pytest.approx([2.0, -1.0])


def test_loss_is_error_energy_and_penalty():
    module = make_known(energy_weight=0.3, covariance_weight=0.7).eval()
    module.decoder = torch.nn.Linear(2, 2)
    x = torch.randn(20, 2)
    z, x_rec = module.compress(x)
    weights, means, covariances = estimate_mixture(z, module.memberships(z))
    error = (x - x_rec).square()
    energy = mixture_energy(z, weights, means, covariances)
    penalty = sum(1 / matrix[j, j] for matrix in covariances for j in range(4))
    (loss,) = module.losses(x)
    expected = (error.sum(1) + 0.3 * energy).mean() + 0.7 * penalty
    torch.testing.assert_close(loss, expected)
    # Of held-out samples it is in the mixture of the last batch, and one a sample.
    torch.testing.assert_close(module.validation_loss(x), error.sum(1) + 0.3 * energy)
    torch.testing.assert_close(module.score(x), energy)
    torch.testing.assert_close(module.anomaly_map(x), error)
    torch.testing.assert_close(module.reconstruct(x), x_rec)


def test_gradients_reach_all_networks():
    module = make_module(DAGMM, (10,))
    (loss,) = module.losses(torch.randn(50, 10))
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_memberships_with_dropout():
    module = make_module(DAGMM, n_components=3, dropout=0.25, estimation_size=400)
    module.random_generator = torch.Generator().manual_seed(0)
    z = torch.randn(30, 4)
    module.eval()
    still = module.memberships(z)
    assert still.shape == (30, 3)
    torch.testing.assert_close(still.sum(1), torch.ones(30))
    assert torch.equal(module.memberships(z), still)
    module.train()
    module.logits = torch.nn.Identity()
    torch.nn.init.zeros_(module.hidden[0].weight)
    torch.nn.init.ones_(module.hidden[0].bias)
    seen = []
    module.logits.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    state = torch.get_rng_state()
    module.memberships(z), module.memberships(z)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(*seen)
    assert seen[0].unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_default_activation():
    for activation, expected in ((None, "leaky_relu"), ("tanh", "tanh")):
        arguments = DAGMM(activation=activation)._module_arguments((3,))
        assert arguments["activation"] == expected
    assert DAGMM()._module_arguments((3,))["activation"] == "leaky_relu"


# -- the fitted detector ---------------------------------------------------------------


def mixture_of(detector, X):
    module = detector.module_
    with torch.no_grad():
        z, _ = module.compress(torch.from_numpy(X))
        return estimate_mixture(z, module.memberships(z))


@pytest.mark.parametrize("batch_size", [16, 99, 200])
def test_scores_are_by_the_mixture_of_all_training_samples(batch_size):
    X = make_samples()
    detector = DAGMM(**{**QUICK, "batch_size": batch_size}, random_state=0).fit(X)
    kept = detector.module_.mixture
    for found, expected in zip(
        (kept.weights, kept.means, kept.covariances),
        mixture_of(detector, X),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (kept.weights > 0).all()


def test_held_out_samples_are_not_in_the_mixture():
    X = make_samples()
    split = ValidSplit(5, random_state=None)  # the first fifth
    detector = DAGMM(**QUICK, random_state=0, net_params={"train_split": split}).fit(X)
    _, means, _ = mixture_of(detector, X[20:])
    torch.testing.assert_close(
        detector.module_.mixture.means, means, rtol=1e-4, atol=1e-5
    )


def test_warm_start_estimates_the_mixture_anew():
    X, other = make_samples(), make_samples(seed=5)
    detector = DAGMM(**QUICK, warm_start=True, random_state=0).fit(X)
    detector.set_params(max_epochs=1, learning_rate=1e-30).fit(other)
    _, means, _ = mixture_of(detector, other)
    torch.testing.assert_close(
        detector.module_.mixture.means, means, rtol=1e-4, atol=1e-5
    )


def test_penalty_keeps_the_mixture_from_collapsing():
    """Without it the code shrinks to where its density is largest."""
    X = make_samples(n_samples=300)
    settings = {**QUICK, "max_epochs": 40, "random_state": 0}
    DAGMM(**settings).fit(X)
    with pytest.warns(ConvergenceWarning, match="mixture has collapsed"):
        DAGMM(**settings, covariance_weight=0.0).fit(X)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_components": 0},
        {"estimation_size": 0},
        {"dropout": 1.0},
        {"energy_weight": -1.0},
        {"covariance_weight": -1.0},
    ],
    ids=str,
)
def test_bad_parameters(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DAGMM(**QUICK, **wrong).fit(np.zeros((9, 2)))
