"""OGNet's phases, by values worked out by hand."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import SAMPLE_SHAPES, make_outliers, make_samples
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from skanomaly import OGNet
from skanomaly.detectors.ognet import OGNetModule

QUICK = {"max_epochs": 3, "batch_size": 32, "n_refinements": 5, "random_state": 0}


def make_module(shape=(4,), **settings):
    torch.manual_seed(0)
    latent_size = 2 if len(shape) == 1 else None
    module = OGNetModule(shape, (6, 5), latent_size, "tanh", **settings)
    module.remember_autoencoder()
    with torch.no_grad():
        for weights in module.autoencoder.parameters():
            weights += 0.1 * torch.randn_like(weights)
    return module


def cross_entropy(logit, is_bad):
    return F.softplus(-logit if is_bad else logit)


@pytest.mark.parametrize("sees_error", [False, True])
def test_judge(sees_error):
    module = make_module(sees_error=sees_error)
    judge, x, drawn = module.discriminator, torch.randn(3, 4), torch.randn(3, 4)
    expected = judge.network(drawn)[:, 0]
    if sees_error:
        judge.usual_error.fill_(2.0)
        judge.log_weight.data.fill_(np.log(3))
        expected = expected + 3 * (x - drawn).square().sum(1) / 2
    torch.testing.assert_close(judge(x, drawn), expected)
    drawn = module.autoencoder(x)
    torch.testing.assert_close(module.score(x), judge(x, drawn))


def test_losses_of_phase_one():
    module = make_module(noise_std=0.0, adversarial_weight=0.7)
    x = torch.randn(5, 4)
    drawn, judge = module.autoencoder(x), module.discriminator
    error = (x - drawn).square().mean(1)
    painter, critic = module.losses(x)
    expected = (error + 0.7 * cross_entropy(judge(x, drawn), 0)).mean() / 2
    torch.testing.assert_close(painter, expected)
    fooled = cross_entropy(judge(x, drawn), 1) + cross_entropy(judge(x, x), 0)
    torch.testing.assert_close(critic, fooled.mean() / 2)


@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
def test_loss_of_phase_two(kind):
    module = make_module(SAMPLE_SHAPES[kind], alpha=0.2, beta=0.3)
    x, partner = torch.randn(2, 5, *SAMPLE_SHAPES[kind])
    old_x, old_partner = module.draw_as_before(x), module.draw_as_before(partner)
    assert not torch.allclose(old_x, module.autoencoder(x))
    drawn, mixture = module.autoencoder(x), (old_x + old_partner) / 2
    judge = module.discriminator
    expected = (
        0.2 * cross_entropy(judge(x, x), 0)
        + 0.8 * cross_entropy(judge(x, drawn), 0)
        + 0.3 * cross_entropy(judge(x, old_x), 1)
        + 0.7 * cross_entropy(judge(mixture, module.autoencoder(mixture)), 1)
    )
    torch.testing.assert_close(module.quality_loss(x, partner), expected)
    module.is_in_phase_two = True
    expected = module.quality_loss(x, x.roll(1, dims=0))
    torch.testing.assert_close(module.validation_loss(x), expected)
    (loss,) = module.losses(x)
    loss.backward()
    assert all(p.grad is None for p in module.autoencoder.parameters())


def test_crossover_takes_each_feature_from_one_of_two():
    module = make_module(mixes_features=True)
    x, partner = torch.randn(2, 200, 4)
    first, second = module.draw_as_before(x), module.draw_as_before(partner)
    mixture = module.mix(x, partner)
    is_first = mixture == first
    assert (is_first | (mixture == second)).all()
    assert 0.4 < is_first.float().mean() < 0.6
    assert not is_first.all(dim=1).all()


def test_phases_follow_each_other():
    """Old after the first epochs; then all of phase one; then single steps."""
    X = make_samples()
    seen = []

    class Watch(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            module = net.module_
            seen.append((module.is_in_phase_two, module.turns))

    settings = QUICK | {"net_params": {"callbacks": [Watch]}, "max_epochs": 4}
    detector = OGNet(**settings, old_epochs=2).fit(X)
    assert seen[:16] == [(False, ("autoencoder", "discriminator"))] * 4 * 4
    assert seen[16:] == [(True, ("discriminator",))] * 5
    assert detector.n_iter_ == 4
    assert detector.n_refinements_ == 5
    assert not detector.net_.module_.is_in_phase_two
    early = OGNet(**QUICK | {"max_epochs": 2, "n_refinements": 0}).fit(X)
    old = detector.net_.module_.draw_as_before(torch.from_numpy(X))
    drawn = early.net_.module_.autoencoder(torch.from_numpy(X))
    torch.testing.assert_close(old, drawn)


def test_phase_two_moves_the_discriminator_only():
    X = make_samples()
    one = OGNet(**QUICK | {"n_refinements": 0}).fit(X)
    two = OGNet(**QUICK).fit(X)
    assert np.array_equal(one.reconstruct(X), two.reconstruct(X))
    assert not np.allclose(one.score_samples(X), two.score_samples(X))
    assert one.n_refinements_ == 0
    still = OGNet(**QUICK, refinement_learning_rate=1e-30).fit(X)
    assert np.array_equal(one.score_samples(X), still.score_samples(X))


def test_held_out_samples_stop_phase_two():
    X = make_samples(n_samples=200)
    settings = QUICK | {"n_refinements": 400, "max_epochs": 10}
    settings |= {"early_stopping": True, "refinement_learning_rate": 0.03}
    detector = OGNet(**settings, n_iter_no_change=2).fit(X)
    assert 0 < detector.n_refinements_ < 400
    assert detector.n_refinements_ % 5 == 0
    assert detector.n_iter_ == len(detector.history_) <= 10
    same = OGNet(**settings, n_iter_no_change=2).fit(X)
    assert np.array_equal(same.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("n_samples", [2, 3, 40])
def test_phase_two_has_its_steps_however_few_the_samples(n_samples):
    X = make_samples(n_samples=n_samples)
    one = OGNet(**QUICK | {"n_refinements": 0}).fit(X)
    two = OGNet(**QUICK).fit(X)
    assert two.n_refinements_ == 5
    assert not np.array_equal(one.score_samples(X), two.score_samples(X))


@pytest.mark.parametrize("pseudo_anomalies", ["mean", "crossover"])
@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
def test_all_ways_detect_and_travel(kind, pseudo_anomalies):
    X = make_samples(kind)
    settings = {"max_epochs": 15, "batch_size": 32, "random_state": 0}
    detector = OGNet(**settings, pseudo_anomalies=pseudo_anomalies).fit(X)
    samples = np.concatenate([make_samples(kind, seed=2), make_outliers(kind)])
    scores = detector.score_samples(samples)
    assert roc_auc_score([1] * 100 + [0] * 50, scores) > 0.9
    assert detector.reconstruct(X).shape == X.shape
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(samples), scores)


def test_map_adds_up_to_the_score():
    X = make_samples()
    detector = OGNet(**QUICK).fit(X)
    mean = detector.score_samples(X.mean(axis=0, keepdims=True))
    parts = detector.anomaly_map(X).sum(axis=1)
    np.testing.assert_allclose(parts, mean - detector.score_samples(X), atol=0.02)


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": 1.5}, {"beta": -0.1}, {"old_epochs": 0}, {"n_refinements": -1}],
    ids=str,
)
def test_bad_parameters(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OGNet(**QUICK | wrong).fit(make_samples())
