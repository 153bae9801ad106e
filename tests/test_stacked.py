"""Detectors of equal networks, trained in one pass."""

import pickle
import signal

import numpy as np
import pytest
import torch
from helpers import make_detector, make_outliers, make_samples
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback
from torch.fx.experimental.proxy_tensor import make_fx

import skanomaly._fit_together
from skanomaly import DAGMM, VAE, Autoencoder, GANomaly, MemAE, StudentTeacher
from skanomaly.base import BaseDetector, parameters
from skanomaly.detectors.autoencoder import AutoencoderModule
from skanomaly.ensemble import fit_together
from skanomaly.nn import DetectorModule
from skanomaly.training import DetectorNet, Streams
from skanomaly.training.stacked import draws, graph, module
from skanomaly.training.stacked.graph import LossGraph
from skanomaly.training.stacked.module import MemberMeans, StackedModule

STACKABLE = {
    "denoising": (Autoencoder, {}),
    "sparse": (Autoencoder, {"latent_size": 2, "sparsity_weight": 0.1}),
    "trimmed": (Autoencoder, {"trim_fraction": 0.2}),
    "early stopping": (
        Autoencoder,
        {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 30},
    ),
    "VAE": (VAE, {"latent_size": 2}),
    "MemAE": (MemAE, {}),
    "StudentTeacher": (StudentTeacher, {"teacher": "autoencoder"}),
}
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture
def fitted_alone(monkeypatch):
    """List the detectors that are not fitted in one pass."""
    found = []
    fit_network = skanomaly._fit_together.fit_network

    def spy(detector, *args, **options):
        found.append(detector)
        return fit_network(detector, *args, **options)

    monkeypatch.setattr(skanomaly._fit_together, "fit_network", spy)
    return found


def make_members(cls=Autoencoder, n_members=3, **params):
    """Make detectors that differ in their seed."""
    return [
        make_detector(cls, random_state=seed, **params) for seed in range(n_members)
    ]


@ignore_convergence
@pytest.mark.parametrize("name", STACKABLE)
def test_each_is_fitted_as_if_it_were_alone(name, fitted_alone):
    cls, params = STACKABLE[name]
    X, new = make_samples(n_samples=110), make_outliers()
    together = fit_together(make_members(cls, **params), X)
    assert not fitted_alone
    for member in together:
        alone = clone(member).fit(X)
        scores = alone.score_samples(new)
        assert member.score_samples(new) == pytest.approx(scores, rel=1e-4)
        assert member.offset_ == pytest.approx(alone.offset_, rel=1e-4)
        assert member.n_iter_ == alone.n_iter_
        assert [row.keys() for row in member.history_] == [
            row.keys() for row in alone.history_
        ]
        for row, expected in zip(member.history_, alone.history_, strict=True):
            assert row["phase"] == expected["phase"]
            assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
            assert row.get("valid_loss", 0) == pytest.approx(
                expected.get("valid_loss", 0), rel=1e-4
            )
        assert sorted(vars(member)) == sorted(vars(alone))
        assert torch.allclose(member.module_.center, alone.module_.center)
    scores = [member.score_samples(new) for member in together]
    assert not np.allclose(scores[0], scores[1])


def test_members_stop_early_each_for_itself(monkeypatch):
    nets, make = [], skanomaly._fit_together.stack_nets

    def keep(*args):
        nets.append(make(*args))
        return nets[-1]

    monkeypatch.setattr(skanomaly._fit_together, "stack_nets", keep)
    params = {"early_stopping": True, "n_iter_no_change": 1, "max_epochs": 40}
    params |= {"batch_size": 32, "hidden_sizes": None}
    members = fit_together(make_members(n_members=4, **params), make_samples())
    n_epochs = [member.n_iter_ for member in members]
    assert len(set(n_epochs)) > 1
    for member in members:
        assert len(member.net_.history) == member.n_iter_
    assert len(nets[0].history) == max(n_epochs) < 40


def test_the_same_to_the_bit_each_time():
    X, new = make_samples(), make_outliers()
    state = torch.random.get_rng_state()
    first, second = (fit_together(make_members(VAE), X) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.score_samples(new), b.score_samples(new))


@ignore_convergence
def test_a_shared_random_state_gives_what_a_loop_would_give(fitted_alone):
    X, new = make_samples(), make_outliers()

    def make(random_state):
        kinds = [Autoencoder, GANomaly, Autoencoder]
        return [make_detector(cls, random_state=random_state) for cls in kinds]

    together = fit_together(make(np.random.RandomState(0)), X)
    assert fitted_alone == [together[1]]
    for a, b in zip(together, make(np.random.RandomState(0)), strict=True):
        expected = b.fit(X).score_samples(new)
        assert a.score_samples(new) == pytest.approx(expected, rel=1e-4)


@ignore_convergence
@pytest.mark.parametrize(
    ("members", "X"),
    [
        (make_members(DAGMM, 2), make_samples()),
        (make_members(GANomaly, 2), make_samples()),
        (make_members(hidden_sizes=(2,), n_members=2), make_samples("images", 20)),
        (make_members(n_members=1), make_samples()),
        (make_members(n_members=2, net_params={"callbacks": []}), make_samples()),
        ([make_detector(Autoencoder, learning_rate=lr) for lr in (0.1, 0.01)], None),
        ([make_detector(Autoencoder, hidden_sizes=(n,)) for n in (2, 3)], None),
    ],
)
def test_what_is_fitted_one_after_the_other(members, X, fitted_alone):
    is_alone = bool(members[0].net_params is None) or members[0].net_params
    fit_together(members, make_samples() if X is None else X)
    assert len(fitted_alone) == (len(members) if is_alone else 0)


def test_a_warm_start_goes_on(fitted_alone):
    X = make_samples()
    members = make_members(n_members=2, warm_start=True)
    fit_together(members, X)
    assert not fitted_alone
    assert [each.n_iter_ for each in fit_together(members, X)] == [10, 10]
    assert fitted_alone == members


def test_sparse_rows_and_pickles():
    X, new = make_samples(), make_outliers()
    members = fit_together(make_members(), csr_array(X))
    dense = fit_together(make_members(), X)
    for a, b in zip(members, dense, strict=True):
        scores = b.score_samples(new)
        assert a.score_samples(csr_array(new)) == pytest.approx(scores)
        shipped = pickle.loads(pickle.dumps(a))
        assert np.array_equal(shipped.score_samples(new), a.score_samples(new))


def test_thresholds_are_those_of_each_contamination(fitted_alone):
    X = make_samples()
    members = [make_detector(Autoencoder, contamination=c) for c in (0.1, 0.3)]
    fit_together(members, X)
    assert not fitted_alone
    assert [(each.predict(X) == -1).sum() for each in members] == [10, 30]


# -- modules that others write ---------------------------------------------------------


class PointModule(DetectorModule):
    """The distance to a point, with losses that tests make difficult."""

    def __init__(self, input_shape, kind, **parameters):
        super().__init__(input_shape)
        self.kind = kind
        self.point = torch.nn.Parameter(torch.randn(input_shape))

    def losses(self, x):
        loss = self.score(x).mean()
        if self.kind == "control flow" and loss > 0:
            loss = loss * 2
        if self.kind == "global generator":
            loss = loss + torch.rand(())
        if self.kind == "draws by weights":
            share = torch.bernoulli(
                self.point.detach().sigmoid(), generator=self.random_generator
            )
            loss = loss + (share * self.point).sum()
        if self.kind == "in place":
            loss = loss + torch.empty(()).normal_(generator=self.random_generator)
        if self.kind == "own tensor":
            loss = loss * self.own
        if self.kind == "own number":
            loss = loss * self.own_number
        yield loss

    def phases(self, data):
        if self.kind == "own tensor":
            self.own = self.point.detach().abs().sum()
        if self.kind == "own number":
            self.own_number = self.point.detach().abs().sum().item()
        yield from super().phases(data)

    def score(self, x):
        return (x - self.point).square().flatten(1).sum(1)


@parameters
class Point(BaseDetector):
    """Scores by the distance to a learned point."""

    kind: str = "plain"
    module_class = PointModule


@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "control flow",
        "global generator",
        "draws by weights",
        "in place",
        "own tensor",
        "own number",
    ],
)
def test_a_module_that_cannot_be_stacked_is_trained_all_the_same(kind, fitted_alone):
    X = make_samples()
    members = fit_together(make_members(Point, 2, kind=kind, learning_rate=0.1), X)
    assert len(fitted_alone) == (0 if kind == "plain" else 2)
    if kind == "global generator":
        return
    for member in members:
        expected = clone(member).fit(X).score_samples(X)
        assert member.score_samples(X) == pytest.approx(expected, rel=1e-4)


# -- faults ----------------------------------------------------------------------------


def test_a_member_that_diverges_is_named(monkeypatch):
    X = make_samples()
    members = fit_together(make_members(), X)
    before = [dict(vars(member)) for member in members]
    draw = DetectorNet.initialize_module

    def draw_badly(net):
        draw(net)
        # The second seed's, as it was drawn by the fit before.
        if isinstance(net.module_, AutoencoderModule) and net.streams_.root == bad_seed:
            net.module_.decoder[0].bias.data[0] = float("nan")
        return net

    bad_seed = members[1]._seed
    monkeypatch.setattr(DetectorNet, "initialize_module", draw_badly)
    with pytest.raises(ValueError, match="Training diverged: a train loss") as error:
        fit_together(members, X)
    assert len(error.value.__notes__) == 1
    assert "detector 1, Autoencoder(" in error.value.__notes__[0]
    assert [vars(member) for member in members] == before


class CtrlC(Callback):
    """Presses Ctrl-C in an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch and isinstance(net.module_, StackedModule):
            signal.raise_signal(signal.SIGINT)


def press(monkeypatch, epoch):
    """Let every net see Ctrl-C in this epoch."""
    defaults = DetectorNet.get_default_callbacks
    monkeypatch.setattr(
        DetectorNet,
        "get_default_callbacks",
        lambda net: [*defaults(net), ("ctrl_c", CtrlC(epoch))],
    )


def test_ctrl_c_keeps_what_is_trained(monkeypatch):
    press(monkeypatch, epoch=3)
    X = make_samples()
    with pytest.warns(ConvergenceWarning, match="after 2 of 5 epochs") as caught:
        members = fit_together(make_members(), X)
    assert len(caught) == 1
    for member in members:
        assert member.n_iter_ == 2
        assert (member.predict(X) == -1).sum() == 10
        two = clone(member).set_params(max_epochs=2).fit(X)
        assert member.score_samples(X) == pytest.approx(two.score_samples(X), rel=1e-4)


def test_ctrl_c_in_the_first_epoch_leaves_all_as_they_were(monkeypatch):
    press(monkeypatch, epoch=1)
    members = make_members()
    with pytest.raises(KeyboardInterrupt):
        fit_together(members, make_samples())
    assert not any(hasattr(member, "offset_") for member in members)


def test_what_is_no_detector_is_refused():
    with pytest.raises(TypeError, match=r"takes detectors of skanomaly.*Logistic"):
        fit_together([Autoencoder(), LogisticRegression()], make_samples())
    detector = Autoencoder()
    with pytest.raises(TypeError, match="given twice"):
        fit_together([detector, detector], make_samples())
    with pytest.raises(ValueError, match="'max_epochs' parameter"):
        fit_together([detector, Autoencoder(max_epochs=0)], make_samples())
    assert not hasattr(detector, "offset_")
    assert fit_together([], make_samples()) == []


def test_one_bar_for_all(capsys):
    members = make_members(verbose=1)
    fit_together(members, make_samples())
    shown = capsys.readouterr().err
    assert "3 x Autoencoder training" in shown
    mean = np.mean([each.history_[-1]["train_loss"] for each in members])
    assert f"train {mean:.2g}" in shown or f"train {mean:.0f}" in shown


# -- the parts -------------------------------------------------------------------------


def make_nets(n_members=2):
    arguments = Autoencoder(hidden_sizes=(5,))._module_arguments((4,))
    return [
        DetectorNet(
            lambda: AutoencoderModule(**arguments), streams=Streams(seed)
        ).initialize()
        for seed in range(n_members)
    ]


def test_gradients_are_those_of_each_loss():
    members = [net.module_ for net in make_nets()]
    stacked = StackedModule(members, 0.0).train()
    x = torch.randn(10, 2, 4)
    states = [member.random_generator.get_state() for member in members]
    (total,) = stacked.losses(x)
    total.backward()
    for nth, (member, state) in enumerate(zip(members, states, strict=True)):
        member.random_generator.set_state(state)
        (loss,) = member.losses(x[:, nth])
        loss.backward()
        for name, weight in zip(stacked.names, stacked.weights, strict=True):
            own = member.get_parameter(name).grad
            assert torch.allclose(weight.grad[nth], own, rtol=1e-4, atol=1e-6)
    # Gradients that were copied would cost as much as a layer.
    assert all(weight.grad.is_contiguous() for weight in stacked.weights)


@pytest.mark.parametrize("Detector", [Autoencoder, VAE, MemAE])
def test_a_shape_is_traced_once_it_has_come_often(Detector, monkeypatch):
    traced = []
    trace = LossGraph._trace

    def count(self, x, *tensors):
        traced.append(x.shape[1])
        trace(self, x, *tensors)

    monkeypatch.setattr(LossGraph, "_trace", count)

    def fit(n_calls):
        monkeypatch.setattr(module, "_N_CALLS_BEFORE_TRACING", n_calls)
        members = [
            make_detector(Detector, max_epochs=12, batch_size=64, random_state=seed)
            for seed in range(3)
        ]
        X = make_samples(n_samples=100)  # batches of 64 and 36
        return [member.score_samples(X) for member in fit_together(members, X)]

    never, soon = fit(n_calls=50), fit(n_calls=2)
    n_phases = 2 if Detector is MemAE else 1
    assert traced == [64] * n_phases + [64, 36] * n_phases
    assert np.array_equal(never, soon)


def test_a_graph_has_no_calls_that_do_nothing(monkeypatch):
    graphs = []

    def keep(made):
        remove(made)
        graphs.append(made)

    remove = graph._remove_what_does_nothing
    monkeypatch.setattr(graph, "_remove_what_does_nothing", keep)
    fit_together(make_members(), make_samples())
    (found,) = graphs
    assert "bmm" in found.code
    assert "detach" not in found.code
    assert "permute" not in found.code


def test_a_permutation_of_axes_is_kept():
    made = make_fx(lambda x: x.permute(1, 0).detach().permute(0, 1))(torch.ones(2, 3))
    graph._remove_what_does_nothing(made)
    assert made.code.count("aten.") == 1
    x = torch.arange(6.0).view(2, 3)
    assert torch.equal(made(x), x.T)


def test_recording_uses_up_no_numbers():
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    states = [generator.get_state() for generator in generators]
    calls = [
        lambda g=g: torch.rand(2, generator=g) + torch.randn((), generator=g)
        for g in generators
    ]
    found = draws.record_draws(calls, generators)
    assert [draw.function.__name__ for draw in found] == ["rand", "randn"]
    assert found[0].args == (2,)
    for generator, state in zip(generators, states, strict=True):
        assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda g, n: torch.rand(n, generator=g), "depends on weights or samples"),
        # In place, even if it happens to be the same numbers.
        (lambda g, n: torch.ones(2).bernoulli_(0.0, generator=g), "in place"),
    ],
    ids=["different", "in place"],
)
def test_what_cannot_be_drawn_for_all_members_is_not_stackable(draw, message):
    generators = [torch.Generator() for _ in range(2)]
    calls = [lambda g=g, n=n: draw(g, n) for n, g in enumerate(generators)]
    with pytest.raises(draws.NotStackableError, match=message):
        draws.record_draws(calls, generators)


def test_means_over_samples():
    means = MemberMeans()
    assert means.pop() is None
    means.add(torch.tensor([1.0, 10.0]), 3)
    means.add(torch.tensor([5.0, 50.0]), 1)
    assert means.pop() == [2.0, 20.0]
    assert means.pop() is None
