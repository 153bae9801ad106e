"""The ensemble of detectors that differ in their seed."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import make_detector, make_outliers, make_samples
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import Autoencoder, DeepEnsemble, GANomaly


def make_ensemble(cls=Autoencoder, **params):
    detector = make_detector(cls, hidden_sizes=(8,))
    return DeepEnsemble(detector, **{"n_estimators": 3, "random_state": 0, **params})


@pytest.mark.filterwarnings("ignore:X has values of about")
@parametrize_with_checks(
    [DeepEnsemble(make_detector(Autoencoder, hidden_sizes=(32,)), n_estimators=2)]
)
def test_estimator_check(estimator, check):
    check(estimator)


def test_the_score_is_the_mean_of_members_that_differ():
    X, new = make_samples(), make_outliers()
    ensemble = make_ensemble().fit(X)
    scores = ensemble.score_members(new)
    assert scores.shape == (len(new), 3)
    assert (scores.std(axis=1) > 0).all()
    assert np.array_equal(ensemble.score_samples(new), scores.mean(axis=1))
    for member, own in zip(ensemble.estimators_, scores.T, strict=True):
        assert np.array_equal(member.score_samples(new), own)
        alone = clone(member).fit(X)
        assert own == pytest.approx(alone.score_samples(new), rel=1e-4)
    assert (ensemble.predict(X) == -1).sum() == 10
    assert not hasattr(ensemble.estimator, "offset_")  # clones were fitted


def test_seeds():
    X, new = make_samples(), make_outliers()
    scores = make_ensemble().fit(X).score_samples(new)
    assert np.array_equal(make_ensemble().fit(X).score_samples(new), scores)
    other = make_ensemble(random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(new), scores)
    # More members leave the first ones as they were.
    more = make_ensemble(n_estimators=4).fit(X).estimators_
    seeds = [member.random_state for member in more]
    assert len(set(seeds)) == 4
    assert seeds[:3] == [m.random_state for m in make_ensemble().fit(X).estimators_]


def test_processes_divide_the_members():
    X, new = make_samples(), make_outliers()
    ensemble = make_ensemble().fit(X)
    with joblib.parallel_config("threading"):
        divided = make_ensemble(n_jobs=2).fit(X)
    assert [each.random_state for each in divided.estimators_] == [
        each.random_state for each in ensemble.estimators_
    ]
    assert divided.score_samples(new) == pytest.approx(
        ensemble.score_samples(new), rel=1e-4
    )


@pytest.mark.filterwarnings("ignore:Mode collapse")
@pytest.mark.parametrize(
    "estimator",
    [
        IsolationForest(n_estimators=5),
        make_pipeline(StandardScaler(), make_detector(Autoencoder)),
        make_detector(GANomaly),
    ],
)
def test_members_that_are_fitted_one_after_the_other(estimator):
    X, new = make_samples(), make_outliers()
    ensemble = DeepEnsemble(estimator, 2, random_state=0).fit(X)
    first, second = ensemble.score_members(new).T
    assert not np.array_equal(first, second)
    alone = clone(ensemble.estimators_[0]).fit(X)
    assert np.array_equal(alone.score_samples(new), first)


def test_in_pipelines_searches_and_pickles():
    X = make_samples()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    ensemble = make_ensemble(n_estimators=2)
    detector = make_pipeline(StandardScaler().set_output(transform="pandas"), ensemble)
    detector.fit(frame)
    assert list(detector[-1].feature_names_in_) == list("abcdef")
    assert detector[-1].n_features_in_ == 6
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(frame), detector.score_samples(frame))
    grid = {"estimator__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(
        ensemble, grid, cv=2, scoring=lambda fitted, X, y=None: fitted.offset_
    )
    assert search.fit(X).best_params_.keys() == grid.keys()


def test_default_member_and_tags():
    X = make_samples(n_samples=20)
    assert get_tags(DeepEnsemble()).input_tags.sparse
    sparse = make_ensemble(n_estimators=2).fit(csr_array(X))
    assert sparse.score_samples(csr_array(X)).shape == (20,)
    images = make_detector(Autoencoder, sample_shape=(1, 2, 3))
    assert not get_tags(DeepEnsemble(images)).input_tags.sparse
    assert isinstance(DeepEnsemble()._detector(), Autoencoder)


def test_the_threshold_of_many_rows_is_that_of_some(monkeypatch):
    monkeypatch.setattr("skanomaly.ensemble._deep.MOST_THRESHOLD_ROWS", 50)
    X = make_samples(n_samples=400)
    n_outliers = (make_ensemble(n_estimators=2).fit(X).predict(X) == -1).sum()
    assert 5 < n_outliers < 120
    assert n_outliers != 40


@pytest.mark.parametrize(
    "params",
    [
        {"n_estimators": 0},
        {"contamination": 0.6},
        {"estimator": StandardScaler()},
        {"random_state": "no"},
    ],
)
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        make_ensemble().set_params(**params).fit(make_samples())


def test_a_fit_that_fails_leaves_the_ensemble_as_it_was():
    X = make_samples()
    ensemble = make_ensemble().fit(X)
    before, scores = dict(vars(ensemble)), ensemble.score_samples(X)
    with pytest.raises(ValueError, match="NaN"):
        ensemble.fit(np.full_like(X, np.nan))
    assert vars(ensemble) == before
    assert np.array_equal(ensemble.score_samples(X), scores)
