"""scikit-learn's callbacks: a detector tells them of its phases and epochs."""

import gc
import importlib.util
import pickle
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from helpers import each_detector, make_detector, make_outliers, make_samples
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skanomaly
from skanomaly import Autoencoder, MemAE

sklearn_callback = pytest.importorskip("sklearn.callback")
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


class Recorder:
    """Keep the names of tasks; stop a phase after some epochs."""

    def __init__(self, stop_after=None, fail_at=None):
        self.stop_after = stop_after
        self.fail_at = fail_at
        self.begun, self.ended, self.life = [], [], []

    def setup(self, estimator, context):
        self.life.append("setup")

    def teardown(self, estimator, context):
        self.life.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)
        if context.task_name == self.fail_at:
            raise RuntimeError("a callback failed")
        is_epoch = context.task_name == "epoch"
        return is_epoch and context.task_id + 1 == self.stop_after


def make_labelled():
    """Return samples, some of them outliers, and labels that mark none in training."""
    X = np.concatenate([make_samples(n_samples=60), make_outliers(n_samples=20) / 4])
    return X, np.repeat([1, 0], [60, 20])


def values_of(monitor):
    """Return the score of each task by its name, in order."""
    return [(row["task_name"], row["roc_auc"]) for row in monitor.get_logs().data]


@ignore_convergence
@each_detector
def test_watching_does_not_change_the_training(Detector):
    X, y = make_labelled()
    detector = make_detector(Detector, max_epochs=3, random_state=0)
    scores = clone(detector).fit(X).score_samples(X)
    monitor, recorder = sklearn_callback.ScoringMonitor(scoring="roc_auc"), Recorder()
    detector.set_callbacks(monitor, recorder).fit(X, y)
    np.testing.assert_array_equal(detector.score_samples(X), scores)
    named = values_of(monitor)
    n_epochs = len(detector.history_)
    assert [name for name, _ in named].count("epoch") == n_epochs
    assert dict(named)["fit"] == roc_auc_score(y, scores)
    phases = {row["phase"] for row in detector.history_}
    assert set(recorder.begun) == {"fit", "epoch", *phases}
    assert recorder.begun.count("epoch") == n_epochs
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.life == ["setup", "teardown"]


def test_a_value_is_that_of_a_detector_trained_so_far():
    X, y = make_labelled()
    monitor = sklearn_callback.ScoringMonitor(scoring="roc_auc")
    detector = Autoencoder(max_epochs=4, random_state=0)
    clone(detector).set_callbacks(monitor).fit(X, y)
    values = [value for name, value in values_of(monitor) if name == "epoch"]
    expected = [
        roc_auc_score(y, detector.set_params(max_epochs=n).fit(X).score_samples(X))
        for n in (1, 2, 3, 4)
    ]
    assert values == expected
    assert len(set(values)) > 1


def test_what_a_callback_is_given_is_a_whole_detector():
    given = []

    class Keeper(Recorder):
        def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
            if context.task_name == "epoch":
                given.append(fitted_estimator)
                assert X is samples

    samples = make_samples()
    detector = Autoencoder(max_epochs=3, random_state=0)
    clone(detector).set_callbacks(Keeper()).fit(samples)
    assert [each.n_iter_ for each in given] == [1, 2, 3]
    for n, each in enumerate(given, 1):
        stopped = detector.set_params(max_epochs=n).fit(samples)
        assert each.offset_ == stopped.offset_
        scores = stopped.score_samples(samples)
        np.testing.assert_array_equal(each.score_samples(samples), scores)


@ignore_convergence
@pytest.mark.parametrize(("Detector", "n_phases"), [(Autoencoder, 1), (MemAE, 2)])
def test_a_stop_ends_the_phase(Detector, n_phases):
    X, recorder = make_samples(), Recorder(stop_after=2)
    detector = make_detector(Detector, max_epochs=20).set_callbacks(recorder).fit(X)
    assert len(detector.history_) == 2 * n_phases
    assert recorder.ended.count("epoch") == 2 * n_phases
    assert np.isfinite(detector.score_samples(X)).all()


def test_early_stopping_leaves_no_epoch_open():
    recorder = Recorder()
    detector = Autoencoder(early_stopping=True, n_iter_no_change=1, learning_rate=1.0)
    detector.set_params(max_epochs=200).set_callbacks(recorder).fit(make_samples())
    assert detector.n_iter_ < 200
    assert recorder.ended.count("epoch") == detector.n_iter_


@pytest.mark.parametrize("task", ["epoch", "training", "fit"])
def test_a_failing_callback_is_torn_down(task):
    recorder = Recorder(fail_at=task)
    detector = Autoencoder(max_epochs=2).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="a callback failed"):
        detector.fit(make_samples())
    assert recorder.life == ["setup", "teardown"]
    assert hasattr(detector, "net_") == (task == "fit")


def test_a_failing_fit_leaves_the_detector_as_it_was():
    detector = Autoencoder(max_epochs=2).set_callbacks(Recorder())
    before = dict(vars(detector))
    with pytest.raises(ValueError, match="NaN"):
        detector.fit([[np.nan], [1.0]])
    assert vars(detector) == before


def test_samples_are_let_go():
    X = make_samples()
    detector = Autoencoder(max_epochs=2).set_callbacks(Recorder()).fit(X)
    held = weakref.ref(X)
    del X
    gc.collect()
    assert held() is None
    assert hasattr(detector, "net_")


def test_clones_and_pickles_keep_the_callbacks():
    recorder = Recorder()
    detector = Autoencoder(max_epochs=2).set_callbacks(recorder).fit(make_samples())
    assert "callbacks" not in detector.get_params()
    clone(detector).fit(make_samples())
    assert recorder.life == ["setup", "teardown"] * 2
    pickle.loads(pickle.dumps(detector)).fit(make_samples())


def test_progress_in_a_pipeline_and_a_search(capsys):
    pytest.importorskip("rich")
    X, _ = make_labelled()
    bar = sklearn_callback.ProgressBar(max_propagation_depth=None)
    pipeline = make_pipeline(StandardScaler(), Autoencoder(max_epochs=2))
    search = GridSearchCV(
        pipeline,
        {"autoencoder__latent_size": [1, 2]},
        cv=2,
        scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
    )
    search.set_callbacks(bar).fit(X)
    shown = capsys.readouterr().out
    assert shown.count("training #0") >= 5  # one a fit
    assert not hasattr(search.best_estimator_[-1], "_skl_callbacks")


def test_an_older_scikit_learn_has_no_callbacks(monkeypatch):
    path = Path(skanomaly.__file__).with_name("_callbacks.py")
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("skanomaly._old_callbacks", path)
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)
    assert old.with_callbacks(len) is len
    assert old.begin_tasks(old.CallbackSupportMixin(), None, None) is None
