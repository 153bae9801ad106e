"""Tables through the pipeline: orders with one anomaly of each kind, and the rest."""

import inspect
import pickle
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import MinMaxScaler

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.preprocessing import TRUSTED_TYPES


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


# -- planted anomalies -----------------------------------------------------------------


def make_orders(n_rows, seed):
    """Make a shop's orders, whose columns depend on each other as real ones do."""
    rng = np.random.default_rng(seed)
    country = rng.choice(
        ["DE", "FR", "GB", "US", "CH"], n_rows, p=[0.4, 0.2, 0.15, 0.2, 0.05]
    )
    currencies = {"DE": "EUR", "FR": "EUR", "GB": "GBP", "US": "USD", "CH": "CHF"}
    goods = pd.DataFrame(
        {"log_price": [2.5, 3.7, 6.3, 4.0], "weight": [0.4, 0.5, 0.3, 2.0]},
        index=["books", "clothes", "phones", "kitchen"],
    )
    category = rng.choice(goods.index, n_rows, p=[0.4, 0.3, 0.1, 0.2])
    price = np.exp(goods["log_price"][category] + 0.25 * rng.normal(size=n_rows))
    quantity = 1 + rng.poisson(np.where(category == "phones", 0.1, 1.0))
    discount = np.where(
        rng.random(n_rows) < 0.12, rng.choice([0.05, 0.1, 0.2], n_rows), 0
    )
    weight = (
        goods["weight"][category] * quantity * np.exp(0.15 * rng.normal(size=n_rows))
    )
    workdays = pd.bdate_range("2024-01-01", "2024-12-31")
    hours = np.clip(rng.normal(14, 2.8, n_rows), 7.5, 20.5)
    express = rng.random(n_rows) < 0.25
    is_first = rng.random(n_rows) < 0.3
    previous = np.where(is_first, 0, 1 + rng.poisson(4, n_rows))
    storage = np.where(rng.random(n_rows) < 0.5, "cold", "warm")
    degrees = np.where(storage == "cold", 4, 21) + 0.8 * rng.normal(size=n_rows)
    clicks = 1 + rng.lognormal(3, 1.2, n_rows).round()
    words = "please leave it at the door before noon thanks a gift".split()
    return pd.DataFrame(
        {
            "order_id": [f"A{seed}-{i:06d}" for i in rng.permutation(n_rows)],
            "country": country,
            "currency": pd.Series(country).map(currencies),
            "category": category,
            "price": price.to_numpy().round(2),
            "quantity": quantity,
            "discount": discount,
            "total": (price.to_numpy() * quantity * (1 - discount) * 1.19).round(2),
            "weight_kg": weight.to_numpy().round(3),
            "ordered": rng.choice(workdays, n_rows)
            + pd.to_timedelta((hours * 3600).astype(int), unit="s"),
            "express": express,
            "shipping": pd.to_timedelta(
                np.where(express, rng.gamma(8, 3, n_rows), rng.gamma(12, 6, n_rows)),
                unit="h",
            ),
            "first_order": is_first,
            "previous_orders": previous,
            "points": (previous * rng.gamma(9, 11, n_rows)).round(),
            "age": np.where(
                rng.random(n_rows) < 0.08,
                np.nan,
                rng.normal(44, 13, n_rows).clip(18, 95).round(),
            ),
            "storage": storage,
            "storage_degrees": degrees.round(1),
            "device": rng.choice(
                ["app", "web", "phone", "fax"], n_rows, p=[0.5, 0.458, 0.04, 0.002]
            ),
            "clicks": clicks,
            "seconds_on_site": (clicks * rng.gamma(10, 2, n_rows)).round(1),
            "note": [" ".join(rng.permutation(words)) for _ in range(n_rows)],
            "shop": "main",
        }
    )


MISSING = dict.fromkeys(make_orders(2, 0).columns)
# What is changed of an ordinary order.
PLANTED = {
    "too large a number": {"weight_kg": 80.0},
    "too small a number": {"price": 0.01},
    "a number between two modes": {"storage_degrees": 12.5},
    "a fraction among whole numbers": {"quantity": 1.5},
    "a negative count": {"previous_orders": -1},
    "a missing number": {"total": np.nan},
    "a missing category": {"country": None},
    "an unseen category": {"currency": "XXX"},
    "a rare category": {"device": "fax"},
    "a pair of categories that don't go together": {"country": "GB", "currency": "USD"},
    "a number unusual for its category": {"category": "books", "price": 520.0},
    "correlated numbers that disagree": {"clicks": 100, "seconds_on_site": 150.0},
    "a date in the future": {"ordered": pd.Timestamp("2031-05-05 14:00")},
    "a date far in the past": {"ordered": pd.Timestamp("1970-01-01 14:00")},
    "an unusual hour": {"ordered": pd.Timestamp("2024-06-05 03:00")},
    "a weekend": {"ordered": pd.Timestamp("2024-06-08 14:00")},
    "too long a duration": {"shipping": pd.Timedelta("90D")},
    "a boolean that contradicts a number": {"first_order": True, "previous_orders": 9},
    "an unusual value of a column that is mostly zero": {"discount": 0.95},
    "the upper tail of a skewed column": {"clicks": 20_000},
    "the lower tail of a skewed column": {"seconds_on_site": 0.1},
    "nothing but missing values": MISSING,
}


@pytest.fixture(scope="module")
def orders():
    """Fit the default pipeline; return it and the scores of new ordinary orders."""
    pipeline = make_tabular_pipeline(Autoencoder(random_state=0))
    with pytest.warns(UserWarning, match="'order_id' .* 'note' .* 'shop'"):
        pipeline.fit(make_orders(3000, seed=0))
    return pipeline, pipeline.score_samples(make_orders(2000, seed=1))


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_anomalies_are_in_the_top_percent(orders, kind):
    pipeline, ordinary = orders
    planted = make_orders(9, seed=2).to_dict("records")
    scores = pipeline.score_samples([row | PLANTED[kind] for row in planted])
    ranks = [(ordinary <= score).mean() for score in scores]
    # What is changed may make one of them more ordinary than it was.
    assert sorted(ranks)[-2] <= 0.01, np.round(ranks, 4)


def test_a_row_scores_as_it_does_in_the_frame(orders):
    pipeline, _ = orders
    frame = make_orders(20, seed=3)
    frame.loc[4, "age"] = np.nan
    scores = pipeline.score_samples(frame)
    assert np.array_equal(pipeline.score_samples(frame.to_dict("records")), scores)
    for i in (0, 4):
        for row in (frame.iloc[i].to_dict(), frame.iloc[i], frame.iloc[[i]]):
            assert np.array_equal(pipeline.score_samples(row), scores[i : i + 1])
    assert np.array_equal(
        pipeline.score_samples(
            pl.DataFrame(
                frame.drop(columns=["order_id", "note", "shop"]).to_dict("list")
            )
        ),
        scores,
    )


# -- the pipeline ----------------------------------------------------------------------


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
        "protocol_infrequent",
        "encrypted_False",
        "encrypted_True",
        "encrypted_infrequent",
    ]
    assert prepared.dtype == np.float32
    assert np.isfinite(prepared).all()
    varying = prepared[:60, :-1]
    assert np.allclose(varying.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(varying.std(axis=0), 1, atol=1e-3)
    assert not prepared[:60, -1].any()
    gre = names.index("protocol_infrequent")
    assert (prepared[60:, gre] > 5).all()


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
    with pytest.raises(ValueError, match="clip must be a positive number"):
        make_tabular_pipeline(IsolationForest(), clip=0)


def test_pipeline_takes_a_scaler_and_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=50), "b": rng.normal(size=50), "c": 0})
    pipeline = make_tabular_pipeline(
        IsolationForest(), scaler=MinMaxScaler(), drop=["b"], keep=["c"]
    )
    prepared = pipeline.fit(frame)[:-1].transform(frame)
    assert (prepared.min(), prepared.max()) == (0, 1)
    assert pipeline[:-1].get_feature_names_out().tolist() == ["a", "c"]


def test_pipeline_takes_tables_of_all_kinds():
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(IsolationForest(random_state=0))
    scores = clone(pipeline).fit(frame).score_samples(frame)
    others = {
        "polars": pl.DataFrame(frame.assign(protocol=frame["protocol"].astype(object))),
        "object array": frame.astype(object)
        .where(frame.notna(), None)
        .to_numpy(dtype=object),
        "lists": frame.astype(object).to_numpy().tolist(),
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


class DenseOnly(OutlierMixin, BaseEstimator):
    """A detector that takes dense rows only, as most do."""

    def fit(self, X, y=None):
        self.was_sparse_ = issparse(X)
        return self


def test_wide_tables_are_sparse_where_the_detector_takes_it():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 60, (500, 20))).add_prefix("c")
    frame = frame.astype(str).astype("category")
    sparse = make_tabular_pipeline(IsolationForest(random_state=0)).fit(frame)
    assert issparse(sparse[:-1].transform(frame))
    assert not make_tabular_pipeline(DenseOnly()).fit(frame)[-1].was_sparse_
    dense = make_tabular_pipeline(IsolationForest(random_state=0))
    dense.set_params(encode__sparse_threshold=0).fit(frame)
    assert np.allclose(dense.score_samples(frame), sparse.score_samples(frame))
    scaled = make_tabular_pipeline(IsolationForest(), scaler=MinMaxScaler())
    assert not issparse(scaled.fit(frame)[:-1].transform(frame))
    detector = Autoencoder(max_epochs=1, random_state=0)
    assert make_tabular_pipeline(detector).fit(frame).predict(frame).shape == (500,)


def test_pipeline_is_readable_and_open_to_a_search():
    pipeline = make_tabular_pipeline(IsolationForest(n_estimators=3))
    shown = repr(pipeline)
    for name in (
        "TableEncoder",
        "TableScaler",
        "ClipTransformer",
        "IsolationForest(n_estimators=3",
    ):
        assert name in shown
    names = pipeline.get_params()
    for name in (
        "detector__n_estimators",
        "scale",
        "clip__limit",
        "encode__min_frequency",
        "encode__keep",
    ):
        assert name in names


def test_pipeline_goes_back():
    frame, _ = make_table()
    steps = make_tabular_pipeline(IsolationForest()).fit(frame)[:-1]
    back = steps.inverse_transform(steps.transform(frame))
    assert np.allclose(
        back[:, :2].astype(float), frame[["size", "count"]], equal_nan=True, atol=1e-5
    )
    assert back[:5, 2].tolist() == frame["protocol"][:5].tolist()


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
    frame = make_orders(50, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pipeline = make_tabular_pipeline("passthrough").fit(frame)
    parts = list(parts_of(pipeline))
    assert not [part for part in parts if inspect.isroutine(part)]
    own = {f"{type(part).__module__}.{type(part).__name__}" for part in parts}
    own = {name for name in own if name.startswith("skanomaly")}
    assert own == {name for name in TRUSTED_TYPES if name.startswith("skanomaly")}
