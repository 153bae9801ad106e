"""Tables, metrics and searches around a detector."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import QUICK, each_detector
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.preprocessing import MinMaxScaler

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.metrics import (
    is_outlier,
    outlier_scorer,
    per_region_overlap,
    precision_recall_f1_at,
)
from skanomaly.model_selection import NoveltySplit
from skanomaly.preprocessing import categorical_columns, numeric_columns


def make_table(n_rows=90, seed=0):
    """Make connections: most small and tcp, some missing; the last third is odd."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows)
    size[60:] += 8
    protocol = rng.choice(["tcp", "udp"], n_rows).astype(object)
    protocol[60:] = "gre"
    size[5], protocol[6] = np.nan, None
    frame = pd.DataFrame(
        {
            "size": size,
            "count": rng.integers(0, 9, n_rows),
            "protocol": pd.Categorical(protocol),
            "encrypted": rng.choice([True, False], n_rows),
        }
    )
    return frame, np.repeat([1, -1], [60, n_rows - 60])


# -- make_tabular_pipeline -------------------------------------------------------------


@each_detector
def test_pipeline_detects_on_a_mixed_table_with_holes(Detector):
    frame, y = make_table()
    pipeline = make_tabular_pipeline(Detector(max_epochs=30, random_state=0))
    pipeline.fit(frame[:60])
    assert roc_auc_score(y, pipeline.score_samples(frame)) > 0.9
    assert set(pipeline.predict(frame)) == {1, -1}


def test_pipeline_prepares_columns():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(Autoencoder(**QUICK)).fit(frame[:60])
    prepared = pipeline[:-1].transform(frame)
    names = list(pipeline[:-1].get_feature_names_out())
    assert names == [
        "size",
        "count",
        "missingindicator_size",
        "protocol_tcp",
        "protocol_udp",
        "protocol_nan",
        "encrypted_False",
        "encrypted_True",
    ]
    assert np.isfinite(prepared).all()
    assert np.allclose(prepared[:60].mean(axis=0), 0, atol=0.1)
    encoded = pipeline[0].transform(frame)
    assert encoded[5, names.index("missingindicator_size")] == 1
    assert encoded[5, 0] == pytest.approx(frame["size"][:60].median(), rel=1e-6)
    assert encoded[6, names.index("protocol_nan")] == 1
    unknown = [i for i, name in enumerate(names) if name.startswith("protocol")]
    assert not encoded[60:, unknown].any()


def test_pipeline_clips_what_is_extreme():
    X = np.random.default_rng(0).normal(size=(50, 2))
    extreme = X.copy()
    extreme[0] = 1e6
    clipped, free = (
        make_tabular_pipeline(Autoencoder(**QUICK), clip=clip).fit(X)[:-1]
        for clip in (3.0, None)
    )
    assert clipped.transform(extreme).max() == 3
    assert clipped.transform(-extreme).min() == -3
    assert free.transform(extreme).max() > 1e5
    with pytest.raises(ValueError, match="clip must be positive"):
        make_tabular_pipeline(Autoencoder(), clip=0)


def test_pipeline_takes_a_scaler():
    X = np.random.default_rng(0).normal(size=(50, 2))
    pipeline = make_tabular_pipeline(Autoencoder(**QUICK), scaler=MinMaxScaler())
    prepared = pipeline.fit(X)[:-1].transform(X)
    assert (prepared.min(), prepared.max()) == (0, 1)


def test_pipeline_takes_tables_of_all_kinds():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(Autoencoder(**QUICK, random_state=0))
    scores = clone(pipeline).fit(frame).score_samples(frame)
    others = {
        "polars": pl.DataFrame(frame.assign(protocol=frame["protocol"].astype(object))),
        "object array": frame.astype(object)
        .where(frame.notna(), None)
        .to_numpy(dtype=object),
        "strings": frame.assign(protocol=frame["protocol"].astype("str")),
        "arrow": frame.convert_dtypes(dtype_backend="pyarrow"),
        "nullable": frame.convert_dtypes(),
    }
    for kind, table in others.items():
        fitted = clone(pipeline).fit(table)
        assert np.allclose(fitted.score_samples(table), scores, rtol=1e-3), kind
    numbers = frame[["count"]].to_numpy(dtype=float)
    assert clone(pipeline).fit(numbers).score_samples(numbers).shape == (90,)


def test_columns_by_kind():
    frame, _ = make_table()
    for table in (frame, pl.DataFrame(frame.drop(columns="protocol"))):
        assert numeric_columns(table) == ["size", "count"]
        assert "encrypted" in categorical_columns(table)
    array = np.array([[1, "a", True, None], [2.5, "b", False, 3]], dtype=object)
    assert numeric_columns(array) == [0, 3]
    assert categorical_columns(array) == [1, 2]
    assert numeric_columns(np.ones((2, 2))) == [0, 1]
    assert categorical_columns(np.ones((2, 2))) == []
    assert categorical_columns(np.array([["a"], ["b"]])) == [0]


def test_pipeline_is_readable_and_open_to_a_search():
    pipeline = make_tabular_pipeline(Autoencoder(max_epochs=3))
    shown = repr(pipeline)
    for name in ("OneHotEncoder", "StandardScaler", "clip", "Autoencoder(max_epochs=3"):
        assert name in shown
    names = pipeline.get_params()
    for name in (
        "detector__latent_size",
        "scale",
        "scale__with_mean",
        "clip__kw_args",
        "encode__numbers__strategy",
        "encode__categories__min_frequency",
    ):
        assert name in names


def test_pipeline_travels():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(Autoencoder(**QUICK, random_state=0)).fit(frame)
    shipped = pickle.loads(pickle.dumps(pipeline))
    assert np.array_equal(shipped.score_samples(frame), pipeline.score_samples(frame))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each_detector
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_the_pipeline(Detector, n_jobs):
    frame, y = make_table()
    search = GridSearchCV(
        make_tabular_pipeline(Detector(max_epochs=20, batch_size=16, random_state=0)),
        {"detector__latent_size": [2, 3], "scale": [MinMaxScaler(), "passthrough"]},
        cv=NoveltySplit(3),
        scoring="roc_auc",
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.fit(frame, y)
    assert search.best_score_ > 0.9
    assert search.predict(frame).shape == y.shape


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
    assert repr(NoveltySplit(3)) == "NoveltySplit(3, outlier_label=None)"


# -- metrics ---------------------------------------------------------------------------


def test_precision_recall_f1_at():
    y = [1, 1, 1, 1, -1, -1, 1, 1, 1, 1]
    scores = [9, 8, 7, 1, 2, 3, 6, 5, 4, 10]
    assert precision_recall_f1_at(y, scores, 0.2) == (0.5, 0.5, 0.5)
    precision, recall, f1 = precision_recall_f1_at(y, scores, 0.3)
    assert (precision, recall) == (pytest.approx(2 / 3), 1)
    assert f1 == pytest.approx(0.8)
    coded = [1 if label == -1 else 0 for label in y]
    assert precision_recall_f1_at(coded, scores, 0.3) == (precision, recall, f1)
    words = ["bad" if label == -1 else "ok" for label in y]
    named = precision_recall_f1_at(words, scores, 0.3, outlier_label="bad")
    assert named == (precision, recall, f1)
    assert precision_recall_f1_at([1, 1, -1], [5, 5, 5], 0.1)[1] == 1


@pytest.mark.parametrize("contamination", [0.1, 0.2, 0.25, 0.3, 0.7])
@pytest.mark.parametrize("n_samples", [10, 57, 1000])
def test_share_called_outliers(contamination, n_samples):
    scores = np.random.default_rng(0).permutation(n_samples).astype(float)
    y = np.where(scores < 5, -1, 1)
    precision, recall, _ = precision_recall_f1_at(y, scores, contamination)
    n_called = recall * 5 / precision
    assert n_called == pytest.approx(np.ceil(n_samples * contamination), abs=1e-6)


def test_metrics_say_what_is_wrong():
    with pytest.raises(ValueError, match="contamination"):
        precision_recall_f1_at([1, -1], [1, 2], 0)
    with pytest.raises(ValueError, match="inconsistent"):
        precision_recall_f1_at([1, -1], [1, 2, 3], 0.5)
    for ambiguous in ([1, 1], [0, 2], [-1, 0, 1], ["a", "b"]):
        with pytest.raises(ValueError, match="outlier_label="):
            is_outlier(ambiguous)
    with pytest.raises(ValueError, match="response_method must be one of"):
        outlier_scorer(roc_auc_score, response_method="predict_proba")


def test_per_region_overlap_by_hand():
    """Regions of two pixels and one; four normal pixels."""
    masks = [[[1, 1, 0, 0], [0, 0, 0, 1]]]
    maps = [[[9, 6, 8, 3], [2, 1, 0, 7]]]
    # In the order of the maps: half of the large region, a false alarm, the small
    # region, the other half, then three more normal pixels (a normal one is 1 / 5).
    # Overlap 1/4 before the first false alarm, then 1/4, 3/4, 1 at the same share.
    first = 0.2 * 1 / 4
    assert per_region_overlap(masks, maps, max_fpr=0.2) == pytest.approx(first / 0.2)
    assert per_region_overlap(masks, maps, max_fpr=1.0) == pytest.approx(first + 0.8)
    between = (first + 0.1) / 0.3
    assert per_region_overlap(masks, maps) == pytest.approx(between)
    assert per_region_overlap(masks, maps, max_fpr=0.1) == pytest.approx(0.25)


def test_per_region_overlap_counts_regions_and_not_pixels():
    masks = np.zeros((2, 8, 8))
    masks[0, :4, :4] = masks[1, 7, 7] = 1
    large, small = np.zeros((2, 2, 8, 8))
    large[0, :4, :4] = small[1, 7, 7] = 1
    # What is not found rises with the false alarms, from one half on.
    assert per_region_overlap(masks, large) == pytest.approx(
        per_region_overlap(masks, small)
    )
    assert per_region_overlap(masks, masks) == 1
    assert per_region_overlap(masks, -masks) == 0


def test_per_region_overlap_joins_pixels_within_an_image_only():
    corner = [[[1, 0], [0, 1]]] * 2
    # Two regions across corners, one an image: the first half of the first one only.
    maps = [[[9, 5], [5, 1]], [[1, 5], [5, 1]]]
    assert per_region_overlap(corner, maps, max_fpr=1.0) == pytest.approx(
        (0.25 + 0.25) / 2
    )


def test_per_region_overlap_of_ties_is_a_straight_line():
    masks = [[[1, 0, 0]]]
    assert per_region_overlap(masks, np.ones((1, 1, 3)), max_fpr=1) == 0.5
    assert per_region_overlap(masks, np.ones((1, 1, 3))) == pytest.approx(0.15)
    noise = np.random.default_rng(0).normal(size=(50, 16, 16))
    some = np.random.default_rng(1).random((50, 16, 16)) < 0.1
    assert per_region_overlap(some, noise) == pytest.approx(0.15, abs=0.02)


def test_per_region_overlap_says_what_is_wrong():
    masks = np.eye(4)[np.newaxis]
    for wrong in (np.ones((1, 1, 4, 4)), np.ones((1, 4, 3))):
        with pytest.raises(ValueError, match="must have one shape"):
            per_region_overlap(masks, wrong)
    with pytest.raises(ValueError, match="must have one shape"):
        per_region_overlap(masks[0], masks[0])
    with pytest.raises(ValueError, match="No pixel of the masks is abnormal"):
        per_region_overlap(0 * masks, masks)
    with pytest.raises(ValueError, match="No pixel of the masks is normal"):
        per_region_overlap(0 * masks + 1, masks)
    with pytest.raises(ValueError, match="NaN"):
        per_region_overlap(masks, np.full((1, 4, 4), np.nan))
    for limit in (0, 1.5):
        with pytest.raises(ValueError, match="max_fpr"):
            per_region_overlap(masks, masks, max_fpr=limit)


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
