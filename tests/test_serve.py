"""The service of ``examples/serve``, asked over HTTP by clients of any kind."""

import json
import pickle
import socket
import threading
import time
from importlib import import_module
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from hostile import WATCH, Payload
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator

import skanomaly
from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector
from skanomaly.inspection import explain
from skanomaly.preprocessing import TableEncoder

FOLDER = Path(__file__).parents[1] / "examples" / "serve"
JSON = {"content-type": "application/json"}
ROW = {
    "ordered": "2026-03-02T10:00",
    "country": "DE",
    "currency": "EUR",
    "product": "book",
    "quantity": 2,
    "total": 31.5,
    "is_gift": False,
    "age": None,
}
NUMBERS = ("quantity", "total", "age")
CATEGORIES = ("country", "currency", "product")


@pytest.fixture(scope="module")
def example():
    """Return a function that imports a module of the example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield import_module


@pytest.fixture(scope="module")
def orders(example):
    return example("train").make_orders(1000, seed=0)


@pytest.fixture(scope="module")
def path(example, orders, tmp_path_factory):
    path = tmp_path_factory.mktemp("serve") / "orders.skops"
    skanomaly.save(example("train").fit(orders, max_epochs=50), path)
    return path


@pytest.fixture(scope="module")
def client(example, path):
    """Ask a server that runs in a thread, on a port that is free."""
    app = example("app").make_app(skanomaly.load(path))
    config = uvicorn.Config(
        app, port=0, log_level="critical", ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=10) as client:
        yield client
    server.should_exit = True
    thread.join()


def refused(response):
    """Return what a refused request was told, by place."""
    assert response.status_code == 422, response.text
    return {tuple(e["loc"][1:]): e["msg"] for e in response.json()["detail"]}


# -- answers ---------------------------------------------------------------------------


def test_scores_are_those_of_the_detector(client, path):
    rows = [ROW, {**ROW, "currency": "GBP"}, {**ROW, "total": 9000.0}]
    detector = skanomaly.load(path)
    found = client.post("/score", json=rows).json()
    expected = {
        "score": detector.score_samples(rows),
        "decision": detector.decision_function(rows),
        "label": detector.predict(rows),
        "p_value": detector.p_values(rows),
    }
    for name, values in expected.items():
        assert [each[name] for each in found] == values.tolist()
    assert [each["label"] for each in found] == [1, -1, -1]
    assert client.post("/score", json=rows[1]).json() == found[1:2]


def test_reasons_are_those_of_the_detector(client, path):
    rows = [ROW, {**ROW, "currency": "GBP", "age": 44}]
    found = client.post("/explain", json=rows).json()
    expected = explain(skanomaly.load(path), rows)
    assert [each["column"] for each in found] == expected["column"].tolist()
    assert [each["share"] for each in found] == pytest.approx(expected["share"])
    worst = next(each for each in found if each["sample"] == 1)
    assert worst["column"] == "currency"
    assert (worst["value"], worst["expected"]) == ("GBP", "EUR")


def test_a_column_that_is_not_read_may_be_there_or_not(client):
    with_id = client.post("/score", json={**ROW, "order_id": 10_000_007})
    assert with_id.json() == client.post("/score", json=ROW).json()


def test_booleans_and_whole_numbers_are_categories(client):
    texts = client.post("/score", json={**ROW, "is_gift": "True", "product": "7"})
    assert (
        texts.json()
        == client.post("/score", json={**ROW, "is_gift": True, "product": 7}).json()
    )
    assert texts.json() != client.post("/score", json=ROW).json()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("total", "31.5", "valid number"),
        ("quantity", True, "valid number"),
        ("country", 1.5, "valid string"),
        ("ordered", "2026-13-01", "month must be in 1..12"),
        ("ordered", 1772445600, "valid string"),
        ("country", ["DE"], "valid string"),
    ],
)
def test_a_bad_value_is_told_with_its_row_and_column(client, column, value, message):
    for route in ("/score", "/explain"):
        told = refused(client.post(route, json=[ROW, {**ROW, column: value}]))
        assert told.keys() == {(1, column)}
        assert message in told[1, column]


def test_missing_and_unknown_columns_are_named(client):
    row = {**ROW, "discount": 3}
    del row["total"]
    told = refused(client.post("/score", json=row))
    assert told == {
        (0, "total"): "Field required",
        (0, "discount"): "Extra inputs are not permitted",
    }


def test_requests_have_limits(client, example):
    app = example("app")
    assert len(client.post("/score", json=[ROW] * app.MAX_ROWS).json()) == app.MAX_ROWS
    assert "at most 1000" in refused(client.post("/score", json=[ROW] * 1001))[()]
    large = b" " * (app.MAX_BYTES + 1)
    for content in (large, iter([large])):  # with its length said before, and without
        response = client.post("/score", content=content, headers=JSON)
        assert response.status_code == 413
    many_faults = client.post("/score", json=[{}] * app.MAX_ROWS)
    assert len(refused(many_faults)) == app.MAX_ERRORS


def test_the_schema_is_published_and_no_page_of_scripts(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    row = schemas["Row"]
    assert set(row["required"]) == set(ROW)
    assert row["additionalProperties"] is False
    assert row["properties"]["total"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_health_and_metrics(client):
    def read():
        lines = client.get("/metrics").text.splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {series: float(value) for series, value in samples}

    expected = {"status": "ok", "skanomaly": skanomaly.__version__}
    assert client.get("/health").json() == expected
    before = read()
    client.post("/score", json=[ROW, ROW, {**ROW, "total": 9000.0}])
    client.post("/score", json=[])
    client.get("/any/path")
    after = read()
    added = {name: value - before.get(name, 0) for name, value in after.items()}
    assert added['http_requests_total{path="/score",status="200"}'] == 1
    assert added['http_requests_total{path="/score",status="422"}'] == 1
    assert added['http_requests_total{path="other",status="404"}'] == 1
    assert added['scored_rows_total{label="1"}'] == 2
    assert added['scored_rows_total{label="-1"}'] == 1
    seconds = "http_request_duration_seconds"
    assert added[f'{seconds}_bucket{{path="/score",le="+Inf"}}'] == 2
    assert added[f'{seconds}_count{{path="/score"}}'] == 2
    assert 0 < added[f'{seconds}_sum{{path="/score"}}'] < 60


# -- detectors -------------------------------------------------------------------------


def test_any_detector_of_tables_can_be_served(example, orders):
    make_row_type = example("rows").make_row_type
    pipeline = make_tabular_pipeline(Autoencoder(max_epochs=2), drop=["order_id"])
    cross = ConformalDetector(pipeline, alpha=0.3, method="cross", cv=2).fit(orders)
    frozen = FrozenEstimator(pipeline.fit(orders))
    for detector in (cross, frozen, ConformalDetector(frozen).fit(orders)):
        row = make_row_type(detector)(**ROW)
        assert row.model_dump(by_alias=True) == {**ROW, "is_gift": "False"}


def test_what_has_no_columns_is_refused(example, orders):
    forest = IsolationForest(n_estimators=2).fit(orders[["total"]])
    for detector in (forest, TableEncoder().fit(orders[["total"]].to_numpy())):
        with pytest.raises(TypeError, match="Fit a pipeline of make_tabular_pipeline"):
            example("app").make_app(detector)


def test_reasons_by_replacement_take_normal_rows(example, orders):
    forest = make_tabular_pipeline(IsolationForest(n_estimators=20, random_state=0))
    forest.set_params(encode__drop=["order_id"]).fit(orders)
    found = {}
    for reference in (None, orders.to_dict("records")):
        app = example("app").make_app(forest, reference)
        routes = {route.path: route.endpoint for route in app.routes}
        row = example("rows").make_row_type(forest)(**{**ROW, "total": 9e6})
        found[reference is None] = routes, [row]
    routes, rows = found[False]
    assert json.loads(routes["/explain"](rows).body)[0]["column"] == "total"
    assert routes["/score"](rows)[0].p_value is None
    routes, rows = found[True]
    with pytest.raises(example("app").HTTPException, match="Pass normal rows"):
        routes["/explain"](rows)


# -- hostile requests ------------------------------------------------------------------
# Each returns a method, a path, a body, headers, and what may be answered.


def _post(content, *statuses, **headers):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return "POST", ("/score", "/explain"), content, JSON | headers, statuses


def _with(rng, columns, values):
    column, value = rng.choice(columns), values[rng.integers(len(values))]
    return [ROW] * rng.integers(3) + [{**ROW, str(column): value}]


def wrong_types(rng):
    return _post(_with(rng, list(ROW), [[], {}, [ROW], {"a": 1}]), 422)


def not_finite(rng):
    values = [np.nan, np.inf, -np.inf, 10**400, -(10**400)]
    return _post(_with(rng, NUMBERS, values), 422)


def overflows(rng):
    text = json.dumps(ROW).replace("31.5", rng.choice(["1e999", "-1e999", "9" * 5000]))
    return _post(text.encode(), 400, 422)


def huge_numbers(rng):
    return _post(_with(rng, NUMBERS, [1e308, -1e308, 2**70, 5e-324, -0.0]), 200)


def huge_texts(rng):
    n, is_date = int(rng.integers(100_000)), rng.random() < 0.5
    columns = ["ordered"] if is_date else CATEGORIES
    texts = ["x" * n, "\0" * (n // 10), "é" * (n // 10), "\U0001f600" * (n // 20)]
    return _post(_with(rng, columns, texts), 422 if is_date else 200)


def odd_dates(rng):
    values = ["0001-01-01", "9999-12-31T23:59:59+14:00", "2026-W01", "20260101"]
    return _post(_with(rng, ["ordered"], values), 200)


def broken_unicode(rng):
    text = json.dumps({**ROW, "product": "?", "??": 1})
    marks = ["?"] if rng.random() < 0.5 else ["??"]
    for mark in marks:
        text = text.replace(f'"{mark}"', '"\\ud800"')
    return _post(text.encode(), 422)


def deep_nesting(rng):
    n = int(rng.choice([10, 500, 5000, 50_000]))
    opened = ["[", '{"total":', '[{"total":'][rng.integers(3)] * n
    closed = {"[": "]" * n, "{": "}" * n}[opened[0]] if n < 1000 else ""
    return _post((opened + "1" + closed).encode(), 400, 422)


def nested_in_what_is_not_read(rng):
    n = int(rng.choice([10, 100, 10_000]))
    text = json.dumps({**ROW, "order_id": "?"}).replace('"?"', "[" * n + "]" * n)
    return _post(text.encode(), *([200] if n <= 100 else [400, 422]))


def missing_columns(rng):
    left_out = rng.choice(list(ROW))
    return _post({name: v for name, v in ROW.items() if name != left_out}, 422)


def extra_columns(rng):
    names = ["", "__class__", "__dict__", "column_1", "Total", "x" * 10_000, "'; --"]
    return _post({**ROW, names[rng.integers(len(names))]: 1}, 422)


def empty(rng):
    values = [[], {}, None, "", 0, False, [None], [[]], [{}], "null"]
    content = b"" if rng.random() < 0.1 else values[rng.integers(len(values))]
    return _post(content, 422)


def wrong_methods(rng):
    method = str(rng.choice(["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]))
    return method, ("/score", "/explain"), b"", JSON, (405,)


def wrong_paths(rng):
    paths = ["/", "/scor", "/score/../x", "/" + "x" * 5000, "/%00", "//score", "/.env"]
    return "POST", (paths[rng.integers(len(paths))],), b"{}", JSON, (404, 405)


def random_bytes(rng):
    return _post(rng.bytes(rng.integers(1, 1000)), 400, 422)


def not_utf8(rng):
    text = json.dumps({**ROW, "product": "?"}).encode()
    return _post(text.replace(b"?", rng.choice([b"\xff", b"\xc3", b"\x80\x81"])), 400)


def truncated(rng):
    text = json.dumps([ROW, ROW]).encode()
    return _post(text[: rng.integers(1, len(text))], 422)


def flipped_bits(rng):
    text = bytearray(json.dumps([ROW, ROW]).encode())
    for _ in range(rng.integers(1, 5)):
        text[rng.integers(len(text))] ^= 1 << rng.integers(8)
    return _post(bytes(text), 200, 400, 422)


def pickles(rng):
    content = pickle.dumps(Payload("mark"), protocol=int(rng.integers(6)))
    kinds = ["application/json", "application/octet-stream", "application/x-pickle"]
    return _post(content, 400, 422, **{"content-type": str(rng.choice(kinds))})


def other_content_types(rng):
    kinds = ["text/plain", "multipart/form-data", "application/xml", "", "é/json"]
    kind = kinds[rng.integers(4)]
    return _post(ROW, 422, **{"content-type": kind})


HOSTILE = (
    wrong_types,
    not_finite,
    overflows,
    huge_numbers,
    huge_texts,
    odd_dates,
    broken_unicode,
    deep_nesting,
    nested_in_what_is_not_read,
    missing_columns,
    extra_columns,
    empty,
    wrong_methods,
    wrong_paths,
    random_bytes,
    not_utf8,
    truncated,
    flipped_bits,
    pickles,
    other_content_types,
)


def test_a_thousand_hostile_requests(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a payload would leave its mark
    before = client.post("/score", json=ROW).json()
    rng, n_seen = np.random.default_rng(0), len(WATCH.seen)
    WATCH.is_on = True
    try:
        for n in range(1000):
            make = HOSTILE[n % len(HOSTILE)]
            method, paths, content, headers, statuses = make(rng)
            path = paths[rng.integers(len(paths))]
            found = client.request(method, path, content=content, headers=headers)
            told = (make.__name__, found.status_code, content[:300], found.text[:300])
            assert found.status_code in statuses, told
    finally:
        WATCH.is_on = False
    assert len(WATCH.seen) == n_seen
    assert not list(tmp_path.iterdir())
    assert client.get("/health").json()["status"] == "ok"
    assert client.post("/score", json=ROW).json() == before
    assert 'status="5' not in client.get("/metrics").text


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 not HTTP",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /score HTTP/1.1\r\nhost: x\r\n" + b"x: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{",
    ],
)
def test_clients_that_speak_no_http_or_hang_up_do_no_harm(client, sent):
    address = client.base_url.host, client.base_url.port
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(sent)
        if not sent.endswith(b"{"):
            assert connection.recv(100).startswith(b"HTTP/1.1 4")
    assert client.get("/health").status_code == 200
