"""Reasons for scores: `inspection.explain` and what it is made of."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, eye_array
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from skanomaly import (
    Autoencoder,
    DetectorEnsemble,
    NearestNeighborDetector,
    StudentTeacher,
    make_tabular_pipeline,
)
from skanomaly.calibration import ConformalDetector
from skanomaly.inspection import _explain, explain
from skanomaly.inspection._attribution import attribute
from skanomaly.inspection._columns import invert, source_columns
from skanomaly.inspection._samples import objects

N = 600
NUMBERS, TEXTS = ["price", "quantity", "total", "age"], ["country", "currency"]


def make_orders(n=N, seed=0):
    """Make orders: the total is price times quantity, the currency the country's."""
    rng = np.random.default_rng(seed)
    country = rng.choice(["DE", "FR", "US"], n)
    price, quantity = rng.lognormal(3, 0.3, n).round(2), rng.integers(1, 6, n)
    days = rng.choice(pd.bdate_range("2024-01-01", "2024-12-31"), n)
    return pd.DataFrame(
        {
            "ordered": days + pd.to_timedelta(rng.integers(9, 18, n), unit="h"),
            "country": country,
            "currency": np.where(country == "US", "USD", "EUR"),
            "price": price,
            "quantity": quantity,
            "total": price * quantity,
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 10, n)),
        }
    )


@pytest.fixture(scope="module")
def orders():
    return make_orders()


@pytest.fixture(scope="module")
def pipeline(orders):
    return make_tabular_pipeline(Autoencoder(random_state=0)).fit(orders)


FAULTS = {
    "age": 230.0,
    "price": -5.0,
    "currency": "BTC",
    "country": None,
    "quantity": 2.5,
    "total": 900.0,
    "ordered": pd.Timestamp("1999-01-01 12:00"),
}


@pytest.fixture(scope="module")
def faulty():
    """Return orders with a fault each."""
    frame = make_orders(len(FAULTS), seed=1).astype({"quantity": float})
    for row, (name, value) in enumerate(FAULTS.items()):
        frame.loc[row, name] = value
    return frame


def first_reasons(estimator, X, **options):
    return list(explain(estimator, X, top=1, **options)["column"])


# -- the reasons are true --------------------------------------------------------------


def test_a_fault_is_the_first_reason(pipeline, faulty):
    reasons = explain(pipeline, faulty, top=1)
    assert list(reasons["sample"]) == list(range(len(FAULTS)))
    assert list(reasons["column"]) == list(FAULTS)
    assert (reasons["share"] > 0.5).all()


def test_values_are_those_seen_and_expected_ones_those_of_normal_rows(pipeline, faulty):
    reasons = explain(pipeline, faulty, top=1).set_index("column")
    assert reasons["value"].to_dict() == {**FAULTS}
    expected = reasons["expected"]
    assert 20 < expected["age"] < 60
    assert expected["currency"] in ("EUR", "USD")
    assert expected["country"] in ("DE", "FR", "US")
    assert expected["ordered"].year in (2023, 2024, 2025)
    order = faulty.iloc[list(FAULTS).index("total")]
    assert expected["total"] == pytest.approx(
        order["price"] * order["quantity"], rel=0.3
    )


def test_the_faulty_column_does_not_spoil_the_others(pipeline, faulty):
    """The error of the map is shared out over columns that are as they should be."""
    by_map = explain(pipeline, faulty, top=1, method="anomaly_map")["share"]
    by_reconstruction = explain(pipeline, faulty, top=1)["share"]
    assert np.median(by_reconstruction) > np.median(by_map)


def test_a_broken_relation_is_named(pipeline):
    X = make_orders(50, seed=2)
    X["currency"] = np.where(X["country"] == "US", "EUR", "USD")
    reasons = explain(pipeline, X, top=2).groupby("sample")["column"].agg(set)
    assert np.mean([bool(each & {"country", "currency"}) for each in reasons]) > 0.95


def test_missing_values_are_named(pipeline):
    """Several at once, each of which spoils what is expected of the others."""
    named = []
    for columns in (
        ["price", "country"],
        ["quantity", "currency"],
        ["total", "ordered"],
    ):
        X = make_orders(20, seed=3)
        X[columns] = None
        reasons = explain(pipeline, X)
        named.append(reasons["column"].isin(columns).sum() / 40)
        assert reasons["value"][reasons["column"].isin(columns)].isna().all()
    assert np.mean(named) > 0.85, named


@pytest.mark.parametrize(
    "detector", [NearestNeighborDetector(), StudentTeacher(random_state=0)]
)
def test_detectors_of_other_kinds(detector, orders, faulty):
    fitted = make_tabular_pipeline(detector).fit(orders)
    assert first_reasons(fitted, faulty, reference=orders) == list(FAULTS)


def test_a_training_row_is_not_explained_by_itself(orders):
    """The nearest row to one without a value is often the row itself."""
    fitted = make_tabular_pipeline(NearestNeighborDetector()).fit(orders)
    reasons = explain(fitted, orders, top=1)
    assert reasons["sample"].tolist() == [*range(N)]
    assert (reasons["value"].astype(str) != reasons["expected"].astype(str)).all()


class Mirror:
    """Expects of each of the first two features the other, and of the third itself."""

    center_ = np.zeros(3)

    def reconstruct(self, X):
        return np.asarray(X)[:, [1, 0, 2]]


def test_the_suspect_without_which_the_others_are_right_is_taken():
    """Here it is the one of the largest error; the third feature is only far away."""
    X = np.array([[1.0, -1.0, 5.0]])
    found = attribute(Mirror(), X, eye_array(3, format="csr"), by_map=False)
    assert found.amounts.tolist() == [[4, 1, 0]]
    assert found.expected.tolist() == [[-1, 0, 5]]


# -- shares ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "anomaly_map", "replacement"])
def test_all_shares_sum_to_one(pipeline, orders, faulty, method):
    reasons = explain(pipeline, faulty, top=None, method=method, reference=orders)
    assert np.allclose(reasons.groupby("sample")["share"].sum(), 1)
    assert (reasons["share"] > 0).all()


def test_shares_of_the_map_sum_to_the_score(pipeline, faulty):
    reasons = explain(pipeline, faulty, top=None, method="anomaly_map")
    told = reasons.pivot_table(index="sample", columns="column", values="share")
    amounts = -pipeline.score_samples(faulty)[:, None] * told.fillna(0).to_numpy()
    features = pipeline[-1].anomaly_map(pipeline[:-1].transform(faulty))
    sources = faulty.columns[pipeline["encode"].source_columns_]
    by_column = pd.DataFrame(features, columns=sources).T.groupby(level=0).sum().T
    assert np.allclose(amounts, by_column[told.columns], rtol=1e-4)


def test_reasons_are_sorted_and_no_more_than_asked_for(pipeline, faulty):
    reasons = explain(pipeline, faulty, top=4)
    for _, of_sample in reasons.groupby("sample"):
        assert len(of_sample) <= 4
        assert of_sample["share"].is_monotonic_decreasing


def test_what_is_left_out_is_no_reason(orders):
    X = orders.assign(shop="main")
    with pytest.warns(UserWarning, match="'shop' \\(constant\\)"):
        fitted = make_tabular_pipeline(Autoencoder(max_epochs=2)).fit(X)
    assert "shop" not in set(explain(fitted, X.head(20), top=None)["column"])


def test_reasons_do_not_depend_on_other_samples(pipeline, faulty, monkeypatch):
    together = explain(pipeline, faulty)
    monkeypatch.setattr(_explain, "_ROWS_AT_ONCE", 3)
    pd.testing.assert_frame_equal(explain(pipeline, faulty), together)
    alone = [explain(pipeline, faulty.iloc[[i]]).assign(sample=i) for i in range(7)]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together)


# -- kinds of samples ------------------------------------------------------------------


def test_frames_of_other_libraries(pipeline, faulty):
    expected = explain(pipeline, faulty, top=2)
    in_polars = explain(pipeline, pl.from_pandas(faulty), top=2)
    assert isinstance(in_polars, pl.DataFrame)
    assert in_polars["column"].to_list() == expected["column"].tolist()
    assert in_polars["value"].to_list()[0] == "230.0"
    arrow = pa.Table.from_pandas(faulty, preserve_index=False)
    in_arrow = explain(pipeline, arrow, top=2)
    assert isinstance(in_arrow, pa.Table)
    assert in_arrow["share"].to_pylist() == expected["share"].tolist()


def test_types_are_kept_where_all_columns_have_one():
    X = pl.DataFrame(
        np.random.default_rng(0).normal(size=(100, 3)), schema=["a", "b", "c"]
    )
    fitted = make_tabular_pipeline(Autoencoder(max_epochs=2)).fit(X)
    reasons = explain(fitted, X)
    assert reasons["value"].dtype == reasons["expected"].dtype == pl.Float64


def test_rows_as_mappings(pipeline, faulty):
    rows = faulty.to_dict("records")
    assert first_reasons(pipeline, rows) == list(FAULTS)
    assert first_reasons(pipeline, rows[0]) == ["age"]


def test_columns_are_found_by_name(pipeline, faulty):
    shuffled = faulty[faulty.columns[::-1]]
    pd.testing.assert_frame_equal(
        explain(pipeline, shuffled), explain(pipeline, faulty)
    )


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_arrays_have_positions(kind):
    X = np.random.default_rng(0).normal(size=(300, 4))
    fitted = Autoencoder(random_state=0).fit(X)
    faulty = np.zeros((2, 4))
    faulty[0, 2] = faulty[1, 3] = 9.0
    reasons = explain(fitted, kind(faulty), top=1)
    assert reasons["column"].tolist() == [2, 3]
    assert reasons["value"].tolist() == [9.0, 9.0]


def test_what_is_missing_is_none():
    """In pandas a column of numbers alone has NaN in its place."""
    assert objects(np.array([1.0, np.nan])).tolist() == [1.0, None]
    missing = [None, np.nan, pd.NaT, pd.NA, np.datetime64("NaT")]
    assert objects(["a", *missing]).tolist() == ["a", *[None] * len(missing)]


# -- estimators of other kinds ---------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand():
    """Return the preprocessing that a user of scikit-learn would write."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_column_transformer(
        (numbers, NUMBERS), (OneHotEncoder(handle_unknown="ignore"), TEXTS)
    )


WRONG = {"age": 230.0, "price": 900.0, "total": 9000.0}


@pytest.fixture
def wrong():
    frame = make_orders(len(WRONG), seed=4)
    for row, (name, value) in enumerate(WRONG.items()):
        frame.loc[row, name] = value
    return frame


def test_a_column_transformer(by_hand, orders, wrong):
    fitted = make_pipeline(by_hand, MinMaxScaler(), Autoencoder(random_state=0))
    reasons = explain(fitted.fit(orders), wrong, top=1)
    assert reasons["column"].tolist() == list(WRONG)
    assert reasons["value"].tolist() == list(WRONG.values())
    assert reasons["expected"].notna().all()


@pytest.mark.parametrize(
    "detector", [IsolationForest(random_state=0), LocalOutlierFactor(novelty=True)]
)
@pytest.mark.parametrize("mixes", [False, True])
def test_any_outlier_detector(by_hand, orders, wrong, detector, mixes):
    steps = [PCA(8)] if mixes else []
    fitted = make_pipeline(by_hand, *steps, detector).fit(orders)
    reasons = explain(fitted, wrong, top=1, reference=orders)
    assert reasons["column"].tolist() == list(WRONG)
    assert (
        reasons["expected"].tolist()
        == orders[list(WRONG)].quantile(interpolation="higher").tolist()
    )


def test_expected_values_are_left_out_where_there_is_no_inverse(orders, wrong):
    logarithm = FunctionTransformer(np.log, feature_names_out="one-to-one")
    fitted = make_pipeline(logarithm, StandardScaler(), Autoencoder(random_state=0))
    names = ["price", "total"]
    reasons = explain(fitted.fit(orders[names]), wrong[names], top=1)
    assert reasons["column"].tolist()[1:] == ["price", "total"]
    assert reasons["expected"].isna().all()


def test_scores_alone_suffice():
    class FarFromZero(BaseEstimator):
        def fit(self, X, y=None):
            self.is_fitted_ = True
            return self

        def score_samples(self, X):
            return -np.abs(np.asarray(X)).sum(axis=1)

    X = np.random.default_rng(0).normal(size=(50, 3))
    X[4, 1] = 9.0
    reasons = explain(FarFromZero().fit(X), X, top=1)
    assert reasons["column"][reasons["sample"] == 4].tolist() == [1]


def test_reference_rows_are_the_inliers(by_hand, orders, wrong):
    fitted = make_pipeline(by_hand, LocalOutlierFactor(novelty=True)).fit(orders)
    X = pd.concat([wrong, orders], ignore_index=True)
    is_inlier = fitted.predict(X) == 1
    expected = explain(fitted, X, top=1, reference=X[is_inlier])
    pd.testing.assert_frame_equal(explain(fitted, X, top=1), expected)


@pytest.mark.parametrize("combination", ["mean", "max", "rank"])
def test_an_ensemble_weighs_its_members(orders, faulty, combination):
    members = [("nn", NearestNeighborDetector()), ("ae", Autoencoder(max_epochs=20))]
    ensemble = DetectorEnsemble(members, combination=combination, random_state=0)
    fitted = make_tabular_pipeline(ensemble).fit(orders)
    assert first_reasons(fitted, faulty) == list(FAULTS)
    shares = explain(fitted, faulty, top=None).groupby("sample")["share"].sum()
    assert np.allclose(shares, 1)


def test_a_member_that_sees_nothing_tells_nothing():
    X = np.random.default_rng(0).normal(size=(200, 2))
    members = [
        (
            f"column {column}",
            make_pipeline(
                ColumnTransformer([("only", "passthrough", [column])]),
                NearestNeighborDetector(),
            ),
        )
        for column in (0, 1)
    ]
    ensemble = DetectorEnsemble(members, random_state=0).fit(X)
    reasons = explain(ensemble, np.array([[50.0, 0.0]]))
    assert reasons["column"][0] == 0
    assert reasons["share"][0] > 0.95


def test_an_ensemble_of_others_has_its_values_replaced(orders, wrong):
    members = [
        ("lof", LocalOutlierFactor(novelty=True)),
        ("nn", NearestNeighborDetector()),
    ]
    fitted = make_tabular_pipeline(DetectorEnsemble(members, random_state=0)).fit(
        orders
    )
    assert first_reasons(fitted, wrong, reference=orders) == list(WRONG)


def test_meta_estimators(pipeline, orders, faulty):
    expected = explain(pipeline, faulty)
    frozen = FrozenEstimator(pipeline)
    pd.testing.assert_frame_equal(explain(frozen, faulty), expected)
    conformal = ConformalDetector(frozen, random_state=0).fit(orders)
    pd.testing.assert_frame_equal(explain(conformal, faulty), expected)
    quick = clone(pipeline).set_params(detector__max_epochs=40)
    cross = ConformalDetector(quick, method="cross", cv=2, random_state=0)
    assert first_reasons(cross.fit(orders), faulty)[:3] == list(FAULTS)[:3]
    search = GridSearchCV(
        quick,
        {"detector__latent_size": [4]},
        scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
        cv=2,
    )
    assert first_reasons(search.fit(orders), faulty)[:3] == list(FAULTS)[:3]


# -- from columns to features and back -------------------------------------------------


def table_with_gaps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[::5, 1] = np.nan
    return X


STEPS = {
    "scaler": StandardScaler(),
    "passthrough": "passthrough",
    "selector": VarianceThreshold(0.5),
    "imputer": SimpleImputer(add_indicator=True),
    "indicator": MissingIndicator(error_on_new=False),
    "union": make_union(SimpleImputer(), MissingIndicator(error_on_new=False)),
    "bins": make_pipeline(
        SimpleImputer(), KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")
    ),
    "ordinal bins": make_pipeline(
        SimpleImputer(),
        KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    ),
    "columns": ColumnTransformer(
        [
            ("late", SimpleImputer(add_indicator=True), [3, 1]),
            ("out", "drop", [2]),
            ("early", StandardScaler(), slice(0, 1)),
        ]
    ),
    "remainder": ColumnTransformer(
        [("one", SimpleImputer(), [1])], remainder="passthrough"
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_feature_follows_its_column_and_no_other(name):
    X = table_with_gaps()
    pipe = make_pipeline(STEPS[name]).fit(X)
    sources = source_columns(pipe, X.shape[1])
    for column in range(X.shape[1]):
        changed = X.copy()
        changed[:, column] = np.where(np.isnan(X[:, column]), 5.0, np.nan)
        changed[::2, column] = np.where(np.isnan(X[::2, column]), 0, -X[::2, column])
        before, after = (
            np.asarray(_dense(pipe.transform(Z)), float) for Z in (X, changed)
        )
        differs = ~(np.isclose(before, after) | np.isnan(before) & np.isnan(after))
        assert set(np.flatnonzero(differs.any(axis=0))) <= set(
            np.flatnonzero(sources == column)
        )
    assert len(sources) == before.shape[1]


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X


@pytest.mark.filterwarnings("ignore:Skipping features")
def test_an_imputer_drops_what_is_all_missing():
    X = table_with_gaps()
    X[:, 0] = np.nan
    for keeps, expected in ((False, [1, 2, 3, 0, 1]), (True, [0, 1, 2, 3, 0, 1])):
        imputer = SimpleImputer(add_indicator=True, keep_empty_features=keeps).fit(X)
        assert source_columns(imputer, 4).tolist() == expected
        back = invert(imputer, imputer.transform(X))
        assert back[:, 2].tolist() == X[:, 2].tolist()
        assert (back[0, 0] is None) != keeps


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"drop": "first"},
        {"min_frequency": 15, "handle_unknown": "infrequent_if_exist"},
    ],
)
def test_levels_belong_to_their_column(options):
    X = np.random.default_rng(0).choice(
        list("abcdefg"), (60, 2), p=[0.3, 0.3, 0.2, 0.05, 0.05, 0.05, 0.05]
    )
    encoder = OneHotEncoder(sparse_output=False, **options).fit(X)
    sources = source_columns(encoder, 2)
    before, other = (
        encoder.transform(X),
        encoder.transform(np.column_stack([X[:, 0], X[::-1, 1]])),
    )
    assert set(np.flatnonzero((before != other).any(axis=0))) <= set(
        np.flatnonzero(sources == 1)
    )
    assert len(sources) == before.shape[1]


def test_what_mixes_columns_is_not_traced():
    X = np.random.default_rng(0).normal(size=(20, 3))
    for step in (PCA(2), FunctionTransformer(np.cumsum), FeatureUnion([("p", PCA(2))])):
        assert source_columns(make_pipeline(StandardScaler(), step).fit(X), 3) is None
    columns = ColumnTransformer(
        [("mixed", PCA(1), [0, 1]), ("one", StandardScaler(), [2])]
    )
    assert source_columns(columns.fit(X), 3) is None


@pytest.mark.parametrize(
    "name", ["scaler", "passthrough", "imputer", "remainder", "selector"]
)
def test_the_way_back(name):
    X = table_with_gaps()
    pipe = make_pipeline(STEPS[name]).fit(X)
    back = np.asarray(invert(pipe, pipe.transform(X)), dtype=float)
    is_known = ~np.isnan(back) & ~np.isnan(X)
    assert np.allclose(back[is_known], X[is_known])
    assert is_known.any(axis=0)[[0, 1]].all()


def test_what_has_no_inverse_is_not_invented():
    X = np.random.default_rng(0).uniform(1, 2, (20, 2))
    for step in (
        FunctionTransformer(np.log),
        MissingIndicator(features="all"),
        make_union(StandardScaler()),
    ):
        pipe = make_pipeline(step).fit(X)
        assert invert(pipe, np.asarray(pipe.transform(X), float)) is None
    logarithm = FunctionTransformer(np.log, np.exp)
    assert np.allclose(invert(logarithm, logarithm.fit_transform(X)), X)
    columns = ColumnTransformer(
        [("log", FunctionTransformer(np.log), [0]), ("raw", "passthrough", [1])]
    )
    back = invert(columns, columns.fit_transform(X))
    assert pd.isna(back[:, 0]).all()
    assert np.allclose(back[:, 1].astype(float), X[:, 1])


def test_no_level_is_out_of_range():
    X = np.array([["a"], ["b"], ["c"]])
    encoder = OrdinalEncoder().fit(X)
    assert invert(encoder, np.array([[-3.0], [0.6], [9.0]])).ravel().tolist() == [
        "a",
        "b",
        "c",
    ]


# -- errors ----------------------------------------------------------------------------


def test_errors(pipeline, orders, faulty, by_hand):
    with pytest.raises(NotFittedError):
        explain(make_tabular_pipeline(Autoencoder()), faulty)
    with pytest.raises(TypeError, match="StandardScaler has no score_samples"):
        explain(StandardScaler().fit([[1.0]]), [[1.0]])
    with pytest.raises(ValueError, match="'top' parameter of explain must be"):
        explain(pipeline, faulty, top=0)
    with pytest.raises(ValueError, match="'method' parameter of explain must be"):
        explain(pipeline, faulty, method="shap")
    with pytest.raises(ValueError, match=r"Columns are missing: \['age'\]"):
        explain(pipeline, faulty.drop(columns="age"))
    forest = make_pipeline(by_hand, IsolationForest(random_state=0)).fit(orders)
    with pytest.raises(
        ValueError, match=r"X has [0-9] inliers; 10 are needed\. Pass normal"
    ):
        explain(forest, faulty)
    with pytest.raises(ValueError, match="no anomaly_map of columns"):
        explain(forest, faulty, method="anomaly_map")


def test_images_are_no_table():
    images = np.random.default_rng(0).random((20, 1, 8, 8))
    detector = Autoencoder(max_epochs=1).fit(images)
    with pytest.raises(TypeError, match="got an array of 4 dimensions"):
        explain(detector, images)


def test_a_frame_for_arrays_needs_pandas(monkeypatch):
    X = np.random.default_rng(0).normal(size=(30, 2))
    detector = NearestNeighborDetector().fit(X)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skanomaly\[frames\]"):
        explain(detector, X)
