"""The command line: from a file of rows to the abnormal ones."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import Binarizer

import skanomaly
from skanomaly.__main__ import main
from skanomaly._arguments import _EXAMPLE, _EXAMPLES
from skanomaly.calibration import ConformalDetector


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with normal people, with others, and with a fitted model."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)

    def people(n):
        age = rng.normal(40, 10, n).round()
        city = rng.choice(["Bonn", "Ulm"], n)
        names = [f"P{rng.integers(10**9)}" for _ in range(n)]
        return pd.DataFrame({"age": age, "born": 2024 - age, "city": city, "id": names})

    people(300).to_csv(folder / "normal.csv", index=False)
    table = people(50)
    table.loc[7, "age"] = 230
    table.loc[20, "city"] = "Atlantis"
    table.to_csv(folder / "people.csv", index=False)
    table.to_parquet(folder / "people.parquet", index=False)
    arguments = [
        "score",
        "people.csv",
        "--train",
        "normal.csv",
        "--save",
        "model.skops",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(arguments) == 0
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Return a function that runs a command in the folder and returns its output."""
    monkeypatch.chdir(folder)

    def run(*arguments, status=0):
        assert main(["score", *arguments]) == status
        return capsys.readouterr()

    return run


def test_the_abnormal_rows_are_printed_with_reasons(run):
    lines = run("people.csv", "--model", "model.skops", "--top", "2").out.splitlines()
    assert lines[0].split() == ["score", "p_value", "reasons"]
    assert {line.split()[0] for line in lines[1:]} == {"7", "20"}
    assert any("age = 230 (expected 4" in line for line in lines[1:])
    assert any("city = Atlantis (expected " in line for line in lines[1:])


def test_a_fit_on_the_rows_themselves(folder):
    """In a process of its own, as it is typed."""
    command = [sys.executable, "-m", "skanomaly", "score", "people.csv", "--top", "2"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {row[0] for row in rows} == {"7", "20"}
    assert [float(row[2]) for row in rows] == [1 / 50, 2 / 50]
    assert done.stderr.startswith("skanomaly: warning: Columns are left out: 'id'")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_all_rows_are_written(run, folder, suffix):
    table = f"people.{suffix}"
    run(table, "--model", "model.skops", "--output", f"scored.{suffix}")
    read = getattr(pd, f"read_{suffix}")
    scored, people = read(f"scored.{suffix}"), read(table)
    pd.testing.assert_frame_equal(scored[list(people)], people)
    model = skanomaly.load("model.skops")
    assert isinstance(model, ConformalDetector)
    assert np.allclose(scored["score"], model.score_samples(people))
    assert np.allclose(scored["p_value"], model.p_values(people))
    assert scored["reasons"].str.contains("expected").all()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_columns_can_be_left_out(run):
    told = run("people.csv", "--drop", "id", "age", "--reasons", "1")
    assert not told.err
    assert "age" not in told.out


def test_a_report_is_written(run, folder):
    run("people.csv", "--model", "model.skops", "--report", "report.html")
    assert "Atlantis" in (folder / "report.html").read_text(encoding="utf-8")


ERRORS = {
    "No such file or directory: 'nobody.csv'": ["nobody.csv"],
    "people.txt is no table: its name must end with .csv or .parquet.": ["people.txt"],
    "--drop belongs to a fit": ["people.csv", "--model", "model.skops", "--drop", "id"],
    "--top must be at least 1, got 0.": ["people.csv", "--top", "0"],
    "--report must be in a folder that exists, got nowhere/page.html.": [
        "people.csv",
        "--report",
        "nowhere/page.html",
    ],
    "--output must end with .csv or .parquet, got all.xlsx.": [
        "people.csv",
        "--output",
        "all.xlsx",
    ],
    "people.csv can't be loaded: it was not written by skanomaly.save.": [
        "people.csv",
        "--model",
        "people.csv",
    ],
    "code.joblib can't be loaded: it was not written by skanomaly.save.": [
        "people.csv",
        "--model",
        "code.joblib",
    ],
    "no.skops must hold a fitted outlier detector with score_samples, got Binarizer.": [
        "people.csv",
        "--model",
        "no.skops",
    ],
    "Columns are missing: ['age', 'born']": ["short.csv", "--model", "model.skops"],
    "drop names columns that X does not have: 'size'.": [
        "people.csv",
        "--drop",
        "size",
    ],
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_are_one_line(run, folder, message):
    joblib.dump({}, folder / "code.joblib")
    skanomaly.save(Binarizer(), folder / "no.skops")
    pd.DataFrame({"city": ["Ulm"]}).to_csv(folder / "short.csv", index=False)
    told = run(*ERRORS[message], status=2)
    assert told.err.startswith("skanomaly: error: ")
    assert message in told.err
    assert not told.out


def test_what_is_missing_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = run("people.parquet", status=2)
    assert "pip install 'skanomaly[arrow]'" in told.err
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "pip install 'skanomaly[frames]'" in run("people.csv", status=2).err
    monkeypatch.setitem(sys.modules, "skops.io", None)
    told = run("people.csv", "--save", "model.skops", status=2)
    assert "pip install 'skanomaly[persistence]'" in told.err


def test_help_names_the_command_and_the_defaults(capsys):
    told = {}
    for command in ((), ("score",)):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--help"])
        assert stop.value.code == 0
        told[command] = " ".join(capsys.readouterr().out.split())
    assert "the most abnormal rows of a CSV or Parquet file" in told[()]
    assert "python -m skanomaly score orders.csv" in told[()]
    for text in ("(default: 20)", "(default: 3)", "(default: 0)", "(default: TABLE)"):
        assert text in told["score",]


def test_the_examples_of_the_help_run(folder, monkeypatch, capsys):
    people = (folder / "people.csv").read_bytes()
    for name in ("orders", "today", "next"):
        (folder / f"{name}.csv").write_bytes(people)
    monkeypatch.chdir(folder)
    lines = [line.strip() for line in f"{_EXAMPLE}\n{_EXAMPLES}".splitlines()]
    prefix = "python -m skanomaly "
    examples = [line for line in lines if line.startswith(prefix)]
    assert len(examples) == 4
    for example in examples:
        assert main(example.removeprefix(prefix).split()) == 0
    assert (folder / "scored.csv").exists()
    assert capsys.readouterr().out.count("p_value") == 4


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"skanomaly {skanomaly.__version__}\n"
