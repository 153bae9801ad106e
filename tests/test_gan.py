"""The detectors that train a generator against a discriminator."""

import numpy as np
import pytest
import torch
from helpers import (
    QUICK,
    all_detectors,
    is_adversarial,
    make_detector,
    make_samples,
    weights_of,
)
from modules import Scale, SumDiscriminator, fit_and_watch, make_module
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch import nn

from skanomaly import ALAD, EGBAD, AnoGAN, FAnoGAN, GANomaly
from skanomaly.detectors.anogan import AnoGANModule
from skanomaly.detectors.egbad import EGBADModule
from skanomaly.training.data import Data
from skanomaly.training.ema import WeightAverage
from skanomaly.training.step import Update, take_step

# A few epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")

each_gan = pytest.mark.parametrize(
    "Detector", [cls for cls in all_detectors() if is_adversarial(cls)]
)

X = torch.tensor([[1.0, -2.0], [3.0, 0.0]])


def real(logit):
    """Return the mean of -log sigmoid(logit): the cross-entropy of the label real."""
    return torch.tensor(np.logaddexp(0, -np.asarray(logit)).mean(), dtype=torch.float32)


def fake(logit):
    """Return the mean of -log(1 - sigmoid(logit))."""
    return torch.tensor(np.logaddexp(0, np.asarray(logit)).mean(), dtype=torch.float32)


def with_known_networks(module):
    """Let codes be ones or x / 2, reconstructions x / 2, and features 3 x."""
    module.randn_like = torch.ones_like
    module.encoder, module.generator = Scale(0.5), Scale(1.0)
    module.discriminator = SumDiscriminator(3.0)
    return module


# -- steps -----------------------------------------------------------------------------


def test_step_updates_one_network_after_the_other():
    """Each loss is computed with the updated networks, and reaches its own alone."""
    first, second = Scale(3.0), Scale(5.0)
    updates = [
        Update(name, torch.optim.SGD([network.factor], lr=0.1), [network.factor])
        for name, network in (("first", first), ("second", second), ("first", first))
    ]

    def losses():
        for _ in updates:
            yield first.factor * second.factor

    gradients = []
    taken = take_step(
        losses(),
        updates,
        lambda update: gradients.append([first.factor.grad, second.factor.grad]),
    )
    assert gradients == [[5.0, None], [5.0, 2.5], [4.75, 2.5]]
    # 3 - 0.1 * 5 = 2.5; 5 - 0.1 * 2.5 = 4.75; 2.5 - 0.1 * 4.75 = 2.025
    assert first.factor.item() == pytest.approx(2.025)
    assert second.factor.item() == pytest.approx(4.75)
    assert taken["first"].item() == pytest.approx((3 * 5 + 2.5 * 4.75) / 2)
    assert taken["second"].item() == pytest.approx(2.5 * 5)


@each_gan
def test_each_network_has_an_optimizer_with_the_betas_of_gans(Detector):
    net = make_detector(Detector, max_epochs=2).fit(make_samples()).net_
    for name in net.module_.networks:
        (group,) = getattr(net, f"{name}_optimizer_").param_groups
        betas = (0.0, 0.9) if Detector is FAnoGAN else (0.5, 0.999)
        assert group["betas"] == betas
        assert len(group["params"]) == len(
            list(getattr(net.module_, name).parameters())
        )


# -- scores and losses by hand ---------------------------------------------------------


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("discrimination", ["cross_entropy", "feature_matching"])
def test_egbad_scores(norm, discrimination):
    module = with_known_networks(
        make_module(
            EGBAD,
            norm=norm,
            discrimination=discrimination,
            discrimination_weight=0.25,
        )
    )
    error = X.norm(p=int(norm[1]), dim=1) / 2
    logit = (3 * X + X / 2).sum(1)
    expected = {
        "cross_entropy": torch.log1p(torch.exp(-logit)),
        "feature_matching": 3 * X.abs().sum(1) / 2,
    }[discrimination]
    torch.testing.assert_close(module.score(X), 0.75 * error + 0.25 * expected)
    torch.testing.assert_close(module.anomaly_map(X), X.abs() / 2)
    torch.testing.assert_close(module.validation_loss(X), error)


def test_egbad_losses():
    module = with_known_networks(
        make_module(EGBAD, penalty_weight=0.7, cycle_weight=6.0)
    )
    encoded, generated = 3 * X.sum(1) + X.sum(1) / 2, 3 * 2.0 + 2
    cycle = 6 * (X / 2).square().mean()
    expected = [
        real(encoded) + fake(generated) + 0.7 * (2 * 9 + 2),
        real(generated) + cycle,
        fake(encoded) + cycle,
    ]
    torch.testing.assert_close(list(module.losses(X)), expected)


def make_alad(**parameters):
    module = with_known_networks(make_module(ALAD, **parameters))
    module.sample_discriminator = SumDiscriminator(5.0)
    module.code_discriminator = SumDiscriminator(2.0)
    return module


def test_alad_scores():
    # Of the pairs (x, x) and (x, x / 2) only the second halves differ.
    features = make_alad(score_method="features")
    weights = torch.tensor([1.0, 10.0, 3.0, 4.0])
    features.sample_discriminator.features = lambda pair: weights * pair
    expected = (3 * X[:, 0].abs() + 4 * X[:, 1].abs()) / 2
    torch.testing.assert_close(features.score(X), expected)
    for norm in (1, 2):
        module = make_alad(score_method=f"l{norm}")
        torch.testing.assert_close(module.score(X), X.norm(p=norm, dim=1) / 2)


def test_alad_losses():
    module = make_alad(penalty_weight=0.7, cycle_weight=6.0)
    total = X.sum(1)
    encoded, generated = 3 * total + total / 2, 3 * 2.0 + 2
    sample_pair, code_pair = 5 * 1.5 * total, 2 * (2 + 1.0)
    cycles = real(sample_pair) + real(code_pair) + 6 * (X / 2).square().mean()
    expected = [
        real(encoded) + fake(generated) + 0.7 * (2 * 9 + 2),
        real(5 * 2 * total) + fake(sample_pair) + 0.7 * 4 * 25,
        real(2 * (2 + 2.0)) + fake(code_pair) + 0.7 * 4 * 4,
        real(generated) + cycles,
        fake(encoded) + cycles,
    ]
    torch.testing.assert_close(list(module.losses(X)), expected)


def test_alad_normalizes_all_discriminators_by_spectral_norm():
    plain, normalized = (make_module(ALAD, spectral_norm=is_on) for is_on in (0, 1))
    for name in ("discriminator", "sample_discriminator", "code_discriminator"):
        layers = [m for m in getattr(normalized, name).modules() if _has_weight(m)]
        assert layers
        assert all(hasattr(layer, "parametrizations") for layer in layers)
        assert not any(
            hasattr(m, "parametrizations") for m in getattr(plain, name).modules()
        )


def _has_weight(module):
    return isinstance(module, nn.Linear)


def make_ganomaly(**parameters):
    """Make one with the codes x / 2 and 3 x / 4, and the reconstruction 3 x / 2."""
    module = make_module(GANomaly, **parameters)
    module.generator.encoder, module.generator.decoder = Scale(0.5), Scale(3.0)
    module.generator.second_encoder = Scale(0.5)
    module.discriminator = SumDiscriminator(2.0)
    return module


@pytest.mark.parametrize("norm", [1, 2])
def test_ganomaly_scores(norm):
    module = make_ganomaly(norm=f"l{norm}")
    torch.testing.assert_close(module.score(X), X.norm(p=norm, dim=1) / 4)
    torch.testing.assert_close(module.reconstruct(X), 1.5 * X)
    torch.testing.assert_close(module.anomaly_map(X), X.abs() / 2)
    torch.testing.assert_close(module.validation_loss(X), X.abs().mean(1) / 2)


def test_ganomaly_losses():
    module = make_ganomaly(
        adversarial_weight=2.0,
        contextual_weight=3.0,
        encoder_weight=5.0,
        penalty_weight=0.7,
    )
    adversarial, contextual, encoder = X.square(), X.abs() / 2, (X / 4).square()
    expected = [
        (2 * adversarial + 3 * contextual + 5 * encoder).mean(),
        (real(2 * X.sum(1)) + fake(3 * X.sum(1))) / 2 + 0.7 * 2 * 4,
    ]
    torch.testing.assert_close(list(module.losses(X)), expected)


def test_anogan_losses():
    module = with_known_networks(make_module(AnoGAN, penalty_weight=0.7))
    expected = [real(3 * X.sum(1)) + fake(6.0) + 0.7 * 2 * 9, real(6.0)]
    torch.testing.assert_close(list(module.losses(X)), expected)


def make_f_anogan(**parameters):
    return with_known_networks(make_module(FAnoGAN, **parameters))


def test_f_anogan_scores():
    module = make_f_anogan(kappa=0.5)
    error = (X / 2).square().mean(1)
    torch.testing.assert_close(module.score(X), error + 0.5 * 9 * error)
    torch.testing.assert_close(list(module.encoder_losses(X)), [module.score(X).mean()])


def test_f_anogan_losses():
    module = make_f_anogan(n_critic_steps=3, penalty_weight=0.7)
    critic = 6 - 3 * X.sum(1).mean() + 0.7 * (3 * 2**0.5 - 1) ** 2
    *critics, generator = module.losses(X)
    torch.testing.assert_close(critics, [critic] * 3)
    assert generator == -6


@pytest.mark.parametrize("Detector", [AnoGAN, FAnoGAN])
def test_validation_finds_the_nearest_generated_sample(Detector):
    module = with_known_networks(make_module(Detector))
    module.probes = torch.tensor([[0.0, 0.0], [2.0, -2.0], [9.0, 9.0]])
    phase = next(module.phases(None))
    measure = phase.validation_loss or module.validation_loss
    assert measure(X).tolist() == [1, 3]


# -- the search of AnoGAN --------------------------------------------------------------


def make_search(**parameters):
    """Make one that generates 2 z."""
    module = make_module(AnoGAN, **{"n_search_steps": 300, **parameters})
    module.generator, module.discriminator = Scale(2.0), SumDiscriminator(3.0)
    return module


def test_search_finds_the_code():
    module = make_search(lambda_=0.25)
    reachable = torch.tensor([[1.0, -2.0], [0.5, 1.0]])
    torch.testing.assert_close(
        module.encode(reachable), reachable / 2, atol=2e-3, rtol=0
    )
    assert module.score(reachable).max() < 0.02
    residual = reachable.abs().sum(1)
    torch.testing.assert_close(
        module.search_loss(reachable, torch.zeros(2, 2)),
        0.75 * residual + 0.25 * 3 * residual,
    )
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize(("bound", "norm"), [(1.0, 2**0.5), (0.5, 0.5**0.5)])
def test_search_stays_where_the_generator_was_trained(bound, norm):
    far = torch.tensor([[30.0, -40.0]])
    bounded = make_search(search_learning_rate=1.0, max_code_norm=bound)
    free = make_search(search_learning_rate=1.0, max_code_norm=None)
    torch.testing.assert_close(bounded.encode(far).norm(), torch.tensor(norm))
    torch.testing.assert_close(free.encode(far), far / 2, atol=0.02, rtol=0)
    assert bounded.score(far) > free.score(far) + 50


def test_search_takes_its_steps():
    """The first of two steps of Adam is as long as its rate, and the second half."""
    rate = {"search_learning_rate": 0.2, "max_code_norm": None}
    for n_steps, length in ((1, 0.2), (2, 0.3)):
        module = make_search(n_search_steps=n_steps, **rate)
        module.draws.zero_()
        found = module.encode(torch.tensor([[5.0, -5.0]]))
        torch.testing.assert_close(found, length * torch.tensor([[1.0, -1.0]]))


def test_search_starts_at_the_nearest_draws():
    module, starts = make_search(n_draws=4, n_restarts=2), []
    draws = torch.tensor([[0.0, 0.0], [0.5, -1.0], [1.0, 1.0], [9.0, 9.0]])
    module.draws.copy_(draws)
    module.search = lambda x, code: starts.append(code) or code
    # What is generated is 2 z: the second and the third of the draws, and then zero.
    x = torch.tensor([[1.0, -2.0], [2.0, 2.0]])
    torch.testing.assert_close(module.encode(x), x / 2)
    assert torch.equal(starts[0], draws[[1, 2, 0, 0]])


def test_search_takes_the_best_of_its_restarts():
    """Where the search that starts farther away ends nearer."""
    module = make_search(n_draws=2, n_restarts=2)
    module.draws.copy_(torch.tensor([[0.0, 0.0], [0.5, -1.0]]))
    module.search = lambda x, code: torch.where(code == 0, x / 2, code + 1)
    x = torch.tensor([[1.0, -2.0], [1.5, -1.5]])
    torch.testing.assert_close(module.encode(x), x / 2)


def test_rows_are_searched_as_if_alone():
    X = make_samples(n_samples=10)
    detector = AnoGAN(**QUICK, n_search_steps=50, random_state=0).fit(X)
    one_by_one = [detector.module_.score(row[None]).item() for row in torch.tensor(X)]
    np.testing.assert_allclose(-detector.score_samples(X), one_by_one, rtol=1e-4)


def test_threshold_is_set_on_some_of_the_samples(monkeypatch):
    X, searched = make_samples("images", n_samples=80), []
    assert AnoGANModule.max_threshold_samples == 1000
    encode = AnoGANModule.encode

    def count(self, x):
        searched.append(len(x))
        return encode(self, x)

    monkeypatch.setattr(AnoGANModule, "encode", count)
    monkeypatch.setattr(AnoGANModule, "max_threshold_samples", 32)
    detector = make_detector(AnoGAN, random_state=0).fit(X)
    assert searched == [32]
    assert 0.8 <= (detector.predict(X) == 1).mean() < 1
    assert detector.offset_ == make_detector(AnoGAN, random_state=0).fit(X).offset_


# -- the phases of f-AnoGAN ------------------------------------------------------------


def test_f_anogan_trains_its_encoder_while_the_gan_stays():
    detector = make_detector(
        FAnoGAN, max_epochs=8, encoder_fraction=0.75, random_state=0
    )
    seen = fit_and_watch(detector, make_samples())
    assert [row["phase"] for row in detector.history_] == ["GAN"] * 2 + ["encoder"] * 6
    for name, _ in detector.module_.named_parameters():
        is_encoder = name.startswith("encoder")
        assert torch.equal(seen[0][name], seen[1][name]) == is_encoder, name
        assert torch.equal(seen[1][name], seen[7][name]) != is_encoder, name
        assert torch.equal(seen[7][name], weights_of(detector)[name]), name


# -- averaged weights ------------------------------------------------------------------


def test_average():
    module = nn.Linear(1, 1, bias=False)
    average = WeightAverage(module)
    with average.swapped():
        for weight in (0.0, 1.0, 2.0):
            nn.init.constant_(module.weight, weight)
            average.update(decay=0.999)
    # the past has (1 + n) / (10 + n) of the weight: 2 / 11 of 0, then 3 / 12 of 9 / 11
    assert module.weight.item() == pytest.approx(0.25 * 9 / 11 + 0.75 * 2)
    with average.swapped():
        assert module.weight.item() == 2
    average.reset()
    with average.swapped():
        assert module.weight.item() != 2


@each_gan
def test_average_scores_and_the_weights_train(Detector):
    passed = []

    class Watch(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            phase, weight = net.phase_.name, next(net.module_.generator.parameters())
            passed.append((phase, weight.detach().clone()))

    settings = {"max_epochs": 2, "batch_size": 50, "random_state": 0}
    detector = make_detector(
        Detector, **settings, ema_decay=0.1, net_params={"callbacks": [Watch]}
    ).fit(make_samples())
    expected, *later = (weight for phase, weight in passed if phase != "encoder")
    for weight in later:
        expected = 0.1 * expected + 0.9 * weight
    found = next(detector.module_.generator.parameters())
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, weight)
    last = make_detector(Detector, **settings, ema_decay=0.0).fit(make_samples())
    torch.testing.assert_close(next(last.module_.generator.parameters()), weight)


# -- perfect discriminators and collapsed generators -----------------------------------


def test_perfect_discriminator_is_reset(monkeypatch):
    """It alone, with its optimizer, before the next epoch; trained and averaged."""
    X, seen = make_samples(), []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            weights = [self._copy_weights(net)]
            with net.average_.swapped():
                weights.append(self._copy_weights(net))
            seen.append((weights, self._have_states(net)))

        def on_epoch_end(self, net, **kwargs):
            self.on_epoch_begin(net)

        def _copy_weights(self, net):
            return {n: w.clone() for n, w in net.module_.state_dict().items()}

        def _have_states(self, net):
            names = ("discriminator", "generator", "encoder")
            return [len(getattr(net, f"{name}_optimizer_").state) > 0 for name in names]

    plain = EGBAD(**QUICK, random_state=0).fit(X)
    assert [row["discriminator_resets"] for row in plain.history_] == [0] * 5
    monkeypatch.setattr(EGBADModule, "reset_below", {"discriminator": 1e9})
    settings = {**QUICK, "random_state": 0, "net_params": {"callbacks": [Watch]}}
    detector = EGBAD(**settings).fit(X)
    assert [row["discriminator_resets"] for row in detector.history_] == [0, 1, 1, 1, 1]
    _, (before, had_state), (after, has_state), *_ = seen
    assert had_state == [True, True, True]
    assert has_state == [False, True, True]
    for name in before[0]:
        is_reset = name.startswith("discriminator")
        for weight, new_weight in zip(before, after, strict=True):
            assert torch.equal(weight[name], new_weight[name]) != is_reset, name
        assert not is_reset or torch.equal(after[0][name], after[1][name]), name
    same = EGBAD(**settings).fit(X)
    assert np.array_equal(same.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("Detector", [ALAD, EGBAD, AnoGAN, FAnoGAN, GANomaly])
def test_mode_collapse_is_told_from_standard_deviations(Detector):
    module, data = make_module(Detector, (6,)), Data(make_samples())
    module.center.copy_(data.mean())
    module.sample = lambda x: 5 - 0.5 * x
    module.check_mode_collapse(data)
    assert module.diagnostics["generated_std_ratio"] == pytest.approx(0.5)
    module.sample = lambda x: 5 - 0.05 * x
    with pytest.warns(ConvergenceWarning, match=r"Mode collapse: .* is 0.05 times"):
        module.check_mode_collapse(data)


@pytest.mark.filterwarnings("ignore:X has values of about")
@each_gan
def test_collapsed_generator_is_warned_of(Detector):
    """Samples far from what a few small steps can generate."""
    detector = make_detector(Detector, max_epochs=2, learning_rate=1e-6)
    with pytest.warns(ConvergenceWarning, match="Mode collapse"):
        detector.fit(1000 * make_samples())
    assert detector.generated_std_ratio_ < 0.1


def test_standard_deviation_of_a_good_generator():
    detector = GANomaly(max_epochs=60, batch_size=16, random_state=0)
    assert 0.7 < detector.fit(make_samples()).generated_std_ratio_ < 1.3


# -- faults ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:X has values of about")
@pytest.mark.parametrize("Detector", [ALAD, EGBAD, FAnoGAN, GANomaly])
def test_divergence_is_an_error(Detector):
    detector = make_detector(Detector, learning_rate=1.0, random_state=0)
    with pytest.raises(ValueError, match=r"diverged.*lower learning_rate"):
        detector.fit(1e37 * make_samples())
    assert not hasattr(detector, "net_")


def test_matrix_that_is_not_finite_is_divergence():
    def losses():
        yield torch.linalg.svdvals(torch.full((2, 2), torch.nan)).sum()

    with pytest.raises(FloatingPointError, match="a matrix is not finite"):
        take_step(losses(), [Update("loss", None, [])])


@each_gan
def test_code_longer_than_the_data(Detector):
    X = make_samples()
    detector = make_detector(Detector, latent_size=20, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


def test_failure_between_two_networks_keeps_the_detector_as_it_was():
    X = make_samples()
    detector = ALAD(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)

    class Fail(Callback):
        n_steps = 0

        def on_grad_computed(self, net, **kwargs):
            self.n_steps += 1
            if self.n_steps == 2:
                raise ArithmeticError

    detector.set_params(net_params={"callbacks": [Fail]})
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
        (AnoGAN(n_draws=0), "n_draws"),
        (AnoGAN(n_draws=2, n_restarts=3), "raise n_draws"),
        (AnoGAN(max_code_norm=0), "max_code_norm"),
        (FAnoGAN(n_critic_steps=0), "n_critic_steps"),
        (FAnoGAN(encoder_fraction=1.0), "encoder_fraction"),
        (FAnoGAN(max_epochs=1), "max_epochs must be at least 2"),
        (EGBAD(discrimination="doubt"), "discrimination"),
        (EGBAD(ema_decay=1.0), "ema_decay"),
        (EGBAD(cycle_weight=-1.0), "cycle_weight"),
        (ALAD(score_method="logits"), "score_method"),
        (ALAD(penalty_weight=-1.0), "penalty_weight"),
        (GANomaly(norm="l3"), "norm"),
    ],
    ids=str,
)
def test_bad_parameters(detector, message):
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())
