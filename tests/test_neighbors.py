"""The distance to the nearest training rows."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import make_outliers, make_samples
from scipy.sparse import csr_array, csr_matrix
from sklearn.metrics import pairwise_distances
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly.neighbors import NearestNeighborDetector


@parametrize_with_checks(
    [
        NearestNeighborDetector(),
        NearestNeighborDetector(n_neighbors=3, metric="manhattan", max_samples=10),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_features", [3, 20])  # with a tree, and without
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine"])
@pytest.mark.parametrize("n_neighbors", [1, 4])
def test_score_is_the_distance_to_the_kth_neighbor(n_neighbors, metric, n_features):
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(60, n_features)), rng.normal(size=(9, n_features))
    detector = NearestNeighborDetector(n_neighbors, metric=metric).fit(X)
    ordered = np.sort(pairwise_distances(new, X, metric), axis=1)
    assert detector.score_samples(new) == pytest.approx(-ordered[:, n_neighbors - 1])
    # A training row is at distance zero from itself, which is the first column.
    ordered = np.sort(pairwise_distances(X, metric=metric), axis=1)
    left_out = -ordered[:, n_neighbors]
    assert detector.score_samples(X) == pytest.approx(left_out)
    assert detector.offset_ == pytest.approx(np.percentile(left_out, 10))
    assert (detector.predict(X) == -1).sum() == 6


def test_only_one_of_equal_training_rows_is_left_out():
    detector = NearestNeighborDetector().fit([[0.0], [0.0], [3.0], [7.0]])
    assert np.array_equal(detector.score_samples([[0.0], [3.0], [7.0]]), [0, -3, -4])
    twice = NearestNeighborDetector(2).fit([[0.0], [0.0], [3.0], [7.0]])
    assert np.array_equal(twice.score_samples([[0.0], [1.0]]), [-3, -1])


def test_many_equal_rows():
    X = np.repeat(make_samples(n_samples=10), 20, axis=0)
    detector = NearestNeighborDetector(5).fit(X)
    assert detector.score_samples(X) == pytest.approx(0, abs=1e-3)
    assert (detector.predict(make_outliers()) == -1).all()


@pytest.mark.parametrize("n_features", [3, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [csr_matrix, csr_array])
def test_sparse_rows_score_as_dense_ones(container, dtype, n_features):
    X = make_samples((n_features,)).astype(dtype)
    X[np.abs(X) < 0.5] = 0
    dense, sparse = (NearestNeighborDetector(2).fit(each) for each in (X, container(X)))
    assert sparse.offset_ == pytest.approx(dense.offset_, rel=1e-5)
    for fitted in (dense, sparse):
        for new in (X[:20] + dtype(0.1), X[:20]):
            expected = dense.score_samples(new)
            scores = fitted.score_samples(container(new))
            assert scores.dtype == np.float64
            assert scores == pytest.approx(expected, rel=1e-4)
            assert isinstance(fitted.anomaly_map(container(new)), np.ndarray)


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_map_sums_to_the_squared_distance(n_neighbors):
    X = make_samples()
    detector = NearestNeighborDetector(n_neighbors).fit(X)
    for rows in (X, make_outliers()):
        maps, scores = detector.anomaly_map(rows), detector.score_samples(rows)
        assert maps.shape == rows.shape
        assert np.sqrt(maps.sum(axis=1)) == pytest.approx(-scores, rel=1e-3)
    far = X[:1].copy()
    far[0, 2] += 50
    assert detector.anomaly_map(far).argmax() == 2


def test_at_most_max_samples_are_kept():
    X = make_samples(n_samples=100)
    detector = NearestNeighborDetector(max_samples=30, random_state=0).fit(X)
    assert detector.n_samples_fit_ == 30
    assert (detector.predict(X) == -1).sum() == 10
    scores = detector.score_samples(X)
    assert np.array_equal(detector.fit(X).score_samples(X), scores)
    other = NearestNeighborDetector(max_samples=30, random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(X), scores)
    all_rows = NearestNeighborDetector(max_samples=1000).fit(X)
    assert all_rows.n_samples_fit_ == 100
    assert (all_rows.score_samples(X) >= scores - 1e-6).all()


def test_the_threshold_of_many_rows_is_that_of_some(monkeypatch):
    monkeypatch.setattr("skanomaly.neighbors._MOST_THRESHOLD_ROWS", 50)
    X = make_samples(n_samples=1000)
    detector = NearestNeighborDetector(random_state=0).fit(X)
    assert detector.n_samples_fit_ == 1000
    n_outliers = (detector.predict(X) == -1).sum()
    assert 20 < n_outliers < 300
    assert n_outliers != 100


def test_frames_and_pickles():
    frame = pd.DataFrame(make_samples(), columns=list("abcdef"))
    detector = NearestNeighborDetector().fit(frame)
    assert list(detector.feature_names_in_) == list("abcdef")
    copy = pickle.loads(pickle.dumps(detector))
    new = pd.DataFrame(make_outliers(), columns=list("abcdef"))
    assert np.array_equal(copy.score_samples(new), detector.score_samples(new))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": 100}, "needs at least 101 training rows, got n_samples=100"),
        ({"n_neighbors": 20, "max_samples": 20}, "got n_samples=20"),
        ({"max_samples": 1}, "max_samples"),
        ({"max_samples": 0.5}, "max_samples"),
        ({"metric": "precomputed"}, "metric"),
        ({"metric": "mahalanobis"}, "metric"),
        ({"contamination": 0}, "contamination"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        NearestNeighborDetector(**params).fit(make_samples())


def test_no_torch_is_imported():
    code = "import sys, skanomaly.neighbors; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout.strip() == "False", shown.stderr
