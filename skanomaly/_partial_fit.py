"""How a detector goes on with a chunk of a stream."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, Self

import numpy as np
import torch

from ._budget import make_chunk_budget
from ._check_parameters import check_parameters, find_device
from ._decorators import fit_context
from ._fit import (
    advice_if_diverged,
    continue_from,
    draw_seed,
    network_attributes,
)
from ._net import make_net, make_progress
from ._reading import read_samples, read_training_samples
from ._scoring import make_data, score_data
from ._validation import Schema, warn_of_labeled_outliers
from .training import Data, DetectorNet, Streams
from .training.phases import history_rows, train_on_chunk
from .training.reservoir import add_to_reservoir
from .training.resume import ResumePhases

# So many held-out samples are to be below the threshold. More would make it surer, and
# slower to follow drift: old samples score low once the network has forgotten them.
_RANK_OF_THRESHOLD, _MOST_HELD_OUT = 20, 1000
_MOST_RECENT = 1000


class PartialFitMixin:
    """`partial_fit` of a detector."""

    _validate_params: Callable[[], None]  # of BaseEstimator

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train once on a chunk of a stream, from the weights as they are.

        The first call fixes the schema and builds the network; after `fit` the network
        is the fitted one. The optimizers go on from call to call. `max_epochs` and
        `early_stopping` are not used. A call that fails, or is interrupted, leaves the
        detector as it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            The next samples, as for `fit`; the first call needs two. Of them
            `validation_fraction` is held out of training, for the threshold.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The detector, fitted as far as the stream has come.

        Raises
        ------
        ValueError
            If the data or a parameter can't be trained on, are not like those of the
            first call, or if training diverges.
        TypeError
            If the data are sparse images or clips, or hold dates.
        KeyboardInterrupt
            If interrupted.
        """
        self._validate_params()  # scikit-learn does so in the first call only
        check_parameters(self)
        with torch.inference_mode(False), torch.enable_grad():
            X, schema = _read_chunk(self, X, y)
            fitted = _train_on_chunk(self, X, schema)
        self.__dict__ = vars(self) | fitted
        return self


def _read_chunk(detector: Any, X: Any, y: Any = None) -> tuple[Any, Schema]:
    """Return float32 samples, and their schema, which the first call decides."""
    if not hasattr(detector, "net_"):
        return read_training_samples(detector, X, y)
    warn_of_labeled_outliers(y)
    names = getattr(detector, "feature_names_in_", None)
    schema = Schema(detector.input_shape_, names, detector._namespace)
    return read_samples(detector, X), schema


def _train_on_chunk(detector: Any, X: Any, schema: Schema) -> dict[str, Any]:
    """Train once on a validated chunk; return the fitted attributes."""
    is_first = not hasattr(detector, "net_")
    seed = draw_seed(detector) if is_first else detector._seed
    history = [] if is_first else detector.history_
    n_seen = getattr(detector, "n_samples_seen_", 0)
    streams = Streams(seed, n_epochs=len(history) + n_seen)
    arguments = detector._module_arguments(schema.input_shape)
    budget = make_chunk_budget(detector, schema.input_shape, X.shape[0])
    states = dict(getattr(detector, "phase_states_", {}))
    bar, callbacks = make_progress(detector, type(detector).__name__, None)
    callbacks.append(ResumePhases(states))
    device = find_device(detector.device, X)
    net = make_net(detector, arguments, budget, streams, callbacks, device=device)
    if not is_first:
        continue_from(detector, net, arguments)
    options: Any = {"device": net.device, "streams": streams}
    data = Data(X, **options)
    rows, held_out_rows = _split(detector, data, is_first=is_first)
    size = int(np.clip(_RANK_OF_THRESHOLD / detector.contamination, 1, _MOST_HELD_OUT))
    reservoir = _add(detector, "reservoir_", data.take(held_out_rows), size)
    recent = _add(detector, "recent_samples_", data.take(rows), _MOST_RECENT)
    held_out = Data(reservoir, **options)
    is_interrupted = False
    with net.interrupt_:
        with closing(bar), advice_if_diverged(detector):
            if len(rows):
                measured = Data(recent, held_out=held_out, **options)
                is_interrupted = train_on_chunk(
                    net, data.take(rows, held_out), None if is_first else measured
                )
        offset = _find_offset(detector, net, reservoir, recent)
    if is_interrupted or net.interrupt_.is_requested:
        raise KeyboardInterrupt
    history = history + history_rows(net, len(history))
    return {
        **schema.attributes(),
        **network_attributes(net, arguments, seed, history),
        "offset_": offset,
        "n_samples_seen_": n_seen + X.shape[0],
        "reservoir_": reservoir,
        "recent_samples_": recent,
        "phase_states_": states,
    }


def _split(
    detector: Any, data: Data, *, is_first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a chunk that are trained on, and those that are held out."""
    random_state = data.streams.random_state("chunk")
    # Rounded at random: chunks of few rows give their fraction, too, in the long run.
    n_held_out = int(detector.validation_fraction * len(data) + random_state.rand())
    if not hasattr(detector, "reservoir_"):
        n_held_out = max(n_held_out, 1)
    if is_first:
        n_held_out = min(n_held_out, len(data) - 1)
    order = random_state.permutation(len(data))
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def _add(detector: Any, name: str, data: Data, size: int) -> np.ndarray:
    """Add samples to one of a detector's reservoirs, or to an empty one."""
    empty = np.empty((0, *data.source.shape[1:]), dtype=np.float32)
    random_state = data.streams.random_state("reservoir")
    return add_to_reservoir(getattr(detector, name, empty), data, random_state, size)


def _find_offset(
    detector: Any, net: DetectorNet, reservoir: np.ndarray, recent: np.ndarray
) -> float:
    """Return a quantile of the scores that held-out samples have by now."""
    samples = reservoir
    # Of fewer there is no such quantile by the rank of n + 1.
    if len(samples) < 1 / detector.contamination - 1:
        samples = np.concatenate([samples, recent])
    scores = score_data(net, make_data(detector, samples, net.device))
    percent = 100.0 * detector.contamination
    return float(np.percentile(scores.cpu().numpy(), percent, method="weibull"))
