"""The net on its own: players, skorch's seams, whole batches."""

from functools import partial

import numpy as np
import pytest
import torch
from helpers import make_samples
from scipy import sparse
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
)
from skorch.dataset import Dataset, ValidSplit
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import Subset

from skanomaly import Autoencoder
from skanomaly.nn import DetectorModule
from skanomaly.training import DetectorNet
from skanomaly.training.batches import BatchLoader, scored_batches


class Duel(DetectorModule):
    """Two players whose losses both depend on both."""

    players = ("first", "second")

    def __init__(self, n_losses=2):
        super().__init__()
        self.first = torch.nn.Linear(6, 6)
        self.second = torch.nn.Linear(6, 6)
        self.n_losses = n_losses
        self.seen = []

    def losses(self, x):
        for _ in range(self.n_losses):
            self.seen.append(self.first.weight.detach().clone())
            yield (self.second(self.first(x)) - x).square().sum(1).mean()

    def score(self, x):
        return self.anomaly_map(x).sum(1)

    def anomaly_map(self, x):
        return (self.second(self.first(x)) - x).square()


def make_duel(n_losses=2, **params):
    return DetectorNet(partial(Duel, n_losses), **{"max_epochs": 3, **params})


# -- players ---------------------------------------------------------------------------


def test_a_loss_is_computed_after_the_player_before_has_stepped():
    net = make_duel(max_epochs=1, batch_size=100).fit(make_samples())
    before_first, before_second = net.module_.seen
    assert not torch.equal(before_first, before_second)


def test_each_loss_moves_its_own_player_only():
    moves = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            moves.append(sorted(name for name, _ in named_parameters))
            gradless = {n for n, p in net.module_.named_parameters() if p.grad is None}
            if len(moves) == 1:
                assert gradless == {"second.weight", "second.bias"}

    make_duel(max_epochs=1, batch_size=100, callbacks=[Watch]).fit(make_samples())
    assert moves == [["first.bias", "first.weight"], ["second.bias", "second.weight"]]


@pytest.mark.parametrize("n_losses", [1, 3])
def test_players_and_losses_must_pair(n_losses):
    with pytest.raises(ValueError, match=r"zip\(\)"):
        make_duel(n_losses).fit(make_samples())


def test_each_player_has_its_loss_in_the_history():
    net = make_duel(train_split=ValidSplit(0.2)).fit(make_samples())
    for row in net.history:
        total = row["train_first_loss"] + row["train_second_loss"]
        assert row["train_loss"] == pytest.approx(total, rel=1e-5)
        assert row["valid_loss"] > 0
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]


def test_each_player_has_its_optimizer():
    net = make_duel(
        optimizer__betas=(0.5, 0.9), second_optimizer__lr=0.5, lr=0.01
    ).initialize()
    first, second = net.first_optimizer_, net.second_optimizer_
    assert (first.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.01, 0.5)
    assert first.param_groups[0]["betas"] == (0.5, 0.9)
    assert second.param_groups[0]["betas"] == (0.5, 0.9)
    net.set_params(first_optimizer__lr=0.2)
    assert first.param_groups[0]["lr"] == 0.2
    net.set_params(lr=0.3)
    assert (first.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.3, 0.3)


def test_callbacks_that_ask_for_one_optimizer_work_with_players(tmp_path):
    checkpoint = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    schedule = LRScheduler(StepLR, step_size=1, gamma=0.1)
    net = make_duel(callbacks=[checkpoint, schedule], lr=1.0).fit(make_samples())
    rates = [o.param_groups[0]["lr"] for o in net.optimizer_.optimizers]
    assert rates == pytest.approx([1e-3, 1e-3])
    other = make_duel().initialize()
    other.load_params(checkpoint=checkpoint)
    states = [each.state_dict()["state"] for each in other.optimizer_.optimizers]
    assert all(states)
    with pytest.raises(RuntimeError, match="one by one"):
        net.optimizer_.step()


# -- skorch's seams, through a detector ------------------------------------------------


def test_callbacks_of_skorch(tmp_path, capfd):
    scored = []
    callbacks = [
        LRScheduler(StepLR, step_size=1, gamma=0.5),
        Checkpoint(dirname=tmp_path),
        GradientNormClipping(1e-3),
        EpochScoring(_mean_score(scored), name="score", use_caching=False),
        ProgressBar(detect_notebook=False),
    ]
    detector = Autoencoder(
        max_epochs=3, early_stopping=True, net_params={"callbacks": callbacks}
    )
    detector.fit(make_samples())
    assert len(scored) == 3
    assert detector.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(1.25e-4)
    assert (tmp_path / "params.pt").exists()
    assert "it/s" in capfd.readouterr().err


def _mean_score(scored):
    def score(net, X, y=None):
        scored.append(net.predict(X).mean())
        return scored[-1]

    return score


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


@pytest.mark.parametrize("optimizer", [torch.optim.LBFGS, torch.optim.RMSprop])
def test_other_optimizers(optimizer):
    detector = Autoencoder(
        max_epochs=5, random_state=0, net_params={"optimizer": optimizer}
    ).fit(make_samples())
    assert detector.history_[-1]["train_loss"] < detector.history_[0]["train_loss"]


def test_parameter_groups_of_an_optimizer():
    groups = [("encoder*", {"lr": 0.5})]
    net_params = {"optimizer__param_groups": groups}
    detector = Autoencoder(max_epochs=1, net_params=net_params).fit(make_samples())
    rates = [group["lr"] for group in detector.net_.optimizer_.param_groups]
    assert sorted(rates) == [1e-3, 0.5]


def test_history_keeps_the_batches_of_the_last_epoch_only():
    net = make_duel(batch_size=10).fit(make_samples())
    assert [len(row["batches"]) for row in net.history] == [0, 0, 10]
    assert net.history[-1, "batches", :, "train_batch_size"] == [10] * 10


def test_mean_loss_counts_samples_not_batches():
    X = np.concatenate([np.zeros((9, 6)), np.ones((1, 6))]).astype(np.float32)
    net = make_duel(
        max_epochs=1, batch_size=9, lr=1e-30, iterator_train__shuffle=False
    ).fit(X)
    mean = net.evaluate("score", X).mean()
    assert net.history[-1, "train_first_loss"] == pytest.approx(mean, rel=1e-5)


def test_compiled_networks_have_the_same_weights_by_name(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **kwargs: compiled.append(kwargs)
    )
    net_params = {"compile": True, "compile__dynamic": False}
    detector = Autoencoder(max_epochs=1, net_params=net_params).fit(make_samples())
    assert compiled == [{"dynamic": False}] * 2
    assert "encoder.0.weight" in detector.net_.module_.state_dict()


# -- whole batches ---------------------------------------------------------------------


def _as_memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix, sparse.csr_array, None])
def test_batches_hold_each_row_once(make, tmp_path):
    X = make_samples(n_samples=23)
    source = _as_memory_map(X, tmp_path) if make is None else make(X)
    loader = BatchLoader(
        Dataset(source), 5, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    first, second = ([x for x, _ in loader] for _ in range(2))
    assert [len(x) for x in first] == [5, 5, 5, 5, 3]
    assert len(loader) == 5
    assert not torch.equal(torch.cat(first), torch.cat(second))
    for epoch in (first, second):
        rows = torch.cat(epoch).numpy()
        assert np.array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))


def test_batches_are_copies():
    X = make_samples()
    for x, _ in BatchLoader(Dataset(X), 100):
        x.zero_()
    for _, x in scored_batches(X, "cpu"):
        x.zero_()
    assert np.array_equal(X, make_samples())


def test_batches_of_a_part_of_a_part():
    X = np.arange(10, dtype=np.float32).reshape(10, 1)
    part = Subset(Subset(Dataset(X), [2, 4, 6, 8]), [3, 1])
    ((batch, _),) = BatchLoader(part, 5)
    assert batch.ravel().tolist() == [8, 4]


@pytest.mark.parametrize("shape", [(1,), (120,), (3, 32, 32), (1, 16, 64, 96)])
def test_scored_batches_have_one_shape(shape):
    shapes = set()
    for n_samples in (1, 2, 40):
        X = np.ones((n_samples, *shape), dtype=np.float32)
        rows = [
            rows for rows, x in scored_batches(X, "cpu") if shapes.add(x.shape) is None
        ]
        assert [i for r in rows for i in range(n_samples)[r]] == list(range(n_samples))
    assert len(shapes) == 1
