"""The budget of a training where the user leaves it open."""

import numpy as np
import pytest
from helpers import each_detector, make_samples

from skanomaly import Autoencoder, FAnoGAN
from skanomaly._budget import make_budget

ROW, IMAGE = (20,), (1, 28, 28)


def n_steps(budget, n_samples):
    return budget.max_epochs * -(-n_samples // budget.batch_size)


@each_detector
@pytest.mark.parametrize("n_samples", [10, 300, 5000, 50_000])
def test_steps_whatever_the_size_of_the_data(Detector, n_samples):
    wanted = Detector.module_class.default_steps
    made = n_steps(make_budget(Detector(), ROW, n_samples), n_samples)
    one_pass = -(-n_samples // 256)
    assert wanted <= made < wanted + one_pass


@each_detector
def test_images_take_twice_as_many(Detector):
    budget = make_budget(Detector(), IMAGE, 512)
    assert budget.batch_size == 128
    assert n_steps(budget, 512) == 2 * Detector.module_class.default_steps


@pytest.mark.parametrize("n_samples", [10**6, 10**8])
def test_large_data_are_passed_once_in_larger_batches(n_samples):
    budget = make_budget(Autoencoder(), ROW, n_samples)
    assert budget.max_epochs <= 2
    assert budget.batch_size == min(n_samples // 1000, 4096)
    assert make_budget(FAnoGAN(), ROW, n_samples).max_epochs >= 2


@pytest.mark.parametrize("n_samples", [10, 10**7])
def test_numbers_are_taken_as_they_are(n_samples):
    detector = Autoencoder(max_epochs=7, batch_size=3, n_iter_no_change=5)
    budget = make_budget(detector, ROW, n_samples)
    assert (budget.max_epochs, budget.batch_size, budget.n_iter_no_change) == (7, 3, 5)


@pytest.mark.parametrize(("max_epochs", "patience"), [(20, 10), (100, 10), (900, 90)])
def test_patience_grows_with_the_epochs(max_epochs, patience):
    budget = make_budget(Autoencoder(max_epochs=max_epochs), ROW, 100)
    assert budget.n_iter_no_change == patience


def test_fit_keeps_to_the_budget():
    X = make_samples(n_samples=600)
    detector = Autoencoder(hidden_sizes=(4,), random_state=0).fit(X)
    assert detector.n_iter_ == len(detector.history_) == 334  # of 3 steps
    assert np.isfinite(detector.score_samples(X)).all()
