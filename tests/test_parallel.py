"""Data-parallel training: processes with parts of the batches, and one with all."""

import pytest
import torch.distributed as dist
from helpers import make_samples
from processes import arrays_of, largest_difference, make_trainer, run_tasks

from skanomaly import EGBAD

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="no gloo here"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_tasks(tmp_path_factory.mktemp("processes"))


def test_two_processes_give_the_arrays_of_one(results):
    (first, history, offset), (second, *_) = results["plain"]
    alone = make_trainer().fit(make_samples())
    assert largest_difference(first, second) == 0
    assert largest_difference(first, arrays_of(alone)) < 1e-5
    assert offset == pytest.approx(alone.offset_, rel=1e-4)
    losses = [row["train_loss"] for row in history]
    assert losses == pytest.approx([r["train_loss"] for r in alone.history_], rel=1e-5)


def test_early_stopping_stops_all_at_once(results):
    (first, history, _), (second, other, _) = results["stopped"]
    assert [r["valid_loss"] for r in history] == [r["valid_loss"] for r in other]
    assert largest_difference(first, second) == 0
    alone = make_trainer(early_stopping=True, max_epochs=30).fit(make_samples())
    assert len(history) == len(alone.history_)


def test_several_networks_stay_the_same_in_all_processes(results):
    (first, history, _), (second, other, _) = results["adversarial"]
    assert largest_difference(first, second) == 0
    for row, same in zip(history, other, strict=True):
        losses = {k: v for k, v in row.items() if k.startswith("train_")}
        assert losses == {k: same[k] for k in losses}
    untrained = make_trainer(EGBAD, learning_rate=1e-30).fit(make_samples())
    assert largest_difference(first, arrays_of(untrained)) > 1e-3


def test_each_process_draws_its_own_noise(results):
    (first, history, _), (second, other, _) = results["noise"]
    alone = make_trainer(noise_std=0.5).fit(make_samples())
    assert largest_difference(first, second) == 0
    assert 1e-5 < largest_difference(first, arrays_of(alone)) < 0.5
    assert history[0]["seed"] != other[0]["seed"]


@pytest.mark.parametrize("task", ["other seed", "other samples"])
def test_processes_must_agree(results, task):
    for error in results[task]:
        assert isinstance(error, ValueError)
        assert "differ in their samples" in str(error)


def test_a_dead_process_is_an_error_and_no_hang(results):
    error, nothing = results["dead"]
    assert nothing is None
    assert isinstance(error, RuntimeError)
    assert "Another process" in str(error)


def test_a_process_group_is_needed():
    detector = make_trainer(net_params={"data_parallel": True})
    with pytest.raises(ValueError, match="init_process_group"):
        detector.fit(make_samples())
