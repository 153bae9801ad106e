"""GANomaly's last activation function."""

import numpy as np
import pytest
from helpers import make_samples
from sklearn.exceptions import ConvergenceWarning

from skanomaly import GANomaly

# Two epochs converge to nothing.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"max_epochs": 2, "batch_size": 20, "random_state": 0}


def test_tanh_ends_the_decoder():
    X = np.tanh(make_samples("images"))
    linear = GANomaly(**SETTINGS).fit(X)
    tanh = GANomaly(**SETTINGS, output_activation="tanh").fit(X)
    assert np.abs(tanh.reconstruct(1000 * X)).max() <= 1
    assert np.abs(linear.reconstruct(1000 * X)).max() > 1


def test_tanh_warns_of_samples_that_it_cannot_reconstruct():
    X = 2 * np.tanh(make_samples("images"))
    with pytest.warns(ConvergenceWarning, match=r"Scale them to \[-1, 1\]"):
        GANomaly(**SETTINGS, output_activation="tanh").fit(X)
