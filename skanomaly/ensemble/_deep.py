"""Deep ensemble: detectors that differ in their seed only."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.ensemble._base import _set_random_states
from sklearn.utils import check_random_state, get_tags, resample
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from skanomaly._advice import indexable_samples
from skanomaly._decorators import fit_context
from skanomaly._features import set_features_in
from skanomaly._namespace import like, to_host
from skanomaly._threshold import ThresholdMixin
from skanomaly._version import VersionMixin

from ._ensemble import MOST_THRESHOLD_ROWS
from ._fit_together import fit_together


class DeepEnsemble(VersionMixin, ThresholdMixin, MetaEstimatorMixin, BaseEstimator):
    """Deep ensemble: the mean score of detectors that differ in their seed only.

    Trainings from other first weights end in other networks, which agree on what they
    have seen and less on anything else. The mean of their scores doesn't depend on the
    luck of one seed. Dense networks are trained in one pass, which is faster for small
    ones; see `fit_together`.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The outlier detector, of which each member is a clone with a `random_state` of
        its own. None takes an `~skanomaly.Autoencoder`. A Pipeline is possible, but its
        members aren't trained in one pass: put the ensemble at the end of it instead.
    n_estimators : int, default=8
        Number of members.
    contamination : float, default=0.1
        Fraction of the training rows to be called outliers, in (0, 0.5]. It sets
        `offset_` and nothing else.
    n_jobs : int or None, default=None
        Number of processes among which the members are divided; None means 1, and -1
        all processors. Each process trains its members in one pass.
    random_state : int, RandomState instance or None, default=None
        Determines the `random_state` of each member. Pass an int for the same scores in
        every fit.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members: detectors that can be used by themselves.
    offset_ : float
        Threshold of the scores, the `contamination` quantile of those of the training
        rows; of 5,000 of them if there are more.
    n_features_in_ : int
        Number of features seen during `fit`. Only defined if the members define it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if the members define them.

    See Also
    --------
    skanomaly.DetectorEnsemble : Combines detectors of different kinds.
    fit_together : The training in one pass, without an ensemble.

    Notes
    -----
    The members score in the same units, so that their mean is one in these units. Where
    that isn't so, as for the discriminators of some adversarial detectors, the member
    of the largest scores counts most; `~skanomaly.DetectorEnsemble` brings them to one
    scale.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", NeurIPS 2017, :arxiv:`1612.01474`.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.ensemble import DeepEnsemble
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> ensemble = DeepEnsemble(Autoencoder(max_epochs=20), 3, random_state=0).fit(X)
    >>> ensemble.predict([[0.0, 0.0, 0.0, 0.0], [9.0, -9.0, 9.0, -9.0]])
    array([ 1, -1])
    >>> ensemble.score_members(X).shape
    (300, 3)
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        n_estimators: int = 8,
        *,
        contamination: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.contamination = contamination
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit all members, in one pass where that's possible.

        A fit that fails leaves the ensemble as it was before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as `estimator` takes them.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            As from the members. If training diverges, a note names the members.
        KeyboardInterrupt
            As from the members.
        """
        random_state = check_random_state(self.random_state)
        members = [clone(self._detector()) for _ in range(self.n_estimators)]
        for member in members:
            _set_random_states(member, random_state)
        X = indexable_samples(X)
        n_jobs = min(effective_n_jobs(self.n_jobs), len(members))
        parts = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_members)(members[nth::n_jobs], X) for nth in range(n_jobs)
        )
        estimators = [parts[nth % n_jobs].pop(0) for nth in range(len(members))]
        sample = resample(
            X,
            replace=False,
            n_samples=min(_num_samples(X), MOST_THRESHOLD_ROWS),
            random_state=random_state,
        )
        scores = _score_members(estimators, sample).mean(axis=1)

        self.estimators_ = estimators
        self.offset_ = np.percentile(scores, 100 * self.contamination)
        set_features_in(self, estimators)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the mean of the members' scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal. A sample's score doesn't depend on what is
            scored with it if that holds for the members.
        """
        check_is_fitted(self)
        return like(_score_members(self.estimators_, X).mean(axis=1), X)

    def score_members(self, X: Any) -> np.ndarray:
        """Return the scores of each member, whose spread tells how far they agree.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_estimators)
            The lower, the more abnormal, in the order of `estimators_`. Their standard
            deviation over axis 1 is that of seeds.
        """
        check_is_fitted(self)
        return like(_score_members(self.estimators_, X), X)

    def _detector(self):
        """Return what the members are clones of."""
        if self.estimator is not None:
            return self.estimator
        from skanomaly.detectors.autoencoder import Autoencoder  # imports torch

        return Autoencoder()

    def __sklearn_tags__(self):
        """Take sparse rows if the members do."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self._detector()).input_tags.sparse
        return tags


def _fit_members(members, X):
    """Fit the members of one process."""
    from skanomaly.base import BaseDetector  # imports torch

    if all(isinstance(member, BaseDetector) for member in members):
        return fit_together(members, X)
    return [member.fit(X) for member in members]


def _score_members(members, X):
    """Return the scores of members, of shape (n_samples, n_members)."""
    return np.stack([to_host(each.score_samples(X)) for each in members], axis=1)
