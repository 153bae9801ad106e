"""Every parameter of every detector is noticed: none is there for nothing."""

from numbers import Integral

import numpy as np
import pytest
import torch
from helpers import (
    NEED_AN_EXTRA,
    all_detectors,
    each_detector,
    make_detector,
    make_samples,
)
from sklearn.utils._param_validation import Interval, StrOptions
from skorch.callbacks import Callback

from skanomaly import Autoencoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Other values of parameters whose constraint and default don't tell one, or one that
# makes a difference in so short a training.
OTHER_VALUES = {
    "hidden_sizes": (3,),
    "latent_size": 2,
    "activation": "elu",
    "max_epochs": 3,
    "batch_size": 10,
    "n_iter_no_change": 1,
    "validation_fraction": 0.3,
    "sample_shape": (1, 4, 4),
    "device": "cpu:0",
    "net_params": {"optimizer": torch.optim.SGD},
    "random_state": 1,
    "verbose": 1,
    "noise_std": 0.2,
    "warm_up_fraction": 0.75,
    "ema_decay": 0.1,
    "n_draws": 7,
    "pseudo_anomalies": "mean",  # "auto" is the other one, for rows
    "patch_sizes": (2,),
    "stride": 2,
}
# What both detectors have beside the parameter, where it is for nothing otherwise.
LONG = {"max_epochs": 20, "learning_rate": 0.05}
CONTEXTS = {
    "validation_fraction": {"early_stopping": True},
    "early_stopping": LONG,
    "n_iter_no_change": LONG | {"early_stopping": True},
}
# They leave the trained weights as they are; all others but these change them.
OF_SCORES = {
    "score_method",
    "n_draws",
    "lambda_",
    "n_search_steps",
    "search_learning_rate",
    "n_restarts",
    "max_code_norm",
    "discrimination",
    "discrimination_weight",
    "norm",
}
# What the others change, and nothing else.
OF_NEITHER = {
    "contamination": {"threshold"},
    "device": {"device"},
    "verbose": {"output"},
}

ROWS, IMAGES = (make_samples(shape, n_samples=60) for shape in ("rows", (1, 4, 4)))
SAMPLES = {
    **dict.fromkeys(["query", "patch_sizes", "stride"], IMAGES),
    "sample_shape": IMAGES.reshape(60, -1),
}
USUAL: dict = {}


def other_values(detector, name):
    """List values of a parameter unlike the one that a detector has."""
    if name in OTHER_VALUES:
        return [OTHER_VALUES[name]]
    value, found = getattr(detector, name), []
    for constraint in detector._parameter_constraints[name]:
        if isinstance(constraint, StrOptions):
            found += sorted(constraint.options - NEED_AN_EXTRA - {value})
        elif constraint == "boolean":
            found.append(not value)
        elif isinstance(constraint, Interval) and value is not None:
            is_whole = constraint.type is Integral
            found.append(value + 1 if is_whole else value / 2 or 0.5)
    return found


EACH_VALUE = [
    pytest.param(cls, name, value, id=f"{cls.__name__}-{name}-{value}")
    for cls in all_detectors()
    for name in cls._parameter_constraints
    for value in other_values(make_detector(cls), name) or [None]
]


def fit(Detector, X=ROWS, **params):
    # Of fewer units, OGNet's threshold may stay; of more, students don't stop early.
    sizes = {"StudentTeacher": (32, 16)}.get(Detector.__name__)
    settings = {"max_epochs": 4, "batch_size": 32, "hidden_sizes": sizes}
    return make_detector(Detector, **{**settings, "random_state": 0, **params}).fit(X)


def observe(Detector, name, capfd, **params):
    """Fit a detector and return all that a parameter may change."""
    X = SAMPLES.get(name, ROWS)
    capfd.readouterr()
    detector = fit(Detector, X, **{**CONTEXTS.get(name, {}), **params})
    if name == "warm_start":
        detector.fit(X)
    return {
        "weights": {n: p.detach() for n, p in detector.module_.named_parameters()},
        "scores": detector.score_samples(X),
        "threshold": detector.offset_,
        "n_iter": detector.n_iter_,
        "device": str(detector.net_.device),
        "output": capfd.readouterr() != ("", ""),
    }


def observe_usual(Detector, name, capfd):
    """Observe defaults, once for all parameters that are observed alike."""
    is_special = name in CONTEXTS or name in SAMPLES or name == "warm_start"
    key = (Detector, name if is_special else "")
    if key not in USUAL:
        USUAL[key] = observe(Detector, name, capfd)
    return USUAL[key]


def find_changes(first, second):
    """Name what two observations differ in."""
    return {key for key, value in first.items() if not is_same(value, second[key])}


def is_same(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            torch.equal(weight, second[name]) for name, weight in first.items()
        )
    return np.array_equal(first, second)


@pytest.mark.parametrize(("Detector", "name", "value"), EACH_VALUE)
def test_parameter_is_noticed(Detector, name, value, capfd):
    assert value is not None, f"OTHER_VALUES must have one of {name}"
    usual = observe_usual(Detector, name, capfd)
    found = find_changes(usual, observe(Detector, name, capfd, **{name: value}))
    if name in OF_NEITHER:
        assert found == OF_NEITHER[name]
    elif name == "n_iter_no_change":  # the best weights may be the same
        assert "n_iter" in found
    elif name in OF_SCORES:
        assert found - {"threshold"} == {"scores"}
    else:
        assert found >= {"weights", "scores", "threshold"}


@each_detector
def test_same_parameters_change_nothing(Detector, capfd):
    """Otherwise the test above would pass on anything."""
    usual = observe_usual(Detector, "", capfd)
    assert not find_changes(usual, observe(Detector, "", capfd))


def test_each_epoch_has_an_order_of_its_own():
    X, seen = np.arange(20.0)[:, None], []

    class Watch(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            seen.extend(batch[0][:, 0].tolist())

    fit(Autoencoder, X, max_epochs=2, net_params={"callbacks": [Watch]})
    first, second = seen[:20], seen[20:]
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second != sorted(second)
