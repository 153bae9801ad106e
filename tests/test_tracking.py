"""The examples of ``examples/tracking``, run as typed."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import skanomaly

ROOT = Path(skanomaly.__file__).parents[1]
FOLDER = Path(__file__).parents[1] / "examples" / "tracking"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs an example, in an empty folder, for its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FOLDER)

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        import_module(name).main()
        return capsys.readouterr().out

    return call


def test_mlflow_keeps_parameters_losses_and_the_pipeline(tmp_path):
    # In a process of its own, as autolog changes the classes of scikit-learn.
    command = [sys.executable, FOLDER / "log_to_mlflow.py"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    run, rate, auc, same = done.stdout.splitlines()
    assert run.endswith(": 30 epochs")
    assert rate == "learning rate 0.001"
    assert float(auc.removeprefix("AUC ")) > 0.9
    assert same == "loaded pipeline has the same scores: True"
    (saved,) = tmp_path.glob("mlruns/**/artifacts/pipeline.skops")
    scores = skanomaly.load(saved).score_samples(np.zeros((3, 30)))
    assert np.isfinite(scores).all()


def test_optuna_tunes_by_outliers(run):
    out = run("tune_with_optuna", "--trials", "3", "--max-epochs", "5")
    assert out.startswith("3 trials, 0 pruned\naverage precision 0.")
    assert "Autoencoder(latent_size=" in out


def test_optuna_prunes_after_a_bad_fold(run, monkeypatch):
    run("tune_with_optuna", "--trials", "1", "--max-epochs", "1")
    module, folds = import_module("tune_with_optuna"), []

    def score(pipeline, X, y, cv, **kwargs):
        assert (y[cv[0][0]] == 1).all()  # no outlier is trained on
        folds.append(cv)
        return np.array([1.0 if len(folds) <= 18 else 0.0])

    monkeypatch.setattr(module, "cross_val_score", score)
    assert run("tune_with_optuna", "--trials", "8").startswith("6 trials, 2 pruned")
    assert len(folds) == 6 * 3 + 2


def test_a_callback_writes_each_epoch(run, tmp_path):
    run("write_epochs", "--max-epochs", "4")
    lines = (tmp_path / "epochs.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
    assert all("valid_loss" in json.loads(line) for line in lines)
