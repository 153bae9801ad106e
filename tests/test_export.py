"""ONNX: what a model computes is what its estimator does, without it."""

import json
import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from helpers import all_detectors, make_detector, make_samples
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
)
from test_tables import PLANTED, make_orders, make_table

from skanomaly import (
    DAGMM,
    AnoGAN,
    Autoencoder,
    DetectorEnsemble,
    MemAE,
    NearestNeighborDetector,
    StudentTeacher,
    make_tabular_pipeline,
    to_onnx,
)
from skanomaly.calibration import ConformalDetector
from skanomaly.export import _parity, _scores
from skanomaly.export._graph import Graph
from skanomaly.export._inputs import as_values, find_inputs
from skanomaly.export._parity import make_session
from skanomaly.export._ranks import count_at_most, minus_log_p
from skanomaly.export._samples import read
from skanomaly.export._transformers import transform
from skanomaly.preprocessing import ClipTransformer, TableEncoder

LARGEST = float(np.finfo(np.float32).max)
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
one_pass = pytest.mark.parametrize(
    "Detector",
    [cls for cls in all_detectors() if cls is not AnoGAN],
    ids=lambda cls: cls.__name__,
)


def make_tiny(Detector=Autoencoder, **params):
    """Make a detector whose export takes less than a second."""
    return make_detector(
        Detector, max_epochs=2, hidden_sizes=(8,), random_state=0, **params
    )


def export(estimator, folder, X=None, **options):
    """Export an estimator, and return what runs the model."""
    path = folder / "model.onnx"
    to_onnx(estimator, path, X, **options)
    return onnxruntime.InferenceSession(path)


def run(session, feed):
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def feed_of(frame, session):
    """Return a frame as a user would feed it: no code of the package."""
    feed = {}
    for each in session.get_inputs():
        column = frame[each.name]
        if each.type == "tensor(string)":
            values = column.astype(object).where(column.notna(), "").astype(str)
            values = values.to_numpy(object)
        elif pd.api.types.is_datetime64_any_dtype(column):
            values = (column - pd.Timestamp(0)) / pd.Timedelta("1s")
        elif pd.api.types.is_timedelta64_dtype(column):
            values = column / pd.Timedelta("1s")
        else:
            values = column
        dtype = object if each.type == "tensor(string)" else np.float64
        feed[each.name] = np.asarray(values, dtype=dtype)[:, None]
    return feed


def assert_equal(outputs, estimator, X, spread, tolerance=1e-5):
    scores = estimator.score_samples(X)
    difference = np.abs(outputs["score_samples"] - scores)
    assert (difference <= tolerance * np.maximum(spread, np.abs(scores))).all()
    decision = estimator.decision_function(X)
    assert np.allclose(outputs["decision_function"], decision, tolerance, spread * 1e-5)
    is_clear = np.abs(decision) > 1e-4 * spread
    assert np.array_equal(outputs["label"][is_clear], estimator.predict(X)[is_clear])


# -- detectors -------------------------------------------------------------------------


def check_detector(detector, kind, folder, tolerance=1e-5):
    X = make_samples(kind)
    session = export(detector.fit(X), folder, X, tolerance=tolerance)
    spread = detector.score_samples(X).std()
    for n_samples in (1, 7, 100):
        outputs = run(session, {"X": X[:n_samples]})
        assert_equal(outputs, detector, X[:n_samples], spread, tolerance)
    odd = X[:3].copy()
    odd[0].flat[0], odd[1].flat[-1] = np.nan, np.inf
    outputs = run(session, {"X": odd})
    assert outputs["score_samples"][:2].tolist() == [-LARGEST, -LARGEST]
    assert outputs["label"][:2].tolist() == [-1, -1]
    assert np.isclose(outputs["score_samples"][2], detector.score_samples(X[2:3])[0])


@ignore_convergence
@one_pass
def test_every_detector_of_one_pass_is_exported(Detector, tmp_path):
    check_detector(make_tiny(Detector), "rows", tmp_path)


@ignore_convergence
@pytest.mark.parametrize(
    ("detector", "kind", "tolerance"),
    [
        (make_tiny(Autoencoder), "images", 1e-5),
        (make_tiny(MemAE, query="position"), "images", 1e-5),
        (make_tiny(StudentTeacher, patch_sizes=(4,)), "clips", 1e-5),
        # Scores in float32 are this far from those in float64, without any export.
        (make_tiny(DAGMM), "images", 1e-4),
    ],
    ids=["Autoencoder", "MemAE", "StudentTeacher", "DAGMM"],
)
def test_images_and_clips_are_exported(detector, kind, tolerance, tmp_path):
    check_detector(detector, kind, tmp_path, tolerance)


def test_an_overflow_has_the_lowest_score(tmp_path):
    X = make_samples()
    detector = make_tiny().fit(X)
    huge = np.full_like(X[:1], 1e30)
    outputs = run(export(detector, tmp_path), {"X": huge})
    assert outputs["score_samples"].tolist() == detector.score_samples(huge).tolist()
    assert outputs["score_samples"].tolist() == [-LARGEST]


def test_neighbors_are_those_of_other_rows(tmp_path):
    X = make_samples().astype(np.float64)
    X[1] = X[0]
    detector = NearestNeighborDetector(n_neighbors=2).fit(X)
    new = np.concatenate([X, make_samples(n_samples=50, seed=2)])
    outputs = run(export(detector, tmp_path, X), {"X": new})
    assert np.allclose(outputs["score_samples"], detector.score_samples(new), 1e-9)
    outputs = run(export(detector, tmp_path), {"X": np.full((1, 6), np.nan)})
    assert outputs["score_samples"].tolist() == [-LARGEST]


def test_flat_images_are_given_their_shape(tmp_path):
    X = make_samples("images")
    flat = X.reshape(len(X), -1)
    pipeline = make_pipeline(MinMaxScaler(), make_tiny(sample_shape=X.shape[1:]))
    session = export(pipeline.fit(flat), tmp_path, flat)
    spread = pipeline.score_samples(flat).std()
    assert_equal(run(session, {"X": flat}), pipeline, flat, spread)


# -- preprocessing ---------------------------------------------------------------------


def transformed(transformer, X):
    """Return what the operators of a fitted transformer make of samples."""
    graph = Graph()
    inputs = find_inputs(transformer, X)
    values = transform(transformer, graph, as_values(inputs))
    flat = graph.add("Reshape", values.numbers(graph, values.dtype), np.array([-1]))
    model = graph.to_model(
        [each.info() for each in inputs], {"y": (flat, values.dtype)}
    )
    _, feed = read(X, inputs)
    (found,) = make_session(model).run(None, feed)
    return found.reshape(len(X), values.n_columns)


@pytest.fixture(scope="module")
def odd_orders():
    """Return new orders, of which each has one value that is odd."""
    rows = make_orders(9, seed=2).to_dict("records")
    planted = [row | change for row in rows for change in PLANTED.values()]
    return pd.DataFrame(planted).astype({"express": object, "first_order": object})


@pytest.mark.filterwarnings("ignore:Columns are left out")
def test_table_encoder_is_exported_to_the_bit_but_for_circles(odd_orders):
    encoder = TableEncoder().fit(make_orders(2000, seed=0))
    expected, found = encoder.transform(odd_orders), transformed(encoder, odd_orders)
    assert found.dtype == expected.dtype == np.float32
    names = encoder.get_feature_names_out()
    on_circle = np.array([name.endswith(("_sin", "_cos")) for name in names])
    assert on_circle.sum() == 4
    assert np.array_equal(found[:, ~on_circle], expected[:, ~on_circle])
    assert np.abs(found - expected).max() <= 1e-7


def test_numbers_of_every_kind_are_encoded_to_the_bit():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [
            rng.normal(size=400) + rng.choice([0, 30], 400),  # a gap
            rng.integers(0, 9, 400),
            rng.lognormal(0, 2, 400) * (rng.random(400) < 0.7),  # skewed, with zeros
            np.where(rng.random(400) < 0.2, np.nan, rng.normal(size=400)),
        ]
    )
    encoder = TableEncoder().fit(X)
    odd = np.array([np.nan, np.inf, -np.inf, 0, -3, 0.5, 15, 1e300, -1e300, 1e-300])
    rows = np.repeat(X[:1], 4 * len(odd), axis=0)
    for column in range(4):
        rows[column * len(odd) : (column + 1) * len(odd), column] = odd
    expected = encoder.transform(rows)
    assert len(np.unique(expected, axis=0)) > 20
    inputs = find_inputs(encoder)
    assert [each.name for each in inputs] == ["x0", "x1", "x2", "x3"]
    assert np.array_equal(transformed(encoder, rows), expected)


def test_blank_text_is_missing():
    frame = pd.DataFrame({"a": ["x", "y", None] * 20})
    encoder = TableEncoder().fit(frame)
    blank = ["", "  ", "\t\n", "\u00a0\u2003", "\x1c\x85", " x", "z", "x"]
    new = pd.DataFrame({"a": blank})
    graph, inputs = Graph(), find_inputs(encoder)
    values = transform(encoder, graph, as_values(inputs))
    flat = graph.add("Reshape", values.numbers(graph, np.float32), np.array([-1]))
    model = graph.to_model([inputs[0].info()], {"y": (flat, np.float32)})
    (found,) = make_session(model).run(None, {"a": new.to_numpy(object)})
    assert np.array_equal(found.reshape(len(new), -1), encoder.transform(new))


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        QuantileTransformer(n_quantiles=20),
        ClipTransformer(1.5),
        SimpleImputer(missing_values=0.0, strategy="median"),
        make_pipeline(StandardScaler(), "passthrough", ClipTransformer(1.0)),
        FunctionTransformer(),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numeric_transformers_are_exported(transformer, dtype):
    X = make_samples().astype(dtype)
    X[0, 0] = 0
    expected = transformer.fit_transform(X)
    found = transformed(transformer, X)
    assert np.abs(found - expected).max() <= (1e-6 if dtype == np.float32 else 1e-12)


def test_float64_is_not_rounded_before_it_is_scaled():
    X = make_samples().astype(np.float64) + 1e9
    scaler = StandardScaler().fit(X)
    assert np.array_equal(transformed(scaler, X), scaler.transform(X))


def make_mixed():
    frame = make_orders(600, seed=0)[
        ["country", "category", "price", "age", "quantity"]
    ]
    frame.loc[[3, 5], "country"] = np.nan
    return frame


def make_column_transformer(**options):
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", **options),
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, ["price", "age"]),
            ("texts", texts, ["category", "country"]),
            ("counts", OneHotEncoder(handle_unknown="ignore"), ["quantity"]),
        ],
        sparse_threshold=0,
    )


ENCODERS = {
    "ignore": OneHotEncoder(handle_unknown="ignore"),
    "infrequent": OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=60, max_categories=3
    ),
    "drop": OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_encoders_of_categories_are_exported(name):
    frame = make_mixed()
    encoder = ENCODERS[name].fit(frame)
    new = frame[:50].copy()
    new.loc[0, "country"], new.loc[1, "quantity"] = "XX", 999
    expected = encoder.transform(new)
    expected = expected.toarray() if issparse(expected) else np.asarray(expected)
    assert np.array_equal(transformed(encoder, new), expected, equal_nan=True)


def test_a_category_that_is_refused_has_the_lowest_score(tmp_path):
    frame = make_mixed()[["category"]]
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), make_tiny())
    session = export(pipeline.fit(frame), tmp_path)
    outputs = run(session, {"category": np.array([["books"], ["boats"]], dtype=object)})
    assert outputs["score_samples"][0] > outputs["score_samples"][1] == -LARGEST


# -- pipelines -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Columns are left out")
def test_a_table_runs_where_there_is_only_onnxruntime(odd_orders, tmp_path):
    pipeline = make_tabular_pipeline(make_tiny()).fit(make_orders(600, seed=0))
    session = export(pipeline, tmp_path)
    spread = pipeline.score_samples(make_orders(600, seed=0)).std()
    feed = feed_of(odd_orders, session)
    assert_equal(run(session, feed), pipeline, odd_orders, spread)
    kinds = json.loads(session.get_modelmeta().custom_metadata_map["inputs"])
    assert kinds["ordered"] == "date"
    assert "order_id" not in kinds
    (tmp_path / "rows.json").write_text(
        json.dumps({name: values.tolist() for name, values in feed.items()})
    )
    code = """
import json, sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
rows = json.load(open("rows.json"))
types = {"tensor(string)": object, "tensor(double)": numpy.float64}
feed = {
    each.name: numpy.array(rows[each.name], dtype=types[each.type])
    for each in session.get_inputs()
}
print(json.dumps(session.run(["score_samples"], feed)[0].tolist()))
assert not {"torch", "sklearn", "skanomaly", "onnx"} & sys.modules.keys()
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    scores = np.array(json.loads(shown.stdout))
    assert np.array_equal(scores, run(session, feed)["score_samples"])


def test_a_table_of_an_array_has_columns_by_position(tmp_path):
    X = make_table()[0].to_numpy(object)
    pipeline = make_tabular_pipeline(make_tiny()).fit(X)
    session = export(pipeline, tmp_path, X)
    assert [each.name for each in session.get_inputs()] == ["x0", "x1", "x2", "x3"]


def test_a_sparse_encoding_is_exported_dense(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(40)], dtype=object)
    frame = pd.DataFrame({name: rng.choice(words, 400) for name in "abc"})
    pipeline = make_tabular_pipeline(make_tiny()).fit(frame)
    assert issparse(pipeline[:-1].transform(frame))
    export(pipeline, tmp_path, frame)


@pytest.mark.parametrize("given", [False, True])
def test_a_column_transformer_is_exported(given, tmp_path):
    frame = make_mixed()
    pipeline = make_pipeline(make_column_transformer(min_frequency=30), make_tiny())
    pipeline.fit(frame)
    session = export(pipeline, tmp_path, frame if given else None)
    spread = pipeline.score_samples(frame).std()
    frame.loc[0, ["country", "age", "price"]] = ["XX", np.nan, 1e7]
    assert_equal(run(session, feed_of(frame, session)), pipeline, frame, spread)


def test_an_array_is_taken_in_the_precision_of_the_sample(tmp_path):
    X = make_samples()
    pipeline = make_pipeline(StandardScaler(), make_tiny()).fit(X)
    for sample, dtype in ((None, "double"), (X.astype(float), "double"), (X, "float")):
        (given,) = export(pipeline, tmp_path, sample).get_inputs()
        assert (given.name, given.type) == ("X", f"tensor({dtype})")
        assert given.shape == ["n_samples", 6]


def test_what_is_around_a_detector_is_left_out(tmp_path):
    X = make_samples()
    detector = make_tiny().fit(X)
    session = export(FrozenEstimator(detector), tmp_path)
    assert_equal(run(session, {"X": X}), detector, X, detector.score_samples(X).std())


# -- ranks -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_values", [1, 2, 7, 8, 100])
def test_count_is_that_of_searchsorted(n_values):
    rng = np.random.default_rng(0)
    values = np.sort(rng.integers(0, 50, n_values).astype(float))
    x = np.concatenate([values, rng.uniform(-9, 60, 200)])
    graph = Graph()
    info = find_inputs(IsolationForest(n_estimators=1).fit(x[:, None]))[0].info()
    flat = graph.add("Reshape", "X", np.array([-1]))
    count = count_at_most(graph, values, flat)
    model = graph.to_model([info], {"count": (count, np.int64)})
    (found,) = make_session(model).run(None, {"X": x[:, None]})
    assert np.array_equal(found, np.searchsorted(values, x, side="right"))


@pytest.mark.parametrize("n_held_out", [2, 3, 200])
def test_scale_of_an_ensemble_is_exported(n_held_out):
    from skanomaly.ensemble._scale import PValueScale

    rng = np.random.default_rng(0)
    scale = PValueScale.fit(rng.normal(size=n_held_out))
    x = rng.normal(0, 4, size=(300, 1))
    graph = Graph()
    info = find_inputs(IsolationForest(n_estimators=1).fit(x))[0].info()
    scores = graph.add("Neg", graph.add("Reshape", "X", np.array([-1])))
    found = minus_log_p(scale, graph, scores)
    model = graph.to_model([info], {"y": (found, np.float64)})
    (found,) = make_session(model).run(None, {"X": x})
    assert np.allclose(found, scale(x[:, 0]), rtol=1e-12)


@pytest.mark.parametrize("tail", ["empirical", "pareto"])
def test_p_values_of_a_split_are_exported(tail, tmp_path):
    X = make_samples(n_samples=300)
    conformal = ConformalDetector(make_tiny(), tail=tail, random_state=0).fit(X)
    session = export(conformal, tmp_path, X)
    new = np.concatenate([make_samples(n_samples=200, seed=5), 30 * X[:20]])
    outputs = run(session, {"X": new})
    assert_equal(outputs, conformal, new, conformal.score_samples(X).std())
    assert np.allclose(outputs["p_values"], conformal.p_values(new), rtol=1e-4)


def test_folds_of_a_conformal_detector_are_averaged(tmp_path):
    frame, _ = make_table()
    pipeline = make_tabular_pipeline(make_tiny())
    conformal = ConformalDetector(pipeline, method="cross", cv=2, random_state=0)
    session = export(conformal.fit(frame), tmp_path, frame)
    outputs = run(session, feed_of(frame[20:40], session))
    assert_equal(outputs, conformal, frame[20:40], conformal.score_samples(frame).std())
    assert np.allclose(outputs["p_values"], conformal.p_values(frame[20:40]), atol=0.02)


@pytest.mark.parametrize("combination", ["mean", "max", "rank"])
def test_ensembles_are_exported(combination, tmp_path):
    X = make_samples(n_samples=300)
    members = [
        ("neighbors", NearestNeighborDetector(n_neighbors=2)),
        ("forest", IsolationForest(n_estimators=5, random_state=0)),
    ]
    ensemble = DetectorEnsemble(members, combination=combination, random_state=0)
    session = export(ensemble.fit(X), tmp_path, X)
    new = make_samples(n_samples=300, seed=4)
    outputs = run(session, {"X": new})
    assert np.allclose(
        outputs["score_samples"], ensemble.score_samples(new), rtol=1e-4, atol=1e-4
    )


# -- errors ----------------------------------------------------------------------------


def test_a_search_is_not_exported(tmp_path):
    X = make_samples()
    with pytest.raises(TypeError, match=r"AnoGAN can't be exported.*FAnoGAN"):
        to_onnx(make_tiny(AnoGAN).fit(X), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            make_pipeline(FunctionTransformer(np.log1p), make_tiny()),
            "function of Python",
        ),
        (NearestNeighborDetector(metric="cosine"), "metric='euclidean' only"),
        (StandardScaler(), "outlier detector with score_samples"),
    ],
    ids=["function", "metric", "scaler"],
)
def test_what_can_not_be_exported_says_so(estimator, message, tmp_path):
    estimator.fit(np.abs(make_samples()))
    with pytest.raises(TypeError, match=message):
        to_onnx(estimator, tmp_path / "model.onnx")


def test_a_column_named_as_an_output_is_refused(tmp_path):
    frame = pd.DataFrame(make_samples()).set_axis([*"abcde", "label"], axis=1)
    detector = NearestNeighborDetector().fit(frame)
    with pytest.raises(ValueError, match=r"\['label'\] have names of the model's out"):
        to_onnx(detector, tmp_path / "model.onnx")


def test_a_sample_without_a_column_is_refused(tmp_path):
    frame = pd.DataFrame(make_samples()).set_axis([*"abcdef"], axis=1)
    detector = NearestNeighborDetector().fit(frame)
    with pytest.raises(ValueError, match=r"X has no columns \['f'\], which"):
        to_onnx(detector, tmp_path / "model.onnx", frame.drop(columns="f"))


@pytest.mark.parametrize("given", [False, True])
def test_an_unequal_model_is_not_written(given, tmp_path, monkeypatch):
    X = make_samples()
    detector, other = make_tiny().fit(X), make_tiny(latent_size=2).fit(X)
    model = _scores.export_network(other)
    monkeypatch.setattr(_scores, "export_network", lambda _: model)
    path = tmp_path / "model.onnx"
    path.write_text("what was there")
    with pytest.raises(ValueError, match="not equal to Autoencoder: the score of sam"):
        to_onnx(detector, path, X if given else None)
    assert path.read_text() == "what was there"
    assert len(list(tmp_path.iterdir())) == 1
    to_onnx(detector, path, tolerance=1e9)


def test_labels_and_p_values_are_compared_too(tmp_path, monkeypatch):
    X = make_samples(n_samples=200)
    conformal = ConformalDetector(NearestNeighborDetector(), random_state=0).fit(X)
    right = _parity.run
    for name in ("decision_function", "label", "p_values"):

        def wrong(session, feed, name=name):
            outputs = right(session, feed)
            return outputs | {name: outputs[name] + 0.5}

        monkeypatch.setattr(_parity, "run", wrong)
        with pytest.raises(ValueError, match=name):
            to_onnx(conformal, tmp_path / "model.onnx", X)


def test_odd_samples_are_compared_too(tmp_path, monkeypatch):
    frame = pd.DataFrame({"a": make_samples()[:, 0], "b": ["x", "y"] * 50})
    forest = IsolationForest(n_estimators=5, random_state=0)
    pipeline = make_tabular_pipeline(forest).fit(frame)
    right = _parity.run

    def wrong(session, feed):
        outputs = right(session, feed)
        is_unseen = ~np.isin(feed["b"][:, 0], ["x", "y"])
        return outputs | {"score_samples": outputs["score_samples"] - is_unseen}

    monkeypatch.setattr(_parity, "run", wrong)
    with pytest.raises(ValueError, match="the score of odd sample"):
        to_onnx(pipeline, tmp_path / "model.onnx", frame)


def test_missing_libraries_are_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    detector = NearestNeighborDetector().fit(make_samples())
    with pytest.raises(ImportError, match=r"needs onnxscript: .*skanomaly\[onnx\]"):
        to_onnx(detector, tmp_path / "model.onnx")


def test_no_warning_of_the_exporters_is_shown(tmp_path, capfd):
    detector = make_tiny().fit(make_samples())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(detector, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


def test_no_path_of_this_machine_is_in_the_file(tmp_path):
    to_onnx(make_tiny().fit(make_samples()), tmp_path / "model.onnx")
    assert b".py" not in (tmp_path / "model.onnx").read_bytes()
