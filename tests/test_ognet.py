"""OGNet's losses by values worked out by hand, and its phases."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import QUICK, SAMPLE_SHAPES, make_samples, weights_of
from modules import fit_and_watch, make_module, twos_like
from skorch.callbacks import Callback

from skanomaly import OGNet
from skanomaly.training.data import Data

SETTINGS = {**QUICK, "max_epochs": 3, "n_phase_two_steps": 5, "random_state": 0}


def make_ognet(shape=(4,), **parameters):
    """Make one whose old generator is not the generator."""
    module = make_module(OGNet, shape, **parameters)
    with torch.no_grad():
        for weight in module.generator.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return module


def cross_entropy(logit, is_bad):
    return F.softplus(-logit if is_bad else logit)


# -- losses ----------------------------------------------------------------------------


@pytest.mark.parametrize("use_reconstruction_error", [False, True])
def test_logit(use_reconstruction_error):
    module = make_ognet(use_reconstruction_error=use_reconstruction_error)
    discriminator, x, x_rec = module.discriminator, torch.randn(3, 4), torch.randn(3, 4)
    expected = discriminator.network(x_rec)[:, 0]
    if use_reconstruction_error:
        discriminator.mean_error.fill_(2.0)
        discriminator.log_weight.data.fill_(np.log(3))
        expected = expected + 3 * (x - x_rec).square().sum(1) / 2
    torch.testing.assert_close(discriminator(x, x_rec), expected)
    logit = discriminator(x, module.generator(x))
    torch.testing.assert_close(module.score(x), logit)


def test_losses_of_phase_one():
    module = make_ognet(noise_std=0.3, adversarial_weight=0.7)
    module.randn_like = twos_like
    x = torch.randn(5, 4)
    x_rec, discriminator = module.generator(x + 0.3 * 2), module.discriminator
    error = (x - x_rec).square().mean(1)
    fooled = cross_entropy(discriminator(x, x_rec), is_bad=False)
    real = cross_entropy(discriminator(x, x), is_bad=False)
    fake = cross_entropy(discriminator(x, x_rec), is_bad=True)
    expected = [(error + 0.7 * fooled).mean() / 2, (real + fake).mean() / 2]
    torch.testing.assert_close(list(module.losses(x)), expected)
    error = (x - module.generator(x)).square().sum(1)
    torch.testing.assert_close(module.validation_loss(x), error)


@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
def test_loss_of_phase_two(kind):
    module = make_ognet(
        SAMPLE_SHAPES[kind], alpha=0.2, beta=0.3, pseudo_anomalies="mean"
    )
    x, partner = torch.randn(2, 5, *SAMPLE_SHAPES[kind])
    old_x, old_partner = module.old_generator(x), module.old_generator(partner)
    assert not torch.allclose(old_x, module.generator(x))
    x_rec, mixed = module.generator(x), (old_x + old_partner) / 2
    discriminator = module.discriminator
    expected = (
        0.2 * cross_entropy(discriminator(x, x), 0)
        + 0.8 * cross_entropy(discriminator(x, x_rec), 0)
        + 0.3 * cross_entropy(discriminator(x, old_x), 1)
        + 0.7 * cross_entropy(discriminator(mixed, module.generator(mixed)), 1)
    )
    loss = module.quality_loss(x, partner)
    torch.testing.assert_close(loss, expected)
    loss.sum().backward()
    assert all(p.grad is None for p in module.generator.parameters())
    assert all(p.grad is not None for p in discriminator.parameters())


def test_partners_are_other_samples():
    module = make_ognet()
    module.random_generator = torch.Generator().manual_seed(0)
    partners = []
    module.quality_loss = lambda x, partner: partners.append(partner) or x
    x = torch.arange(20.0).reshape(5, 4)
    list(module.quality_losses(x))
    assert not torch.equal(partners[0], x)
    assert torch.equal(partners[0].sort(dim=0).values, x)


def test_validation_loss_of_phase_two():
    """The partner of a held-out sample is the one before it."""
    module, x = make_ognet(pseudo_anomalies="mean"), torch.randn(5, 4)
    with torch.no_grad():  # as they are resumed in training
        *_, phase = module.phases(Data(x.numpy()))
    expected = module.quality_loss(x, x[[4, 0, 1, 2, 3]])
    torch.testing.assert_close(phase.validation_loss(x), expected)


def test_crossover_takes_each_feature_from_one_of_two():
    module = make_ognet()
    assert module.pseudo_anomalies == "crossover"
    assert make_ognet((1, 8, 7)).pseudo_anomalies == "mean"
    first, second = torch.randn(2, 200, 4)
    mixed = module.mix(first, second)
    is_first = mixed == first
    assert (is_first | (mixed == second)).all()
    assert 0.4 < is_first.float().mean() < 0.6
    is_mixed = is_first.any(dim=1) & ~is_first.all(dim=1)
    assert is_mixed.float().mean() > 0.7  # of four coins, seven in eight


# -- phases ----------------------------------------------------------------------------


def test_phases_follow_each_other():
    """Phase one, in which the old generator is kept; then the steps of phase two."""
    seen = []

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            phase, rates = net.phase_, {}
            for name in phase.networks or net.module_.networks:
                optimizer = getattr(net, f"{name}_optimizer_")
                rates[name] = optimizer.param_groups[0]["lr"]
            seen.append((phase.name, rates))

    detector = OGNet(
        **{**SETTINGS, "max_epochs": 4},
        old_generator_epoch=2,
        learning_rate=0.01,
        discriminator_learning_rate=0.02,
        phase_two_learning_rate=0.03,
        net_params={"callbacks": [Watch]},
    ).fit(make_samples())
    phase_one = ("phase one", {"generator": 0.01, "discriminator": 0.02})
    assert seen == [phase_one] * 2 + [("phase two", {"discriminator": 0.03})]
    names = [row["phase"] for row in detector.history_]
    assert names == ["phase one"] * 4 + ["phase two"]
    assert detector.history_[-1]["n_steps"] == 5
    assert detector.n_iter_ == 4


def test_old_generator_is_that_of_its_epoch():
    detector = OGNet(**{**SETTINGS, "max_epochs": 4}, old_generator_epoch=2)
    seen = fit_and_watch(detector, make_samples())
    fitted = weights_of(detector)
    for name, weight in seen[1].items():
        if name.startswith("generator"):
            assert torch.equal(fitted[f"old_{name}"], weight), name
            assert not torch.equal(fitted[name], weight), name


def test_phase_two_moves_the_discriminator_alone():
    detector = OGNet(**SETTINGS)
    seen = fit_and_watch(detector, make_samples())
    fitted = weights_of(detector)
    for name, weight in seen[2].items():
        moves = name.startswith("discriminator")
        assert torch.equal(fitted[name], weight) != moves, name


def test_error_is_measured_between_the_phases():
    X = make_samples()
    detector = OGNet(**SETTINGS).fit(X)
    error = (X - detector.reconstruct(X)) ** 2
    found = detector.module_.discriminator.mean_error.item()
    assert found == pytest.approx(error.sum(1).mean(), rel=1e-4)


def test_phase_two_has_its_learning_rate_and_may_be_left_out():
    X = make_samples()
    one = OGNet(**{**SETTINGS, "n_phase_two_steps": 0}).fit(X)
    assert {row["phase"] for row in one.history_} == {"phase one"}
    scores = one.score_samples(X)
    still = OGNet(**SETTINGS, phase_two_learning_rate=1e-30).fit(X)
    assert np.array_equal(still.score_samples(X), scores)
    two = OGNet(**SETTINGS).fit(X)
    assert np.array_equal(two.reconstruct(X), one.reconstruct(X))
    assert not np.allclose(two.score_samples(X), scores)


def test_warm_start_keeps_the_old_generator():
    X = make_samples()
    detector = OGNet(**SETTINGS, warm_start=True).fit(X)
    before = weights_of(detector)
    after = weights_of(detector.fit(X))
    for name in before:
        is_same = torch.equal(before[name], after[name])
        assert is_same == (name.startswith("old_generator") or name == "center"), name


def test_held_out_samples_stop_phase_two():
    X = make_samples(n_samples=200)
    settings = {**SETTINGS, "n_phase_two_steps": 400, "max_epochs": 10}
    settings |= {"early_stopping": True, "phase_two_learning_rate": 0.03}
    detector = OGNet(**settings, n_iter_no_change=2).fit(X)
    rounds = [row for row in detector.history_ if row["phase"] == "phase two"]
    assert [row["n_steps"] for row in rounds] == [5] * len(rounds)
    assert 0 < 5 * len(rounds) < 400
    best = min(row["valid_loss"] for row in rounds)
    assert best == rounds[-3]["valid_loss"]  # two rounds later it has stopped
    same = OGNet(**settings, n_iter_no_change=2).fit(X)
    assert np.array_equal(same.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("n_samples", [2, 40])
@pytest.mark.parametrize("batch_size", [1, 10**6])
def test_phase_two_has_its_steps(n_samples, batch_size):
    settings = {**SETTINGS, "max_epochs": 1, "batch_size": batch_size}
    detector = OGNet(**settings).fit(make_samples(n_samples=n_samples))
    assert detector.history_[-1]["n_steps"] == 5


def test_map_adds_up_to_the_score():
    X = make_samples()
    detector = OGNet(**SETTINGS).fit(X)
    at_center = detector.score_samples(X.mean(axis=0, keepdims=True))
    parts = detector.anomaly_map(X).sum(axis=1)
    np.testing.assert_allclose(parts, at_center - detector.score_samples(X), atol=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.5},
        {"beta": -0.1},
        {"old_generator_epoch": 0},
        {"n_phase_two_steps": -1},
        {"phase_two_learning_rate": 0.0},
        {"pseudo_anomalies": "sum"},
    ],
    ids=str,
)
def test_bad_parameters(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OGNet(**{**SETTINGS, **wrong}).fit(make_samples())
