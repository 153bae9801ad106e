"""The detectors under test, and samples for them."""

import inspect

import numpy as np
import pytest
from sklearn.utils._param_validation import StrOptions

import skanomaly
from skanomaly.base import BaseDetector

# Enough training for a network to tell near from far, little enough for a suite.
QUICK = {"max_epochs": 5, "batch_size": 32}

# How to end with the phase that early stopping watches epoch by epoch.
NO_LATER_PHASES = {"OGNet": {"n_refinements": 0}}

SAMPLE_SHAPES = {"rows": (6,), "images": (1, 8, 7), "clips": (2, 4, 6, 5)}


# Only half of f-AnoGAN's epochs are its GAN's.
TAKES_LONGER = {"FAnoGAN": 3}


def epochs(cls, n_epochs):
    """Return how long a detector is trained where another is for `n_epochs`."""
    return n_epochs * TAKES_LONGER.get(cls.__name__, 1)


def is_adversarial(cls):
    """Tell whether a detector's losses are the players' and need not fall."""
    return "penalty_weight" in own_fields(cls)


def all_detectors():
    """Find every public detector; no list is kept by hand."""
    public = (getattr(skanomaly, name) for name in skanomaly.__all__)
    return [
        cls for cls in public if inspect.isclass(cls) and issubclass(cls, BaseDetector)
    ]


def own_fields(cls):
    """Name the parameters that a detector has beyond the base's."""
    return cls._parameter_constraints.keys() - BaseDetector._parameter_constraints


def variants():
    """List detectors unlike their defaults: each option of each parameter once."""
    found = []
    for cls in all_detectors():
        found.append(cls(**QUICK, early_stopping=True))
        options = {
            name: sorted(constraint.options)
            for name in own_fields(cls)
            for constraint in cls._parameter_constraints[name]
            if isinstance(constraint, StrOptions)
        }
        for nth in range(max(map(len, options.values()), default=0)):
            chosen = {name: each[nth % len(each)] for name, each in options.items()}
            found.append(cls(**QUICK, **chosen))
    return found


each_detector = pytest.mark.parametrize(
    "Detector", all_detectors(), ids=lambda cls: cls.__name__
)
each_shape = pytest.mark.parametrize("kind", SAMPLE_SHAPES)


def make_samples(kind="rows", n_samples=100, seed=0):
    """Draw float32 samples that lie near a low-dimensional surface."""
    shape = SAMPLE_SHAPES[kind]
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(0).normal(size=(2, *shape))
    X = np.tensordot(rng.normal(size=(n_samples, 2)), axes, axes=1)
    return (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)


def make_outliers(kind="rows", n_samples=50, seed=1):
    """Draw float32 samples far from those of `make_samples`."""
    shape = SAMPLE_SHAPES[kind]
    rng = np.random.default_rng(seed)
    return rng.uniform(-8, 8, size=(n_samples, *shape)).astype(np.float32)
