"""Scoring and search on a cluster of two processes."""

import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import make_detector, make_samples
from joblib import parallel_config
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV

from skanomaly import Autoencoder, NearestNeighborDetector
from skanomaly.out_of_core import score_batches

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")
# What sockets and threads of a cluster leave behind is not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def client():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers have no tests
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, processes=True) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def folder(tmp_path):
    """Write eight files."""
    (tmp_path / "X").mkdir()
    for nth in range(8):
        X = make_samples(seed=nth)
        table = pa.table(dict(zip("abcdef", X.T, strict=True)))
        pq.write_table(table, tmp_path / "X" / f"{nth}.parquet")
    return tmp_path / "X"


class KillsItsWorker(BaseEstimator):
    """Score rows by a detector, but end the process that does so first."""

    def __init__(self, detector, marker):
        self.detector = detector
        self.marker = marker
        self.of_process = os.getpid()
        self.feature_names_in_ = detector.feature_names_in_

    def score_samples(self, X):
        if os.getpid() != self.of_process and not self.marker.exists():
            self.marker.touch()
            os._exit(1)
        return self.detector.score_samples(X)

    def predict(self, X):
        return self.detector.predict(X)


def test_scores_are_the_same_though_a_worker_is_killed(client, folder, tmp_path):
    frame = pq.read_table(folder).to_pandas()
    detector = NearestNeighborDetector().fit(frame)  # quick to import
    killing = KillsItsWorker(detector, tmp_path / "marker")
    found = []
    for nth, estimator in enumerate((detector, killing)):
        with parallel_config("dask"):
            paths = score_batches(estimator, folder, tmp_path / f"scores{nth}")
        found.append(np.concatenate([pq.read_table(path)["score"] for path in paths]))
    assert killing.marker.exists()
    assert np.array_equal(found[0], detector.score_samples(frame))
    assert np.array_equal(found[1], found[0])


def test_search(client):
    X = make_samples()
    search = GridSearchCV(
        make_detector(Autoencoder, random_state=0),
        {"latent_size": [1, 3]},
        scoring=lambda detector, X, y=None: detector.score_samples(X).mean(),
        cv=3,
    )
    here = search.fit(X).cv_results_["mean_test_score"]
    with parallel_config("dask"):
        there = search.fit(X).cv_results_["mean_test_score"]
    assert np.array_equal(here, there)
