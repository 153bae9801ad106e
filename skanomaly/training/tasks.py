"""Phases and epochs as tasks, of which scikit-learn's callbacks are told."""

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback


class FitTasks(Callback):
    """Tell scikit-learn's callbacks of a fit, its phases, and their epochs.

    A callback that asks to stop at the end of an epoch ends the phase. Phases are
    never left out: without the later ones a network may have no score.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The task of the whole fit.
    **told : dict
        What each hook is told: estimator, X and y.
    """

    def __init__(self, context, **told):
        self.context = context
        self.told = told
        context.call_on_fit_task_begin(**told)

    def follow(self, fitted_attributes: Callable[[], dict[str, Any]]) -> None:
        """Name what returns the attributes of a detector fitted as far as it is."""
        self.fitted_attributes = fitted_attributes

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Begin the task of a phase."""
        self.phase = self.context.subcontext(
            net.phase_.name, max_subtasks=net.n_phase_epochs_
        )
        self.phase.call_on_fit_task_begin(**self.told)

    def on_epoch_begin(self, net, **kwargs):
        """Begin the task of an epoch."""
        self.epoch = self.phase.subcontext("epoch")
        self.epoch.call_on_fit_task_begin(**self.told)

    def on_epoch_end(self, net, **kwargs):
        """End the task of an epoch, and the phase if a callback asks for it."""
        is_stopped = self.epoch.call_on_fit_task_end(
            **self.told, reconstruction_attributes=self.fitted_attributes
        )
        if is_stopped:
            raise KeyboardInterrupt  # by which callbacks of skorch end a training

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """End the task of a phase."""
        self.phase.call_on_fit_task_end(**self.told)

    def end(self) -> None:
        """End the task of the fit, and let go of the samples."""
        self.context.call_on_fit_task_end(**self.told, reconstruction_attributes={})
        self.__dict__.clear()
