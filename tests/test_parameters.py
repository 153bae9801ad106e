"""Parameters that enter training change the weights; all others the scores alone."""

from functools import cache

import numpy as np
import pytest
import torch
from helpers import each_detector, make_detector, make_samples
from skorch.callbacks import Callback

from skanomaly import (
    ALAD,
    EGBAD,
    VAE,
    AnoGAN,
    Autoencoder,
    FAnoGAN,
    GANomaly,
    MemAE,
    OGNet,
    StudentTeacher,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHARED = {
    "hidden_sizes": (3,),
    "latent_size": 2,
    "activation": "elu",
    "max_epochs": 3,
    "batch_size": 10,
    "learning_rate": 0.01,
    "random_state": 1,
}
OF_GANS = {"ema_decay": 0.1, "penalty_weight": 0.0}
TRAINING = {
    Autoencoder: {"sparsity_weight": 1.0, "noise_std": 0.5},
    VAE: {"beta": 3.0},
    MemAE: {
        "memory_size": 19,
        "shrinkage": 2.0,
        "entropy_weight": 0.1,
        "similarity": "dot",
        "temperature": 0.5,
        "query": "position",
        "memory_init": "uniform",
        "warm_up_fraction": 0.0,
    },
    AnoGAN: OF_GANS,
    FAnoGAN: OF_GANS | {"kappa": 1.0, "n_critic_steps": 1, "encoder_fraction": 0.8},
    EGBAD: OF_GANS | {"cycle_weight": 1.0},
    ALAD: OF_GANS | {"cycle_weight": 1.0, "spectral_norm": True},
    GANomaly: OF_GANS
    | {"adversarial_weight": 9.0, "contextual_weight": 9.0, "encoder_weight": 9.0},
    OGNet: {
        "noise_std": 0.1,
        "adversarial_weight": 9.0,
        "discriminator_learning_rate": 0.01,
        "old_generator_epoch": 2,
        "n_phase_two_steps": 3,
        "phase_two_learning_rate": 0.01,
        "alpha": 0.9,
        "beta": 0.9,
        "pseudo_anomalies": "mean",
        "use_reconstruction_error": False,
    },
    StudentTeacher: {
        "n_students": 3,
        "teacher": "autoencoder",
        "patch_sizes": (2,),
        "stride": 2,
    },
}
SCORING = {
    VAE: {"score_method": "neg_elbo", "n_draws": 3},
    AnoGAN: {
        "lambda_": 0.9,
        "n_search_steps": 6,
        "search_learning_rate": 0.5,
        "n_restarts": 3,
        "max_code_norm": 0.1,
    },
    EGBAD: {
        "discrimination": "feature_matching",
        "discrimination_weight": 0.9,
        "norm": "l2",
    },
    ALAD: {"score_method": "features"},
    GANomaly: {"norm": "l2"},
}

OF_IMAGES = ("query", "patch_sizes", "stride")
ROWS, IMAGES = (make_samples(shape, n_samples=60) for shape in ("rows", (1, 4, 4)))


def fit(Detector, X=ROWS, **parameters):
    settings = {"max_epochs": 4, "random_state": 0, **parameters}
    return make_detector(Detector, **settings).fit(X)


@cache
def fit_defaults(Detector, are_images=False):
    return fit(Detector, IMAGES if are_images else ROWS)


def have_same_weights(first, second):
    first, second = (dict(d.module_.named_parameters()) for d in (first, second))
    return first.keys() == second.keys() and all(
        torch.equal(weight, second[name]) for name, weight in first.items()
    )


def each_of(table):
    return pytest.mark.parametrize(
        ("Detector", "name", "value"),
        [
            pytest.param(cls, name, value, id=f"{cls.__name__}-{name}")
            for cls, values in table.items()
            for name, value in values.items()
        ],
    )


@each_of(TRAINING)
def test_parameter_enters_training(Detector, name, value):
    are_images = name in OF_IMAGES
    changed = fit(Detector, IMAGES if are_images else ROWS, **{name: value})
    assert not have_same_weights(changed, fit_defaults(Detector, are_images))


@each_of(SCORING)
def test_parameter_enters_the_scores_alone(Detector, name, value):
    changed, defaults = fit(Detector, **{name: value}), fit_defaults(Detector)
    assert have_same_weights(changed, defaults)
    scores = (detector.score_samples(ROWS) for detector in (changed, defaults))
    assert not np.allclose(*scores)


@each_detector
@pytest.mark.parametrize("name", SHARED)
def test_shared_parameter_enters_training(Detector, name):
    changed = fit(Detector, **{name: SHARED[name]})
    assert not have_same_weights(changed, fit_defaults(Detector))


@each_detector
def test_same_parameters_give_the_same_weights(Detector):
    """Otherwise the tests above would pass on anything."""
    detector = fit(Detector)
    assert have_same_weights(detector, fit_defaults(Detector))
    assert not detector.module_.training


def test_each_epoch_has_an_order_of_its_own():
    X, seen = np.arange(20.0)[:, None], []

    class Watch(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            seen.extend(batch[0][:, 0].tolist())

    fit(Autoencoder, X, max_epochs=2, net_params={"callbacks": [Watch]})
    first, second = seen[:20], seen[20:]
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second != sorted(second)
