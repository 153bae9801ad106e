"""The step by Adam's kernel alone: the bits of torch's own step, whatever happens."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from helpers import each_detector, make_detector, make_samples
from sklearn.base import clone
from skorch.callbacks import Checkpoint, GradientNormClipping, LRScheduler
from torch import nn
from torch.optim.lr_scheduler import StepLR

from skanomaly import GANomaly
from skanomaly.nn import DetectorModule
from skanomaly.training import Data, DetectorNet, train
from skanomaly.training.fused import FusedStep

pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


class OrdinaryAdam(torch.optim.Adam):
    """Adam whose steps torch makes, as those of every class but Adam itself."""

    n_steps = 0

    def step(self, closure=None):
        self.n_steps += 1
        return super().step(closure)


class Both:
    """Equal parameters that are updated both ways with the same gradients."""

    def __init__(self, **options):
        self.generator = torch.Generator().manual_seed(0)
        self.ours, self.theirs = (
            [nn.Parameter(torch.ones(n, 2)) for n in (3, 5, 1)] for _ in "ab"
        )
        self.optimizer, self.other = (
            cls(
                [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.1}],
                **{"lr": 0.01, "fused": True, **options},
            )
            for cls, parameters in (
                (torch.optim.Adam, self.ours),
                (OrdinaryAdam, self.theirs),
            )
        )
        self.step = FusedStep(self.optimizer)

    def take_steps(self, n_steps, without=()):
        """Step both ways, and compare all bits of weights and states."""
        for _ in range(n_steps):
            for nth, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
                grad = torch.randn(p.shape, generator=self.generator)
                p.grad = q.grad = None if nth in without else grad
            self.step()
            self.other.step()
            for p, q in zip(self.ours, self.theirs, strict=True):
                assert torch.equal(p, q)
                state, other = self.optimizer.state.get(p), self.other.state.get(q)
                assert (state is None) == (other is None)
                assert all(torch.equal(state[k], other[k]) for k in other or ())

    def change(self, change):
        """Do the same to both optimizers."""
        change(self.optimizer)
        change(self.other)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"betas": (0.5, 0.9), "eps": 0.1},
        {"maximize": True},
        {"amsgrad": True},
        {"fused": False},
    ],
    ids=str,
)
def test_bits_are_those_of_torch(options):
    Both(**options).take_steps(5)


def count_steps(monkeypatch):
    """Count the steps that torch makes for Adam itself."""
    counted, step = [], torch.optim.Adam.step

    def counting(self, closure=None):
        counted.append(type(self))
        return step(self, closure)

    counting.hooked = True  # as torch marks a step that it has wrapped
    monkeypatch.setattr(torch.optim.Adam, "step", counting)
    return counted


def test_torch_makes_the_first_step_only(monkeypatch):
    both, counted = Both(), count_steps(monkeypatch)
    both.take_steps(10)
    assert counted.count(torch.optim.Adam) == 1


@pytest.mark.parametrize("options", [{"amsgrad": True}, {"fused": False}], ids=str)
def test_torch_makes_steps_that_the_kernel_does_not_know(options, monkeypatch):
    both, counted = Both(**options), count_steps(monkeypatch)
    both.take_steps(4)
    assert counted.count(torch.optim.Adam) == 4


def test_hooks_of_steps_are_called():
    both, called = Both(), []
    both.optimizer.register_step_post_hook(lambda *args: called.append(1))
    both.take_steps(3)
    assert len(called) == 3


def test_gradients_come_and_go():
    both = Both()
    for without in ([2], [2], [], [], [0], [0, 1], [], [0, 1, 2], []):
        both.take_steps(2, without=without)


def test_learning_rates_are_those_of_the_step():
    both = Both()
    both.take_steps(2)
    both.change(lambda optimizer: optimizer.param_groups[0].update(lr=0.5))
    both.take_steps(2)


def test_state_may_be_cleared_loaded_and_extended():
    both = Both()
    both.take_steps(3)
    both.change(lambda optimizer: optimizer.state.clear())
    both.take_steps(2)
    both.change(lambda o: o.load_state_dict(copy.deepcopy(o.state_dict())))
    both.take_steps(2)
    for parameters, optimizer in (
        (both.ours, both.optimizer),
        (both.theirs, both.other),
    ):
        parameters.append(nn.Parameter(torch.ones(2, 2)))
        optimizer.add_param_group({"params": parameters[-1:]})
    both.take_steps(2)


def test_state_can_be_saved_and_read_by_torch_alone():
    both = Both()
    both.take_steps(3)
    both.other.load_state_dict(pickle.loads(pickle.dumps(both.optimizer.state_dict())))
    both.take_steps(3)


@each_detector
def test_detectors_train_to_the_same_bits_with_callbacks(Detector, tmp_path):
    """Several networks, phases, resets, schedules, clipping, and the best weights."""
    X, scores = make_samples(), []
    for name, optimizer in (("ours", torch.optim.Adam), ("torch", OrdinaryAdam)):
        detector = make_detector(
            Detector,
            early_stopping=True,
            n_iter_no_change=2,
            random_state=0,
            net_params={
                "optimizer": optimizer,
                "optimizer__fused": True,
                "optimizer__betas": Detector.module_class.adam_betas,
                "callbacks": [
                    LRScheduler(StepLR, step_size=2, gamma=0.5),
                    GradientNormClipping(1.0),
                    Checkpoint(dirname=tmp_path / name, monitor=None),
                ],
            },
        ).fit(X)
        net = detector.net_
        optimizers = getattr(net.optimizer_, "optimizers", [net.optimizer_])
        assert all(type(each) is optimizer for each in optimizers)
        scores.append(detector.score_samples(X))
        net.load_params(f_optimizer=tmp_path / name / "optimizer.pt")
    assert np.array_equal(*scores)


def test_fitted_detectors_are_copied_pickled_cloned_and_trained_further():
    X = make_samples()
    detector = make_detector(GANomaly, warm_start=True, random_state=0).fit(X)
    scores = detector.score_samples(X)
    copies = [
        copy.deepcopy(detector),
        pickle.loads(pickle.dumps(detector)),
        clone(detector).fit(X),
    ]
    assert all(np.array_equal(each.score_samples(X), scores) for each in copies)
    further = [each.fit(X).score_samples(X) for each in [detector, *copies]]
    assert all(np.array_equal(each, further[0]) for each in further)
    assert not np.array_equal(further[0], scores)


class Shared(DetectorModule):
    """Two networks that have a layer in common, of which one bias is not trained."""

    networks = ("first", "second")

    def __init__(self):
        super().__init__((6,))
        layers = [nn.Linear(6, 6) for _ in range(3)]
        layers[2].bias.requires_grad_(False)
        self.first = nn.Sequential(layers[0], layers[1])
        self.second = nn.Sequential(layers[0], layers[2])

    def losses(self, x):
        yield (self.first(x) - x).square().mean()
        yield (self.second(x) - x).square().mean()

    def score(self, x):
        return (self.first(x) - self.second(x)).square().sum(1)


def test_networks_may_share_a_layer():
    weights = []
    for optimizer in (torch.optim.Adam, partial(OrdinaryAdam, fused=True)):
        net = DetectorNet(Shared, optimizer=optimizer, max_epochs=3, lr=0.01)
        before = net.initialize().module_.second[1].bias.clone()
        train(net, Data(make_samples()))
        assert torch.equal(net.module_.second[1].bias, before)
        weights.append(net.module_.state_dict())
    assert all(torch.equal(weights[1][k], v) for k, v in weights[0].items())
