"""Distance to the nearest training rows, as an outlier detector."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.neighbors import VALID_METRICS, NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ._advice import advice_if_not_numeric
from ._decorators import fit_context
from ._namespace import like, to_host
from ._threshold import ThresholdMixin
from ._version import VersionMixin

__all__ = ["NearestNeighborDetector"]

# Without those that need arguments or are no metrics of rows.
_METRICS = {*VALID_METRICS["brute"]} - {"precomputed", "mahalanobis", "seuclidean"}
# Above this number of features a tree can take longer than all distances: on 50,000
# normal rows twice as long for 10 features, and thirty times for 40.
_MOST_FEATURES_OF_A_TREE = 6
# Enough for a quantile; more rows would cost more than they make it precise.
_MOST_THRESHOLD_ROWS = 5_000


class NearestNeighborDetector(VersionMixin, ThresholdMixin, BaseEstimator):
    """Outlier detector by the distance to the k-th nearest training row.

    A row that was trained on is not its own neighbor: of the training rows equal to a
    row, one is left out. So the scores of the training rows are those of rows left out
    of training.

    Scale the features first: a feature of large variance is all that an unscaled
    distance depends on.

    Parameters
    ----------
    n_neighbors : int, default=1
        Which neighbor's distance is the score, k.
    metric : str or callable, default="euclidean"
        A metric of `sklearn.neighbors.NearestNeighbors`.
    max_samples : int or None, default=None
        Number of training rows, drawn at random, that are kept: it bounds the time and
        memory of scoring. None keeps all, as does a number that is larger than theirs.
    contamination : float, default=0.1
        Fraction of outliers among the training rows, which sets `offset_`.
    n_jobs : int or None, default=None
        Number of threads or processes of the search for neighbors, as in
        `sklearn.neighbors.NearestNeighbors`.
    random_state : int, RandomState instance or None, default=None
        Determines which rows are kept if there are more than `max_samples`, and which
        5,000 rows set `offset_` if there are more.

    Attributes
    ----------
    neighbors_ : sklearn.neighbors.NearestNeighbors
        The index of the training rows that were kept.
    center_ : ndarray of shape (n_features,)
        Mean of the training rows that were kept.
    offset_ : float
        Threshold of the scores, the `contamination` quantile of those of training rows.
    n_samples_fit_ : int
        Number of training rows that were kept.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Only defined if `X` has feature names that
        are all strings.

    See Also
    --------
    sklearn.neighbors.LocalOutlierFactor : The same distances, relative to those of the
        neighbors.
    skanomaly.DetectorEnsemble : Combination with other detectors.

    References
    ----------
    .. [1] S. Ramaswamy, R. Rastogi, K. Shim, "Efficient Algorithms for Mining Outliers
       from Large Data Sets", SIGMOD 2000, :doi:`10.1145/342009.335437`.

    Examples
    --------
    >>> from skanomaly.neighbors import NearestNeighborDetector
    >>> detector = NearestNeighborDetector().fit([[0.0], [1.0], [2.0], [3.0]])
    >>> detector.score_samples([[1.5], [7.0]])
    array([-0.5, -4. ])
    >>> detector.predict([[1.5], [7.0]])
    array([ 1, -1])
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(_METRICS), callable],
        "max_samples": [Interval(Integral, 2, None, closed="left"), None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors: int = 1,
        *,
        metric: str = "euclidean",
        max_samples: int | None = None,
        contamination: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.max_samples = max_samples
        self.contamination = contamination
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Index the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of which most, or all, are normal.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If no more than `n_neighbors` rows are kept.
        """
        X = self._read(X, reset=True)
        random_state = check_random_state(self.random_state)
        kept = _draw_rows(X, self.max_samples, random_state)
        if kept.shape[0] <= self.n_neighbors:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} needs at least {self.n_neighbors + 1} "
                f"training rows, got n_samples={kept.shape[0]}. Pass more rows, raise "
                "max_samples, or lower n_neighbors."
            )
        self.neighbors_ = NearestNeighbors(
            n_neighbors=self.n_neighbors,
            algorithm="auto" if X.shape[1] <= _MOST_FEATURES_OF_A_TREE else "brute",
            metric=self.metric,
            n_jobs=self.n_jobs,
        ).fit(kept)
        self.n_samples_fit_ = kept.shape[0]
        self.center_ = np.asarray(kept.mean(axis=0)).ravel()
        distances, _ = self._find(_draw_rows(X, _MOST_THRESHOLD_ROWS, random_state))
        self.offset_ = np.percentile(-distances, 100 * self.contamination)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the distance to the k-th nearest training row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal.
        """
        check_is_fitted(self)
        distances, _ = self._find(self._read(X, reset=False))
        return like(-distances, X)

    def anomaly_map(self, X: Any) -> np.ndarray:
        """Return in which features each row differs from its k-th nearest neighbor.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        anomaly_map : ndarray of shape (n_samples, n_features)
            Squared differences, whatever the metric. For the Euclidean one, a row's sum
            is the square of its score.
        """
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        dense = rows.toarray() if issparse(rows) else rows
        return like(np.square(dense - self.reconstruct(rows)), X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return the k-th nearest neighbor of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        x_rec : ndarray of shape (n_samples, n_features)
            Training rows; dense, float64.
        """
        check_is_fitted(self)
        _, neighbors = self._find(self._read(X, reset=False))
        rows = self.neighbors_._fit_X[neighbors]
        dense = rows.toarray() if issparse(rows) else rows
        return like(dense.astype(np.float64), X)

    def _find(self, X):
        """Return the k-th nearest other row of each row: its distance and its index."""
        if issparse(X) and not issparse(self.neighbors_._fit_X):
            X = X.toarray()  # a tree takes no sparse rows
        k = self.neighbors_.n_neighbors
        distances, indices = self.neighbors_.kneighbors(X, k + 1)
        differs = self.neighbors_._fit_X[indices[:, 0]] != X
        is_itself = np.ravel(differs.sum(axis=1)) == 0
        rows, kth = np.arange(len(indices)), np.where(is_itself, k, k - 1)
        return distances[rows, kth].astype(np.float64), indices[rows, kth]

    def _read(self, X, *, reset):
        """Validate rows; float32 and float64 stay what they are."""
        with advice_if_not_numeric("NearestNeighborDetector"):
            return validate_data(
                self,
                to_host(X),
                accept_sparse="csr",
                # scikit-learn's other metrics of sparse rows take 32-bit indices only.
                accept_large_sparse=self.metric == "euclidean",
                dtype=[np.float64, np.float32],
                order="C",
                ensure_min_samples=2 if reset else 1,
                reset=reset,
            )

    def __getstate__(self):
        """Return the rows without the index, which compiled code would trust."""
        state = super().__getstate__()
        if "neighbors_" in state:
            neighbors = state["neighbors_"]
            state |= {"neighbors_": clone(neighbors), "_rows": neighbors._fit_X}
        return state

    def __setstate__(self, state):
        """Index the rows again."""
        state = dict(state)
        rows = state.pop("_rows", None)
        super().__setstate__(state)
        if rows is not None:
            self.neighbors_.fit(rows)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _draw_rows(X, n_rows, random_state):
    """Return at most a number of rows, drawn without replacement."""
    if n_rows is None or X.shape[0] <= n_rows:
        return X
    return X[random_state.choice(X.shape[0], n_rows, replace=False)]
