"""Fitting several detectors to the same samples, in one pass where it's possible."""

from collections.abc import Iterable
from typing import Any


def fit_together(detectors: Iterable[Any], X: Any, y: Any = None) -> list[Any]:
    """Fit several detectors to the same samples, those of one network in one pass.

    Detectors that differ only in `random_state`, `contamination` and `verbose` are
    trained in one pass: each has its own weights, order of the samples, noise and
    early stopping, those that it has if it is fitted alone. It is faster for small
    networks. All others are fitted one after the other.

    If one of them fails, all are left as they were.

    Parameters
    ----------
    detectors : list of BaseDetector
        Detectors of this package. They are fitted themselves, no clones of them.
    X : {array-like, sparse matrix} of shape (n_samples, ...)
        Samples as `fit` takes them.
    y : None
        Not used, present for API consistency by convention.

    Returns
    -------
    detectors : list of BaseDetector
        The same detectors, fitted.

    Raises
    ------
    TypeError
        If one of them is no detector of this package, or is there twice.
    ValueError
        As from `fit`. If training diverges, a note names the detectors.
    KeyboardInterrupt
        As from `fit`.

    See Also
    --------
    skanomaly.DeepEnsemble : Combines detectors that differ in their seed.

    Notes
    -----
    A step in one pass may be rounded otherwise than a step alone. A long training can
    amplify that, as on another processor: scores are the same to the bit in each such
    fit with the same detectors, but not always those of `fit`.

    One pass takes dense networks that are updated by one loss a step, with the
    optimizer that is the default: rows, no `net_params`, no `warm_start` of a fitted
    detector. These are Autoencoder, VAE, MemAE and StudentTeacher. Adversarial
    detectors have several losses; DAGMM looks at its numbers while it computes, which
    ``torch.vmap`` can't; and the convolutions of images and clips are large enough by
    themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.ensemble import fit_together
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> seeds = [Autoencoder(max_epochs=5, random_state=seed) for seed in range(3)]
    >>> [each.score_samples(X).shape for each in fit_together(seeds, X)]
    [(300,), (300,), (300,)]
    """
    from skanomaly._fit_together import fit_networks  # imports torch
    from skanomaly.base import BaseDetector

    if not isinstance(detectors, Iterable):
        raise TypeError(f"detectors must be a list of detectors, got {detectors!r}.")
    detectors = list(detectors)
    for detector in detectors:
        if not isinstance(detector, BaseDetector):
            raise TypeError(
                "fit_together takes detectors of skanomaly, such as Autoencoder(), got "
                f"{detector!r}."
            )
    if len({id(detector) for detector in detectors}) < len(detectors):
        raise TypeError("The same detector is given twice; give a clone of it.")
    for detector, fitted in zip(detectors, fit_networks(detectors, X, y), strict=True):
        detector._set_fitted(fitted)
    return detectors
