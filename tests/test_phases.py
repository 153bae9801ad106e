"""The driver of phases: budgets, stopping, rates, averages, resets, the bar."""

import re
import time
from functools import partial

import numpy as np
import pytest
import torch
from helpers import each_detector, make_detector, make_samples
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit
from skorch.utils import noop
from torch import nn

from skanomaly import AnoGAN, Autoencoder, FAnoGAN, MemAE, OGNet, StudentTeacher
from skanomaly.nn import DetectorModule, Phase
from skanomaly.training import Data, DetectorNet, Streams, train
from skanomaly.training import progress as progress_module
from skanomaly.training.callbacks import ResetNetworks
from skanomaly.training.phases import history_rows
from skanomaly.training.progress import scoring_bar

pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


class StagedModule(DetectorModule):
    """Two networks, and phases that a test chooses."""

    networks = ("first", "second")

    def __init__(self, plan=None, input_shape=(6,), **kwargs):
        super().__init__(input_shape)
        self.plan = plan
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.between = []

    def phases(self, data):
        for phase in self.plan(self):
            yield phase
            weights = {n: p.detach().clone() for n, p in self.named_parameters()}
            modes = (self.training, torch.is_grad_enabled())
            self.between.append((phase.name, weights, modes))

    def losses(self, x):
        yield self.score(x).mean()
        yield self.score(x).mean()

    def one_loss(self, x):
        yield self.score(x).mean()

    def score(self, x):
        return (self.second(self.first(x)) - x).square().sum(1)


class Watch(Callback):
    """Count steps and epochs of each phase; remember the learning rates."""

    def __init__(self):
        self.steps, self.rates, self.order = {}, {}, []

    def on_train_begin(self, net, **kwargs):
        self.order.append(net.phase_.name)
        self.rates[net.phase_.name] = {
            name: getattr(net, f"{name}_optimizer_").param_groups[0]["lr"]
            for name in net.module_.networks
        }

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            name = net.phase_.name
            self.steps[name] = self.steps.get(name, 0) + 1


def run(
    plan,
    *,
    module_class=StagedModule,
    max_epochs=10,
    held_out=False,
    callbacks=(),
    **params,
):
    """Train a `StagedModule`; return its net and what was watched."""
    watch = Watch()
    streams = Streams(0)
    net = DetectorNet(
        partial(module_class, plan),
        streams=streams,
        max_epochs=max_epochs,
        callbacks=[*callbacks, watch],
        **{"batch_size": 25, **params},
    ).initialize()
    data = Data(make_samples(), streams=streams)
    if held_out:
        data = data.split(ValidSplit(0.2, random_state=0))
    with net.interrupt_:
        assert train(net, data) is False
    return net, watch


def phases_of(net):
    """Count the epochs of each phase in the history."""
    counts = {}
    for row in history_rows(net):
        if "n_steps" not in row:
            counts[row["phase"]] = counts.get(row["phase"], 0) + 1
    return counts


# -- budgets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "max_epochs", "n_left", "expected"),
    [
        ({}, 10, 10, 10),
        ({}, 10, 4, 4),
        ({}, 10, 0, 0),
        ({"epochs": 3}, 10, 10, 3),
        ({"epochs": 30}, 10, 10, 10),
        ({"epochs": 3}, 10, 2, 2),
        ({"fraction": 0.3}, 10, 10, 3),
        ({"fraction": 0.3}, 7, 7, 2),
        ({"fraction": 0.01}, 10, 10, 1),  # at least one
        ({"fraction": 0.99}, 10, 10, 9),  # one is left to what follows
        ({"fraction": 1.0}, 10, 10, 9),
        ({"fraction": 0.5}, 1, 1, 0),
        ({"fraction": 0.0}, 10, 10, 0),
        ({"steps": 7}, 10, 10, 0),
    ],
)
def test_budget_of_a_phase(params, max_epochs, n_left, expected):
    assert Phase(iter, **params).n_epochs(max_epochs, n_left) == expected


def test_phases_share_the_budget():
    def plan(module):
        yield Phase(module.losses, "a", fraction=0.3)
        yield Phase(module.losses, "b", epochs=2)
        yield Phase(module.losses, "c", steps=7)
        yield Phase(module.losses, "d")
        yield Phase(module.losses, "e", epochs=5)  # nothing is left

    net, watch = run(plan)
    assert phases_of(net) == {"a": 3, "b": 2, "d": 5}
    assert watch.order == list("abcd")
    assert watch.steps == {"a": 12, "b": 8, "c": 7, "d": 20}


def test_history_has_one_row_an_epoch_with_its_phase():
    def plan(module):
        yield Phase(module.losses, "a", epochs=2)
        yield Phase(module.one_loss, "b", networks=("second",), steps=12)
        yield Phase(module.losses, "c")

    net, _ = run(plan, max_epochs=4, held_out=True)
    rows = history_rows(net, n_before=3)
    assert [row["epoch"] for row in rows] == list(range(4, 4 + len(rows)))
    names = [row["phase"] for row in rows]
    assert names == ["a", "a", "b", "b", "b", "c", "c"]
    assert [row["n_steps"] for row in rows if "n_steps" in row] == [5, 5, 2]
    for row in rows:
        assert row["valid_loss"] > 0
        assert row["dur"] > 0
        assert "train_second_loss" in row
        assert ("train_first_loss" in row) == (row["phase"] != "b")
        parts = [v for n, v in row.items() if re.fullmatch(r"train_\w+_loss", n)]
        assert row["train_loss"] == pytest.approx(sum(parts), rel=1e-5)


def test_steps_are_made_whatever_the_batch_size():
    """Phase two of OGNet drew n_steps x batch_size rows, and hung."""

    def plan(module):
        yield Phase(module.losses, "steps", steps=9)

    for batch_size in (1, 7, 25, 100, 100_000, -1):
        net, watch = run(plan, batch_size=batch_size)
        assert watch.steps == {"steps": 9}
        assert history_rows(net)[-1]["n_steps"] == 9


def test_ognet_of_a_huge_batch_ends_at_once():
    detector = OGNet(max_epochs=2, batch_size=100_000, random_state=0)
    start = time.perf_counter()
    detector.fit(make_samples())
    assert time.perf_counter() - start < 10
    assert detector.history_[-1]["n_steps"] == detector.n_phase_two_steps


# -- what happens to the networks ------------------------------------------------------


def test_networks_outside_the_schedule_do_not_move():
    def plan(module):
        yield Phase(module.losses, "both", epochs=1)
        yield Phase(module.one_loss, "second", networks=("second",), epochs=2)
        yield Phase(module.one_loss, "first", networks=("first",))

    net, _ = run(plan)
    (_, both, _), (_, second, _), (_, first, _) = net.module_.between
    for name, weights in both.items():
        is_first = name.startswith("first")
        assert torch.equal(second[name], weights) == is_first
        assert torch.equal(first[name], second[name]) != is_first


def test_a_network_may_be_updated_several_times():
    def plan(module):
        def losses(x):
            for _ in range(3):
                yield module.score(x).mean()

        yield Phase(losses, networks=("second", "second", "first"))

    net, _ = run(plan, max_epochs=2)
    assert history_rows(net)[-1]["train_second_loss"] > 0
    optimizer = net.second_optimizer_
    n_steps = {float(state["step"]) for state in optimizer.state.values()}
    assert n_steps == {16.0}


def test_learning_rates_of_phases():
    def plan(module):
        yield Phase(module.losses, "a", epochs=1)
        yield Phase(module.losses, "b", epochs=1, learning_rates={"second": 0.5})
        yield Phase(module.losses, "c", epochs=1)

    _, watch = run(plan, lr=0.01)
    assert watch.rates["a"] == {"first": 0.01, "second": 0.01}
    assert watch.rates["b"] == {"first": 0.01, "second": 0.5}
    assert watch.rates["c"] == {"first": 0.01, "second": 0.01}


def test_each_phase_begins_with_new_optimizers():
    def plan(module):
        yield Phase(module.losses, "a", epochs=3)
        yield Phase(module.losses, "b", epochs=2)

    net, _ = run(plan)
    n_steps = {float(s["step"]) for s in net.first_optimizer_.state.values()}
    assert n_steps == {8.0}


def test_between_phases_modules_are_in_evaluation_mode_and_without_gradients():
    def plan(module):
        yield Phase(module.losses, "a", epochs=1)
        yield Phase(module.losses, "b", epochs=1)

    net, _ = run(plan)
    assert [modes for _, _, modes in net.module_.between] == [(False, False)] * 2
    assert not net.module_.training


def test_center_is_the_mean_of_the_training_samples():
    net, _ = run(lambda module: [Phase(module.losses, epochs=1)])
    mean = make_samples().mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(net.module_.center.numpy(), mean, rtol=1e-5, atol=1e-6)


# -- early stopping --------------------------------------------------------------------


def test_early_stopping_begins_anew_with_each_phase():
    stop = EarlyStopping(patience=2, load_best=True, sink=noop)
    rising = iter(range(100))

    def plan(module):
        def worse(x):
            return torch.full((len(x),), float(next(rising)))

        def better(x):
            return torch.full((len(x),), 1000.0 - next(rising))

        yield Phase(module.losses, "worse", epochs=40, validation_loss=worse)
        yield Phase(module.losses, "better", epochs=8, validation_loss=better)
        yield Phase(module.losses, "worse again", validation_loss=worse)

    net, _ = run(plan, max_epochs=100, held_out=True, callbacks=[stop])
    counts = phases_of(net)
    assert counts["worse"] == 3
    assert counts["better"] == 8
    assert counts["worse again"] == 3


def test_validation_sees_averaged_weights_and_training_its_own():
    seen = {}

    def plan(module):
        module.ema_decay = 0.5

        def losses(x):
            seen["trained"] = module.first.weight.detach().clone()
            yield from module.losses(x)

        def validation(x):
            seen["averaged"] = module.first.weight.detach().clone()
            return module.score(x)

        yield Phase(losses, validation_loss=validation)

    net, _ = run(plan, lr=0.1, held_out=True, max_epochs=3)
    assert not torch.allclose(seen["trained"], seen["averaged"])
    assert torch.equal(net.module_.first.weight, seen["averaged"])
    free, _ = run(lambda m: [Phase(m.losses)], lr=0.1, held_out=True, max_epochs=3)
    assert not torch.allclose(free.module_.first.weight, net.module_.first.weight)


def test_training_and_validation_are_in_their_modes():
    seen = []

    def plan(module):
        def losses(x):
            seen.append(("training", module.training, torch.is_grad_enabled()))
            yield from module.losses(x)

        def validation(x):
            seen.append(("validation", module.training, torch.is_grad_enabled()))
            return module.score(x)

        yield Phase(losses, validation_loss=validation)

    run(plan, held_out=True, max_epochs=2)
    assert set(seen) == {("training", True, True), ("validation", False, False)}


def test_average_begins_anew_with_each_phase():
    """What was averaged in the phase before must not be swapped in."""
    first_weights = []

    def plan(module):
        module.ema_decay = 0.999
        yield Phase(module.losses, "a", epochs=2)
        module.first.weight.fill_(3.0)

        def losses(x):
            first_weights.append(module.first.weight.detach().clone())
            yield from module.losses(x)

        yield Phase(losses, "b")

    run(plan, max_epochs=3)
    assert (first_weights[0] == 3).all()


# -- a discriminator that is perfect ---------------------------------------------------


class ResetModule(StagedModule):
    reset_below = {"second": 1e9}


class Spy(ResetNetworks):
    """Remember the weights before and after each reset."""

    def initialize(self):
        self.found = []
        return self

    def _reset(self, net, name):
        before = self._look(net)
        super()._reset(net, name)
        self.found.append((before, self._look(net)))

    def _look(self, net):
        averaged = {n: p.detach().clone() for n, p in net.module_.named_parameters()}
        with net.average_.swapped():
            trained = {n: p.detach().clone() for n, p in net.module_.named_parameters()}
        return averaged, trained, len(net.second_optimizer_.state)


@pytest.mark.parametrize("ema_decay", [0.0, 0.999])
def test_reset_changes_trained_and_averaged_weights(ema_decay):
    """The average is what the module holds; a reset of it alone would be undone."""

    def plan(module):
        module.ema_decay = ema_decay
        yield Phase(module.losses)

    spy, streams = Spy(), Streams(0)
    net = DetectorNet(
        partial(ResetModule, plan),
        streams=streams,
        max_epochs=4,
        lr=0.1,
        callbacks__reset=spy,
    ).initialize()
    train(net, Data(make_samples(), streams=streams))
    found = dict(net.callbacks_)["reset"].found
    assert len(found) >= 3
    fresh = []
    for before, after in found:
        for old, new in zip(before[:2], after[:2], strict=True):
            for name, weights in old.items():
                is_first = name.startswith("first")
                assert torch.equal(weights, new[name]) == is_first
        assert torch.equal(after[0]["second.weight"], after[1]["second.weight"])
        assert after[2] == 0  # the optimizer forgets what it knew of the old ones
        fresh.append(after[0]["second.weight"])
    assert not torch.allclose(fresh[0], fresh[1])  # each reset has its own weights
    assert sum(row["second_resets"] for row in history_rows(net)) == len(found)


def test_no_reset_above_the_threshold():
    class Low(ResetModule):
        reset_below = {"second": 1e-9}

    streams = Streams(0)
    net = DetectorNet(
        partial(Low, lambda m: [Phase(m.losses)]), streams=streams, max_epochs=3
    ).initialize()
    train(net, Data(make_samples(), streams=streams))
    assert [row["second_resets"] for row in history_rows(net)] == [0, 0, 0]


def test_best_weights_are_those_that_were_validated():
    """A reset at the end of an epoch must not slip into what early stopping keeps."""
    validated = {}

    def plan(module):
        losses = iter(range(100))

        def rising(x):
            loss = next(losses)
            validated.setdefault(loss, module.second.weight.detach().clone())
            return torch.full((len(x),), float(loss))

        yield Phase(module.losses, validation_loss=rising)

    stop = EarlyStopping(patience=2, load_best=True, sink=noop)
    net, _ = run(plan, module_class=ResetModule, held_out=True, callbacks=[stop])
    assert torch.equal(net.module_.second.weight, validated[0])


def test_gan_whose_discriminator_is_perfect_is_reset():
    class Perfect(AnoGAN.module_class):
        reset_below = {"discriminator": 100.0}

    class PerfectAnoGAN(AnoGAN):
        module_class = Perfect

    detector = PerfectAnoGAN(max_epochs=3, n_search_steps=2, random_state=0)
    detector.fit(make_samples())
    assert sum(row["discriminator_resets"] for row in detector.history_) >= 2
    usual = AnoGAN(max_epochs=3, n_search_steps=2, random_state=0).fit(make_samples())
    assert [row["discriminator_resets"] for row in usual.history_] == [0, 0, 0]


# -- the phases of the detectors -------------------------------------------------------


@pytest.mark.parametrize(
    ("detector", "expected"),
    [
        (Autoencoder(), {"training": 10}),
        (MemAE(memory_size=5), {"warm-up": 3, "training": 7}),
        (MemAE(memory_size=5, memory_init="uniform"), {"training": 10}),
        (MemAE(memory_size=5, warm_up_fraction=0.0), {"training": 10}),
        (FAnoGAN(n_critic_steps=1), {"GAN": 5, "encoder": 5}),
        (FAnoGAN(n_critic_steps=1, encoder_fraction=0.8), {"GAN": 2, "encoder": 8}),
        (OGNet(n_phase_two_steps=3), {"phase one": 10, "phase two": 1}),
        (OGNet(n_phase_two_steps=0), {"phase one": 10}),
        (StudentTeacher(n_students=2), {"students": 10}),
        (
            StudentTeacher(n_students=2, teacher="autoencoder"),
            {"teacher": 5, "students": 5},
        ),
    ],
    ids=str,
)
def test_phases_of_detectors(detector, expected):
    detector.set_params(max_epochs=10, random_state=0).fit(make_samples())
    names = [row["phase"] for row in detector.history_]
    assert {name: names.count(name) for name in names} == expected
    assert detector.n_iter_ == 10


@each_detector
def test_history_is_a_table(Detector):
    pd = pytest.importorskip("pandas")
    detector = make_detector(Detector, early_stopping=True, random_state=0)
    detector.fit(make_samples())
    table = pd.DataFrame(detector.history_)
    assert table["epoch"].tolist() == list(range(1, len(table) + 1))
    assert {"train_loss", "valid_loss", "dur", "phase"} <= set(table)
    numbers = table.drop(columns="phase").to_numpy(dtype=float)
    assert (np.isfinite(numbers) | np.isnan(numbers)).all()
    assert np.isfinite(table[["train_loss", "valid_loss"]]).all(axis=None)
    n_steps = table["n_steps"] if "n_steps" in table else pd.Series([np.nan])
    assert detector.n_iter_ == len(table) - n_steps.notna().sum()


# -- what a person sees ----------------------------------------------------------------


@each_detector
def test_silent_by_default(Detector, capfd):
    X = make_samples()
    detector = make_detector(Detector, early_stopping=True, random_state=0)
    detector.fit(X).predict(X)
    assert capfd.readouterr() == ("", "")


def show_each_change(monkeypatch):
    bar = partial(progress_module.tqdm, mininterval=0)
    monkeypatch.setattr(progress_module, "tqdm", bar)


def shown_lines(capfd):
    """Return all states of all bars that were shown, and the number of bars."""
    err = capfd.readouterr().err
    n_bars = err.count("\n")
    return [line for line in re.split(r"[\r\n]", err) if line.strip()], n_bars


@each_detector
@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_bar_that_fits_and_names_phases_and_losses(
    Detector, early_stopping, capfd, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    show_each_change(monkeypatch)
    detector = make_detector(
        Detector, early_stopping=early_stopping, verbose=1, random_state=0
    )
    detector.fit(make_samples())
    lines, n_bars = shown_lines(capfd)
    assert n_bars == 1
    assert max(map(len, lines)) <= 80
    last = detector.history_[-1]
    assert all(line.startswith(Detector.__name__) for line in lines)
    for name in {row["phase"] for row in detector.history_}:
        assert any(f"{Detector.__name__} {name}" in line for line in lines)
    # Each network's loss: as many numbers after the time as there are losses.
    losses = [n for n in last if re.fullmatch(r"train_\w+_loss", n)] or ["train_loss"]
    losses += ["valid_loss"] * ("valid_loss" in last)
    found = re.findall(
        r"[a-z]\w* -?[\d.]+(?:e[+-]?\d+)?\b", lines[-1].split(",", 1)[-1]
    )
    assert len(found) >= len(losses), lines[-1]
    for name in losses:
        abbreviated = name.removesuffix("_loss").removeprefix("train_")[:3]
        assert any(each.startswith(abbreviated) for each in found), lines[-1]


def test_bar_counts_to_its_end(capfd, monkeypatch):
    show_each_change(monkeypatch)
    make_detector(OGNet, verbose=1, random_state=0).fit(make_samples())
    lines, _ = shown_lines(capfd)
    assert any(" 5/5 " in line for line in lines)
    assert " 10/10 " in lines[-1]


@each_detector
def test_lines_are_printed_when_asked_for(Detector, capfd):
    make_detector(
        Detector, max_epochs=2, verbose=2, early_stopping=True, random_state=0
    ).fit(make_samples())
    assert "valid_loss" in capfd.readouterr().out


def test_quick_scoring_shows_no_bar(capfd):
    detector = make_detector(AnoGAN, random_state=0).fit(make_samples())
    detector.set_params(verbose=1).score_samples(make_samples())
    assert capfd.readouterr().err == ""


def test_slow_scoring_shows_a_bar(capfd, monkeypatch):
    monkeypatch.setattr(progress_module, "_SECONDS_BEFORE_SCORING_BAR", 0.0)
    show_each_change(monkeypatch)
    X = make_samples(n_samples=600)
    detector = make_detector(AnoGAN, random_state=0).fit(make_samples())
    silent = detector.score_samples(X)
    assert capfd.readouterr().err == ""
    scores = detector.set_params(verbose=1).score_samples(X)
    assert np.array_equal(scores, silent)
    shown = capfd.readouterr().err
    assert "AnoGAN scoring" in shown
    assert "600/600" in shown


def test_scoring_bar_appears_only_after_a_while(monkeypatch, capfd):
    batches = [(1, torch.zeros(1))] * 3
    assert list(scoring_bar("Any")(batches, 3)) == batches
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(progress_module, "_SECONDS_BEFORE_SCORING_BAR", 0.05)
    for _ in scoring_bar("Any")(batches, 3):
        time.sleep(0.1)
    assert "Any scoring" in capfd.readouterr().err
