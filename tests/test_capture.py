"""Captured steps: when they are replayed, and that nothing stale ever is."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import make_detector, make_samples
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import StepLR

from skanomaly import ALAD, VAE, Autoencoder, GANomaly, MemAE, StudentTeacher
from skanomaly.training import capture
from skanomaly.training.capture import CapturedStep, CudaGraphs, check_cuda_graph

pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


class Recorder:
    """Stand in for a CUDA device: what it records is run anew by each replay."""

    def __init__(self, generator=None):
        self.events = []

    def warm_up(self, fn):
        self.events.append("warm-up")
        return fn()

    def record(self, fn):
        self.events.append("record")

        def replay():
            self.events.append("replay")
            return fn()

        return replay


@pytest.fixture
def recorders(monkeypatch):
    """Let nets on the CPU capture their steps, and return who recorded them."""
    made = []

    def make(generator):
        made.append(Recorder())
        return made[-1]

    monkeypatch.setattr(capture, "CudaGraphs", make)
    monkeypatch.setattr("skanomaly.training.net.check_cuda_graph", lambda net: None)
    return made


def fit(Detector, n_samples=100, callbacks=(), max_epochs=3, **net_params):
    """Fit on batches of 16, the last of which has four samples."""
    detector = make_detector(
        Detector,
        batch_size=16,
        max_epochs=max_epochs,
        random_state=0,
        net_params={"callbacks": list(callbacks), **net_params},
    )
    return detector.fit(make_samples(n_samples=n_samples))


def count(recorders, event):
    return sum(each.events.count(event) for each in recorders)


@pytest.mark.parametrize("Detector", [Autoencoder, VAE, GANomaly])
def test_replayed_steps_train_as_real_ones_do(Detector, recorders):
    captured, real = fit(Detector, cuda_graph=True), fit(Detector)
    # The first step makes the optimizers' states; three of the next ones warm up.
    assert count(recorders, "record") == 1
    assert count(recorders, "replay") == 3 * 6 - 4
    for a, b in zip(
        captured.module_.parameters(), real.module_.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    assert [row["train_loss"] for row in captured.history_] == [
        row["train_loss"] for row in real.history_
    ]


def test_each_phase_is_captured_anew(recorders):
    fit(MemAE, max_epochs=6, cuda_graph=True)
    assert [each.events.count("record") for each in recorders] == [1, 1]


def test_batches_of_other_shapes_are_stepped_for_real():
    recorder, shapes = Recorder(), []

    def step(x):
        shapes.append(x.shape[0])
        return {"loss": x.sum()}

    captured = CapturedStep(step, [], recorder)
    for n in [4] * 5 + [3, 4, 5]:
        captured(torch.ones(n, 2))
    assert shapes == [4] * 5 + [3, 4, 5]
    assert recorder.events == ["warm-up"] * 3 + ["record", "replay", "replay", "replay"]


def test_a_replay_sees_the_batch_of_its_step():
    captured = CapturedStep(lambda x: {"loss": x.sum()}, [], Recorder())
    batches = [torch.full((2,), float(n)) for n in range(6)]
    assert [captured(x)["loss"].item() for x in batches] == [0, 2, 4, 6, 8, 10]
    assert [x[0].item() for x in batches] == list(range(6))


def test_a_single_batch_an_epoch_is_captured(recorders):
    fit(Autoencoder, n_samples=10, max_epochs=6, cuda_graph=True)
    assert count(recorders, "replay") == 2


def test_a_new_learning_rate_is_captured_anew(recorders):
    schedule = LRScheduler(StepLR, step_size=1, gamma=0.5)
    captured = fit(Autoencoder, callbacks=[schedule], cuda_graph=True)
    assert count(recorders, "record") == 3
    real = fit(Autoencoder, callbacks=[schedule])
    assert captured.history_[-1]["train_loss"] == real.history_[-1]["train_loss"]


class ForgetMoments(Callback):
    """Clear an optimizer's state, as the reset of a perfect discriminator does."""

    def on_epoch_begin(self, net, **kwargs):
        net.optimizer_.state.clear()


class LoadState(Callback):
    """Load an optimizer's own state, as a checkpoint does."""

    def on_epoch_begin(self, net, **kwargs):
        net.optimizer_.load_state_dict(copy.deepcopy(net.optimizer_.state_dict()))


@pytest.mark.parametrize("callback", [ForgetMoments, LoadState])
def test_another_state_of_the_optimizer_is_captured_anew(callback, recorders):
    fit(Autoencoder, callbacks=[callback], cuda_graph=True)
    assert count(recorders, "record") == 3


def test_a_callback_that_sees_gradients_sees_those_of_every_step(recorders):
    seen = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, batch, **kwargs):
            seen.append(len(batch[0]))

    fit(Autoencoder, callbacks=[Watch], cuda_graph=True)
    assert seen == ([16] * 6 + [4]) * 3
    assert not count(recorders, "record")


def test_the_memory_of_a_graph_is_given_back(recorders):
    net = fit(Autoencoder, cuda_graph=True).net_
    assert not hasattr(net, "_step")


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizers_are_made_capturable_that_can_be(optimizer, recorders):
    net = fit(Autoencoder, optimizer=optimizer, cuda_graph=True).net_
    assert net.optimizer_.param_groups[0].get("capturable", True)
    assert count(recorders, "record") == 1


def test_a_device_without_graphs_is_refused_before_training():
    with pytest.raises(ValueError, match="needs a CUDA device, and this is 'cpu'"):
        fit(Autoencoder, cuda_graph=True)


def test_processes_that_average_gradients_are_refused():
    parallel = SimpleNamespace(n_processes=2)
    net = SimpleNamespace(cuda_graph=True, device="cuda", parallel_=parallel)
    with pytest.raises(ValueError, match="both cuda_graph and data_parallel"):
        check_cuda_graph(net)


@pytest.mark.gpu
@pytest.mark.parametrize("Detector", [Autoencoder, VAE, GANomaly, ALAD, StudentTeacher])
def test_a_graph_trains_as_the_kernels_do(Detector):
    params = {"max_epochs": 6, "random_state": 0, "batch_size": 16, "device": "cuda"}
    X = make_samples()
    captured, real = (
        make_detector(Detector, **params, net_params={"cuda_graph": graph}).fit(X)
        for graph in (True, False)
    )
    np.testing.assert_allclose(
        captured.score_samples(X), real.score_samples(X), rtol=1e-3
    )


@pytest.mark.gpu
def test_a_step_that_asks_the_device_is_refused():
    graphs = CudaGraphs(torch.Generator("cuda"))
    x = torch.ones(2, device="cuda")
    with pytest.raises(RuntimeError, match="can't be captured"):
        graphs.record(lambda: {"loss": torch.tensor(x.sum().item())})
