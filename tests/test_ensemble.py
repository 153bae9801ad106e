"""Ensembles of outlier detectors."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import make_outliers, make_samples
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import Autoencoder
from skanomaly.ensemble import DetectorEnsemble, default_ensemble
from skanomaly.ensemble._scale import PValueScale
from skanomaly.neighbors import NearestNeighborDetector


class Norm(OutlierMixin, BaseEstimator):
    """Scores by the norm of a row, raised to a power."""

    def __init__(self, power=1.0):
        self.power = power

    def fit(self, X, y=None):
        self.X_fit_ = np.array(X)
        return self

    def score_samples(self, X):
        return -(np.linalg.norm(X, axis=1) ** self.power)


class Fails(Norm):
    """Can't be fitted."""

    def fit(self, X, y=None):
        raise RuntimeError("no luck")


def make_forest(**params):
    return IsolationForest(n_estimators=10, **params)


def make_ensemble(**params):
    lof = make_pipeline(StandardScaler(), LocalOutlierFactor(5, novelty=True))
    members = [
        ("neighbors", NearestNeighborDetector()),
        ("lof", lof),
        ("forest", make_forest()),
    ]
    return DetectorEnsemble(members, **{"random_state": 0, **params})


def members_of_checks():
    return [("neighbors", NearestNeighborDetector()), ("forest", make_forest())]


@parametrize_with_checks(
    [
        DetectorEnsemble(members_of_checks()),
        DetectorEnsemble(members_of_checks(), combination="max", refit=False),
        DetectorEnsemble(members_of_checks(), combination="rank"),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


# -- the scale -------------------------------------------------------------------------


def test_p_values_by_hand():
    scale = PValueScale.fit(np.array([5.0, 1.0, 3.0, 2.0]))
    # The tail is half of so few rows: 3 and 5, which are above 2 by 2 in the mean.
    start = -np.log(4 / 5)
    expected = {1.0: 0, 1.5: start / 2, 2.0: start, 3.0: start + 0.5, 6.0: start + 2}
    assert scale(np.array(list(expected))) == pytest.approx(list(expected.values()))


def test_p_values_of_equal_rows():
    scale = PValueScale.fit(np.repeat([1.0, 2.0, 3.0, 9.0], [40, 40, 10, 9]))
    assert np.exp(-scale(np.array([1.0, 2.0]))) == pytest.approx([1, 0.6])
    # The tail, a tenth at the least, is what is above 2.
    tail_mean = (10 * 1 + 9 * 7) / 19
    assert scale(np.array([9.0])) == pytest.approx(-np.log(0.6) + 7 / tail_mean)


def test_the_tail_of_an_exponential_distribution_is_found():
    held_out = np.random.default_rng(0).exponential(3.0, size=20_000)
    scale = PValueScale.fit(held_out)
    for abnormality in (1.0, 5.0, 20.0, 100.0):  # -log p is the value over its mean
        expected = abnormality / 3.0
        assert scale(np.array([abnormality])) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("n_held_out", [1, 2, 5, 19, 20, 200])
@pytest.mark.parametrize("has_ties", [False, True])
def test_the_scale_increases_strictly(n_held_out, has_ties):
    held_out = np.random.default_rng(0).normal(size=n_held_out)
    held_out = np.round(held_out) if has_ties else held_out
    abnormality = np.linspace(-20, 50, 1000)
    values = PValueScale.fit(held_out)(abnormality)
    assert (np.diff(values) > 0).all()
    assert np.abs(np.diff(values)).max() < 60  # no step, however steep


def test_the_scale_of_equal_scores():
    for value in (0.0, -3.0):
        scale = PValueScale.fit(np.full(10, value))
        values = scale(np.array([value, value + 1, value + 2]))
        assert np.isfinite(values).all()
        assert (np.diff(values) > 0).all()


def test_units_of_a_member_do_not_matter():
    X, outliers = make_samples(n_samples=200), make_outliers()
    plain = DetectorEnsemble([("a", Norm()), ("b", Norm())], random_state=0).fit(X)
    one = DetectorEnsemble([("a", Norm())], random_state=0).fit(X)
    scores = plain.score_samples(outliers)
    assert scores == pytest.approx(one.score_samples(outliers))
    order = np.argsort(scores)
    assert np.array_equal(order, np.argsort(Norm().score_samples(outliers)))


# -- members ---------------------------------------------------------------------------


@pytest.mark.parametrize("combination", ["mean", "max", "rank"])
def test_combinations(combination):
    X, new = make_samples(n_samples=200), make_outliers(n_samples=20)
    members = [("a", Norm()), ("b", NearestNeighborDetector())]
    scores = {
        name: -DetectorEnsemble([(name, member)], random_state=0)
        .fit(X)
        .score_samples(new)
        for name, member in members
    }
    values = np.array([scores["a"], scores["b"]])  # -log p of each
    expected = {
        "mean": values.mean(axis=0),
        "max": values.max(axis=0),
        "rank": (1 - np.exp(-values)).mean(axis=0),
    }[combination]
    ensemble = DetectorEnsemble(members, combination=combination, random_state=0)
    assert -ensemble.fit(X).score_samples(new) == pytest.approx(expected)
    ensemble.set_params(combination="mean")  # for the next fit
    assert -ensemble.score_samples(new) == pytest.approx(expected)


@pytest.mark.parametrize("combination", ["mean", "max", "rank"])
def test_outliers_are_found(combination):
    X, inliers, outliers = make_samples(), make_samples(seed=1), make_outliers()
    ensemble = make_ensemble(combination=combination).fit(X)
    scores = np.concatenate(
        [ensemble.score_samples(part) for part in (inliers, outliers)]
    )
    is_inlier = np.repeat([1, 0], [len(inliers), len(outliers)])
    assert roc_auc_score(is_inlier, scores) > 0.97
    assert (ensemble.predict(X) == -1).sum() == 10
    # Also far beyond all held-out rows the farther one is the more abnormal.
    far = ensemble.score_samples(outliers[:1] * np.array([[10.0], [100.0], [1000.0]]))
    assert (np.diff(far) < 0).all() or combination == "rank"


def test_a_score_does_not_depend_on_the_batch():
    ensemble = make_ensemble(combination="rank").fit(make_samples())
    new = make_outliers()
    scores = ensemble.score_samples(new)
    alone = [ensemble.score_samples(row[np.newaxis])[0] for row in new[:5]]
    assert scores[:5] == pytest.approx(alone)


def test_members_are_fitted_again_on_all_rows():
    X = make_samples()
    member = DetectorEnsemble([("a", Norm())]).fit(X).estimators_[0]
    assert np.array_equal(member.X_fit_, X)
    ensemble = DetectorEnsemble([("a", Norm())], refit=False, validation_fraction=0.3)
    assert len(ensemble.fit(X).estimators_[0].X_fit_) == 70
    assert ensemble._scales[0].n_held_out == 30


def test_members_by_name():
    X = make_samples()
    ensemble = make_ensemble().fit(X)
    assert list(ensemble.named_estimators_) == ["neighbors", "lof", "forest"]
    assert ensemble.named_estimators_["forest"] is ensemble.estimators_[2]
    assert ensemble.get_params()["forest__n_estimators"] == 10
    without = clone(ensemble).set_params(lof="drop", forest__n_estimators=3).fit(X)
    assert len(without.estimators_) == 2
    assert without.named_estimators_["lof"] == "drop"
    assert len(without.named_estimators_["forest"].estimators_) == 3
    assert not np.array_equal(without.score_samples(X), ensemble.score_samples(X))
    assert not hasattr(ensemble.estimators[2][1], "estimators_")  # a clone was fitted


def test_seeds_reach_the_members():
    X, new = make_samples(), make_outliers()
    scores = make_ensemble().fit(X).score_samples(new)
    state = np.random.get_state()[1].copy()
    assert np.array_equal(make_ensemble().fit(X).score_samples(new), scores)
    assert np.array_equal(np.random.get_state()[1], state)
    other = make_ensemble(random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(new), scores)
    twins = DetectorEnsemble([("a", make_forest()), ("b", make_forest())])
    first, second = twins.set_params(random_state=0).fit(X).estimators_
    assert first.random_state != second.random_state
    # Without a seed of the ensemble, members keep their own.
    kept = DetectorEnsemble([("a", make_forest(random_state=7))]).fit(X)
    assert kept.estimators_[0].random_state == 7


def test_pickles_and_workers_give_the_same_scores():
    X, new = make_samples(), make_outliers()
    ensemble = make_ensemble().fit(X)
    scores = ensemble.score_samples(new)
    copy = pickle.loads(pickle.dumps(ensemble))
    assert np.array_equal(copy.score_samples(new), scores)
    with joblib.parallel_config("threading"):
        assert np.array_equal(make_ensemble(n_jobs=2).fit(X).score_samples(new), scores)


def test_what_members_take_the_ensemble_takes():
    X, new = make_samples(), make_outliers()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    ensemble = make_ensemble().fit(frame)
    assert list(ensemble.feature_names_in_) == list("abcdef")
    assert ensemble.fit(X).n_features_in_ == 6
    assert not hasattr(ensemble, "feature_names_in_")
    sparse = DetectorEnsemble(members_of_checks(), random_state=0).fit(csr_array(X))
    dense = clone(sparse).fit(X)
    assert sparse.score_samples(csr_array(new)) == pytest.approx(
        dense.score_samples(new)
    )
    images = make_samples("images", 20)
    detector = Autoencoder(hidden_sizes=(2,), max_epochs=1)
    ensemble = DetectorEnsemble([("a", detector)]).fit(images)
    assert ensemble.predict(images).shape == (20,)


def test_tags_are_those_of_all_members():
    assert get_tags(DetectorEnsemble(members_of_checks())).input_tags.sparse
    with_dense = DetectorEnsemble([*members_of_checks(), ("norm", Norm())])
    assert not get_tags(with_dense).input_tags.sparse
    assert get_tags(with_dense).estimator_type == "outlier_detector"
    assert get_tags(DetectorEnsemble([("a", 1)])).input_tags.sparse is False


def test_the_threshold_of_many_rows_is_that_of_some(monkeypatch):
    monkeypatch.setattr("skanomaly.ensemble._ensemble.MOST_THRESHOLD_ROWS", 50)
    X = make_samples(n_samples=1000)
    ensemble = DetectorEnsemble([("a", Norm())], random_state=0).fit(X)
    n_outliers = (ensemble.predict(X) == -1).sum()
    assert 20 < n_outliers < 300
    assert n_outliers != 100


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ([], ValueError, "list of .name, estimator. tuples"),
        ([Norm()], ValueError, "list of .name, estimator. tuples"),
        ([("a", Norm()), ("a", Norm())], ValueError, "not unique"),
        ([("a__b", Norm())], ValueError, "must not contain __"),
        ([("refit", Norm())], ValueError, "conflict with constructor arguments"),
        ([("a", "drop")], ValueError, "All members are dropped"),
        ([("a", Norm)], TypeError, "The member 'a' must be an outlier detector"),
        ([("a", LogisticRegression())], TypeError, "'a' must be .* score_samples"),
        ([("a", LocalOutlierFactor())], TypeError, "with novelty=True only"),
        ([("a", None)], TypeError, "'a' must be .* got None"),
        (Norm(), ValueError, "'estimators' parameter"),
    ],
)
def test_bad_members_are_refused_before_training(members, error, message):
    if error is TypeError:
        members = [("fails", Fails()), *members]
    with pytest.raises(error, match=message):
        DetectorEnsemble(members).fit(make_samples())


@pytest.mark.parametrize(
    "params",
    [
        {"combination": "median"},
        {"validation_fraction": 0.0},
        {"validation_fraction": 1.0},
        {"contamination": 0.6},
        {"refit": "no"},
    ],
)
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        make_ensemble(**params).fit(make_samples())


def test_the_error_of_a_member_names_it_and_leaves_the_ensemble_as_it_was():
    X = make_samples()
    ensemble = make_ensemble().fit(X)
    before, scores = dict(vars(ensemble)), ensemble.score_samples(X)
    ensemble.estimators = [*ensemble.estimators, ("broken", Fails())]
    with pytest.raises(RuntimeError, match="no luck") as error:
        ensemble.fit(X[:, :3])
    assert error.value.__notes__ == [
        "Raised by the member 'broken' of the DetectorEnsemble."
    ]
    del before["estimators"]
    assert all(getattr(ensemble, name) is value for name, value in before.items())
    assert np.array_equal(ensemble.score_samples(X), scores)


def test_members_that_disagree_on_features():
    X = make_samples()
    frozen = FrozenEstimator(make_forest().fit(X[:, :4]))
    ensemble = DetectorEnsemble([("all", Norm()), ("four", frozen)])
    with pytest.raises(ValueError, match=r"X has 6 features, but .* 4") as error:
        ensemble.fit(X)
    assert "'four'" in error.value.__notes__[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_cannot_be_ranked_are_refused(value):
    X = make_samples()
    X[:, 0] = value
    ensemble = DetectorEnsemble([("a", Norm())])
    with pytest.raises(ValueError, match="20 of 20 scores are NaN or infinite"):
        ensemble.fit(X)
    ensemble.fit(make_samples())
    with pytest.raises(ValueError, match="100 of 100 scores are NaN or infinite"):
        ensemble.score_samples(X)


# -- the default -----------------------------------------------------------------------


def test_the_default_ensemble():
    ensemble = default_ensemble(random_state=3, contamination=0.2, n_jobs=1)
    assert ensemble.get_params()["random_state"] == 3
    ensemble.set_params(denoiser__max_epochs=3)
    X, outliers = make_samples(), make_outliers()
    assert (ensemble.fit(X).predict(X) == -1).sum() == 20
    assert (ensemble.predict(outliers) == -1).mean() > 0.9
    scores = ensemble.score_samples(outliers)
    assert np.array_equal(clone(ensemble).fit(X).score_samples(outliers), scores)
