"""Conformal p-values, their false-alarm rates, and thresholds of held-out rows."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from helpers import make_detector, make_outliers, make_samples
from joblib import parallel_config
from scipy.sparse import csr_array
from scipy.stats import beta, false_discovery_control, norm
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest, StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.utils.data import Subset

from skanomaly import Autoencoder
from skanomaly.calibration import ConformalDetector
from skanomaly.calibration._rank import find_rank, n_needed


class Norm(OutlierMixin, BaseEstimator):
    """A detector whose scores are known: the larger a sample, the more abnormal."""

    def fit(self, X, y=None):
        self.X_fit_ = np.asarray(X)
        return self

    def score_samples(self, X):
        return -np.linalg.norm(np.asarray(X, dtype=float), axis=1)


class Distance(Norm):
    """A detector that depends on what it was fitted on: the distance to the mean."""

    def score_samples(self, X):
        return super().score_samples(X - self.X_fit_.mean(axis=0))


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
        ConformalDetector(
            IsolationForest(n_estimators=3, random_state=0),
            alpha=0.4,
            method="cross",
            cv=2,
            random_state=0,
        ),
        ConformalDetector(
            make_pipeline(StandardScaler(), LocalOutlierFactor(2, novelty=True)),
            alpha=0.4,
            method="cross",
            cv=2,
            tail="pareto",
            random_state=0,
        ),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_held_out", [20, 59, 100])
def test_false_alarm_rate_is_kept_on_average(n_held_out):
    alpha, n_fits = 0.05, 500
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
    with pytest.raises(ValueError, match=f"Pass at least {n_needed} samples instead"):
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


# -- alpha and confidence, read when predicting ---------------------------------------


@pytest.mark.parametrize("method", ["split", "cross"])
def test_alpha_is_read_when_predicting(method):
    X = make_samples(n_samples=200)
    detector = ConformalDetector(Distance(), method=method, random_state=0).fit(X)
    calibrated, scores = detector.calibration_scores_, detector.score_samples(X)
    found = [
        (detector.set_params(alpha=alpha).predict(X) == -1).sum()
        for alpha in (0.03, 0.1, 0.5)
    ]
    assert found == sorted(set(found))
    assert detector.calibration_scores_ is calibrated
    assert np.array_equal(detector.score_samples(X), scores)
    refitted = clone(detector).fit(X)
    assert refitted.offset_ == detector.offset_
    assert np.array_equal(refitted.predict(X), detector.predict(X))


@pytest.mark.parametrize("method", ["split", "cross"])
@pytest.mark.parametrize("alpha", [0.004, 1.5, "low"])
def test_an_alpha_that_has_no_threshold_is_told_when_predicting(method, alpha):
    X = make_samples()
    detector = ConformalDetector(
        Distance(), method=method, validation_fraction=0.5, alpha=0.1
    ).fit(X)
    n = len(detector.calibration_scores_)
    detector.set_params(alpha=alpha)
    message = f"at least 249 .* smallest possible alpha is 1 / {n + 1}"
    for method_name in ("predict", "decision_function"):
        with pytest.raises(ValueError, match=message if alpha == 0.004 else "'alpha'"):
            getattr(detector, method_name)(X)
    assert not hasattr(detector, "offset_")
    assert detector._repr_html_()
    assert detector.p_values(X).shape == (100,)
    detector.set_params(alpha=1 / (n + 1))
    assert (detector.predict(1000 + X) == -1).all()


def test_threshold_needs_a_fit():
    with pytest.raises(NotFittedError):
        _ = ConformalDetector(Norm()).offset_


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_rank_of_a_confidence_is_that_of_the_beta_distribution(alpha, confidence):
    for n in (20, 59, 299, 1000):
        k = np.arange(1, n + 1)
        is_enough = beta.cdf(alpha, k, n + 1 - k) >= confidence
        assert find_rank(alpha, n, confidence) == is_enough.sum()
    n = n_needed(alpha, confidence)
    assert find_rank(alpha, n, confidence) == 1
    assert find_rank(alpha, n - 1, confidence) == 0


def test_confidence_is_kept():
    """The false-alarm rate of a threshold is known here, not estimated."""
    alpha, confidence, n, n_fits = 0.1, 0.8, 60, 300
    detector = ConformalDetector(
        FrozenEstimator(Norm().fit([[0]])), alpha=alpha, confidence=confidence
    )
    rng = np.random.default_rng(0)
    rates = np.array(
        [
            2 * norm.sf(-detector.fit(rng.normal(size=(n, 1))).offset_)
            for _ in range(n_fits)
        ]
    )
    k = find_rank(alpha, n, confidence)
    expected = beta.cdf(alpha, k, n + 1 - k)
    assert expected >= confidence
    error = 3 * np.sqrt(expected * (1 - expected) / n_fits)
    assert np.mean(rates <= alpha) == pytest.approx(expected, abs=error)
    # Without it, about half of the fits have a larger rate.
    offset = detector.offset_
    assert detector.set_params(confidence=None).offset_ > offset


def test_too_few_samples_for_a_confidence():
    detector = ConformalDetector(Norm(), confidence=0.95)
    message = (
        r"confidence=0.95 needs at least 59 .* got 20.* smallest .* is 0.1392. "
        "Pass at least 291 samples instead of 100"
    )
    with pytest.raises(ValueError, match=message):
        detector.fit(np.ones((100, 1)))
    detector.set_params(alpha=0.1392).fit(np.ones((100, 1)))
    assert len(detector.fit(np.ones((291, 1))).calibration_scores_) == 59


# -- cross -----------------------------------------------------------------------------


def test_cross_p_values_by_hand():
    X, new = make_samples(n_samples=25), make_samples(n_samples=40, seed=1) * 1.5
    cv = KFold(4, shuffle=True, random_state=1)
    detector = ConformalDetector(Distance(), method="cross", cv=cv).fit(X)
    held_out, scores = [], np.zeros(40)
    for train, test in cv.split(X):
        fold = Distance().fit(X[train])
        held_out.extend(fold.score_samples(X[test]))
        scores += fold.score_samples(new) / 4
    assert detector.calibration_scores_.tolist() == sorted(held_out)
    assert detector.score_samples(new) == pytest.approx(scores)
    n_lower = (np.array(held_out)[:, None] <= detector.score_samples(new)).sum(axis=0)
    assert np.array_equal(detector.p_values(new), (1 + n_lower) / 26)
    assert len(detector.estimators_) == 4
    with pytest.raises(AttributeError, match="estimators_ has the detector"):
        _ = detector.detector_


def test_cross_averages_the_scores_of_repeated_folds():
    X = make_samples(n_samples=20)
    cv = ShuffleSplit(3, test_size=0.4, random_state=0)
    detector = ConformalDetector(Distance(), method="cross", cv=cv, alpha=0.1).fit(X)
    scores = [[] for _ in X]
    for train, test in cv.split(X):
        fold = Distance().fit(X[train])
        for row, score in zip(test, fold.score_samples(X[test]), strict=True):
            scores[row].append(score)
    assert {len(each) for each in scores} == {0, 1, 2}
    means = sorted(np.mean(each) for each in scores if each)
    assert detector.calibration_scores_ == pytest.approx(means)


@pytest.mark.parametrize("tail", ["empirical", "pareto"])
@pytest.mark.parametrize("cv", [2, 5, LeaveOneOut()])
def test_cross_predictions_agree_with_p_values(cv, tail):
    X, new = make_samples(n_samples=28), make_samples(n_samples=300, seed=1)
    new = np.concatenate([new, X, 2 * new, X + 1000])
    detector = ConformalDetector(
        Distance(), method="cross", cv=cv, tail=tail, random_state=0
    ).fit(X)
    assert len(detector.calibration_scores_) == 28  # no row is lost
    p_values = detector.p_values(new)
    for alpha in (*np.arange(1, 29) / 29, 0.57):  # of which 17 / 29 is more
        detector.set_params(alpha=alpha)
        assert np.array_equal(detector.predict(new) == -1, p_values <= alpha)
    if tail == "pareto":
        detector.set_params(alpha=0.001)
        found = detector.predict(new) == -1
        assert np.array_equal(found, p_values <= 0.001)
        assert found.any()


def test_cross_false_alarm_rate_is_kept_on_average():
    rng, rates = np.random.default_rng(0), []
    for seed in range(100):
        detector = ConformalDetector(Distance(), method="cross", random_state=seed)
        detector.fit(rng.normal(size=(59, 2)))
        assert len(detector.calibration_scores_) == 59
        rates.append(np.mean(detector.predict(rng.normal(size=(200, 2))) == -1))
    error = 3 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= 0.05 + error
    assert np.mean(rates) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("tail", ["empirical", "pareto"])
def test_cross_takes_infinite_scores_and_ties(tail):
    class Infinite(Norm):
        def score_samples(self, X):
            return np.where(np.ravel(X) > 2, -np.inf, 1.0)

    X = np.arange(-30.0, 10)[:, None]
    detector = ConformalDetector(Infinite(), method="cross", tail=tail, random_state=0)
    assert detector.fit(X).p_values([[0.0], [5.0]]).tolist() == [1.0, 8 / 41]


def test_cross_is_reproducible_and_parallel():
    X = make_samples()
    forest = IsolationForest(n_estimators=5, random_state=0)
    detector = ConformalDetector(forest, method="cross", random_state=3)
    state = np.random.get_state()[1].copy()
    scores = detector.fit(X).score_samples(X)
    assert np.array_equal(np.random.get_state()[1], state)
    with parallel_config("threading"):
        other = clone(detector).set_params(n_jobs=2).fit(X)
    assert np.array_equal(other.score_samples(X), scores)
    for row, score in zip(X[:5], scores[:5], strict=True):
        assert detector.score_samples(row[None]) == score
    loaded = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(loaded.score_samples(X), scores)
    other = clone(detector).set_params(random_state=4).fit(X)
    assert not np.array_equal(other.calibration_scores_, detector.calibration_scores_)


def test_cross_takes_what_the_detector_takes():
    X = make_samples()
    detector = ConformalDetector(
        IsolationForest(n_estimators=5, random_state=0), method="cross", random_state=0
    )
    dense = detector.fit(X).predict(X)
    assert np.array_equal(detector.fit(csr_array(X)).predict(csr_array(X)), dense)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    assert np.array_equal(detector.fit(frame).predict(frame), dense)
    assert list(detector.feature_names_in_) == list("abcdef")
    assert not hasattr(detector.fit(X), "feature_names_in_")


def test_cross_averages_maps():
    class Shifted(MapsOfHalves):
        def anomaly_map(self, X):
            return np.asarray(X) - self.X_fit_.mean()

    X = make_samples()
    detector = ConformalDetector(Shifted(), method="cross", random_state=0).fit(X)
    maps = [each.anomaly_map(X) for each in detector.estimators_]
    assert np.array_equal(detector.anomaly_map(X), np.mean(maps, axis=0))
    assert detector.reconstruct(X) == pytest.approx(X * 2)


# -- a tail below the held-out scores --------------------------------------------------


class FirstFeature(Norm):
    def score_samples(self, X):
        return -np.ravel(np.asarray(X, dtype=float))


@pytest.mark.parametrize(
    ("draw", "quantile"),
    [
        (lambda rng: rng.exponential(size=2000), lambda p: -np.log(p)),
        (lambda rng: rng.pareto(3, size=2000), lambda p: p ** (-1 / 3) - 1),
    ],
    ids=["exponential", "Pareto"],
)
def test_tail_extrapolates_p_values(draw, quantile):
    ratios = []
    for seed in range(10):
        X = draw(np.random.default_rng(seed))[:, None]
        detector = ConformalDetector(
            FrozenEstimator(FirstFeature().fit(X)), tail="pareto", alpha=1e-5
        ).fit(X)
        far = detector.p_values([[quantile(1e-5)]])
        assert far < 1 / 2001
        ratios.append(np.log10(far / 1e-5))
        offset = detector.offset_
        assert detector.p_values([[-offset]]) == pytest.approx(1e-5)
        assert detector.predict([[-offset + 1e-6], [-offset - 1e-6]]).tolist() == [
            -1,
            1,
        ]
        empirical = clone(detector).set_params(tail="empirical", alpha=0.05).fit(X)
        inside = detector.p_values(X) >= 1 / 2001
        assert inside.all()
        assert np.array_equal(detector.p_values(X), empirical.p_values(X))
        assert detector.set_params(alpha=0.05).offset_ == empirical.offset_
    assert abs(np.mean(ratios)) < 0.5


def test_a_tail_without_end_where_scores_have_one():
    """Outliers beyond the end of a bounded distribution stay ranked."""
    X = np.random.default_rng(0).uniform(size=(200, 1))
    detector = ConformalDetector(FrozenEstimator(FirstFeature().fit(X)), tail="pareto")
    p_values = detector.fit(X).p_values([[1.0], [1.2], [1.5], [2.0], [1e9]])
    assert (np.diff(p_values) < 0).all()
    assert (p_values > 0).all()


def test_a_tail_of_ties_and_of_few():
    X = np.ones((30, 1))
    detector = ConformalDetector(FrozenEstimator(FirstFeature().fit(X)), tail="pareto")
    p_values = detector.fit(X).p_values([[1.0], [2.0], [3.0]])
    assert p_values[0] == 1
    assert 0 < p_values[2] < p_values[1] < 1 / 31
    p_values = detector.fit(X[:1]).p_values([[1.0], [2.0]])
    assert p_values[0] == 1
    assert p_values[1] < 1 / 2


# -- batches, probabilities ------------------------------------------------------------


@pytest.mark.parametrize("method", ["split", "cross"])
def test_false_discovery_rate_of_batches(method):
    rng, fractions, powers = np.random.default_rng(0), [], []
    for seed in range(100):
        detector = ConformalDetector(
            Distance(), method=method, validation_fraction=0.8, random_state=seed
        ).fit(rng.normal(size=(250, 1)))
        X = rng.normal(size=(50, 1)) + np.repeat([0, 5], [40, 10])[:, None]
        found = detector.predict_batch(X, fdr=0.2) == -1
        fractions.append(found[:40].sum() / max(found.sum(), 1))
        powers.append(found[40:].mean())
    error = 3 * np.std(fractions) / np.sqrt(len(fractions))
    # With 8 of 10 normal, the procedure's rate is 0.8 times the nominal one.
    assert np.mean(fractions) == pytest.approx(0.8 * 0.2, abs=error + 0.01)
    assert np.mean(powers) > 0.9


def test_batches_do_not_change_predictions():
    X = make_samples(n_samples=500)
    detector = ConformalDetector(Norm(), random_state=0).fit(X)
    batch = np.concatenate([X[:20], 100 + X[:10]])
    alone = [detector.predict(row[None])[0] for row in batch]
    adjusted = false_discovery_control(detector.p_values(batch))
    for fdr in (0.05, 0.1, 0.5):
        expected = np.where(adjusted <= fdr, -1, 1)
        assert np.array_equal(detector.predict_batch(batch, fdr=fdr), expected)
    assert np.array_equal(detector.predict(batch), alone)


def test_bad_false_discovery_rates():
    X = make_samples()
    detector = ConformalDetector(Norm(), random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"fdr=0.01 needs at least 99 held-out .* 20"):
        detector.predict_batch(X, fdr=0.01)
    for fdr in (0, 1, -0.1):
        with pytest.raises(ValueError, match=f"fdr == {fdr}"):
            detector.predict_batch(X, fdr=fdr)
    with pytest.raises(TypeError, match="fdr"):
        detector.predict_batch(X, fdr="low")
    tailed = clone(detector).set_params(tail="pareto").fit(X)
    assert (tailed.predict_batch(1000 + X, fdr=0.01) == -1).all()


def test_probabilities_are_p_values():
    X = make_samples()
    detector = ConformalDetector(Norm(), method="cross", random_state=0).fit(X)
    p_values = detector.p_values(X)
    assert np.array_equal(detector.predict_proba(X), np.c_[1 - p_values, p_values])
    assert detector.classes_.tolist() == [-1, 1]


def test_a_feature_of_a_stacked_classifier():
    """Frozen, it isn't trained on the outliers that the classifier is shown."""
    conformal = ConformalDetector(Distance(), random_state=0).fit(make_samples())
    X = np.concatenate([make_samples(seed=1), make_outliers()])
    y = np.repeat([1, -1], [100, 50])
    members = [("p", FrozenEstimator(conformal)), ("linear", LogisticRegression())]
    stacked = StackingClassifier(members).fit(X, y)
    assert stacked.score(X, y) > 0.8
    assert np.array_equal(stacked.transform(X)[:, 0], conformal.p_values(X))


# -- bad input -------------------------------------------------------------------------


class Untrained(Norm):
    def fit(self, X, y=None):
        raise AssertionError("trained before the parameters were checked")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"alpha": 0.001}, ValueError, "at least 999 held-out samples, got 20"),
        ({"method": "cross", "confidence": 0.9}, ValueError, "set method='split'"),
        (
            {"method": "cross", "cv": ShuffleSplit(1, random_state=0)},
            ValueError,
            "at least 19 held-out samples, got 10",
        ),
        (
            {"method": "cross", "alpha": 0.005},
            ValueError,
            "Pass at least 199 samples instead of 100, or raise alpha",
        ),
        (
            {"method": "cross", "detector": FrozenEstimator(Norm())},
            ValueError,
            "this one is frozen",
        ),
        ({"detector": LocalOutlierFactor()}, TypeError, "novelty=True only"),
        (
            {"detector": make_pipeline(StandardScaler(), LocalOutlierFactor())},
            TypeError,
            "score_samples",
        ),
    ],
)
def test_what_is_refused_before_training(params, error, message):
    detector = ConformalDetector(Untrained()).set_params(**params)
    with pytest.raises(error, match=message):
        detector.fit(make_samples())


def test_a_fit_that_fails_changes_nothing():
    X = make_samples()
    detector = ConformalDetector(Distance(), random_state=0).fit(X)
    before = detector.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        detector.fit(np.full_like(X, np.nan))
    assert np.array_equal(detector.predict(X), before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1}, "alpha"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"detector": "forest"}, "detector"),
        ({"method": "jackknife"}, "method"),
        ({"cv": 1}, "cv"),
        ({"confidence": 1.0}, "confidence"),
        ({"tail": "normal"}, "tail"),
    ],
)
def test_bad_parameters(params, message):
    detector = ConformalDetector(Norm()).set_params(**params)
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())


# -- the threshold of a deep detector itself -------------------------------------------


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.11, 0.3])
def test_early_stopping_takes_the_threshold_from_held_out_rows(contamination):
    X, held_out = make_samples(n_samples=200), np.arange(0, 200, 7)

    def split(dataset, y):
        rows = np.setdiff1d(np.arange(200), held_out)
        return Subset(dataset, rows), Subset(dataset, held_out)

    detector = make_detector(
        Autoencoder,
        contamination=contamination,
        early_stopping=True,
        net_params={"train_split": split},
        random_state=0,
    ).fit(X)
    scores = np.sort(detector.score_samples(X[held_out]))
    k = int(contamination * (len(held_out) + 1))
    # As the threshold of ConformalDetector, and between two where alpha is between.
    assert scores[max(k - 1, 0)] <= detector.offset_ <= scores[k]
    assert (detector.offset_ == scores[max(k - 1, 0)]) == (contamination != 0.11)
    # Without early stopping all rows count, as scikit-learn's checks ask.
    detector.set_params(early_stopping=False).fit(X)
    scores = detector.score_samples(X)
    assert detector.offset_ == np.percentile(scores, 100 * contamination)


def test_the_threshold_of_held_out_rows_holds_for_new_ones():
    """A network of many weights, and few rows: it learns them by heart."""
    X, new = make_samples(n_samples=150), make_samples(n_samples=1000, seed=1)
    detector = Autoencoder(
        hidden_sizes=(64,), max_epochs=300, early_stopping=True, random_state=0
    )
    detector.set_params(validation_fraction=0.3, n_iter_no_change=300).fit(X)
    rate = (detector.predict(new) == -1).mean()
    of_training_rows = np.percentile(detector.score_samples(X), 10)
    former_rate = (detector.score_samples(new) < of_training_rows).mean()
    assert abs(rate - 0.1) < 0.06
    assert rate < former_rate
