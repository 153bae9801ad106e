"""Number and names of features, which a meta-estimator has from what it has fitted."""

from collections.abc import Iterable
from typing import Any


def set_features_in(meta: Any, estimators: Iterable[Any]) -> None:
    """Set what the first estimator knows that knows any; remove what a fit before set.

    Whoever was fitted on an array has no names.
    """
    for name in ("n_features_in_", "feature_names_in_"):
        meta.__dict__.pop(name, None)
        found = [getattr(each, name) for each in estimators if hasattr(each, name)]
        if found:
            setattr(meta, name, found[0])
