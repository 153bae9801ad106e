"""Ctrl-C: by real signals, wherever in a fit they come."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from helpers import each_detector, make_detector, make_samples, weights_of
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skanomaly import Autoencoder, FAnoGAN, MemAE, OGNet, StudentTeacher
from skanomaly.training.interrupt import DeferredInterrupt

# Five epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")

HOOKS = ["on_epoch_begin", "on_batch_begin", "on_grad_computed", "on_batch_end"]
HOOKS_BETWEEN_EPOCHS = ["on_epoch_end", "on_train_begin"]


@pytest.fixture(autouse=True)
def listen_to_ctrl_c():
    """Undo what a shell does to background jobs: they start with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c():
    """Send what a terminal sends; Python's handler runs before the next line."""
    os.kill(os.getpid(), signal.SIGINT)


class Press(Callback):
    """Press Ctrl-C in a hook, when the history has some finished epochs."""

    def __init__(self, hook="on_batch_end", after_epochs=2, n_times=1):
        self.hook = hook
        self.after_epochs = after_epochs
        self.n_times = n_times

    def initialize(self):
        self.is_done = False
        return self

    def press(self, net):
        finished = [row for row in net.history if "train_loss" in row]
        if not self.is_done and len(finished) >= self.after_epochs:
            self.is_done = True
            for _ in range(self.n_times):
                press_ctrl_c()


def _hook(name):
    def press_if_meant(self, net, *args, **kwargs):
        if self.hook == name:
            self.press(net)

    return press_if_meant


for _name in (*HOOKS, *HOOKS_BETWEEN_EPOCHS):
    setattr(Press, _name, _hook(_name))


class Watch(Callback):
    """Remember phases, and how often an epoch began."""

    seen: list

    def initialize(self):
        Watch.seen = []
        return self

    def on_epoch_begin(self, net, **kwargs):
        Watch.seen.append(net.phase_.name)


def pressing(*args, **kwargs):
    return {"callbacks": [Press(*args, **kwargs), Watch()]}


def fitted_names(detector):
    """Name what a fit has left on a detector."""
    names = vars(detector).keys() - detector.get_params()
    return [name for name in names if name.endswith("_")]


# -- where it is pressed ---------------------------------------------------------------


@pytest.mark.parametrize("hook", [*HOOKS, "on_epoch_end"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_in_a_hook_of_a_callback_ends_the_training(hook, early_stopping):
    X = make_samples()
    detector = Autoencoder(
        max_epochs=20,
        batch_size=32,
        early_stopping=early_stopping,
        net_params=pressing(hook, after_epochs=2),
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match=r"interrupted after 2 of 20 epochs"):
        detector.fit(X)
    assert detector.n_iter_ == 2
    assert len(detector.history_) == detector.n_iter_
    assert all(row["train_loss"] > 0 for row in detector.history_)
    if not early_stopping:  # where the threshold is that of held-out samples
        assert (detector.predict(X) == -1).mean() == pytest.approx(0.1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@each_detector
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupted_fit_keeps_the_model_so_far(Detector, early_stopping):
    X = make_samples()
    detector = make_detector(
        Detector,
        max_epochs=12,
        early_stopping=early_stopping,
        net_params=pressing("on_batch_begin", after_epochs=8),
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match=r"interrupted after 8 of 12 epochs"):
        detector.fit(X)
    assert detector.n_iter_ == 8
    if not early_stopping:  # where the threshold is that of held-out samples
        assert (detector.predict(X) == -1).mean() == pytest.approx(0.1)
    assert np.isfinite(detector.score_samples(X)).all()
    assert not detector.module_.training


@each_detector
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("hook", ["on_train_begin", *HOOKS[:3]])
def test_fit_interrupted_at_once_leaves_the_detector_as_it_was(
    Detector, early_stopping, hook
):
    X = make_samples()
    fresh = make_detector(Detector, early_stopping=early_stopping, random_state=0)
    fitted = make_detector(Detector, max_epochs=2, random_state=0).fit(X)
    scores, state = fitted.score_samples(X), set(vars(fitted))
    for detector in (fresh, fitted):
        detector.set_params(net_params=pressing(hook, after_epochs=0))
        with pytest.raises(KeyboardInterrupt):
            detector.fit(X + 1)
    assert not fitted_names(fresh)
    assert set(vars(fitted)) == state
    assert np.array_equal(fitted.score_samples(X), scores)
    assert torch.is_grad_enabled()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class PressLater(Callback):
    """Start a clock with the training, that hits what lies between the hooks, too."""

    def __init__(self, seconds):
        self.seconds = seconds

    def on_train_begin(self, net, **kwargs):
        if not net.history:
            threading.Timer(self.seconds, press_ctrl_c).start()


@each_detector
@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.1])
def test_ctrl_c_at_any_time_is_either_no_fit_or_a_warned_one(Detector, seconds):
    X = make_samples()
    params = {"max_epochs": 2000, "random_state": 0}
    net_params = {"callbacks": [PressLater(seconds)]}
    detector = make_detector(Detector, **params, net_params=net_params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            detector.fit(X)
        except KeyboardInterrupt:
            assert not fitted_names(detector)
        else:
            said = [str(each.message) for each in caught]
            assert any("interrupted after" in each for each in said)
            assert 1 <= detector.n_iter_ < 2000
            assert np.isfinite(detector.score_samples(X)).all()
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class PressingModule(Autoencoder.module_class):
    is_pressed = False

    def score(self, x):
        if not torch.is_grad_enabled() and not self.is_pressed:
            self.is_pressed = True
            press_ctrl_c()
        return super().score(x)


class PressingAutoencoder(Autoencoder):
    """Training does not score; setting the threshold does."""

    module_class = PressingModule


def test_ctrl_c_while_the_threshold_is_set_is_not_swallowed():
    detector = make_detector(PressingAutoencoder, random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted after 5 of 5 epochs"):
        detector.fit(make_samples())
    assert detector.n_iter_ == 5
    assert detector.offset_ < 0


@pytest.mark.parametrize(
    "detector",
    [PressingAutoencoder(), OGNet(net_params=pressing(after_epochs=1))],
    ids=["while the threshold is set", "in a later phase"],
)
def test_partial_fit_keeps_nothing_of_an_interrupted_chunk(detector):
    with pytest.raises(KeyboardInterrupt):
        detector.partial_fit(make_samples())
    assert not fitted_names(detector)


# -- what it means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detector", "ran"),
    [
        (MemAE(memory_size=20, memory_init="data"), {"warm-up"}),
        (OGNet(old_generator_epoch=4, n_phase_two_steps=5), {"phase one"}),
        (StudentTeacher(teacher="autoencoder", n_students=2), {"teacher"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_interrupted_phase_is_the_last_one(detector, ran):
    params = {"max_epochs": 10, "batch_size": 32, "random_state": 0}
    detector.set_params(**params, net_params=pressing(after_epochs=1))
    X = make_samples()
    with pytest.warns(ConvergenceWarning, match="interrupted after 1 of 10"):
        detector.fit(X)
    assert set(Watch.seen) == ran
    assert len(Watch.seen) == 2
    assert detector.n_iter_ == 1
    assert np.isfinite(detector.score_samples(X)).all()


def test_interrupted_before_a_phase_without_which_there_is_no_score():
    """f-AnoGAN without its encoder would rank at random."""
    detector = make_detector(FAnoGAN, max_epochs=10, random_state=0)
    detector.set_params(net_params=pressing(after_epochs=2))
    with pytest.raises(KeyboardInterrupt):
        detector.fit(make_samples())
    assert not fitted_names(detector)
    assert set(Watch.seen) == {"GAN"}


def test_ognet_interrupted_in_phase_two_reports_the_steps_made():
    class PressInStep(Callback):
        def initialize(self):
            self.n_steps = 0
            return self

        def on_batch_begin(self, net, training=None, **kwargs):
            if net.phase_.name == "phase two" and training:
                self.n_steps += 1
                if self.n_steps == 12:
                    press_ctrl_c()

    detector = OGNet(
        max_epochs=2,
        early_stopping=True,
        n_iter_no_change=100,
        n_phase_two_steps=75,
        net_params={"callbacks": [PressInStep()]},
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        detector.fit(make_samples())
    steps = [row.get("n_steps", 0) for row in detector.history_]
    assert detector.n_iter_ == 2
    assert sum(steps) == 10  # two rounds of five; the third was not finished


def test_early_stopping_is_no_interruption():
    """No warning, which would be an error here, and the later phases run."""
    detector = OGNet(
        max_epochs=200,
        early_stopping=True,
        n_iter_no_change=1,
        n_phase_two_steps=5,
        net_params={"callbacks": [Watch()]},
        random_state=0,
    )
    detector.fit(make_samples())
    assert detector.n_iter_ < 200
    assert Watch.seen[-1] == "phase two"


def test_a_callback_that_stops_the_training_is_no_interruption():
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt  # as skorch's own EarlyStopping does

    detector = Autoencoder(max_epochs=9, net_params={"callbacks": [Stop]})
    assert detector.fit(make_samples()).n_iter_ == 1


def test_early_stopping_goes_back_to_the_best_weights_after_ctrl_c():
    kept = {}

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            state = net.module_.state_dict()
            loss = net.history[-1, "valid_loss"]
            kept[loss] = {name: value.clone() for name, value in state.items()}

    detector = Autoencoder(
        max_epochs=100,
        learning_rate=0.05,
        batch_size=8,
        early_stopping=True,
        n_iter_no_change=50,
        net_params={"callbacks": [Keep, Press(after_epochs=12)]},
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="interrupted after 12 of 100"):
        detector.fit(make_samples())
    losses = [row["valid_loss"] for row in detector.history_]
    assert losses[-1] > min(losses)
    best = kept[min(losses)]
    assert all(torch.equal(v, best[name]) for name, v in weights_of(detector).items())


@pytest.mark.parametrize("hook", HOOKS)
def test_second_ctrl_c_is_raised_at_once(hook):
    detector = make_detector(Autoencoder, max_epochs=9, random_state=0)
    detector.set_params(net_params=pressing(hook, after_epochs=2, n_times=2))
    # Whether it ends as a fit or not is up to where it was; but it doesn't go on.
    try:
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            detector.fit(make_samples())
    except KeyboardInterrupt:
        assert not fitted_names(detector)
    else:
        assert detector.n_iter_ == 2
    assert len(Watch.seen) <= 3
    assert torch.is_grad_enabled()


def test_interrupted_fit_can_be_continued():
    X = make_samples()
    detector = make_detector(Autoencoder, max_epochs=9, warm_start=True, random_state=0)
    detector.set_params(net_params=pressing(after_epochs=2))
    with pytest.warns(ConvergenceWarning, match="interrupted after 2 of 9"):
        detector.fit(X)
    detector.set_params(net_params=None, max_epochs=3).fit(X)
    assert detector.n_iter_ == 5


# -- deferring -------------------------------------------------------------------------


def test_deferred_interrupt_waits_for_a_check():
    with DeferredInterrupt() as interrupt:
        interrupt.check()
        press_ctrl_c()
        time.sleep(0)  # a line more, at which Python would have raised
        assert interrupt.is_requested
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_deferred_interrupt_leaves_handlers_of_others_alone():
    heard = []
    signal.signal(signal.SIGINT, lambda *args: heard.append(args))
    try:
        with DeferredInterrupt() as interrupt:
            press_ctrl_c()
            time.sleep(0)
            assert not interrupt.is_requested
        assert len(heard) == 1
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_deferred_interrupt_in_another_thread_does_nothing():
    failed = []

    def run():
        try:
            with DeferredInterrupt() as interrupt:
                interrupt.check()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failed


@pytest.mark.parametrize("grad", [True, False])
def test_grad_mode_is_as_before_after_an_interrupt(grad):
    detector = make_detector(
        Autoencoder, max_epochs=9, net_params=pressing(after_epochs=2)
    )
    early = make_detector(
        Autoencoder, max_epochs=9, net_params=pressing(after_epochs=0)
    )
    with torch.set_grad_enabled(grad):
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            detector.fit(make_samples())
        assert torch.is_grad_enabled() == grad
        with pytest.raises(KeyboardInterrupt):
            early.fit(make_samples())
        assert torch.is_grad_enabled() == grad
