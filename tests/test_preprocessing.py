"""Each kind of column: how it is recognized and encoded."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.utils.estimator_checks import parametrize_with_checks

from skanomaly import make_tabular_pipeline
from skanomaly.preprocessing import ClipTransformer, TableEncoder
from skanomaly.preprocessing._scaler import TableScaler

DATES = pd.date_range("2024-01-01", periods=100, freq="25h")


def make_columns(n_rows=100, seed=0):
    """Make a column of each kind."""
    rng = np.random.default_rng(seed)
    return {
        "number": rng.normal(size=n_rows).round(2) + 0.001,
        "count": rng.integers(0, 9, n_rows),
        "date": DATES[:n_rows],
        "duration": pd.to_timedelta(rng.integers(1, 90, n_rows), unit="min"),
        "category": rng.choice(["tcp", "udp"], n_rows),
        "boolean": rng.random(n_rows) < 0.5,
    }


KINDS = {
    "number": "number",
    "count": "number",
    "date": "date",
    "duration": "number",
    "category": "category",
    "boolean": "category",
}


def encode(values, more=None, **params):
    """Fit on one column, and encode it or more values of it."""
    encoder = TableEncoder(**params).fit(pd.DataFrame({"x": values}))
    encoded = encoder.transform(pd.DataFrame({"x": values if more is None else more}))
    return pd.DataFrame(encoded, columns=encoder.get_feature_names_out())


# -- kinds -----------------------------------------------------------------------------


def test_kinds_by_dtype():
    frame = pd.DataFrame(make_columns())
    tables = {
        "pandas": frame,
        "nullable": frame.convert_dtypes(),
        "pyarrow": frame.convert_dtypes(dtype_backend="pyarrow"),
        "objects": frame.astype(object),
        "polars": pl.DataFrame(
            {name: frame[name].to_numpy() for name in frame if name != "category"}
            | {"category": frame["category"].tolist()}
        ),
    }
    encoded = TableEncoder().fit_transform(frame)
    for name, table in tables.items():
        encoder = TableEncoder().fit(table)
        assert encoder.column_kinds_ == {c: KINDS[c] for c in encoder.column_kinds_}
        order = encoder.transform(frame)
        assert np.allclose(np.sort(order), np.sort(encoded), atol=1e-4), name


def test_kinds_of_a_csv(tmp_path):
    columns = make_columns()
    del columns["duration"]  # CSV has no durations
    pd.DataFrame(columns).to_csv(tmp_path / "table.csv", index=False)
    encoder = TableEncoder().fit(pd.read_csv(tmp_path / "table.csv"))
    assert encoder.column_kinds_ == {c: KINDS[c] for c in columns}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "3e2"] * 9, "number"),
        ([1, 2.5, None, "4"] * 9, "number"),
        ([dt.timedelta(hours=1), dt.timedelta(hours=2)] * 9, "number"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)] * 9, "date"),
        (["2024-01-01", "2024-01-02T10:00:00"] * 9, "date"),
        ([True, False, None] * 9, "category"),
        (["1", "a", "b"] * 9, "category"),
        (["01/02/2024", "13/02/2024"] * 9, "category"),
        (["1,5", "2,5"] * 9, "category"),
    ],
)
def test_kinds_by_values(values, kind):
    encoder = TableEncoder().fit(pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    assert encoder.column_kinds_ == {"x": kind}
    array = np.array([[value] for value in values], dtype=object)
    assert list(TableEncoder().fit(array).column_kinds_.values()) == [kind]


def test_useless_columns_are_named_in_one_warning():
    n = 200
    rng = np.random.default_rng(0)
    words = "please leave it at the door and call me".split()
    frame = pd.DataFrame(
        {
            "id": [f"A{i}" for i in range(n)],
            "row": rng.permutation(n) + 1000,
            "sampled": rng.choice(2000, n, replace=False),
            "long": rng.integers(10**9, 10**10, n),
            "text": [" ".join(rng.permutation(words)) for _ in range(n)],
            "one": "EUR",
            "zero": 0.0,
            "nothing": None,
            "nan": np.nan,
            "used": rng.normal(size=n),
            "cents": rng.integers(100, 10**8, n),
        }
    )
    with pytest.warns(UserWarning, match="Columns are left out") as caught:
        encoder = TableEncoder().fit(frame)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "'id', 'row', 'sampled', 'long' (near-unique)" in message
    assert "'text' (free text)" in message
    assert "'one', 'zero' (constant)" in message
    assert "'nothing', 'nan' (all missing)" in message
    assert encoder.get_feature_names_out().tolist() == ["used", "cents"]


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%y", "%Y/%m/%d %H:%M"])
def test_dates_in_other_formats_are_named_as_such(form):
    dates = pd.date_range("2025-01-01", periods=200, freq="D").strftime(form)
    frame = pd.DataFrame({"ordered": dates, "n": np.arange(200) / 3})
    with pytest.warns(UserWarning, match=r"'ordered' \(dates .* pandas.to_datetime\)"):
        encoder = TableEncoder().fit(frame)
    assert encoder.column_kinds_["ordered"] == "dates that are not in ISO 8601"


@pytest.mark.parametrize("form", ["10.{}.2.3", "1.{}.3", "12-34-{}", "{}-1-2"])
def test_other_numbers_with_dots_are_no_dates(form):
    ids = [form.format(n) for n in range(200)]
    frame = pd.DataFrame({"id": ids, "n": np.arange(200) / 3})
    with pytest.warns(UserWarning, match=r"'id' \(near-unique\)"):
        TableEncoder().fit(frame)


def test_drop_and_keep():
    frame = pd.DataFrame(make_columns()).assign(id=range(100), zero=0, empty=np.nan)
    encoder = TableEncoder(drop=["id", "date"], keep=["zero", "empty"]).fit(frame)
    names = encoder.get_feature_names_out().tolist()
    assert not [name for name in names if name.startswith(("id", "date"))]
    assert {"zero", "empty_missing", "empty_infrequent"} <= set(names)
    assert encoder.column_kinds_["id"] == "dropped"
    row = frame.iloc[[0]].drop(columns=["id", "date"])
    was, now = encoder.transform(row), encoder.transform(row.assign(empty=7.0))
    assert (was != now).sum() == 2
    array = np.column_stack([np.arange(100), np.arange(100) % 7]).astype(float)
    kept = TableEncoder(keep=[0], drop=[1]).fit(array)
    assert kept.get_feature_names_out().tolist() == ["x0"]
    for parameter in ("drop", "keep"):
        with pytest.raises(ValueError, match=rf"{parameter} names .* 'typo'. It has"):
            TableEncoder(**{parameter: ["typo"]}).fit(frame)


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ({"id": [f"A{i}" for i in range(50)], "n": range(50)}, r"'id', 'n' \(near-uni"),
        ({"a": [None] * 9}, r"'a' \(all missing\)"),
        ({"a": [1.0] * 9}, r"'a' \(constant\)"),
    ],
)
def test_nothing_to_learn_from(frame, named):
    with pytest.raises(ValueError, match=rf"No column is left .*{named}"):
        TableEncoder().fit(pd.DataFrame(frame))


def test_a_category_of_many_levels():
    rng = np.random.default_rng(0)
    levels = rng.integers(50_000, size=20_000).astype(str)
    frame = pd.DataFrame({"x": [f"c{i}" for i in levels], "n": rng.normal(size=20_000)})
    with pytest.warns(UserWarning, match=r"'x' \(near-unique\)"):
        assert TableEncoder().fit_transform(frame).shape == (20_000, 1)
    assert TableEncoder(keep=["x"]).fit_transform(frame).shape == (20_000, 2)


# -- numbers ---------------------------------------------------------------------------


def test_numbers_are_encoded_less_their_median():
    encoded = encode([1e9, 1e9 + 1.5, 1e9 + 4])
    assert encoded.dtypes.tolist() == [np.float32]
    assert encoded["x"].tolist() == [-1.5, 0, 2.5]


def test_missing_numbers_have_an_indicator():
    encoded = encode([1.5, np.nan, 2.5, -3.0, np.inf])
    assert encoded["x"].tolist() == [0, 0, 1, -4.5, 0]
    assert encoded["missingindicator_x"].tolist() == [0, 1, 0, 0, 1]


def test_what_no_training_sample_had_the_like_of_is_far_away():
    whole = np.arange(200) % 10
    far = 9 - np.median(whole) + 10 * whole.std()
    encoded = encode(whole, [3, 40, -1, 2.5, np.nan])["x"]
    assert encoded.iloc[:2].tolist() == [3 - 4.5, 40 - 4.5]
    assert encoded.iloc[2:].tolist() == pytest.approx([far] * 3, rel=1e-6)
    # So little data rule nothing out.
    few = encode(whole[:4], [-1])["x"]
    assert few[0] == pytest.approx(3 - 1.5 + 2 * whole[:4].std())


def test_skewed_amounts_are_encoded_as_logarithms():
    amounts = np.exp(np.linspace(-3, 5, 99))
    assert encode(amounts)["x"].tolist() == pytest.approx(np.linspace(-4, 4, 99))
    impossible = encode(amounts, [0.0, -1.0])["x"]
    assert (impossible > 4 + 9.9 * np.linspace(-4, 4, 99).std()).all()
    with_zeros = np.r_[0, amounts]
    encoded = encode(with_zeros)["x"]
    assert encoded[1] - encoded[0] == pytest.approx(np.log(2), rel=1e-5)
    assert (np.diff(encoded) > 0).all()


def test_what_lies_in_a_wide_gap_is_far_away():
    modes = np.r_[np.linspace(0.5, 1, 50), np.linspace(9, 9.5, 50)]
    encoded = encode(modes, [5.0, 0.75, 8.0, 20.0])["x"] + np.median(modes)
    assert encoded[0] == pytest.approx(9.5 + 10 * modes.std())
    assert encoded[1:].tolist() == pytest.approx([0.75, 8, 20], rel=1e-5)
    assert encode([1.0, 2.0, 4.0], [3.0])["x"].tolist() == [1]  # too few to tell
    tail = np.r_[np.linspace(-1, 1, 96) + 0.01, [4.0] * 4]
    assert encode(tail, [2.5])["x"].tolist() == pytest.approx([2.5 - np.median(tail)])


def test_zeros_apart_a_column_of_even_amounts_is_not_skewed():
    amounts = np.r_[np.zeros(95), [0.1, 0.2, 0.3, 0.4, 0.5]]
    assert encode(amounts)["x"].tolist() == pytest.approx(amounts.tolist())


def test_huge_numbers_stay_finite():
    x = np.linspace(-1, 1, 9)
    encoded = encode(x, [1e300, -1e300])["x"]
    assert np.isfinite(encoded).all()
    pipeline = make_tabular_pipeline("passthrough").fit(x[:, np.newaxis])
    assert pipeline.transform([[1.7e308], [-1.7e308]]).tolist() == [[10], [-10]]


# -- dates -----------------------------------------------------------------------------


def test_parts_of_dates_that_vary():
    days = pd.Series(pd.date_range("2024-01-01", periods=5, freq="7D"))
    assert encode(days).columns.tolist() == ["x_days"]
    assert encode(days)["x_days"].tolist() == [-14, -7, 0, 7, 14]
    weekdays = encode(pd.Series(pd.date_range("2024-01-01", periods=9)))
    parts = ["x_days", "x_weekday_sin", "x_weekday_cos", "x_weekday_rare"]
    assert weekdays.columns.tolist() == parts
    assert weekdays["x_weekday_cos"][0] == weekdays["x_weekday_cos"][7] == 1  # Monday
    hours = encode(pd.Series(pd.date_range("2024-01-01", periods=24, freq="h")))
    assert hours.columns[1:].tolist() == ["x_hour_sin", "x_hour_cos", "x_hour_rare"]
    assert hours["x_hour_sin"][6] == pytest.approx(1)
    assert hours["x_hour_cos"][12] == pytest.approx(-1)


def test_rare_hours_and_weekdays():
    weekdays = [d + pd.Timedelta("12h") for d in DATES.normalize() if d.day_of_week < 5]
    later = [d + pd.Timedelta("1h") for d in weekdays]
    saturday, night = pd.Timestamp("2024-01-06 12:00"), pd.Timestamp("2024-01-05 03:00")
    encoded = encode(weekdays + later, [weekdays[0], saturday, night])
    n = len(weekdays + later)
    unseen = pytest.approx(min(10, np.sqrt(n)))
    assert encoded["x_weekday_rare"].tolist() == [0, unseen, 0]
    assert encoded["x_hour_rare"].tolist() == [0, 0, unseen]


def test_impossible_and_missing_dates():
    texts = [f"2023-01-{day:02}" for day in range(1, 29)] + ["2023-02-30", None]
    with pytest.warns(UserWarning, match=r"1 values of 'x', such as '2023-02-30', are"):
        encoded = encode(texts)
    assert encoded["missingindicator_x_days"].to_numpy().nonzero()[0].tolist() == [
        28,
        29,
    ]
    assert (encoded.loc[28, ["x_weekday_sin", "x_weekday_cos"]] == 0).all()
    later = encode(texts[:28], ["2023-02-30", "9999-12-31", "0001-01-01", None])
    later = later["x_days"]
    assert np.isfinite(later).all()
    assert (later.abs() > 50).all()


def test_dates_without_end_stay_days():
    dates = [f"2024-01-{day:02}" for day in range(1, 31)] * 9 + ["9999-12-31"] * 5
    days = encode(dates)["x_days"]
    assert days[29] - days[0] == 29
    assert days.iloc[-1] > 365 * 7000


def test_the_clock_on_the_wall_counts():
    utc = pd.Series(pd.date_range("2024-01-01", periods=48, freq="h", tz="UTC"))
    paris = utc.dt.tz_convert("Europe/Paris")
    assert encode(paris)["x_hour_cos"][11] == pytest.approx(-1)  # noon
    texts = encode(paris.map(lambda d: d.isoformat()).tolist())
    assert np.allclose(texts, encode(paris))


# -- categories ------------------------------------------------------------------------


def test_levels_that_are_rare_or_unseen_share_a_column():
    values = ["tcp"] * 60 + ["udp"] * 37 + [None] * 2 + ["gre"]
    encoded = encode(values, ["tcp", None, "gre", "new"])
    assert encoded.columns.tolist() == ["x_tcp", "x_udp", "x_missing", "x_infrequent"]
    assert encoded.to_numpy().argmax(axis=1).tolist() == [0, 2, 3, 3]
    assert set(encoded.to_numpy().ravel()) == {0, 1}
    # A level that was never seen has the value of one seen once, after scaling.
    assert encode(values[:90], ["new"])["x_infrequent"].tolist() == [
        pytest.approx(np.sqrt(90))
    ]
    few = encode(values, min_frequency=0.5)
    assert few.columns.tolist() == ["x_tcp", "x_infrequent"]


def test_a_whole_number_is_one_level_however_it_is_stored():
    values = pd.Series([0, 1, 1, 0, 1] * 9, dtype="category")
    encoded = encode(values, [0.0, 1.0])
    assert encoded.columns.tolist() == ["x_0", "x_1", "x_infrequent"]
    assert encoded.to_numpy().argmax(axis=1).tolist() == [0, 1]


def test_sparse_where_wide():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 60, (500, 20)).astype(str)).add_prefix("c")
    frame = frame.astype("category")
    dense = TableEncoder().fit_transform(frame)
    encoded = TableEncoder(sparse_threshold=0.05).fit_transform(frame)
    assert issparse(encoded)
    assert encoded.nnz == 500 * 20
    assert np.array_equal(encoded.toarray(), dense)


# -- what comes in, and what comes out -------------------------------------------------


def test_types_at_predict_time():
    frame = pd.DataFrame(make_columns())
    encoder = TableEncoder().fit(frame)
    wrong = {
        "number": ("a", "held numbers in fit and has the value 'a'"),
        "date": (3.5, "held dates in fit and has numbers"),
        "category": (3.5, "held categories in fit and has numbers"),
        "count": (pd.Timestamp("2024-01-01"), "held numbers in fit and has dates"),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(TypeError, match=f"Column '{name}' {message}"):
            encoder.transform(frame.assign(**{name: value}))
    with pytest.raises(ValueError, match=r"Columns are missing: \['count'\]"):
        encoder.transform(frame.drop(columns="count"))
    shuffled = frame[frame.columns[::-1]].assign(more=1)
    assert np.array_equal(encoder.transform(shuffled), encoder.transform(frame))
    missing = frame.assign(number=np.nan, date=np.nan, category=np.nan)
    assert np.isfinite(encoder.transform(missing)).all()
    with pytest.raises(ValueError, match=r"X has 2 features, but .* expecting 6"):
        encoder.transform(frame.to_numpy()[:, :2])


def test_values_that_cannot_be_read_are_missing_where_some_were_in_training():
    values = ["1.5", "2.5", "-1"] * 9 + ["n/a"]
    with pytest.warns(UserWarning, match="1 values of 'x', such as 'n/a', are no numb"):
        encoded = encode(values, ["3", "unknown"])
    assert encoded["missingindicator_x"].tolist() == [0, 1]


def test_rows_as_mappings():
    frame = pd.DataFrame(make_columns())
    frame.loc[3, "number"] = np.nan
    encoder = TableEncoder().fit(frame)
    encoded = encoder.transform(frame)
    rows = frame.to_dict("records")
    assert np.array_equal(encoder.transform(rows), encoded)
    for i in (0, 3):
        for row in (rows[i], frame.iloc[i], frame.iloc[[i]], rows[i : i + 1]):
            assert np.array_equal(encoder.transform(row), encoded[i : i + 1])
    texts = {**rows[0], "date": rows[0]["date"].isoformat()}
    assert np.array_equal(encoder.transform(texts), encoded[:1])
    nested = {**rows[0], "more": [1, 2]}
    assert np.array_equal(encoder.transform(nested), encoded[:1])
    del rows[0]["count"]
    with pytest.raises(ValueError, match=r"Columns are missing: \['count'\]"):
        encoder.transform(rows[0])
    with pytest.raises(TypeError, match="fitted on a frame"):
        TableEncoder().fit(frame.to_numpy()).transform(rows[0])


def make_typed_columns():
    """Make numbers of many dtypes beside columns of other kinds."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(make_columns())
    for dtype in ("float32", "int8", "uint16", "int64", "uint64"):
        frame[dtype] = rng.integers(1, 99, 100).astype(dtype)
    frame["large"] = rng.integers(2**53, 2**62, 100)
    frame["level"] = pd.Categorical(frame["category"])
    frame.loc[3, ["number", "date", "category"]] = None
    frame.loc[4, "number"] = np.inf
    return frame


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: frame,
        lambda frame: frame.copy()[frame.columns[::-1]],
        lambda frame: frame.replace(np.inf, 1.5).astype(object),
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.set_axis(range(frame.shape[1]), axis=1),
        lambda frame: frame.replace(np.inf, 1.5)[["number", "category"]].to_numpy(),
        lambda frame: frame.select_dtypes("number").to_numpy(dtype=float),
        lambda frame: frame[["count", "int8", "large"]].to_numpy(),
        lambda frame: frame[["number", "float32"]].to_numpy(np.float32),
        pl.from_pandas,
        lambda frame: pa.Table.from_pandas(frame.drop(columns=["duration", "large"])),
    ],
)
def test_what_is_read_at_once_is_what_is_read_column_by_column(make):
    """Columns are read one by one in fit, and numbers at once afterwards."""
    X = make(make_typed_columns())
    encoder = TableEncoder()
    encoded = encoder.fit_transform(X)
    again = encoder.transform(X)
    assert again.dtype == encoded.dtype
    assert np.array_equal(again, encoded)
    for start in (0, 3):
        assert np.array_equal(
            encoder.transform(X[start : start + 1]), encoded[start : start + 1]
        )


def test_numbers_in_mappings_are_those_of_a_column():
    frame = make_typed_columns()
    encoder = TableEncoder().fit(frame)
    row = frame[:1].to_dict("records")[0]
    for value in (2, 2.5, None, np.nan, -np.inf, True, np.float32(2.5), "2.5", 2**62):
        alone = encoder.transform(
            frame[:1].assign(number=pd.Series([value], dtype=object))
        )
        assert np.array_equal(encoder.transform(row | {"number": value}), alone)
    for value in ("a", 10**400):
        with pytest.raises(TypeError, match=f"Column 'number' .* the value '?{value}"):
            encoder.transform(row | {"number": value})


def test_columns_of_one_name_are_refused_as_in_fit():
    frame = pd.DataFrame(make_columns())[["number", "count"]]
    encoder = TableEncoder().fit(frame)
    twice = frame.set_axis(["number", "number"], axis=1)
    for call in (encoder.transform, TableEncoder().fit):
        with pytest.raises(ValueError, match="unique column names"):
            call(twice)


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
        (np.ones((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.ones((2, 2)) * 1j, ValueError, "[Cc]omplex data"),
    ],
)
def test_what_is_no_table_is_refused(X, error, message):
    encoder = TableEncoder()
    with pytest.raises(error, match=message):
        encoder.fit(X)
    encoder.fit(pd.DataFrame(make_columns()))
    with pytest.raises(error, match=message):
        encoder.transform(X)


def test_masked_values_are_missing():
    values = np.ma.masked_invalid([[1.5], [np.nan], [2.5], [0.5]])
    assert TableEncoder().fit_transform(values)[:, 1].tolist() == [0, 1, 0, 0]


def test_sources_and_names():
    frame = pd.DataFrame(make_columns())
    frame.loc[3, ["number", "date"]] = None
    encoder = TableEncoder(drop=["zero"]).fit(frame.assign(zero=0)[["zero", *frame]])
    names = encoder.get_feature_names_out()
    assert (
        len(names) == len(encoder.source_columns_) == encoder.transform(frame).shape[1]
    )
    for name, source in zip(names, encoder.source_columns_, strict=True):
        assert encoder.feature_names_in_[source] in name
    slices = encoder.output_indices_
    assert all("number" not in name for name in names[slices["categories"]])
    assert names[slices["dates"]].tolist()[:2] == [
        "date_days",
        "missingindicator_date_days",
    ]


def test_inverse():
    frame = pd.DataFrame(make_columns())
    frame["amount"] = np.exp(np.linspace(-3, 5, 100))
    frame.loc[3, ["number", "date", "category"]] = None
    frame["duration"] = frame["duration"].dt.total_seconds()
    frame.loc[4, "category"] = "gre"
    for threshold in (0.0, 1.0):
        encoder = TableEncoder(sparse_threshold=threshold, drop=["zero"])
        table = encoder.inverse_transform(encoder.fit_transform(frame.assign(zero=0)))
        back = pd.DataFrame(table[:, :-1], columns=frame.columns)
        assert back["category"][[3, 4]].tolist() == ["infrequent"] * 2
        for name in ("number", "count", "amount", "duration"):
            assert np.allclose(back[name].astype(float), frame[name], equal_nan=True)
        apart = pd.to_datetime(back["date"]) - frame["date"]
        assert apart.abs().max() < pd.Timedelta("2s")
        assert back["boolean"].tolist() == frame["boolean"].astype(str).tolist()
        assert all(value is None for value in table[:, -1])


@pytest.mark.filterwarnings("ignore:Columns are left out")
@parametrize_with_checks([TableEncoder()])
def test_encoder_check(estimator, check):
    check(estimator)


@parametrize_with_checks([TableScaler()])
def test_scaler_check(estimator, check):
    check(estimator)


def test_scaler_centers_dense_columns_only():
    X = np.array([[0.0, 1.0], [0.0, 3.0], [4.0, 5.0]], dtype=np.float32)
    dense, sparse = (TableScaler().fit(each) for each in (X, csr_array(X)))
    assert np.allclose(dense.transform(X).mean(axis=0), 0, atol=1e-6)
    assert np.allclose(sparse.transform(csr_array(X)).toarray(), X / X.std(axis=0))
    assert np.allclose(dense.inverse_transform(dense.transform(X)), X)


# -- clipping --------------------------------------------------------------------------


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


def test_clip_sparse():
    X = csr_array([[0.0, 20.0], [-20.0, 1.0]])
    clipped = ClipTransformer(limit=3).fit_transform(X)
    assert clipped.toarray().tolist() == [[0, 3], [-3, 1]]
    assert X.max() == 20
