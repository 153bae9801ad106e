"""Batches of which sizes give a sample the same bits is found out, not assumed."""

import pytest
import torch

from skanomaly.nn import DetectorModule
from skanomaly.training.rounding import largest_size, sizes_alike


class Fickle(DetectorModule):
    """Rounds otherwise in batches of some sizes, or at one place of them."""

    batch_sizes = (16, 32, 128, 1024)

    def __init__(self, other_sizes=(), other_place=None, input_shape=(3,)):
        super().__init__(input_shape)
        self.other_sizes, self.other_place = other_sizes, other_place
        self.sizes_seen = []

    def losses(self, x):
        yield self.score(x).mean()

    def score(self, x):
        self.sizes_seen.append(len(x))
        score = x.flatten(1).sum(1)
        if len(x) in self.other_sizes:
            rows = slice(None) if self.other_place is None else self.other_place
            score[rows] = score[rows].nextafter(torch.tensor(torch.inf))
        return score


def test_sizes_that_round_otherwise_are_left_out():
    assert sizes_alike(Fickle(), "score", 5) == (16, 32, 128, 1024)
    assert sizes_alike(Fickle(other_sizes=(16, 128)), "score", 5) == (32, 1024)
    assert sizes_alike(Fickle(other_sizes=(16, 32, 128)), "score", 5) == (1024,)


@pytest.mark.parametrize("place", [0, 7, 15])
def test_one_place_that_rounds_otherwise_is_enough(place):
    module = Fickle(other_sizes=(16,), other_place=place)
    assert sizes_alike(module, "score", 5) == (32, 128, 1024)


def test_maps_are_tried_out_by_few_samples_at_all_places():
    """A map may take dozens of gradients for each of the samples."""

    class Mapped(Fickle):
        def anomaly_map(self, x):
            return self.score(x)

    module = Mapped()
    assert sizes_alike(module, "anomaly_map", 5) == (16, 32, 128, 512)
    assert sum(module.sizes_seen) < 1000
    module = Mapped(other_sizes=(128,), other_place=100)  # there are fewer samples
    assert sizes_alike(module, "anomaly_map", 5) == (16, 32, 512)


@pytest.mark.parametrize("n_rows", [1024, 2048, 129, 1023, 1024 + 500])
def test_nothing_is_tried_out_without_rows_for_a_small_batch(n_rows):
    module = Fickle()
    assert sizes_alike(module, "score", n_rows) == (1024,)
    assert not module.sizes_seen


def test_each_method_and_number_of_threads_is_tried_out_once():
    module = Fickle()
    for _ in range(3):
        sizes_alike(module, "score", 1)
    n_batches = len(module.sizes_seen)
    assert set(module.sizes_seen) == {16, 32, 128, 1024}
    module.other_sizes = (16,)
    module.sizes_alike.clear()
    assert 16 not in sizes_alike(module, "score", 1)
    assert len(module.sizes_seen) == 2 * n_batches
    assert {key[1] for key in module.sizes_alike} == {torch.get_num_threads()}


def test_wide_samples_have_smaller_batches():
    assert largest_size((3, 60, 60), 1024) == 24
    assert sizes_alike(Fickle(input_shape=(3, 60, 60)), "score", 3) == (16, 24)
    assert sizes_alike(Fickle(input_shape=(1, 4, 4)), "score", 3) == (16, 128)
    assert largest_size((2,), 1024) == 1024
    assert largest_size((1000,), 1024) == 256
    assert largest_size((10**6,), 1024) == 1
