"""Scores between 0 and 1."""

import numpy as np
import pandas as pd
import pytest
from helpers import QUICK, make_outliers, make_samples
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import Autoencoder
from skanomaly.calibration import NormalizedScores


class FirstFeature(OutlierMixin, BaseEstimator):
    """A detector whose scores are known: the larger the first feature, the worse."""

    def fit(self, X, y=None):
        self.seen_ = np.asarray(X)[:, 0]
        return self

    def score_samples(self, X):
        return -np.asarray(X, dtype=float)[:, 0]


@parametrize_with_checks(
    [
        NormalizedScores(IsolationForest(n_estimators=5, random_state=0)),
        NormalizedScores(
            Autoencoder(**QUICK, random_state=0), method="min_max", threshold=0.2
        ),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


def test_scores_by_hand():
    X = np.arange(10.0)[:, None]
    detector = NormalizedScores(
        FirstFeature(), validation_fraction=0.5, random_state=0
    ).fit(X)
    reference = detector.reference_
    assert len(reference) == 5
    assert not set(reference) & set(detector.detector_.seen_)  # held out it is
    new = [[-1.0], [reference[2]], [reference[2] + 0.5], [99.0]]
    assert detector.normalized_scores(new).tolist() == [0.0, 0.4, 0.6, 1.0]
    assert detector.predict(new).tolist() == [1, 1, 1, -1]
    detector.set_params(method="min_max", threshold=0.4).fit(X)
    middle = (reference[0] + reference[-1]) / 2
    new = [[-1.0], [reference[0]], [middle], [reference[-1]], [99.0]]
    assert detector.normalized_scores(new).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert detector.predict(new).tolist() == [1, 1, -1, -1, -1]
    assert np.array_equal(detector.score_samples(new), -np.ravel(new))


@pytest.mark.parametrize("threshold", [0.8, 0.95])
def test_rank_threshold_is_the_share_of_false_alarms(threshold):
    shares = []
    for seed in range(20):
        X = make_samples(n_samples=300, seed=seed)
        detector = NormalizedScores(
            make_pipeline(StandardScaler(), Autoencoder(**QUICK, random_state=0)),
            threshold=threshold,
            validation_fraction=0.5,
            random_state=seed,
        ).fit(X)
        new = make_samples(n_samples=300, seed=100 + seed)
        shares.append((detector.predict(new) == -1).mean())
    assert np.mean(shares) == pytest.approx(1 - threshold, abs=0.025)


def test_images_and_maps():
    X = make_samples("images")
    detector = NormalizedScores(Autoencoder(**QUICK, random_state=0), random_state=0)
    scores = detector.fit(X).normalized_scores(make_outliers("images"))
    assert scores.mean() > 0.9
    assert detector.anomaly_map(X).shape == X.shape
    assert not hasattr(NormalizedScores(IsolationForest()), "anomaly_map")


def test_frames_keep_their_names():
    frame = pd.DataFrame(make_samples(), columns=list("abcdef"))
    detector = NormalizedScores(Autoencoder(**QUICK), random_state=0).fit(frame)
    assert list(detector.feature_names_in_) == list("abcdef")
    assert clone(detector).get_params()["detector__max_epochs"] == QUICK["max_epochs"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "best"}, "method"),
        ({"threshold": 1.5}, "threshold"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"detector": "forest"}, "detector"),
    ],
)
def test_bad_parameters(params, message):
    detector = NormalizedScores(FirstFeature()).set_params(**params)
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())
