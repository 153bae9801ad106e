"""The net on its own: networks and losses, skorch's seams, random streams, engines."""

import copy
import importlib.util
import io
import multiprocessing
import pickle
import shutil
import threading
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from helpers import (
    all_detectors,
    each_detector,
    each_shape,
    make_detector,
    make_samples,
)
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
)
from skorch.dataset import ValidSplit
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from skanomaly import ALAD, AnoGAN, Autoencoder, FAnoGAN, MemAE, StudentTeacher
from skanomaly.nn import DetectorModule
from skanomaly.training import Data, DetectorNet, Streams, train
from skanomaly.training import random as random_module
from skanomaly.training.random import STREAMS, weights_drawn_from
from skanomaly.training.step import Update, take_step, trim

pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


class Duel(DetectorModule):
    """Two networks whose losses both depend on both."""

    networks = ("first", "second")

    def __init__(self, n_losses=2):
        super().__init__((6,))
        self.first = torch.nn.Linear(6, 6)
        self.second = torch.nn.Linear(6, 6)
        self.n_losses = n_losses
        self.seen = []

    def losses(self, x):
        for _ in range(self.n_losses):
            self.seen.append(self.first.weight.detach().clone())
            yield self.score(x).mean()

    def score(self, x):
        return (self.second(self.first(x)) - x).square().sum(1)


def train_duel(n_losses=2, X=None, split=None, **params):
    net = DetectorNet(partial(Duel, n_losses), **{"max_epochs": 3, **params})
    net.initialize()
    data = Data(make_samples() if X is None else X)
    train(net, data if split is None else data.split(split))
    return net


# -- networks --------------------------------------------------------------------------


def test_a_loss_is_computed_after_the_network_before_has_stepped():
    net = train_duel(max_epochs=1, batch_size=100)
    before_first, before_second = net.module_.seen
    assert not torch.equal(before_first, before_second)


def test_each_loss_moves_its_own_network_only():
    moves = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            moves.append(sorted(name for name, _ in named_parameters))
            gradless = {n for n, p in net.module_.named_parameters() if p.grad is None}
            if len(moves) == 1:
                assert gradless == {"second.weight", "second.bias"}

    train_duel(max_epochs=1, batch_size=100, callbacks=[Watch])
    assert moves == [["first.bias", "first.weight"], ["second.bias", "second.weight"]]


@pytest.mark.parametrize("n_losses", [1, 3])
def test_networks_and_losses_must_pair(n_losses):
    with pytest.raises(ValueError, match="losses than 2 updates"):
        train_duel(n_losses)


def test_each_network_has_its_loss_in_the_history():
    net = train_duel(split=ValidSplit(0.2))
    for row in net.history:
        total = row["train_first_loss"] + row["train_second_loss"]
        assert row["train_loss"] == pytest.approx(total, rel=1e-5)
        assert row["valid_loss"] > 0
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]


def test_each_network_has_its_optimizer():
    net = DetectorNet(
        Duel, optimizer__betas=(0.5, 0.9), second_optimizer__lr=0.5, lr=0.01
    ).initialize()
    first, second = net.first_optimizer_, net.second_optimizer_
    assert (first.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.01, 0.5)
    assert first.param_groups[0]["betas"] == (0.5, 0.9)
    assert second.param_groups[0]["betas"] == (0.5, 0.9)
    net.set_params(first_optimizer__lr=0.2)
    assert first.param_groups[0]["lr"] == 0.2
    net.set_params(lr=0.3)
    assert (first.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.3, 0.3)


def test_a_step_averages_losses_of_one_name():
    weight = torch.ones(2, requires_grad=True)
    update = Update("loss", torch.optim.SGD([weight], lr=0.5), [weight])
    losses = (weight.sum() for _ in range(2))
    taken = take_step(losses, [update, update])
    assert taken == {"loss": torch.tensor((2.0 + 1.0) / 2)}
    assert weight.tolist() == [0.0, 0.0]
    assert not taken["loss"].requires_grad


# -- skorch's seams --------------------------------------------------------------------


def test_callbacks_that_ask_for_one_optimizer_work_with_networks(tmp_path):
    checkpoint = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    schedule = LRScheduler(StepLR, step_size=1, gamma=0.1)
    net = train_duel(callbacks=[checkpoint, schedule], lr=1.0)
    rates = [o.param_groups[0]["lr"] for o in net.optimizer_.optimizers]
    assert rates == pytest.approx([1e-3, 1e-3])
    other = DetectorNet(Duel).initialize()
    other.load_params(checkpoint=checkpoint)
    states = [each.state_dict()["state"] for each in other.optimizer_.optimizers]
    assert all(states)
    with pytest.raises(RuntimeError, match="one by one"):
        net.optimizer_.step()


def test_callbacks_of_skorch(tmp_path, capfd):
    rates = []

    class Rates(Callback):
        def on_train_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    callbacks = [
        LRScheduler(StepLR, step_size=1, gamma=0.5),
        Checkpoint(dirname=tmp_path),
        GradientNormClipping(1e-3),
        EpochScoring(mean_score, name="score", use_caching=False),
        ProgressBar(detect_notebook=False),
        Rates,
    ]
    detector = Autoencoder(
        max_epochs=3, early_stopping=True, net_params={"callbacks": callbacks}
    )
    detector.fit(make_samples())
    assert rates == [pytest.approx(1.25e-4)]
    assert (tmp_path / "params.pt").exists()
    assert "it/s" in capfd.readouterr().err


def mean_score(net, X, y=None):
    rows = X.X if hasattr(X, "X") else X
    with torch.no_grad():
        return float(net.module_.score(torch.as_tensor(np.asarray(rows))).mean())


def test_values_of_epoch_scoring_reach_the_history():
    score = EpochScoring(lambda net, X, y: 7.0, name="seven", use_caching=False)
    on_train = EpochScoring(
        mean_score, name="own", on_train=True, lower_is_better=True, use_caching=False
    )
    detector = Autoencoder(
        max_epochs=3, early_stopping=True, net_params={"callbacks": [score, on_train]}
    ).fit(make_samples())
    assert [row["seven"] for row in detector.history_] == [7.0] * 3
    assert all(row["own"] > 0 for row in detector.history_)
    assert detector.history_[0]["own"] != detector.history_[-1]["own"]
    # What is no plain function can be pickled with no word of it.
    assert pickle.loads(pickle.dumps(detector.history_)) == detector.history_


class _NothingOfTorch(pickle.Unpickler):
    def find_class(self, module, name):
        if module.split(".")[0] == "torch":
            raise AssertionError(f"{module}.{name}")
        return super().find_class(module, name)


@each_detector
def test_callbacks_of_the_caller_stay_as_they_were(Detector):
    """They were initialized in place, and pickled with the net they had seen."""
    callbacks = [
        LRScheduler(StepLR, step_size=1, gamma=0.9),
        EpochScoring(mean_score, name="score", use_caching=False),
        GradientNormClipping(1.0),
    ]
    before = [copy.deepcopy(vars(each)) for each in callbacks]
    detector = make_detector(
        Detector, net_params={"callbacks": callbacks}, early_stopping=True
    )
    unfitted = len(pickle.dumps(detector))
    detector.fit(make_samples())
    assert [each.keys() for each in before] == [vars(c).keys() for c in callbacks]
    assert detector.net_params["callbacks"] is callbacks
    n_weights = sum(v.numel() for v in detector.module_.state_dict().values())
    data = pickle.dumps(detector)
    assert len(data) < unfitted + 4 * n_weights + 8000
    state = dict(detector.__getstate__())
    del state["net_params"]
    _NothingOfTorch(io.BytesIO(pickle.dumps(state))).load()
    pickle.loads(data).score_samples(make_samples())


def test_one_callback_serves_two_fits():
    stop = LRScheduler(StepLR, step_size=1, gamma=0.5)
    X = make_samples()
    first, second = (
        Autoencoder(max_epochs=3, random_state=0, net_params={"callbacks": [stop]})
        .fit(X)
        .score_samples(X)
        for _ in range(2)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("policy", [StepLR, CosineAnnealingLR, ReduceLROnPlateau])
def test_schedule_begins_anew_with_each_phase(policy):
    rates = {}

    class Rates(Callback):
        def on_batch_begin(self, net, training=None, **kwargs):
            row = rates.setdefault(net.phase_.name, [])
            row.append(net.encoder_optimizer_.param_groups[0]["lr"])

    options = {
        StepLR: {"step_size": 1, "gamma": 0.5},
        CosineAnnealingLR: {"T_max": 4},
        ReduceLROnPlateau: {"monitor": "train_loss", "patience": 0, "factor": 0.5},
    }
    schedule = LRScheduler(policy, **options[policy])
    make_detector(
        FAnoGAN,
        max_epochs=6,
        learning_rate=0.01,
        net_params={"callbacks": [schedule, Rates]},
        random_state=0,
    ).fit(make_samples())
    assert rates["GAN"][0] == rates["encoder"][0] == 0.01
    if policy is StepLR:
        assert rates["encoder"][-1] == 0.0025
        assert rates["GAN"] == rates["encoder"]


def test_gradient_clipping_is_felt():
    X = make_samples()
    free, clipped = (
        Autoencoder(
            max_epochs=1,
            random_state=0,
            net_params={
                "optimizer": torch.optim.SGD,
                "callbacks": [GradientNormClipping(norm)],
            },
        ).fit(X)
        for norm in (1e9, 1e-9)
    )
    start = Autoencoder(max_epochs=1, random_state=0, learning_rate=1e-30).fit(X)
    assert np.allclose(clipped.score_samples(X), start.score_samples(X), atol=1e-4)
    assert not np.allclose(free.score_samples(X), start.score_samples(X), atol=1e-4)


@each_detector
@pytest.mark.parametrize(
    "net_params",
    [
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
        {"optimizer": torch.optim.RMSprop},
        {"optimizer": torch.optim.AdamW, "optimizer__weight_decay": 0.1},
    ],
    ids=lambda params: params["optimizer"].__name__,
)
def test_other_optimizers(Detector, net_params):
    """SGD with momentum crashed on what has no gradient in a phase, fused."""
    X = make_samples()
    detector = make_detector(
        Detector, learning_rate=1e-4, random_state=0, net_params=net_params
    ).fit(X)
    still = make_detector(
        Detector, learning_rate=1e-30, random_state=0, net_params=net_params
    ).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert not np.allclose(detector.score_samples(X), still.score_samples(X))
    optimizer = detector.net_.optimizer_
    for each in getattr(optimizer, "optimizers", [optimizer]):
        assert type(each) is net_params["optimizer"]


def test_parameter_groups_of_an_optimizer():
    groups = [("encoder*", {"lr": 0.5})]
    net_params = {"optimizer__param_groups": groups}
    detector = Autoencoder(max_epochs=1, net_params=net_params).fit(make_samples())
    rates = [group["lr"] for group in detector.net_.optimizer_.param_groups]
    assert sorted(rates) == [1e-3, 0.5]


def test_history_keeps_the_batches_of_the_last_epoch_only():
    net = train_duel(batch_size=10)
    assert [len(row["batches"]) for row in net.history] == [0, 0, 10]
    assert net.history[-1, "batches", :, "train_batch_size"] == [10] * 10


def test_mean_loss_counts_samples_not_batches():
    X = np.concatenate([np.zeros((9, 6)), np.ones((1, 6))]).astype(np.float32)
    net = train_duel(X=X, max_epochs=1, batch_size=9, lr=1e-30)
    with torch.no_grad():
        mean = net.module_.score(torch.from_numpy(X)).mean()
    assert net.history[-1, "train_first_loss"] == pytest.approx(float(mean), rel=1e-5)


def test_losses_are_the_same_whether_a_callback_listens_or_not():
    class Listen(Callback):
        def on_batch_end(self, net, **kwargs):
            assert np.isfinite(net.history[-1, "batches", -1, "train_loss"])

    silent, heard = (
        Autoencoder(max_epochs=3, random_state=0, net_params={"callbacks": callbacks})
        .fit(make_samples())
        .history_
        for callbacks in ([], [Listen])
    )
    for row, other in zip(silent, heard, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-6)


# -- random streams --------------------------------------------------------------------


def test_streams_are_unlike_each_other_and_unlike_those_of_other_seeds():
    seeds = [Streams(root).seed(name) for root in (0, 1) for name in STREAMS]
    assert len(set(seeds)) == 2 * len(STREAMS)
    again = [Streams(root).seed(name) for root in (0, 1) for name in STREAMS]
    assert again == seeds


def test_training_that_continues_sees_other_orders_but_holds_out_the_same_rows():
    first, later = Streams(0), Streams(0, n_epochs=5)
    changed = {name for name in STREAMS if first.seed(name) != later.seed(name)}
    assert changed == {"order", "noise", "reset", "chunk", "reservoir"}


def test_streams_give_generators_at_their_beginning():
    streams = Streams(0)
    a, b = (torch.rand(3, generator=streams.torch_generator("noise")) for _ in range(2))
    assert torch.equal(a, b)
    assert streams.random_state("split").rand() == streams.random_state("split").rand()


def test_weights_are_drawn_from_a_seed_and_global_states_stay():
    state, dtype = torch.get_rng_state(), torch.get_default_dtype()
    with weights_drawn_from(3):
        first = torch.rand(3)
    with weights_drawn_from(3):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), state)
    torch.set_default_dtype(torch.float64)
    try:
        with weights_drawn_from(3):
            assert torch.equal(torch.rand(3), first)
        assert torch.get_default_dtype() == torch.float64
        with pytest.raises(ArithmeticError), weights_drawn_from(3):
            raise ArithmeticError
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(dtype)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
def test_forked_process_fits_while_the_parent_draws_weights():
    """It waited for ever on a lock that a thread of the parent held."""
    is_held, may_go = threading.Event(), threading.Event()

    def hold():
        with weights_drawn_from(0):
            is_held.set()
            may_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert is_held.wait(10)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
            child = multiprocessing.get_context("fork").Process(target=_fit_in_child)
            child.start()
        child.join(60)
        if child.is_alive():
            child.kill()
        assert child.exitcode == 0
    finally:
        may_go.set()
        thread.join()


def _fit_in_child():
    Autoencoder(max_epochs=1, random_state=0).fit(make_samples())


def test_only_one_thread_draws_weights_at_a_time():
    order = []

    def draw(name):
        with weights_drawn_from(0):
            order.append(name)
            assert random_module._TORCH_GENERATOR.locked()
            order.append(name)

    threads = [threading.Thread(target=draw, args=(name,)) for name in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(a == b for a, b in zip(order[::2], order[1::2], strict=True))


# -- engines ---------------------------------------------------------------------------


@pytest.mark.parametrize("Detector", [Autoencoder, ALAD])
def test_settings_of_compile_reach_torch(Detector, monkeypatch):
    compiled, called = [], []

    def compile_nothing(forward, **options):
        compiled.append(options)

        def watched(*args, **kwargs):
            called.append(forward)
            return forward(*args, **kwargs)

        return watched

    monkeypatch.setattr(torch, "compile", compile_nothing)
    net_params = {"compile": True, "compile__dynamic": False}
    detector = make_detector(Detector, net_params=net_params).fit(make_samples())
    assert compiled
    assert all(each["dynamic"] is False for each in compiled)
    assert called
    assert not any("_orig_mod" in name for name in detector.module_.state_dict())
    called.clear()
    detector.score_samples(make_samples())
    assert called


@pytest.mark.skipif(
    shutil.which("g++") is None or importlib.util.find_spec("setuptools") is None,
    reason="no C++ compiler",
)
@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
def test_compiled_networks_train_and_score_as_eager_ones():
    X = make_samples()
    params = {"hidden_sizes": (8,), "max_epochs": 3, "random_state": 0}
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = Autoencoder(**params, net_params={"compile": True}).fit(X)
    scores = compiled.score_samples(X)
    stats = torch._dynamo.utils.counters["stats"]
    assert stats["unique_graphs"] > 0  # it did something
    assert not torch._dynamo.utils.counters["graph_break"]
    eager = Autoencoder(**params).fit(X)
    np.testing.assert_allclose(scores, eager.score_samples(X), rtol=1e-4)
    shipped = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_allclose(shipped.score_samples(X), scores, rtol=1e-4)


# -- export ----------------------------------------------------------------------------


# AnoGAN's score is a search by gradients, which can't be exported.
@pytest.mark.parametrize(
    "Detector",
    [cls for cls in all_detectors() if not issubclass(cls, AnoGAN)],
    ids=lambda cls: cls.__name__,
)
@each_shape
def test_exported_score_takes_batches_of_any_size(Detector, kind):
    """``len(x)`` made the size of the example a constant."""
    X = torch.from_numpy(make_samples(kind, 40))
    module = make_detector(Detector, max_epochs=2, random_state=0).fit(X).module_
    batch = torch.export.Dim("batch", min=2, max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = {"x": {0: batch}}
        exported = torch.export.export(module, (X[:5],), dynamic_shapes=shapes).module()
    with torch.no_grad():
        for size in (2, 5, 33):
            found, expected = exported(X[:size]), module(X[:size])
            near = 3e-7 * float(expected.abs().amax())
            np.testing.assert_allclose(found, expected, rtol=3e-7, atol=near)


@pytest.mark.parametrize("Detector", [MemAE, FAnoGAN, StudentTeacher])
def test_called_module_gives_the_score(Detector):
    X = make_samples()
    detector = make_detector(Detector, random_state=0).fit(X)
    with torch.no_grad():
        found = detector.module_(torch.from_numpy(X)).double().numpy()
    np.testing.assert_allclose(-found, detector.score_samples(X), rtol=1e-5, atol=1e-5)


def test_trim_leaves_out_what_is_fitted_worst():
    x = torch.tensor([[5.0], [1.0], [4.0], [2.0], [3.0]])
    measured = []

    def measure(batch):
        measured.append(torch.is_grad_enabled())
        return batch[:, 0]

    assert trim(x, measure, 0.4)[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert trim(x, measure, 0.19) is x
    assert trim(x, measure, 0.99)[:, 0].tolist() == [1.0]
    assert not any(measured)


@each_detector
def test_trim_fraction_leaves_the_outlier_to_the_others(Detector):
    X = make_samples(n_samples=40)
    X[7] *= 100
    settings = {"batch_size": 40, "random_state": 0}
    scores = [
        make_detector(Detector, **settings, trim_fraction=fraction)
        .fit(X)
        .score_samples(X)
        for fraction in (0.0, 0.02, 0.05)
    ]
    assert np.array_equal(scores[0], scores[1])  # a fiftieth of 40 is no sample
    assert not np.array_equal(scores[0], scores[2])
    assert np.isfinite(scores[2]).all()


def test_trimmed_samples_are_not_trained_on():
    class Mean(DetectorModule):
        def __init__(self):
            super().__init__((1,))
            self.point = torch.nn.Parameter(torch.zeros(1))

        def losses(self, x):
            yield self.score(x).mean()

        def score(self, x):
            return (x - self.point).square().sum(1)

    X = np.array([[1.0], [1.0], [1.0], [9.0]], dtype=np.float32)
    points = {}
    for fraction in (0.0, 0.25):
        net = DetectorNet(Mean, trim_fraction=fraction, max_epochs=300, lr=0.05)
        net.initialize()
        train(net, Data(X))
        points[fraction] = net.module_.point.item()
    assert points == pytest.approx({0.0: 3.0, 0.25: 1.0}, abs=0.05)
