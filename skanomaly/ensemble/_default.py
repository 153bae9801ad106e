"""The ensemble to begin with."""

import numpy as np

from skanomaly.neighbors import NearestNeighborDetector

from ._ensemble import DetectorEnsemble


def default_ensemble(
    *,
    random_state: int | np.random.RandomState | None = None,
    contamination: float = 0.1,
    n_jobs: int | None = None,
) -> DetectorEnsemble:
    """Make the ensemble to begin with: nearest neighbors and a denoiser.

    Neighbors see what is far from every training row, and a network trained to remove
    noise what breaks the dependence between features.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Determines all that is random. Pass an int for the same scores in every fit.
    contamination : float, default=0.1
        Fraction of the training rows to be called outliers, in (0, 0.5].
    n_jobs : int or None, default=None
        Number of processes in which members are fitted.

    Returns
    -------
    ensemble : DetectorEnsemble
        With the members ``"neighbors"``, a
        `~skanomaly.neighbors.NearestNeighborDetector`, and ``"denoiser"``, an
        `~skanomaly.Autoencoder`.

    See Also
    --------
    skanomaly.make_tabular_pipeline : Scaling and encoding, which tables need before it.

    Examples
    --------
    >>> from skanomaly import make_tabular_pipeline
    >>> from skanomaly.datasets import load_breast_cancer
    >>> from skanomaly.ensemble import default_ensemble
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> ensemble = default_ensemble(random_state=0)
    >>> _ = ensemble.set_params(denoiser__max_epochs=50)  # for a quick example
    >>> detector = make_tabular_pipeline(ensemble).fit(benign)
    >>> detector.predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """
    from skanomaly.detectors.autoencoder import Autoencoder  # imports torch

    return DetectorEnsemble(
        [("neighbors", NearestNeighborDetector()), ("denoiser", Autoencoder())],
        contamination=contamination,
        n_jobs=n_jobs,
        random_state=random_state,
    )
