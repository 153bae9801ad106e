"""Choosing between detectors: splits, scorers, searches, and no labels at all."""

import functools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse
from scipy.stats import randint
from sklearn import config_context
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 # its import is what enables HalvingGridSearchCV
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.metrics import outlier_scorer
from skanomaly.model_selection import (
    NoveltyDetector,
    NoveltySearchCV,
    NoveltySplit,
    make_synthetic_outliers,
    synthetic_outlier_scorer,
)

DETECTOR = LocalOutlierFactor(novelty=True)
GRID = {"n_neighbors": [5, 10]}


def make_groups(n_groups=9, n_samples=10, seed=0):
    """Make samples of groups, of which each has its outlier."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), n_samples)
    X = rng.normal(size=(len(groups), 2))
    y = np.where(np.arange(len(groups)) % n_samples == 0, -1, 1)
    X[y == -1] += 8
    shuffled = rng.permutation(len(groups))
    return X[shuffled], y[shuffled], groups[shuffled]


def make_table(n_rows=90, seed=0):
    """Make a frame of which the last third is odd in both columns."""
    rng = np.random.default_rng(seed)
    size, protocol = rng.normal(size=n_rows), rng.choice(["tcp", "udp"], n_rows)
    size[60:] += 8
    frame = pd.DataFrame({"size": size, "protocol": protocol})
    frame.loc[60:, "protocol"] = "gre"
    return frame, np.repeat([1, -1], [60, n_rows - 60])


class Recorder(OutlierMixin, BaseEstimator):
    """A detector that remembers what it was fitted on."""

    def __init__(self, center=0.0):
        self.center = center

    def fit(self, X, y=None, weight=None):
        self.X_, self.y_, self.weight_ = X, y, weight
        return self

    def score_samples(self, X):
        return -np.abs(np.asarray(X)[:, 0] - self.center)

    decision_function = score_samples

    def predict(self, X):
        return np.where(self.score_samples(X) < -1, -1, 1)


# -- NoveltySplit ----------------------------------------------------------------------


def test_novelty_split_trains_on_inliers_only():
    y = np.repeat([1, -1], [20, 10])
    tested = []
    for train, test in NoveltySplit(5).split(y, y):
        assert (y[train] == 1).all()
        assert len(train) == 16
        assert (y[test] == -1).sum() == 2
        assert not set(train) & set(test)
        tested += test.tolist()
    assert sorted(tested) == list(range(30))


@pytest.mark.parametrize(
    "cv",
    [
        KFold(3, shuffle=True, random_state=0),
        StratifiedKFold(3),
        [(np.arange(20), np.arange(20, 30)), (np.arange(10, 30), np.arange(10))],
    ],
)
def test_novelty_split_takes_other_splitters(cv):
    y = np.tile([1, 1, -1], 10)
    splitter = NoveltySplit(cv)
    parts = list(splitter.split(y, y))
    assert len(parts) == splitter.get_n_splits(y, y) == (2 if type(cv) is list else 3)
    assert all((y[train] == 1).all() for train, _ in parts)


def test_novelty_split_knows_codings():
    y = np.array([0, 0, 0, 0, 1, 1])
    for train, _ in NoveltySplit(2).split(y, y):
        assert (y[train] == 0).all()
    words = np.array(["ok", "ok", "ok", "ok", "bad", "bad"])
    for train, _ in NoveltySplit(2, outlier_label="bad").split(words, words):
        assert (words[train] == "ok").all()


def test_novelty_split_says_what_is_missing():
    with pytest.raises(ValueError, match="needs y"):
        next(NoveltySplit().split(np.ones(9)))
    y = np.repeat([1, -1], [20, 2])
    with pytest.raises(ValueError, match="2 outliers for 5 folds"):
        next(NoveltySplit(5).split(y, y))
    with pytest.raises(ValueError, match="All 4 samples are labelled as outliers"):
        next(NoveltySplit(2).split(np.ones(4), -np.ones(4)))
    assert repr(NoveltySplit(3)) == "NoveltySplit(3, outlier_label=None)"


@pytest.mark.parametrize("routing", [True, False])
def test_novelty_split_by_groups(routing):
    X, y, groups = make_groups()
    cv, detector = NoveltySplit(GroupKFold(3)), LocalOutlierFactor(novelty=True)
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            detector, {"n_neighbors": [5, 10]}, cv=cv, scoring="roc_auc"
        )
        search.fit(X, y, groups=groups)
        assert search.best_score_ > 0.9
        params = {"params": {"groups": groups}} if routing else {"groups": groups}
        folds = cross_validate(
            detector, X, y, cv=cv, scoring="roc_auc", return_indices=True, **params
        )["indices"]
    for train, test in zip(folds["train"], folds["test"], strict=True):
        assert (y[train] == 1).all()
        assert not set(groups[train]) & set(groups[test])


def test_novelty_split_requests_what_the_wrapped_splitter_does():
    X, y, groups = make_groups()
    with config_context(enable_metadata_routing=True):
        renamed = NoveltySplit(GroupKFold(3).set_split_request(groups="customers"))
        detector = LocalOutlierFactor(novelty=True)
        search = GridSearchCV(detector, {"n_neighbors": [5]}, cv=renamed)
        search.set_params(scoring="roc_auc").fit(X, y, customers=groups)
        for cv in (3, KFold(3), [(np.arange(60), np.arange(60, 90))]):
            search.set_params(cv=NoveltySplit(cv)).fit(X, y)
            with pytest.raises(TypeError, match="unexpected argument"):
                search.fit(X, y, groups=groups)


# -- outlier_scorer --------------------------------------------------------------------


@pytest.mark.parametrize("coding", [(1, -1, None), (0, 1, None), ("ok", "bad", "bad")])
def test_outlier_scorer_gives_the_same_for_all_codings(coding):
    cancer = load_breast_cancer()
    inlier, outlier, outlier_label = coding
    y = np.where(cancer.target == 1, inlier, outlier)
    X = cancer.data
    forest = IsolationForest(random_state=0).fit(X[cancer.target == 1])
    truth, abnormality = cancer.target == -1, -forest.score_samples(X)
    for metric in (roc_auc_score, average_precision_score):
        scorer = outlier_scorer(metric, outlier_label=outlier_label)
        assert scorer(forest, X, y) == metric(truth, abnormality) > 0.9
    scorer = outlier_scorer(
        f1_score, outlier_label=outlier_label, response_method="predict"
    )
    assert scorer(forest, X, y) == f1_score(truth, forest.predict(X) == -1)
    assert pickle.loads(pickle.dumps(scorer))(forest, X, y) == scorer(forest, X, y)
    assert "f1_score" in repr(scorer)


def test_outlier_scorer_is_nan_where_one_class_has_no_outliers():
    X, forest = np.arange(4.0)[:, None], IsolationForest().fit(np.ones((4, 1)))
    scorer = outlier_scorer(roc_auc_score)
    for y in ([1] * 4, [0] * 4, [-1] * 4, ["ok"] * 4):
        assert np.isnan(scorer(forest, X, y))
    named = outlier_scorer(f1_score, outlier_label="b", response_method="predict")
    assert np.isnan(named(forest, X, ["a", "c", "a", "c"]))
    assert not np.isnan(named(forest, X, ["a", "b", "a", "c"]))


@pytest.mark.filterwarnings("ignore:One or more of the train scores are non-finite")
@pytest.mark.parametrize("coding", [(1, -1), (0, 1)])
def test_outlier_scorer_where_training_folds_are_scored(coding):
    X, y, _ = make_groups()
    y = np.where(y == 1, *coding)
    detector, grid = LocalOutlierFactor(novelty=True), {"n_neighbors": [5, 10]}
    cv, scorer = NoveltySplit(3), outlier_scorer(roc_auc_score)
    _, train, test = learning_curve(
        detector,
        X,
        y,
        cv=cv,
        scoring=scorer,
        train_sizes=[0.5, 1.0],
        error_score="raise",
    )
    assert np.isnan(train).all()
    assert (test > 0.9).all()
    train, test = validation_curve(
        detector,
        X,
        y,
        cv=cv,
        scoring=scorer,
        param_name="n_neighbors",
        param_range=[5, 10],
        error_score="raise",
    )
    assert np.isnan(train).all()
    assert (test > 0.9).all()
    searches = (
        GridSearchCV(detector, grid, return_train_score=True),
        HalvingGridSearchCV(detector, grid, factor=2, min_resources=45, random_state=0),
    )
    for search in searches:
        search.set_params(cv=cv, scoring=scorer, error_score="raise").fit(X, y)
        assert search.best_score_ > 0.9
        assert np.isnan(search.cv_results_["mean_train_score"]).all()


def test_outlier_scorer_is_an_object_that_can_be_shown_and_shipped():
    scorer = outlier_scorer(f1_score, response_method="predict", zero_division=0.0)
    assert scorer.__name__ == "f1_score"
    assert repr(scorer) == (
        "outlier_scorer(f1_score, outlier_label=None, response_method='predict', "
        "zero_division=0.0)"
    )
    partial = outlier_scorer(functools.partial(roc_auc_score, max_fpr=0.5))
    assert "roc_auc_score" in partial.__name__
    for each in (scorer, partial):
        assert repr(pickle.loads(pickle.dumps(each))).startswith("outlier_scorer(")


@pytest.mark.parametrize("coding", [(1, -1), (0, 1)])
def test_outlier_scorer_by_name_counts_outliers_as_positive(coding):
    X, y, _ = make_groups()
    forest = IsolationForest(n_estimators=20, random_state=0).fit(X[y == 1])
    truth, abnormality = y == -1, -forest.score_samples(X)
    coded = np.where(y == 1, *coding)
    expected = {
        "roc_auc": roc_auc_score(truth, abnormality),
        "average_precision": average_precision_score(truth, abnormality),
        "f1": f1_score(truth, forest.predict(X) == -1),
        "accuracy": np.mean(forest.predict(X) == y),
    }
    for name, value in expected.items():
        scorer = outlier_scorer(name)
        assert scorer(forest, X, coded) == pytest.approx(value), name
        assert name in repr(pickle.loads(pickle.dumps(scorer)))
    made = make_scorer(roc_auc_score, response_method="decision_function", max_fpr=0.1)
    assert outlier_scorer(made)(forest, X, coded) == pytest.approx(
        roc_auc_score(truth, abnormality, max_fpr=0.1)
    )


def test_outlier_scorer_says_what_is_wrong():
    with pytest.raises(ValueError, match="no scorer of the name 'roc auc'"):
        outlier_scorer("roc auc")
    with pytest.raises(ValueError, match=r"'max_fpr'.* go with a function"):
        outlier_scorer("roc_auc", max_fpr=0.1)
    for metric in (None, 3, ["roc_auc"]):
        with pytest.raises(TypeError, match=r"must be a name .* or a function"):
            outlier_scorer(metric)


def test_outlier_scorer_mends_what_roc_auc_reverses():
    cancer = load_breast_cancer()
    X, y = cancer.data, (cancer.target == -1).astype(int)
    forest, split = IsolationForest(random_state=0), NoveltySplit(3)
    reverse = cross_val_score(forest, X, y, cv=split, scoring="roc_auc")
    right = cross_val_score(
        forest, X, y, cv=split, scoring=outlier_scorer(roc_auc_score)
    )
    assert reverse.mean() < 0.1
    assert right == pytest.approx(1 - reverse)


# -- NoveltySearchCV -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "outlier_label"),
    [((1, -1), None), ((0, 1), None), (("ok", "bad"), "bad")],
)
def test_the_search_ships_the_model_that_it_promises(coding, outlier_label):
    X, y, _ = make_groups()
    labels = np.where(y == 1, *coding)
    search = NoveltySearchCV(
        Recorder(), {"center": [8, 0]}, cv=3, outlier_label=outlier_label
    )
    search.fit(X, labels)
    assert search.best_params_ == {"center": 0}
    assert search.best_score_ > 0.9
    assert search.n_splits_ == 3
    assert np.array_equal(search.best_estimator_.X_, X[y == 1])
    assert set(search.best_estimator_.y_) == {coding[0]}
    assert search.score(X, labels) == roc_auc_score(y, search.score_samples(X))
    assert np.array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_the_search_is_the_one_of_scikit_learn_but_for_the_refit():
    cancer = load_breast_cancer()
    X, y = cancer.data, cancer.target
    pipeline = make_tabular_pipeline(clone(DETECTOR))
    grid = {"detector__n_neighbors": [5, 50], "scale": [MinMaxScaler(), "passthrough"]}
    search = NoveltySearchCV(pipeline, grid, cv=3).fit(X, y)
    plain = GridSearchCV(
        pipeline, grid, cv=NoveltySplit(3), scoring="roc_auc", refit=False
    ).fit(X, y)
    key = "mean_test_score"  # of other signs, so not the same to the bit
    assert search.cv_results_[key] == pytest.approx(plain.cv_results_[key])
    assert search.best_params_ == plain.best_params_
    best = clone(pipeline).set_params(**plain.best_params_).fit(X[y == 1])
    assert np.array_equal(search.score_samples(X), best.score_samples(X))
    assert search.best_params_["scale"] is not search.best_estimator_["scale"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_search_takes_frames(n_jobs):
    frame, y = make_table()
    search = NoveltySearchCV(
        make_tabular_pipeline(clone(DETECTOR)),
        {"detector__n_neighbors": [5, 10], "scale": [MinMaxScaler(), "passthrough"]},
        cv=3,
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.fit(frame, y)
    assert search.best_score_ > 0.9
    assert list(search.feature_names_in_) == ["size", "protocol"]
    assert search.n_features_in_ == 2
    assert search.best_estimator_[-1].n_samples_fit_ == 60
    shipped = pickle.loads(pickle.dumps(search))
    assert np.array_equal(shipped.predict(frame), search.predict(frame))
    polars = clone(search).fit(pl.DataFrame(frame.to_dict("list")), y)
    assert polars.best_score_ == search.best_score_


@pytest.mark.parametrize("container", [csr_matrix, csr_array])
def test_the_search_takes_sparse_rows(container):
    X, y, _ = make_groups()
    search = NoveltySearchCV(
        Autoencoder(max_epochs=2, random_state=0), {"batch_size": [8, 16]}, cv=3
    )
    assert search.fit(container(X), y).best_estimator_.n_features_in_ == 2
    assert search.score_samples(container(X)).shape == y.shape


def test_the_search_by_several_metrics():
    X, y, _ = make_groups()
    for scoring in (
        ["roc_auc", "f1"],
        {"roc_auc": "roc_auc", "f1": outlier_scorer("f1")},
        lambda detector, X, y: {
            name: outlier_scorer(name)(detector, X, y) for name in ("roc_auc", "f1")
        },
    ):
        search = NoveltySearchCV(
            Recorder(), {"center": [8, 0]}, scoring=scoring, cv=3, refit="f1"
        ).fit(X, y)
        assert search.multimetric_
        assert search.best_params_ == {"center": 0}
        assert search.best_score_ == search.cv_results_["mean_test_f1"][1]
        assert np.array_equal(search.best_estimator_.X_, X[y == 1])
        with pytest.raises(ValueError, match="refit must name the one to choose by"):
            search.set_params(refit=True).fit(X, y)
        unfitted = clone(search).set_params(refit=False).fit(X, y)
        assert not hasattr(unfitted, "best_estimator_")
        assert not hasattr(unfitted, "best_params_")


def test_the_search_with_a_choice_of_ones_own():
    X, y, _ = make_groups()
    search = NoveltySearchCV(
        Recorder(), {"center": [8, 0]}, cv=3, refit=lambda results: 0
    ).fit(X, y)
    assert search.best_params_ == {"center": 8}
    assert search.best_index_ == 0
    assert not hasattr(search, "best_score_")
    assert np.array_equal(search.best_estimator_.X_, X[y == 1])
    kept = clone(search).set_params(refit=False).fit(X, y)
    assert kept.best_params_ == {"center": 0}
    assert not hasattr(kept, "best_estimator_")


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
def test_the_search_is_not_upside_down(scoring):
    """As GridSearchCV is with labels of which 1 means an outlier."""
    X, y, _ = make_groups()
    labels, grid = (y == -1).astype(int), {"center": [8, 0]}
    plain = GridSearchCV(Recorder(), grid, cv=NoveltySplit(3), scoring=scoring)
    assert plain.fit(X, labels).best_params_ == {"center": 8}
    made = make_scorer(roc_auc_score, response_method="decision_function")
    for each in (scoring, made, [scoring]):
        search = NoveltySearchCV(Recorder(), grid, scoring=each, cv=3)
        refit = scoring if each == [scoring] else True
        assert search.set_params(refit=refit).fit(X, labels).best_params_ == {
            "center": 0
        }


@pytest.mark.parametrize("routing", [True, False])
def test_the_search_passes_metadata_on(routing):
    X, y, groups = make_groups()
    weight = np.arange(len(y))
    with config_context(enable_metadata_routing=routing):
        detector = Recorder()
        if routing:
            detector.set_fit_request(weight=True)
        search = NoveltySearchCV(detector, {"center": [8, 0]}, cv=GroupKFold(3))
        search.fit(X, y, groups=groups, weight=weight)
        assert search.best_score_ > 0.9
        if routing:
            with pytest.raises(TypeError, match="unexpected argument"):
                search.fit(X, y, colors=groups)
    assert np.array_equal(search.best_estimator_.weight_, weight[y == 1])


def test_the_search_takes_a_split_as_it_is():
    X, y, _ = make_groups()
    folds = [(np.arange(45), np.arange(45, 90))]
    for cv in (NoveltySplit(folds), folds, KFold(2, shuffle=True, random_state=0)):
        search = NoveltySearchCV(Recorder(), {"center": [0]}, cv=cv).fit(X, y)
        assert search.n_splits_ == (2 if isinstance(cv, KFold) else 1)
    assert NoveltySearchCV(Recorder(), {"center": [0]}).fit(X, y).n_splits_ == 5


def test_the_search_within_a_cross_validation():
    X, y, _ = make_groups()
    search = NoveltySearchCV(Recorder(), {"center": [8, 0]}, cv=2)
    scoring = outlier_scorer("roc_auc")
    scores = cross_val_score(search, X, y, scoring=scoring, cv=StratifiedKFold(3))
    assert (scores > 0.9).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"needs y.*synthetic_outlier_scorer"),
        (np.arange(90) % 3, "Labels must be 1 and -1"),
        (np.repeat(["ok", "bad"], 45), "Pass the label of outliers as outlier_label="),
        (np.ones(90), "All labels are 1"),
        (-np.ones(90), "All 90 samples are labelled as outliers"),
        (np.zeros(90), "0 outliers for 5 folds"),
        (np.repeat([1, -1], [87, 3]), "3 outliers for 5 folds"),
        (np.repeat([1, -1], [40, 40]), "inconsistent numbers of samples"),
    ],
)
def test_the_search_says_what_is_wrong_with_labels(y, message):
    X, _, _ = make_groups()
    search = NoveltySearchCV(Recorder(), {"center": [0]})
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert not hasattr(search, "cv_results_")


def test_the_search_says_what_is_wrong_with_parameters():
    X, y, _ = make_groups()
    with pytest.raises(ValueError, match="'scoring' parameter of NoveltySearchCV"):
        NoveltySearchCV(Recorder(), {"center": [0]}, scoring="auc").fit(X, y)
    with pytest.raises(ValueError, match="Invalid parameter 'radius'"):
        NoveltySearchCV(Recorder(), {"radius": [0]}).fit(X, y)
    shown = repr(NoveltySearchCV(Recorder(), {"center": [0]}, outlier_label="bad"))
    assert "outlier_label='bad'" in shown


# -- NoveltyDetector -------------------------------------------------------------------


# A label that the checks' own y, of any numbers, doesn't have.
@parametrize_with_checks(
    [NoveltyDetector(IsolationForest(n_estimators=5, random_state=0), outlier_label=-7)]
)
def test_novelty_detector_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Recorder(), {"detector__center": [8, 0]}),
        RandomizedSearchCV(
            Recorder(),
            {"detector__center": randint(0, 9)},
            n_iter=5,
            random_state=0,
        ),
        HalvingGridSearchCV(
            Recorder(),
            {"detector__center": [8, 0]},
            factor=2,
            min_resources=45,
            random_state=0,
        ),
    ],
    ids=lambda search: type(search).__name__,
)
def test_any_search_ships_inliers_only(search):
    X, y, _ = make_groups()
    search = clone(search).set_params(
        estimator=NoveltyDetector(Recorder()),
        cv=NoveltySplit(3),
        scoring="roc_auc",
        error_score="raise",
    )
    if isinstance(search, HalvingGridSearchCV):
        search.set_params(return_train_score=False)
    search.fit(X, y)
    assert search.best_params_["detector__center"] < 2
    assert np.array_equal(search.best_estimator_.detector_.X_, X[y == 1])


def test_novelty_detector_removes_outliers_before_any_step():
    frame, y = make_table()
    pipeline = make_tabular_pipeline(clone(DETECTOR))
    detector = NoveltyDetector(pipeline).fit(frame, y)
    expected = clone(pipeline).fit(frame[y == 1])
    for method in ("score_samples", "decision_function", "predict"):
        assert np.array_equal(
            getattr(detector, method)(frame), getattr(expected, method)(frame)
        )
    assert np.array_equal(detector.fit_predict(frame, y), expected.predict(frame))
    everything = clone(detector).fit(frame)
    assert everything.detector_[-1].n_samples_fit_ == 90
    assert clone(detector).fit(frame[:60], y[:60]).detector_[-1].n_samples_fit_ == 60


@pytest.mark.parametrize("routing", [True, False])
def test_novelty_detector_passes_metadata_of_inliers_on(routing):
    X, y, _ = make_groups()
    weight = np.arange(len(y))
    with config_context(enable_metadata_routing=routing):
        inner = Recorder().set_fit_request(weight=True) if routing else Recorder()
        detector = NoveltyDetector(inner).fit(X, y, weight=weight)
    assert np.array_equal(detector.detector_.weight_, weight[y == 1])


def test_novelty_detector_says_what_is_wrong():
    X, y, _ = make_groups()
    coded = (y == -1).astype(int)
    with pytest.raises(ValueError, match=r"would take 1 for inliers.*outlier_label=1"):
        NoveltyDetector(Recorder()).fit(X, coded)
    named = NoveltyDetector(Recorder(), outlier_label=1).fit(X, coded)
    assert np.array_equal(named.detector_.X_, X[y == 1])
    with pytest.raises(ValueError, match="Labels must be 1 and -1"):
        NoveltyDetector(Recorder()).fit(X, np.arange(len(y)))
    with pytest.raises(ValueError, match="All 90 samples are labelled as outliers"):
        NoveltyDetector(Recorder()).fit(X, -np.ones(len(y)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NoveltyDetector(Recorder()).fit(X, y[1:])
    assert not hasattr(NoveltyDetector(LocalOutlierFactor()), "score_samples")


# -- synthetic outliers ----------------------------------------------------------------


MIXED = pd.DataFrame(
    {
        "number": np.linspace(0, 1, 40),
        "count": pd.array([None, *range(39)], dtype="Int64"),
        "kind": pd.Categorical(["a", "b", "c", "d"] * 10),
        "word": ["x", "y", None, "z"] * 10,
        "flag": [True, False] * 20,
        "day": pd.date_range("2026-01-01", periods=40),
        "wait": pd.to_timedelta(np.arange(40), unit="s"),
    }
)


def as_strings(X):
    """Return the columns of any table as lists of strings."""
    if issparse(X):
        X = X.toarray()
    if isinstance(X, pl.DataFrame):
        return [list(map(str, X[name])) for name in X.columns]
    return [
        list(map(str, column)) for column in pd.DataFrame(X).astype(object).T.values
    ]


TABLES = {
    "pandas": MIXED,
    "polars": pl.DataFrame(MIXED.drop(columns="wait")),
    "array": np.random.default_rng(0).normal(size=(40, 3)),
    "objects": MIXED[["number", "kind"]].to_numpy(dtype=object),
    "sparse": csr_matrix(np.random.default_rng(0).poisson(1.0, size=(40, 3))),
    "lists": [[i, -i] for i in range(40)],
}


@pytest.mark.parametrize("kind", TABLES)
def test_shuffled_columns_are_what_they_were(kind):
    X = TABLES[kind]
    before = as_strings(X)
    made = make_synthetic_outliers(X, "shuffle", random_state=0)
    after = as_strings(made)
    assert type(made) is (np.ndarray if kind == "lists" else type(X))
    for old, new in zip(before, after, strict=True):
        assert old != new
        assert sorted(old) == sorted(new)
    assert as_strings(X) == before
    again = make_synthetic_outliers(X, "shuffle", random_state=0)
    other = make_synthetic_outliers(X, "shuffle", random_state=1)
    assert as_strings(again) == after != as_strings(other)


@pytest.mark.parametrize("kind", TABLES)
def test_some_values_are_replaced_by_those_of_their_column(kind):
    X = TABLES[kind]
    made = as_strings(make_synthetic_outliers(X, "replace", random_state=0))
    for old, new in zip(as_strings(X), made, strict=True):
        assert set(new) <= set(old)
        assert old != new
    n_changed = np.mean(
        [np.array(a) != b for a, b in zip(as_strings(X), made, strict=True)]
    )
    assert 0.05 < n_changed < 0.4


def test_a_third_of_the_values_is_replaced_and_never_by_itself():
    X = np.arange(4000).reshape(-1, 2)
    made = make_synthetic_outliers(X, "replace", random_state=0)
    assert (made != X).mean() == pytest.approx(0.3, abs=0.02)
    pair = make_synthetic_outliers(X[:2], "replace", random_state=0)
    assert set(pair[:, 0]) <= {0, 2}


def test_noise_is_half_an_interquartile_range():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 3)) * [1, 100, 1]
    X[:, 2] = rng.random(5000) < 0.1  # no interquartile range
    noise = make_synthetic_outliers(X, "jitter", random_state=0) - X
    low, high = np.percentile(X[:, :2], [25, 75], axis=0)
    expected = [*(0.5 * (high - low)), 0.5 * X[:, 2].std()]
    assert noise.std(axis=0) == pytest.approx(expected, rel=0.05)
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.05


def test_noise_is_added_to_numbers_only():
    for table in (MIXED, TABLES["polars"]):
        made = make_synthetic_outliers(table, "jitter", random_state=0)
        for name in table.columns:
            same = list(map(str, table[name])) == list(map(str, made[name]))
            assert same is (name not in ("number", "count")), name
        assert made["count"].is_null()[0] if name == "day" else made["count"].isna()[0]
    objects = make_synthetic_outliers(TABLES["objects"], "jitter", random_state=0)
    assert list(objects[:, 1]) == list(MIXED["kind"])
    assert (objects[1:, 0] != MIXED["number"][1:]).all()
    missing = np.array([[np.nan, 1.0], [np.nan, 2.0], [np.nan, 4.0]])
    made = make_synthetic_outliers(missing, "jitter", random_state=0)
    assert np.array_equal(np.isnan(made), np.isnan(missing))


def test_noise_keeps_a_sparse_matrix_sparse():
    X = TABLES["sparse"]
    made = make_synthetic_outliers(X, "jitter", random_state=0)
    assert np.array_equal(made.indices, X.indices)
    assert np.array_equal(made.indptr, X.indptr)
    assert (made.data != X.data).all()


def test_what_synthetic_outliers_are_not_made_from():
    with pytest.raises(ValueError, match=r"shape \(4, 1, 8, 8\)\. Images and clips"):
        make_synthetic_outliers(np.ones((4, 1, 8, 8)))
    with pytest.raises(ValueError, match="two rows or more, got 1"):
        make_synthetic_outliers(np.ones((1, 3)))
    with pytest.raises(ValueError, match="kind must be one of"):
        make_synthetic_outliers(np.ones((3, 3)), "noise")
    with pytest.raises(ValueError, match=r"there is one column\. Use 'jitter'"):
        make_synthetic_outliers(np.ones((3, 1)))
    with pytest.raises(TypeError, match=r"got Table of pyarrow\. Convert it"):
        make_synthetic_outliers(pa.table({"a": [1, 2]}))


# -- choosing without labels -----------------------------------------------------------


def make_parabola(n=300, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 1))
    return np.hstack([x, x**2 + 0.1 * np.random.default_rng(seed).normal(size=(n, 1))])


def test_the_score_is_the_mean_auc_over_kinds():
    X = make_parabola()
    detector = clone(DETECTOR).fit(X[:200])
    kinds = ("shuffle", "replace", "jitter")
    whole = synthetic_outlier_scorer(kinds)(detector, X[200:])
    aucs = [synthetic_outlier_scorer(kind)(detector, X[200:]) for kind in kinds]
    assert whole == pytest.approx(np.mean(aucs), abs=0.05)
    assert 0.7 < whole < 1
    assert whole == synthetic_outlier_scorer(kinds)(detector, X[200:], y=np.ones(100))
    assert whole != synthetic_outlier_scorer(kinds, random_state=1)(detector, X[200:])
    assert aucs[0] == synthetic_outlier_scorer()(detector, X[200:])
    made = make_synthetic_outliers(
        X[200:],
        "jitter",
        random_state=np.random.RandomState(synthetic_outlier_scorer().seed),
    )
    scores = np.concatenate([detector.score_samples(each) for each in (X[200:], made)])
    assert aucs[2] == roc_auc_score(np.repeat([1, 0], 100), scores)


def test_a_search_without_labels():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clone(DETECTOR)),
        {"localoutlierfactor__n_neighbors": [10, 200]},
        scoring=synthetic_outlier_scorer(),
        error_score="raise",
    )
    X = make_parabola()
    first = search.fit(X).cv_results_["mean_test_score"]
    assert search.best_params_ == {"localoutlierfactor__n_neighbors": 10}
    assert search.best_estimator_[-1].n_samples_fit_ == 300
    assert np.array_equal(first, search.fit(X).cv_results_["mean_test_score"])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_search_without_labels_takes_a_table_before_preprocessing(kind):
    rng = np.random.default_rng(0)
    x, names = rng.normal(size=120), np.array(["low", "high"])
    frame = pd.DataFrame({"x": x, "level": names[(x > 0).astype(int)], "copy": -x})
    frame.loc[3, "x"] = None
    search = GridSearchCV(
        make_tabular_pipeline(clone(DETECTOR)),
        {"detector__n_neighbors": [10, 70]},
        scoring=synthetic_outlier_scorer(),
        cv=3,
        error_score="raise",
    )
    search.fit(frame if kind == "pandas" else pl.from_pandas(frame))
    assert search.best_params_ == {"detector__n_neighbors": 10}


def test_a_search_without_labels_takes_sparse_rows():
    scorer = synthetic_outlier_scorer()
    X = csr_matrix(make_parabola())
    detector = Autoencoder(max_epochs=2, random_state=0)
    scores = cross_val_score(detector, X, scoring=scorer, cv=2, error_score="raise")
    assert ((scores > 0) & (scores < 1)).all()


def test_the_scorer_without_labels_can_be_shown_and_shipped():
    X, scorer = make_parabola(), synthetic_outlier_scorer(("shuffle",), random_state=3)
    detector = clone(DETECTOR).fit(X)
    assert pickle.loads(pickle.dumps(scorer))(detector, X) == scorer(detector, X)
    assert repr(scorer).startswith("synthetic_outlier_scorer(('shuffle',)")
    assert scorer.__name__ == "synthetic_outlier"
    for kinds in ((), ("noise",), "noise", ("shuffle", "noise")):
        with pytest.raises(ValueError, match="kinds must be some of"):
            synthetic_outlier_scorer(kinds)
