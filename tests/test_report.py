"""The report: what is on the page, that it is whole, and that it harms nobody."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skanomaly import Autoencoder, DetectorEnsemble, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector
from skanomaly.inspection import explain, report

QUICK = {"max_epochs": 3, "hidden_sizes": (4,), "random_state": 0}
VOID = {"meta", "br", "img", "path", "use", "image", "rect", "stop"}


class Page(HTMLParser):
    """What a browser would find: sections, their text, tags and attributes."""

    def __init__(self, path):
        super().__init__()
        self.open_tags, self.tags, self.attributes = [], [], []
        self.texts = {"": ""}
        self.heading = ""
        self.feed(path.read_text("utf-8"))
        self.close()
        assert not self.open_tags

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open_tags.append(tag)
        if tag == "h2":
            self.heading = None

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if self.heading is None:
            self.heading = data
            self.texts[data] = ""
        self.texts[self.heading] += f"{data} "

    def text(self, heading):
        (name,) = [n for n in self.texts if (heading in n if heading else not n)]
        return re.sub(r"\s+", " ", self.texts[name])


@pytest.fixture(scope="module")
def table():
    """A table of all kinds of columns, whose row 7 is wrong."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, 80).round(),
            "<script>alert(1)</script>": rng.normal(size=80),
            "city": rng.choice(["Bonn", "Ulm", "<b>Köln</b>"], 80),
            "seen": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(80), "D"),
        }
    )
    frame.loc[::10, "age"] = np.nan
    frame.loc[7, "age"] = 2300
    return frame


@pytest.fixture(scope="module")
def pipeline(table):
    return make_tabular_pipeline(Autoencoder(**QUICK)).fit(table)


def test_the_page_of_a_table(pipeline, table, tmp_path):
    path = report(pipeline, table, path=str(tmp_path / "page.html"), top=4)
    assert path == tmp_path / "page.html"
    page = Page(path)
    scores = pipeline.score_samples(table)
    threshold = pipeline[-1].offset_
    assert f"below the threshold {(scores < threshold).sum()} (" in page.text("")
    assert f"threshold {threshold:.4g}" in page.text("")
    assert page.text("").startswith(" Anomalies found by Autoencoder")

    top = page.text("4 most abnormal")
    found = re.findall(r"\d\. sample (\d+) score (\S+)", top)
    order = np.argsort(scores)[:4]
    assert found == [(str(i), f"{scores[i]:.4g}") for i in order]
    assert re.search(r"1\. sample 7 .* age 2300 \d", top)

    data = page.text("Data")
    assert "age number 10.0%" in data
    assert "city category 0 3" in data
    assert "seen date 0 80 2024-03-01 00:00:00 … 2024-05-19 00:00:00" in data
    assert "3 epochs" in page.text("Training of Autoencoder")
    assert "detector__max_epochs 3" in page.text("Parameters")
    assert f"numpy {np.__version__}" in page.text("Versions")


def test_the_reasons_are_those_of_explain(pipeline, table, tmp_path):
    page = Page(report(pipeline, table, path=tmp_path / "page.html", top=3))
    _, *items = page.text("3 most abnormal").split(" share ")
    order = np.argsort(pipeline.score_samples(table))[:3]
    for position, item in zip(order, items, strict=True):
        reason = explain(pipeline, table.iloc[[position]], top=1).iloc[0]
        assert item.startswith(reason["column"])
        assert f"{reason['share']:.0%}" in item
        assert ("style", f"width: {reason['share']:.1%}") in page.attributes
    assert items[0].startswith("age 2300 ")


def test_what_users_write_is_escaped(pipeline, table, tmp_path):
    path = report(pipeline, table, path=tmp_path / "page.html", top=80)
    page = Page(path)
    assert not {"script", "b"} & set(page.tags)
    assert "<script>alert(1)</script> number" in page.text("Data")
    assert "<b>Köln</b>" in page.text("Data")


def test_names_of_members_are_escaped(tmp_path):
    name = '"><script>'
    X = np.random.default_rng(0).normal(size=(40, 2))
    ensemble = DetectorEnsemble([(name, Autoencoder(**QUICK))], random_state=0).fit(X)
    page = Page(report(ensemble, X, path=tmp_path / "page.html"))
    assert "script" not in page.tags
    assert "3 epochs" in page.text(f"Training of {name}")


def test_nothing_is_loaded_from_elsewhere(pipeline, table, tmp_path):
    page = Page(report(pipeline, table, path=tmp_path / "page.html"))
    assert not {"link", "iframe", "script", "img"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:")), value
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    for reference in re.findall(r'(?:url\(#|href="#)([^)"]+)', text):
        assert reference in ids


def test_p_values_of_a_conformal_detector(pipeline, table, tmp_path):
    detector = ConformalDetector(pipeline, alpha=0.1, random_state=0).fit(table)
    page = Page(report(detector, table, path=tmp_path / "page.html", top=1))
    p_value = detector.p_values(table).min()
    assert f"p-value {p_value:.2g}" in page.text("1 most abnormal")


def as_rows(frame):
    return frame.to_dict("records")


@pytest.mark.parametrize("as_kind", [pl.from_pandas, as_rows])
def test_tables_of_other_kinds(pipeline, table, tmp_path, as_kind):
    page = Page(report(pipeline, as_kind(table), path=tmp_path / "page.html", top=1))
    assert "1. sample 7" in page.text("1 most abnormal")
    assert "age number 10.0%" in page.text("Data")


def test_labels_of_rows_are_shown(pipeline, table, tmp_path):
    labelled = table.set_index(np.array([f"row {i}" for i in range(80)]))
    page = Page(report(pipeline, labelled, path=tmp_path / "page.html", top=1))
    assert "index row 7" in page.text("1 most abnormal")


@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
def test_detectors_of_scikit_learn(tmp_path, as_kind):
    X = np.random.default_rng(0).random((60, 3))
    X[5, 1] = 40
    detector = make_pipeline(MaxAbsScaler(), IsolationForest(random_state=0))
    detector.fit(X)
    page = Page(report(detector, as_kind(X), path=tmp_path / "page.html", top=1))
    assert re.search(r"1\. sample 5 .* share 1 40 0\.\d+ ", page.text("1 most"))
    assert not [heading for heading in page.texts if "Training" in heading]
    assert "2 number 0 60" in page.text("Data")


def test_normal_rows_can_be_given(tmp_path):
    X = np.random.default_rng(0).random((60, 2))
    detector = LocalOutlierFactor(novelty=True).fit(X)
    outliers = [[0.5, 40.0], [0.5, 41.0]]
    with pytest.raises(ValueError, match="reference"):
        report(detector, outliers, path=tmp_path / "page.html")
    page = Page(report(detector, outliers, path=tmp_path / "page.html", reference=X))
    assert re.search(r"sample 1 .* share 1 41 0\.\d+ 100%", page.text("2 most"))


def test_many_columns_are_cut(tmp_path):
    X = np.random.default_rng(0).random((30, 130))
    detector = Autoencoder(**QUICK).fit(X)
    page = Page(report(detector, X, path=tmp_path / "page.html"))
    data = page.text("Data")
    assert "99 number" in data
    assert "100 number" not in data
    assert "and 30 more columns" in data


def test_the_page_of_images(tmp_path):
    X = np.random.default_rng(0).random((30, 1, 6, 5))
    X[4] = 9
    detector = Autoencoder(**QUICK).fit(X[5:])
    page = Page(report(detector, X, path=tmp_path / "page.html", top=7))
    scores = detector.score_samples(X)
    top = page.text("7 most abnormal")
    for position in np.argsort(scores)[:7]:
        assert f"{position}: {scores[position]:.3g}" in top
    assert "30 x 1 x 6 x 5" in page.text("Data")
    sources = [v for k, v in page.attributes if k == "xlink:href"]
    assert any(v.startswith("data:image/png;base64,") for v in sources)


def test_flat_images(tmp_path):
    X = np.random.default_rng(0).random((30, 30))
    detector = Autoencoder(**QUICK, sample_shape=(1, 6, 5))
    pipeline = make_pipeline(MaxAbsScaler(), detector).fit(X)
    page = Page(report(pipeline, X, path=tmp_path / "page.html", top=2))
    assert "position" in page.text("2 most abnormal")
    assert "30 x 30" in page.text("Data")


def test_images_without_maps(tmp_path):
    X = np.random.default_rng(0).random((30, 1, 6, 5))
    ensemble = DetectorEnsemble([("one", Autoencoder(**QUICK))], random_state=0)
    page = Page(report(ensemble.fit(X), X, path=tmp_path / "page.html", top=1))
    scores = ensemble.score_samples(X)
    lowest = f"{scores.argmin()} {scores.min():.4g}"
    assert lowest in page.text("1 most abnormal")


def test_a_report_is_replaced_as_a_whole(pipeline, table, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("before")

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        report(pipeline, table, path=path)
    assert path.read_text() == "before"
    monkeypatch.undo()
    report(pipeline, table, path=path)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_the_style_of_the_user_is_left_alone(pipeline, table, tmp_path):
    with mpl.rc_context({"axes.grid": True, "grid.color": "red"}):
        before = dict(mpl.rcParams)
        path = report(pipeline, table, path=tmp_path / "page.html")
        assert dict(mpl.rcParams) == before
    svg = path.read_text("utf-8").split("<svg", 1)[1]
    assert "#ff0000" not in svg
    assert "currentColor" in svg


def test_what_is_refused_before_scoring(pipeline, table, tmp_path, monkeypatch):
    monkeypatch.setattr(type(pipeline), "score_samples", None)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        report(pipeline, table, path=tmp_path)
    with pytest.raises(FileNotFoundError, match="in a folder that exists"):
        report(pipeline, table, path=tmp_path / "nowhere" / "page.html")
    with pytest.raises(ValueError, match="'top' parameter of report"):
        report(pipeline, table, path=tmp_path / "page.html", top=0)
    with pytest.raises(NotFittedError):
        report(Autoencoder(), table, path=tmp_path / "page.html")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"report needs .*skanomaly\[plots\]"):
        report(pipeline, table, path=tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_detectors_that_are_refused(table, tmp_path):
    X = table[["age"]].fillna(0)
    with pytest.raises(TypeError, match="no score_samples"):
        report(LocalOutlierFactor().fit(X), X, path=tmp_path / "page.html")
    forest = IsolationForest(random_state=0).fit(X)
    forest.score_samples = lambda X: np.full(len(X), np.nan)
    with pytest.raises(ValueError, match="80 of 80 scores are NaN"):
        report(forest, X, path=tmp_path / "page.html")
