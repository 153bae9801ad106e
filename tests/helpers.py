"""The detectors under test, and samples for them."""

import inspect
import math

import numpy as np
import pytest
from sklearn.utils._param_validation import StrOptions

import skanomaly
from skanomaly.base import BaseDetector

# Enough training for a network to tell near from far, little enough for a suite.
QUICK = {"max_epochs": 5, "batch_size": 32}
# Of sizes that serve rows and images alike; `hidden_sizes=None` gives the defaults.
SMALL = {"max_epochs": 5, "batch_size": 64, "hidden_sizes": (16, 8)}

# What would take most of the suite's time at its full size, by class name, as
# scikit-learn's own suite has it.
TEST_PARAMS = {
    "AnoGAN": {"n_draws": 50, "n_search_steps": 5},
    "FAnoGAN": {"n_critic_steps": 2},
    "MemAE": {"memory_size": 20},
    "OGNet": {"n_phase_two_steps": 10},
    "StudentTeacher": {"n_students": 2},
}

# A training that suffices to tell outliers of equal norm from inliers. Generators that
# see no samples themselves need more of it, and a score by features needs features.
LEARNING = {
    "latent_size": 4,
    "max_epochs": 40,
    "batch_size": 20,
    "learning_rate": 0.005,
}
LEARNING_OF = {
    "ALAD": {"hidden_sizes": (32,)},
    "AnoGAN": {
        "max_epochs": 100,
        "learning_rate": 0.01,
        "n_draws": 500,
        "n_search_steps": 20,
    },
    "FAnoGAN": {"max_epochs": 100, "learning_rate": 0.02},
    "VAE": {"learning_rate": 0.01},
}

# Options that need an extra, or images: they have tests of their own.
NEED_AN_EXTRA = {"efficientnet"}

SAMPLE_SHAPES = {"rows": (6,), "images": (1, 8, 7), "clips": (2, 4, 6, 5)}


def make_detector(cls, **params):
    """Make a detector of small sizes."""
    return cls(**{**SMALL, **TEST_PARAMS.get(cls.__name__, {}), **params})


def make_learner(cls, kind="rows", **params):
    """Make a detector of small sizes that learns what `make_samples` draws."""
    sizes = {"hidden_sizes": (64,) if kind == "rows" else (16,)}
    own = LEARNING_OF.get(cls.__name__, {})
    return make_detector(cls, **{**sizes, **LEARNING, **own, **params})


def is_adversarial(cls):
    """Tell whether a detector's losses are those of adversaries and need not fall."""
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


def options(cls, names=None):
    """List the values of each parameter that has but a few: names and switches."""
    found = {}
    for name, constraints in cls._parameter_constraints.items():
        for constraint in constraints:
            if names is not None and name not in names:
                continue
            if isinstance(constraint, StrOptions):
                found[name] = sorted(constraint.options - NEED_AN_EXTRA)
            elif constraint == "boolean":
                found[name] = [False, True]
    return found


def variants(cls, names=None):
    """List parameters unlike the defaults: each option of each parameter once."""
    found = options(cls, names)
    return [
        {name: values[nth % len(values)] for name, values in found.items()}
        for nth in range(max(map(len, found.values()), default=0))
    ]


each_detector = pytest.mark.parametrize(
    "Detector", all_detectors(), ids=lambda cls: cls.__name__
)
each_shape = pytest.mark.parametrize("kind", SAMPLE_SHAPES)


def make_samples(kind="rows", n_samples=100, seed=0):
    """Draw float32 samples that lie near a low-dimensional surface."""
    shape = SAMPLE_SHAPES[kind] if isinstance(kind, str) else kind
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(0).normal(size=(2, *shape))
    X = np.tensordot(rng.normal(size=(n_samples, 2)), axes, axes=1)
    return (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)


def make_outliers(kind="rows", n_samples=50, seed=1):
    """Draw float32 samples far from those of `make_samples`."""
    shape = SAMPLE_SHAPES[kind]
    rng = np.random.default_rng(seed)
    return rng.uniform(-8, 8, size=(n_samples, *shape)).astype(np.float32)


def make_outliers_of_equal_norm(kind="rows", n_samples=50, seed=1):
    """Draw outliers that no scale and no norm tells from those of `make_samples`.

    The values of each feature are shuffled between samples, which takes them off the
    surface, and the norms are those of the samples that they are made of.
    """
    X = make_samples(kind, n_samples, seed)
    shuffled = np.random.default_rng(seed).permuted(X, axis=0)
    factors = [
        np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(X, shuffled, strict=True)
    ]
    return shuffled * np.reshape(factors, (-1, *(1,) * (X.ndim - 1))).astype(X.dtype)


def make_sparse_samples(n_samples, n_features, density, seed=0):
    """Draw CSR rows without ever making them dense."""
    from scipy import sparse

    n_values = math.ceil(n_samples * n_features * density)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n_values).astype(np.float32)
    rows = rng.integers(n_samples, size=n_values)
    columns = rng.integers(n_features, size=n_values)
    shape = (n_samples, n_features)
    return sparse.coo_array((values, (rows, columns)), shape).tocsr()


def weights_of(detector):
    """Copy the weights of a fitted detector, and all its buffers, by name."""
    state = detector.module_.state_dict()
    return {name: value.detach().clone() for name, value in state.items()}
