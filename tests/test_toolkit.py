"""Tables, metrics and searches around a detector."""

import functools
import inspect
import pickle
from collections.abc import Mapping

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 # its import is what enables HalvingGridSearchCV
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.metrics import (
    is_outlier,
    outlier_scorer,
    per_region_overlap,
    precision_recall_f1_at,
)
from skanomaly.model_selection import NoveltySplit
from skanomaly.preprocessing import (
    TRUSTED_TYPES,
    ClipTransformer,
    categorical_columns,
    numeric_columns,
)


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


@pytest.mark.parametrize(
    "detector",
    [Autoencoder(random_state=0), LocalOutlierFactor(novelty=True)],
    ids=lambda detector: type(detector).__name__,
)
def test_pipeline_detects_on_a_mixed_table_with_holes(detector):
    frame, y = make_table()
    pipeline = make_tabular_pipeline(detector).fit(frame[:60])
    assert roc_auc_score(y, pipeline.score_samples(frame)) > 0.9
    assert set(pipeline.predict(frame)) == {1, -1}


def test_pipeline_prepares_columns():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(IsolationForest()).fit(frame[:60])
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
        make_tabular_pipeline(IsolationForest(), clip=clip).fit(X)[:-1]
        for clip in (3.0, None)
    )
    assert clipped.transform(extreme).max() == 3
    assert clipped.transform(-extreme).min() == -3
    assert free.transform(extreme).max() > 1e5
    with pytest.raises(ValueError, match="clip must be positive"):
        make_tabular_pipeline(IsolationForest(), clip=0)


def test_pipeline_takes_a_scaler():
    X = np.random.default_rng(0).normal(size=(50, 2))
    pipeline = make_tabular_pipeline(IsolationForest(), scaler=MinMaxScaler())
    prepared = pipeline.fit(X)[:-1].transform(X)
    assert (prepared.min(), prepared.max()) == (0, 1)


def test_pipeline_takes_tables_of_all_kinds():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(IsolationForest(random_state=0))
    scores = clone(pipeline).fit(frame).score_samples(frame)
    others = {
        "polars": pl.DataFrame(frame.assign(protocol=frame["protocol"].astype(object))),
        "object array": frame.astype(object)
        .where(frame.notna(), None)
        .to_numpy(dtype=object),
        "strings": frame.assign(protocol=frame["protocol"].astype("str")),
        "arrow": frame.convert_dtypes(dtype_backend="pyarrow"),
        "arrow table": pa.Table.from_pandas(frame),
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
    pipeline = make_tabular_pipeline(IsolationForest(n_estimators=3))
    shown = repr(pipeline)
    for name in (
        "OneHotEncoder",
        "StandardScaler",
        "ClipTransformer",
        "IsolationForest(n_estimators=3",
    ):
        assert name in shown
    names = pipeline.get_params()
    for name in (
        "detector__n_estimators",
        "scale",
        "scale__with_mean",
        "clip__limit",
        "encode__numbers__strategy",
        "encode__categories__min_frequency",
    ):
        assert name in names


def test_pipeline_can_be_shipped():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(IsolationForest(random_state=0)).fit(frame)
    shipped = pickle.loads(pickle.dumps(pipeline))
    assert np.array_equal(shipped.score_samples(frame), pipeline.score_samples(frame))


def parts_of(value):
    """Yield all that a fitted object is made of, as skops walks it."""
    yield value
    if isinstance(value, Mapping):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set):
        parts = value
    elif type(value).__module__.startswith(("sklearn", "skanomaly")):
        parts = vars(value).values()
    else:
        parts = ()
    for part in parts:
        yield from parts_of(part)


def test_a_published_list_of_types_is_all_that_the_pipeline_needs():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline("passthrough").fit(frame)
    parts = list(parts_of(pipeline))
    assert not [part for part in parts if inspect.isroutine(part)]
    own = {f"{type(part).__module__}.{type(part).__name__}" for part in parts}
    own = {name for name in own if name.startswith("skanomaly")}
    assert own == {name for name in TRUSTED_TYPES if name.startswith("skanomaly")}


SERIES = pd.Series([1.0, 2.0], name="size")


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (csr_matrix(np.ones((4, 2))), TypeError, r"sparse data \(csr_matrix\)"),
        (csr_array(np.ones((4, 2))), TypeError, r"X.toarray\(\)"),
        ({"size": [1.0], "count": [2]}, TypeError, r"Pass pandas.DataFrame\(X\)"),
        (pl.LazyFrame({"size": [1.0]}), TypeError, r"Pass X.collect\(\)"),
        (SERIES, ValueError, r"one dimension \(Series of length 2\).*iloc\[\[0\]\]"),
        (pl.Series([1.0, 2.0]), ValueError, r"one dimension \(Series of length 2\)"),
        (np.ones(3), ValueError, r"one dimension \(ndarray of length 3\)"),
        ([1, 2, 3], ValueError, r"one dimension \(list of length 3\)"),
        (np.ones((2, 2, 2)), ValueError, r"3 dimensions \(ndarray\)"),
        ("table.csv", ValueError, r"0 dimensions \(str\)"),
        (None, ValueError, r"0 dimensions \(NoneType\)"),
    ],
)
def test_what_is_no_table_is_refused(X, error, message):
    pipeline = make_tabular_pipeline(IsolationForest())
    with pytest.raises(error, match=message):
        pipeline.fit(X)
    pipeline.fit(make_table()[0])
    with pytest.raises(error, match=message):
        pipeline.predict(X)


@parametrize_with_checks([ClipTransformer(), ClipTransformer(limit=0.5)])
def test_clip_transformer_check(estimator, check):
    check(estimator)


def test_clip_transformer():
    frame = pd.DataFrame({"a": [-9.0, np.nan], "b": [2.0, 9.0]}, dtype=np.float32)
    clip = ClipTransformer(limit=3).set_output(transform="pandas").fit(frame)
    expected = pd.DataFrame({"a": [-3.0, np.nan], "b": [2.0, 3.0]}, dtype=np.float32)
    pd.testing.assert_frame_equal(clip.transform(frame), expected)
    assert frame.iloc[0, 0] == -9
    for limit in (0, -1, "wide"):
        with pytest.raises(ValueError, match="limit"):
            ClipTransformer(limit=limit).fit(frame)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_the_pipeline(n_jobs):
    frame, y = make_table()
    search = GridSearchCV(
        make_tabular_pipeline(LocalOutlierFactor(novelty=True)),
        {"detector__n_neighbors": [5, 10], "scale": [MinMaxScaler(), "passthrough"]},
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


def make_groups(n_groups=9, n_samples=10, seed=0):
    """Make samples of groups, of which each has its outlier."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), n_samples)
    X = rng.normal(size=(len(groups), 2))
    y = np.where(np.arange(len(groups)) % n_samples == 0, -1, 1)
    X[y == -1] += 8
    shuffled = rng.permutation(len(groups))
    return X[shuffled], y[shuffled], groups[shuffled]


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
    for unknown in ([0, 2], [-1, 0, 1], ["a", "b"]):
        with pytest.raises(ValueError, match=r"Labels must be .* outlier_label="):
            is_outlier(unknown)
    with pytest.raises(ValueError, match="response_method must be one of"):
        outlier_scorer(roc_auc_score, response_method="predict_proba")


def test_labels_that_are_all_equal():
    assert is_outlier([-1, -1]).all()
    assert not is_outlier([0, 0]).any()
    with pytest.raises(ValueError, match=r"All labels are 1, .* outlier_label="):
        is_outlier([1, 1])
    assert is_outlier([1, 1], outlier_label=1).all()
    assert not is_outlier([1, 1], outlier_label=-1).any()


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
    for metric in ("roc_auc", None):
        with pytest.raises(TypeError, match="must be a function such as sklearn"):
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
