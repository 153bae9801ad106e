"""Conformal p-values and their false-alarm rates."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import make_outliers, make_samples
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly.calibration import ConformalDetector


class Norm(OutlierMixin, BaseEstimator):
    """A detector whose scores are known: the larger a sample, the more abnormal."""

    def fit(self, X, y=None):
        self.X_fit_ = np.asarray(X)
        return self

    def score_samples(self, X):
        return -np.linalg.norm(np.asarray(X, dtype=float), axis=1)


class MapsOfHalves(Norm):
    def anomaly_map(self, X):
        return np.asarray(X) / 2

    def reconstruct(self, X):
        return np.asarray(X) * 2


# scikit-learn's checks fit as few as 10 samples.
@parametrize_with_checks(
    [
        ConformalDetector(
            IsolationForest(n_estimators=5, random_state=0),
            alpha=0.4,
            validation_fraction=0.4,
        ),
        ConformalDetector(
            make_pipeline(StandardScaler(), LocalOutlierFactor(2, novelty=True)),
            alpha=0.4,
            validation_fraction=0.4,
            random_state=0,
        ),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_held_out", [20, 59, 100])
def test_false_alarm_rate_is_kept_on_average(n_held_out):
    alpha, n_fits = 0.05, 1000
    detector = ConformalDetector(Norm(), alpha=alpha, validation_fraction=0.5)
    rng = np.random.default_rng(n_held_out)
    rates = []
    for seed in range(n_fits):
        X = rng.normal(size=(2 * n_held_out, 2))
        detector.set_params(random_state=seed).fit(X)
        assert len(detector.calibration_scores_) == n_held_out
        rates.append(np.mean(detector.predict(rng.normal(size=(300, 2))) == -1))
    error = 3 * np.std(rates) / np.sqrt(n_fits)
    assert np.mean(rates) <= alpha + error
    expected = np.floor(alpha * (n_held_out + 1)) / (n_held_out + 1)
    assert np.mean(rates) == pytest.approx(expected, abs=error)


def test_p_values_by_hand():
    X = np.arange(1.0, 11)[:, None]
    detector = ConformalDetector(
        Norm(), alpha=0.4, validation_fraction=0.4, random_state=0
    ).fit(X)
    calibration = -detector.calibration_scores_  # from the largest norm down
    assert (
        sorted([*calibration, *detector.detector_.X_fit_.ravel()]) == X.ravel().tolist()
    )
    assert (np.diff(calibration) < 0).all()
    new = [[99.0], [calibration[0]], [calibration[1]], [calibration[1] + 0.1], [0.0]]
    p_values = detector.p_values(new)
    assert p_values.tolist() == [0.2, 0.4, 0.6, 0.4, 1.0]
    assert p_values.dtype == np.float64
    assert detector.offset_ == -calibration[1]
    assert detector.predict(new).tolist() == [-1, -1, 1, -1, 1]
    assert np.array_equal(detector.score_samples(new), -np.ravel(new))


def test_ties_are_conservative():
    detector = ConformalDetector(FrozenEstimator(Norm().fit([[0.0]])), alpha=0.2)
    detector.fit(np.ones((10, 1)))
    assert detector.p_values([[1.0], [2.0]]) == pytest.approx([1, 1 / 11])
    assert detector.predict([[1.0], [2.0]]).tolist() == [1, -1]


@pytest.mark.parametrize("n_held_out", [3, 19, 28, 99, 100])
@pytest.mark.parametrize("alpha", [0.25, 0.29, 1 / 3, 0.5, 0.57, 0.9999])
def test_predictions_agree_with_p_values(alpha, n_held_out):
    """The ranks that floor(alpha * (n + 1)) rounds wrongly are among these."""
    X = np.arange(float(n_held_out))[:, None]
    detector = ConformalDetector(FrozenEstimator(Norm().fit(X)), alpha=alpha).fit(X)
    new = np.arange(-0.5, n_held_out + 1, 0.5)[:, None]
    is_outlier = detector.p_values(new) <= alpha
    assert np.array_equal(detector.predict(new) == -1, is_outlier)
    assert np.array_equal(detector.decision_function(new) < 0, is_outlier)
    assert is_outlier.any()


def test_p_values_are_superuniform():
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(300):
        detector = ConformalDetector(Norm(), random_state=seed, alpha=0.2)
        detector.fit(rng.normal(size=(50, 3)))
        p_values.append(detector.p_values(rng.normal(size=(20, 3))))
    for level in (0.1, 0.2, 0.5, 0.9):
        rates = (np.array(p_values) <= level).mean(axis=1)
        assert rates.mean() <= level + 3 * rates.std() / np.sqrt(len(rates))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("validation_fraction", [0.1, 0.2, 0.3, 0.5])
def test_too_few_held_out_samples_are_refused(alpha, validation_fraction):
    detector = ConformalDetector(
        Norm(), alpha=alpha, validation_fraction=validation_fraction
    )
    with pytest.raises(ValueError, match="no sample can be predicted") as error:
        detector.fit(np.ones((2, 1)))
    n_needed, n_samples = re.search(
        r"needs at least (\d+) held-out .* Pass at least (\d+) samples",
        str(error.value),
    ).groups()
    detector.fit(np.ones((int(n_samples), 1)))
    assert len(detector.calibration_scores_) == int(n_needed)
    with pytest.raises(ValueError, match=f"needs at least {n_needed} held-out samples"):
        detector.fit(np.ones((int(n_samples) - 1, 1)))
    frozen = ConformalDetector(FrozenEstimator(Norm().fit([[1]])), alpha=alpha)
    with pytest.raises(ValueError, match=f"Pass at least {n_needed} samples, or"):
        frozen.fit(np.ones((int(n_needed) - 1, 1)))
    frozen.fit(np.ones((int(n_needed), 1)))


def test_a_frozen_detector_is_calibrated_on_all_samples():
    X, new = make_samples(seed=0), make_samples(seed=1)
    fitted = IsolationForest(random_state=0).fit(X)
    detector = ConformalDetector(FrozenEstimator(fitted)).fit(new)
    assert np.array_equal(
        detector.calibration_scores_, np.sort(fitted.score_samples(new))
    )
    assert (detector.predict(new) == -1).sum() == 4  # of 100: 5 / 101 is within 0.05
    assert detector.n_features_in_ == 6
    # Alpha takes effect in fit, which is cheap.
    assert (detector.set_params(alpha=0.5).fit_predict(new) == -1).sum() == 49
    with pytest.raises(NotFittedError):
        ConformalDetector(FrozenEstimator(IsolationForest())).fit(new)


def test_scores_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="NaN for 20 of 20 samples"):
        ConformalDetector(Norm()).fit(np.full((100, 2), np.nan))


def test_images_and_what_the_detector_has_beside_scores():
    X, outliers = make_samples("images"), make_outliers("images")
    detector = ConformalDetector(MapsOfHalves(), random_state=0)
    norms = [np.ravel(image) for image in (*X, *outliers)]
    detector.fit(norms[: len(X)])
    assert np.array_equal(detector.anomaly_map(X), X / 2)
    assert np.array_equal(detector.reconstruct(X), X * 2)
    assert detector.p_values(norms[len(X) :]).mean() < 0.1
    for name in ("anomaly_map", "reconstruct"):
        assert not hasattr(ConformalDetector(IsolationForest()), name)
        assert hasattr(ConformalDetector(FrozenEstimator(MapsOfHalves())), name)
        with pytest.raises(NotFittedError):
            getattr(ConformalDetector(MapsOfHalves()), name)(X)


def test_tags_are_those_of_the_detector():
    for detector in (IsolationForest(), LocalOutlierFactor(novelty=True)):
        tags, own = get_tags(detector), get_tags(ConformalDetector(detector))
        assert own.input_tags == tags.input_tags
        assert own.estimator_type == "outlier_detector"
    X = csr_array(make_samples())
    forest = IsolationForest(random_state=0)
    assert ConformalDetector(forest).fit(X).predict(X).shape == (100,)


def test_frames_keep_their_names():
    frame = pd.DataFrame(make_samples(), columns=list("abcdef"))
    detector = ConformalDetector(IsolationForest(n_estimators=7)).fit(frame)
    assert list(detector.feature_names_in_) == list("abcdef")
    assert clone(detector).get_params()["detector__n_estimators"] == 7


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1}, "alpha"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"detector": "forest"}, "detector"),
    ],
)
def test_bad_parameters(params, message):
    detector = ConformalDetector(Norm()).set_params(**params)
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())
