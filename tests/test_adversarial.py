"""The machinery of adversarial training, and its detectors' formulas."""

import numpy as np
import pytest
import torch
from helpers import QUICK, all_detectors, is_adversarial, make_samples
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch import nn

from skanomaly import ALAD, EGBAD, AnoGAN, Autoencoder, FAnoGAN, GANomaly
from skanomaly.detectors.alad import ALADModule
from skanomaly.detectors.anogan import AnoGANModule
from skanomaly.detectors.egbad import EGBADModule
from skanomaly.detectors.f_anogan import FAnoGANModule
from skanomaly.detectors.ganomaly import GANomalyModule
from skanomaly.nn.adversarial import (
    Critic,
    cross_entropy,
    gradient_penalty,
    slope_penalty,
)
from skanomaly.training.averaging import WeightAverage

pytestmark = pytest.mark.filterwarnings("ignore:The generator has collapsed")

each_game = pytest.mark.parametrize(
    "Detector", [cls for cls in all_detectors() if is_adversarial(cls)]
)


class Scale(nn.Module):
    """Multiply by a number: a network whose every output is known."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, x, code=None):
        return self.factor * x


class SumCritic(Scale):
    """A critic whose features are the scaled sample, and its logit their sum."""

    def features(self, x, code=None):
        return self.factor * x

    def forward(self, x, code=None):
        total = self.features(x).sum(1)
        return total if code is None else total + code.sum(1)


# -- losses ----------------------------------------------------------------------------


def test_cross_entropy_by_hand():
    logit = torch.tensor([0.0, 2.0])
    expected = torch.log1p(torch.exp(-logit))
    torch.testing.assert_close(cross_entropy(logit, True), expected)
    torch.testing.assert_close(cross_entropy(logit, False), logit + expected)


def test_penalties_by_hand():
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    penalty = gradient_penalty(SumCritic(3.0), x, -x, torch.rand(2, 1))
    expected = torch.full((2,), (3 * 2**0.5 - 1) ** 2)
    torch.testing.assert_close(penalty, expected)
    torch.testing.assert_close(slope_penalty(SumCritic(3.0), x), torch.full((2,), 18.0))
    pairs = slope_penalty(SumCritic(3.0), x, torch.ones(2, 1))
    torch.testing.assert_close(pairs, torch.full((2,), 19.0))


def test_slope_is_taken_between_real_and_fake():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(1)

    real, fake = torch.full((1, 2), 4.0), torch.zeros(1, 2)
    penalty = gradient_penalty(critic, real, fake, torch.full((1, 1), 0.25))
    torch.testing.assert_close(seen[0], torch.ones(1, 2))
    torch.testing.assert_close(penalty, torch.tensor([(8**0.5 - 1) ** 2]))


def test_spectral_norm_bounds_the_slope():
    torch.manual_seed(0)
    critic = Critic((6,), (16,), is_spectral=True)
    for _ in range(200):  # each pass in training mode improves the estimate
        critic(torch.randn(8, 6))
    critic.eval()
    for layer in (critic.of_sample[0], critic.head):
        norm = torch.linalg.matrix_norm(layer.weight, ord=2)
        torch.testing.assert_close(norm, torch.tensor(1.0), rtol=1e-3, atol=0)


# -- formulas --------------------------------------------------------------------------

X = torch.tensor([[1.0, -2.0], [3.0, 0.0]])


def _egbad(discrimination="cross_entropy", weight=0.1):
    module = EGBADModule(
        (2,),
        (4,),
        2,
        discrimination=discrimination,
        discrimination_weight=weight,
        penalty_weight=0.0,
    )
    module.encoder, module.generator = Scale(0.5), Scale(1.0)
    module.discriminator = SumCritic(3.0)
    return module


def test_egbad_scores_by_hand():
    module = _egbad("cross_entropy", 0.25)
    error = X.abs().sum(1) / 2
    logit = (3 * X + X / 2).sum(1)
    expected = 0.75 * error + 0.25 * torch.log1p(torch.exp(-logit))
    torch.testing.assert_close(module.score(X), expected)
    module = _egbad("feature_matching", 0.25)
    torch.testing.assert_close(module.score(X), 0.75 * error + 0.25 * 3 * error)
    torch.testing.assert_close(module.anomaly_map(X), X.abs() / 2)


def test_egbad_losses_by_hand():
    module = _egbad("cross_entropy", 0.1)
    module.randn_like = lambda like: torch.ones_like(like)
    encoded, generated = 3 * X.sum(1) + X.sum(1) / 2, torch.full((2,), 3 * 2.0 + 2)
    of_encoded, of_generated = (
        cross_entropy(encoded, True),
        cross_entropy(generated, False),
    )
    losses = list(module.losses(X))
    expected = [
        (of_encoded + of_generated).mean(),
        cross_entropy(generated, True).mean(),
        cross_entropy(encoded, False).mean(),
    ]
    torch.testing.assert_close(losses, expected)


def test_egbad_measures_the_error_in_a_norm():
    module = _egbad("cross_entropy", 0.0)
    module.norm = "l2"
    torch.testing.assert_close(module.score(X), X.norm(dim=1) / 2)
    torch.testing.assert_close(module.validation_loss(X), X.norm(dim=1) / 2)


def _alad(score_method="l1"):
    module = ALADModule((2,), (4,), 2, penalty_weight=0.0, score_method=score_method)
    module.encoder, module.generator = Scale(0.5), Scale(1.0)
    module.sample_critic = SumCritic(3.0)
    return module


def test_alad_scores_by_hand():
    module = _alad("features")
    # of the pairs (x, x) and (x, x / 2) only the second halves differ
    torch.testing.assert_close(module.score(X), 3 * X.abs().sum(1) / 2)
    torch.testing.assert_close(_alad("l1").score(X), X.abs().sum(1) / 2)
    torch.testing.assert_close(_alad("l2").score(X), X.norm(dim=1) / 2)
    assert module.sample_critic.features(torch.cat([X, X], 1)).shape == (2, 4)


@pytest.mark.parametrize("make", [_egbad, _alad])
def test_cycle_is_paid_for_by_hand(make):
    module = make()
    module.randn_like = lambda like: torch.ones_like(like)
    *critics, generator, encoder = module.losses(X)
    module.cycle_weight = 6.0
    cycle = 6.0 * (X / 2).square().mean()
    expected = [*critics, generator + cycle, encoder + cycle]
    torch.testing.assert_close(list(module.losses(X)), expected)


@pytest.mark.parametrize("Detector", [EGBAD, ALAD])
def test_a_paid_cycle_is_closer(Detector):
    X = make_samples()
    errors = [
        Detector(**QUICK, random_state=0, cycle_weight=weight).fit(X).anomaly_map(X)
        for weight in (0.0, 100.0)
    ]
    assert errors[1].mean() < 0.8 * errors[0].mean()


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_ganomaly_scores_by_hand(norm):
    module = GANomalyModule((2,), (4,), 2, norm=norm)
    module.generator.encoder, module.generator.decoder = Scale(0.5), Scale(3.0)
    module.generator.second_encoder = Scale(0.5)
    gap = (X / 2 - 0.75 * X).abs()  # codes x / 2, drawn as 1.5 x, codes 0.75 x
    expected = gap.sum(1) if norm == "l1" else gap.square().sum(1).sqrt()
    torch.testing.assert_close(module.score(X), expected)
    torch.testing.assert_close(module.reconstruct(X), 1.5 * X)
    torch.testing.assert_close(module.anomaly_map(X), X.abs() / 2)


def test_ganomaly_losses_by_hand():
    module = GANomalyModule(
        (2,),
        (4,),
        2,
        adversarial_weight=2.0,
        contextual_weight=3.0,
        encoder_weight=5.0,
        penalty_weight=0.0,
    )
    module.generator.encoder, module.generator.decoder = Scale(0.5), Scale(3.0)
    module.generator.second_encoder = Scale(0.5)
    module.discriminator = SumCritic(2.0)
    generator, discriminator = module.losses(X)
    adversarial, contextual, encoder = X.square(), X.abs() / 2, (X / 4).square()
    expected = (2 * adversarial + 3 * contextual + 5 * encoder).mean()
    torch.testing.assert_close(generator, expected)
    real, fake = 2 * X.sum(1), 3 * X.sum(1)
    expected = cross_entropy(real, True) + cross_entropy(fake, False)
    torch.testing.assert_close(discriminator, expected.mean() / 2)


def test_anogan_search_finds_the_code():
    module = AnoGANModule((2,), (4,), 2, lambda_=0.25, n_search_steps=300)
    module.generator, module.discriminator = Scale(2.0), SumCritic(3.0)
    reachable = torch.tensor([[1.0, -2.0], [0.5, 1.0]])
    torch.testing.assert_close(
        module.encode(reachable), reachable / 2, atol=2e-3, rtol=0
    )
    assert module.score(reachable).max() < 0.02
    code = torch.zeros(2, 2)
    residual = reachable.abs().sum(1)
    expected = 0.75 * residual + 0.25 * 3 * residual
    torch.testing.assert_close(module.search_loss(reachable, code), expected)


@pytest.mark.parametrize(("bound", "norm"), [(1.0, 2**0.5), (0.5, 0.5**0.5)])
def test_anogan_search_stays_where_the_generator_was_trained(bound, norm):
    far = torch.tensor([[30.0, -40.0]])
    settings = {"n_search_steps": 300, "search_learning_rate": 1.0}
    bounded = AnoGANModule((2,), (4,), 2, **settings, max_code_norm=bound)
    free = AnoGANModule((2,), (4,), 2, **settings, max_code_norm=None)
    for module in (bounded, free):
        module.generator, module.discriminator = Scale(2.0), SumCritic(3.0)
    torch.testing.assert_close(bounded.encode(far).norm(), torch.tensor(norm))
    torch.testing.assert_close(free.encode(far), far / 2, atol=0.02, rtol=0)
    assert bounded.score(far) > free.score(far) + 50


def test_anogan_search_takes_the_best_of_its_starts():
    torch.manual_seed(0)
    one = AnoGANModule((2,), (8,), 2, n_search_steps=1, n_restarts=1)
    many = AnoGANModule((2,), (8,), 2, n_search_steps=1, n_restarts=50)
    many.load_state_dict(one.state_dict() | {"starts": many.starts})
    many.starts[0] = one.starts[0]
    assert (many.score(X) < one.score(X)).all()


def test_anogan_search_leaves_the_networks_alone():
    module = AnoGANModule((2,), (8,), 2, n_search_steps=3)
    module.score(X)
    assert all(p.grad is None for p in module.parameters())


def test_anogan_rows_are_searched_as_if_alone():
    X = make_samples(n_samples=40)
    detector = AnoGAN(**QUICK, n_search_steps=50, random_state=0).fit(X)
    module, rows = detector.net_.module_, torch.from_numpy(X)
    one_by_one = [module.score(row[None]).item() for row in rows]
    np.testing.assert_allclose(-detector.score_samples(X), one_by_one, rtol=1e-4)


def test_f_anogan_scores_by_hand():
    module = FAnoGANModule((2,), (4,), 2, kappa=0.5)
    module.encoder, module.generator = Scale(0.5), Scale(1.0)
    module.discriminator = SumCritic(3.0)
    error = (X / 2).square().mean(1)
    torch.testing.assert_close(module.score(X), error + 0.5 * 9 * error)


def test_f_anogan_takes_turns_by_phase():
    module = FAnoGANModule((2,), (4,), 2, n_critic_steps=2)
    critic, generator, encoder = "discriminator", "generator", "encoder"
    assert module.turns == (critic, critic, generator, encoder)
    assert len(list(module.losses(X))) == 4
    module.is_encoder_trained = False
    assert module.turns == (critic, critic, generator)
    assert len(list(module.losses(X))) == 3
    module.is_gan_trained, module.is_encoder_trained = False, True
    assert module.turns == (encoder,)
    assert len(list(module.losses(X))) == 1


def test_f_anogan_freezes_the_gan_while_the_encoder_is_trained():
    detector = FAnoGAN(max_epochs=6, encoder_fraction=0.5, random_state=0)
    seen = {}

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            weights = {n: p.clone() for n, p in net.module_.named_parameters()}
            seen[len(net.history)] = weights

    detector.set_params(net_params={"callbacks": [Watch]}).fit(make_samples())
    for name in seen[3]:
        is_same = torch.equal(seen[3][name], seen[6][name])
        assert is_same != name.startswith("encoder"), name
    names = [set(row) for row in detector.history_]
    assert all("train_generator_loss" in row for row in names[:3])
    assert all("train_encoder_loss" in row for row in names[3:])
    assert not any("train_generator_loss" in row for row in names[3:])


# -- the training machinery ------------------------------------------------------------


@each_game
def test_history_has_each_players_loss(Detector):
    detector = Detector(**QUICK, random_state=0).fit(make_samples())
    names = set().union(*detector.history_)
    players = detector.net_.module_.players
    assert {f"train_{player}_loss" for player in players} <= names


def test_average_by_hand():
    module = nn.Linear(1, 1, bias=False)
    average = WeightAverage(module)
    with average.set_aside():
        for weight in (0.0, 1.0, 2.0):
            nn.init.constant_(module.weight, weight)
            average.update(decay=0.999)
    # the past has (1 + n) / (10 + n) of the say: 2 / 11 of 0, then 3 / 12 of 9 / 11
    assert module.weight.item() == pytest.approx(0.25 * 9 / 11 + 0.75 * 2)
    with average.set_aside():
        assert module.weight.item() == 2
    average.forget()
    with average.set_aside():
        assert module.weight.item() != 2


def test_average_scores_and_the_weights_train():
    """What scores is the average of what the steps went through."""
    passed = []

    class Watch(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            passed.append(net.module_.encoder[0].weight.detach().clone())

    X = make_samples(n_samples=20)
    plain = {"max_epochs": 2, "batch_size": 10, "random_state": 0}
    last = Autoencoder(**plain, net_params={"callbacks": [Watch]}).fit(X)
    w1, w2, w3, w4 = passed
    averaged = Autoencoder(**plain, net_params={"ema_decay": 0.1}).fit(X)
    expected = w1
    for weight in (w2, w3, w4):
        expected = 0.1 * expected + 0.9 * weight
    found = averaged.net_.module_.encoder[0].weight
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, last.net_.module_.encoder[0].weight)
    torch.testing.assert_close(last.net_.module_.encoder[0].weight, w4)


def test_winning_discriminator_gets_new_weights():
    X = make_samples()
    usual = EGBAD(**QUICK, random_state=0).fit(X)
    assert [row["discriminator_restarts"] for row in usual.history_] == [0] * 5
    always = {"restart_below": {"discriminator": 1e9}}
    detector = EGBAD(**QUICK, random_state=0, net_params=always).fit(X)
    assert [row["discriminator_restarts"] for row in detector.history_] == [1] * 5
    again = EGBAD(**QUICK, random_state=0, net_params=always).fit(X)
    assert np.array_equal(again.score_samples(X), detector.score_samples(X))
    assert not np.array_equal(usual.score_samples(X), detector.score_samples(X))


def test_restart_replaces_the_one_player_and_its_optimizer():
    before = {}

    class Watch(Callback):
        def on_batch_end(self, net, **kwargs):
            before.update({n: p.clone() for n, p in net.module_.named_parameters()})

    params = {"callbacks": [Watch], "restart_below": {"discriminator": 1e9}}
    detector = EGBAD(
        max_epochs=1, ema_decay=0.0, random_state=0, net_params=params
    ).fit(make_samples())
    for name, parameter in detector.net_.module_.named_parameters():
        is_same = torch.equal(parameter, before[name])
        assert is_same != name.startswith("discriminator"), name
    assert not detector.net_.discriminator_optimizer_.state
    assert detector.net_.generator_optimizer_.state


@pytest.mark.filterwarnings("default:The generator has collapsed")
@pytest.mark.parametrize("Detector", [ALAD, EGBAD, AnoGAN, FAnoGAN, GANomaly])
def test_collapsed_generator_is_called_out(Detector):
    X = 1000 * make_samples()  # far from what a few small steps can draw
    detector = Detector(max_epochs=1, learning_rate=1e-6, random_state=0)
    with pytest.warns(ConvergenceWarning, match="generator has collapsed"):
        detector.fit(X)
    assert detector.generated_spread_ < 0.1


def test_spread_of_a_good_generator_is_near_one():
    detector = GANomaly(max_epochs=60, batch_size=16, random_state=0)
    assert 0.7 < detector.fit(make_samples()).generated_spread_ < 1.3


# -- bad input and faults --------------------------------------------------------------


@each_game
def test_exploding_losses_are_an_error_and_no_scores(Detector):
    with pytest.raises(ValueError, match=r"diverged.*lower learning_rate"):
        Detector(learning_rate=1e12, random_state=0).fit(100 * make_samples())


@each_game
def test_code_longer_than_the_data(Detector):
    X = make_samples()
    detector = Detector(**QUICK, latent_size=20, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


@each_game
def test_interrupt_between_two_players_keeps_the_detector_as_it_was(Detector):
    X = make_samples()
    detector = Detector(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)

    class Interrupt(Callback):
        def on_grad_computed(self, net, **kwargs):
            self.n_steps = getattr(self, "n_steps", 0) + 1
            if self.n_steps == 2:
                net.interrupt = True
                raise ArithmeticError

    detector.set_params(net_params={"callbacks": [Interrupt]})
    with pytest.raises(ArithmeticError):
        detector.fit(X + 1)
    assert np.array_equal(detector.score_samples(X), scores)
    assert detector.set_params(net_params=None).fit(X + 1).n_iter_ == 5


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (AnoGAN(lambda_=1.5), "lambda_"),
        (AnoGAN(n_search_steps=0), "n_search_steps"),
        (AnoGAN(n_restarts=0), "n_restarts"),
        (AnoGAN(max_code_norm=0), "max_code_norm"),
        (FAnoGAN(n_critic_steps=0), "n_critic_steps"),
        (FAnoGAN(encoder_fraction=1.0), "encoder_fraction"),
        (EGBAD(discrimination="doubt"), "discrimination"),
        (EGBAD(ema_decay=1.0), "ema_decay"),
        (EGBAD(cycle_weight=-1.0), "cycle_weight"),
        (ALAD(score_method="logits"), "score_method"),
        (ALAD(penalty_weight=-1.0), "penalty_weight"),
        (ALAD(cycle_weight=-1.0), "cycle_weight"),
        (GANomaly(norm="l3"), "norm"),
    ],
    ids=str,
)
def test_bad_parameters_of_games(detector, message):
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())


# -- the threshold ---------------------------------------------------------------------


def test_anogan_sets_its_threshold_on_a_part_of_the_samples(monkeypatch):
    X = make_samples("images", n_samples=80)
    searched = []
    encode = AnoGANModule.encode

    def count(self, x):
        searched.append(len(x))
        return encode(self, x)

    monkeypatch.setattr(AnoGANModule, "encode", count)
    monkeypatch.setattr(AnoGAN, "_n_threshold_samples", 32)
    detector = AnoGAN(**QUICK, random_state=0).fit(X)
    assert searched == [32]
    inliers = detector.predict(X) == 1
    assert 0.8 <= inliers.mean() < 1
    assert detector.offset_ == AnoGAN(**QUICK, random_state=0).fit(X).offset_
