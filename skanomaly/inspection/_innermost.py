"""The detector inside Pipelines and meta-estimators."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

# Where searches and this package's meta-estimators keep what they have fitted.
_HOLDERS = ("best_estimator_", "detector_")


def held_by(estimator):
    """Return what a search or a meta-estimator has fitted; None if it is neither."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    held = [getattr(estimator, name, None) for name in _HOLDERS]
    return next((each for each in held if each is not None), None)


def layers(estimator, X=None):
    """Yield a fitted estimator and what is inside it, with samples as it takes them."""
    check_is_fitted(estimator)
    while estimator is not None:
        yield estimator, X
        if isinstance(estimator, Pipeline):
            if X is not None and len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            estimator = held_by(estimator)


def innermost(estimator):
    """Return the detector inside a fitted estimator."""
    *_, (detector, _) = layers(estimator)
    return detector


def find_with(caller, attribute, estimator, X=None):
    """Return the detector inside and its samples, or say what it doesn't have."""
    *_, (detector, X) = layers(estimator, X)
    if not hasattr(detector, attribute):
        members = getattr(detector, "named_estimators_", {})
        advice = f" Take one of its members: {', '.join(members)}." if members else ""
        raise TypeError(
            f"{caller} needs a detector that has {attribute}, and "
            f"{type(detector).__name__} has none.{advice}"
        )
    return detector, X


def shape_of(X):
    """Return the shape of samples, without a copy of those that know it."""
    return tuple(X.shape) if hasattr(X, "shape") else np.shape(X)


def find_threshold(estimator):
    """Return the outermost threshold of the scores, or None if there is none."""
    for each, _ in layers(estimator):
        if hasattr(each, "offset_"):
            return float(np.ravel(each.offset_)[0])
        if hasattr(type(each), "offset_"):
            return None  # a property, which has no value for the parameters as they are
    return None


def find_feature_names(estimator, n_features):
    """Return names of the features that the detector inside is given."""
    names = None
    for each, _ in layers(estimator):
        if isinstance(each, Pipeline) and len(each) > 1:
            try:
                names = each[:-1].get_feature_names_out()
            except (AttributeError, ValueError):
                names = None  # a step has no names for its output
        else:
            names = getattr(each, "feature_names_in_", names)
    if names is None or len(names) != n_features:
        return np.array([f"x{i}" for i in range(n_features)], dtype=object)
    return np.asarray(names, dtype=object)
