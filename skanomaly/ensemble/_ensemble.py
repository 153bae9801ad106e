"""Ensembles of outlier detectors, combined on the scale of held-out p-values."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.ensemble._base import _BaseHeterogeneousEnsemble, _set_random_states
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch, check_random_state, resample
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from skanomaly._advice import indexable_samples
from skanomaly._decorators import fit_context
from skanomaly._features import set_features_in
from skanomaly._namespace import like, to_host
from skanomaly._threshold import ThresholdMixin
from skanomaly._version import VersionMixin

from ._scale import PValueScale

# Enough for a quantile; more rows would cost more than they make it precise.
MOST_THRESHOLD_ROWS = 5_000


class DetectorEnsemble(VersionMixin, ThresholdMixin, _BaseHeterogeneousEnsemble):
    """Ensemble of outlier detectors, combined on the scale of held-out p-values.

    Detectors score in units of their own. Here the scores of rows held out of training
    turn each of them into -log p, where p is the fraction of normal rows that are at
    least as abnormal, and these are combined. Beyond the held-out scores, where that
    fraction is zero, -log p grows with the tail that is fitted to the largest of them,
    so that outliers stay ranked.

    Parameters
    ----------
    estimators : list of (str, estimator) tuples
        The members: outlier detectors with `score_samples`, or Pipelines that end with
        one. They are cloned. A member can be set to `'drop'` with `set_params`.
    combination : {"mean", "max", "rank"}, default="mean"
        How the members' values are combined: the mean of -log p; the largest -log p,
        for outliers that few members see; or the mean of 1 - p, the rank among the
        held-out rows, by which no member can outvote the others.
    validation_fraction : float, default=0.2
        Fraction of the rows that is held out for the p-values.
    refit : bool, default=True
        Whether the members are fitted again, on all rows, after the held-out ones have
        been scored. It takes twice the time. False keeps those that were fitted without
        the held-out rows.
    contamination : float, default=0.1
        Fraction of the training rows to be called outliers, in (0, 0.5]. It sets
        `offset_` and nothing else.
    n_jobs : int or None, default=None
        Number of processes in which members are fitted; None means 1, and -1 all
        processors.
    random_state : int, RandomState instance or None, default=None
        Determines which rows are held out and, unless it is None, every `random_state`
        of the members. Pass an int for the same scores in every fit.
    verbose : int, default=0
        The verbosity of joblib.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members, without those that were dropped.
    named_estimators_ : :class:`~sklearn.utils.Bunch`
        The same by name; `'drop'` for a member that was dropped.
    offset_ : float
        Threshold of the scores, the `contamination` quantile of those of the training
        rows; of 5,000 of them if there are more.
    n_features_in_ : int
        Number of features seen during `fit`. Only defined if a member defines it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if a member defines them.

    See Also
    --------
    default_ensemble : The members to begin with.
    skanomaly.calibration.ConformalDetector : A threshold with a guaranteed false-alarm
        rate, around any detector.

    Notes
    -----
    With abnormality a = -`score_samples` and n held-out rows, p(a) is (1 + the number
    of them with at least a) / (n + 1). Between two held-out values -log p is
    interpolated, and above their highest tenth, which begins at u, it is
    -log p(u) + (a - u) / m, where m is the mean by which that tenth exceeds u: the tail
    of an exponential distribution.

    References
    ----------
    .. [1] S. Bates, E. Candes, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51(1), 2023, :arxiv:`2104.08279`.
    .. [2] C. C. Aggarwal, S. Sathe, "Theoretical Foundations and Algorithms for Outlier
       Ensembles", SIGKDD Explorations 17(1), 2015, :doi:`10.1145/2830544.2830549`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from skanomaly.ensemble import DetectorEnsemble
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> ensemble = DetectorEnsemble(
    ...     [("lof", LocalOutlierFactor(novelty=True)), ("forest", IsolationForest())],
    ...     random_state=0,
    ... )
    >>> ensemble.fit(X).predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    _parameter_constraints = {
        "estimators": [list],
        "combination": [StrOptions({"mean", "max", "rank"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "refit": ["boolean"],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        *,
        combination: str = "mean",
        validation_fraction: float = 0.2,
        refit: bool = True,
        contamination: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        super().__init__(estimators)
        self.combination = combination
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.contamination = contamination
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the members, and turn their scores into p-values by rows held out.

        A fit that fails leaves the ensemble as it was before. The error of a member
        has a note with the member's name.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of which most, or all, are normal.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If `estimators` holds no members, or two of one name.
        TypeError
            If a member has no `score_samples`.
        """
        members = [(name, clone(each)) for name, each in _check_members(self)]
        random_state = check_random_state(self.random_state)
        X = indexable_samples(X)
        if self.random_state is not None:
            for _, member in members:
                _set_random_states(member, random_state)
        train, held_out = train_test_split(
            X, test_size=self.validation_fraction, random_state=random_state
        )
        rows = X if self.refit else None
        fitted = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(
            delayed(_fit_member)(name, member, train, held_out, rows)
            for name, member in members
        )
        estimators, scales = map(list, zip(*fitted, strict=True))
        sample = resample(
            X,
            replace=False,
            n_samples=min(_num_samples(X), MOST_THRESHOLD_ROWS),
            random_state=random_state,
        )
        scores = _combine(_member_values(estimators, scales, sample), self.combination)

        self.estimators_ = estimators
        self.named_estimators_ = Bunch(**dict(self.estimators))
        self.named_estimators_.update(zip(dict(members), estimators, strict=True))
        self.offset_ = np.percentile(scores, 100 * self.contamination)
        self._scales, self._combination = scales, self.combination
        set_features_in(self, estimators)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the combined scores of the members.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the members take them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal. A sample's score doesn't depend on what is
            scored with it if that holds for the members.
        """
        check_is_fitted(self)
        return like(_combine(self._member_values(X), self._combination), X)

    def _member_values(self, X):
        """Return -log p of each member: of shape (n_members, n_samples)."""
        return _member_values(self.estimators_, self._scales, X)


def _check_members(ensemble):
    """Return the members that aren't dropped, or say what they must be."""
    pairs = ensemble.estimators
    if not pairs or not all(
        isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in pairs
    ):
        raise ValueError(
            f"estimators must be a list of (name, estimator) tuples, got {pairs!r}."
        )
    ensemble._validate_names([name for name, _ in pairs])
    members = [
        (name, member)
        for name, member in pairs
        if not (isinstance(member, str) and member == "drop")
    ]
    if not members:
        raise ValueError("All members are dropped; at least one is needed.")
    for name, member in members:
        can_score = hasattr(member, "fit") and hasattr(member, "score_samples")
        if isinstance(member, type) or not can_score:
            raise TypeError(
                f"The member {name!r} must be an outlier detector with fit and "
                f"score_samples, or 'drop', got {member!r}. (LocalOutlierFactor has "
                "score_samples with novelty=True only.)"
            )
    return members


def _fit_member(name, member, train, held_out, X):
    """Return a member, fitted on all rows if they are given, and its p-value scale."""
    try:
        fitted = clone(member).fit(train, None)  # FrozenEstimator asks for y
        scale = PValueScale.fit(_abnormality(fitted, held_out))
        return (fitted if X is None else member.fit(X, None)), scale
    except Exception as error:
        error.add_note(f"Raised by the member {name!r} of the DetectorEnsemble.")
        raise


def _abnormality(estimator, X):
    """Return the negative of a member's scores, or raise if they can't be ranked."""
    scores = np.asarray(to_host(estimator.score_samples(X)), dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{np.sum(~np.isfinite(scores))} of {len(scores)} scores are NaN or "
            f"infinite, and can't be combined with others. Check {estimator}."
        )
    return -scores


def _member_values(estimators, scales, X):
    """Return -log p of each member: of shape (n_members, n_samples)."""
    pairs = zip(estimators, scales, strict=True)
    return np.array([scale(_abnormality(member, X)) for member, scale in pairs])


def _combine(values, combination):
    """Return the scores of samples: minus the members' combined -log p."""
    if combination == "max":
        return -values.max(axis=0)
    if combination == "rank":
        values = -np.expm1(-values)  # 1 - p
    return -values.mean(axis=0)
