"""How a detector is fitted: from its parameters and samples to fitted attributes."""

import copy
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state
from skorch.callbacks import EarlyStopping, LRScheduler, PrintLog
from skorch.dataset import ValidSplit
from skorch.utils import noop

from ._budget import Budget, make_budget
from ._state import load_weights, weights_of
from ._validation import Schema, find_device
from ._warnings import warn_unconverged
from .training import Data, DetectorNet, Streams, train
from .training.passes import evaluate
from .training.phases import history_rows
from .training.progress import TrainingBar, scoring_bar

# By so many scores a threshold is known well enough, however many rows there are.
_MOST_THRESHOLD_SAMPLES = 1_000_000
# An infinite score is of no use to a metric; no finite one is larger than this.
_LARGEST_SCORE = float(np.finfo(np.float32).max)


def fit_network(detector: Any, X: Any, schema: Schema) -> dict[str, Any]:
    """Train a detector's network on validated samples; return the fitted attributes."""
    goes_on = detector.warm_start and hasattr(detector, "net_")
    if goes_on and schema.input_shape != detector.input_shape_:
        raise ValueError(
            "With warm_start=True training continues with samples of shape "
            f"{detector.input_shape_}, got {schema.input_shape}."
        )
    seed = check_random_state(detector.random_state).randint(np.iinfo(np.int32).max)
    seed, history = (detector._seed, detector.history_) if goes_on else (seed, [])
    streams = Streams(seed, n_epochs=len(history))
    arguments = detector._module_arguments(schema.input_shape)
    budget = make_budget(detector, schema.input_shape, X.shape[0])
    bar = TrainingBar(type(detector).__name__, budget.max_epochs)
    net = make_net(detector, arguments, budget, streams, bar)
    if goes_on:
        _continue_from(detector, net, arguments)
    data = make_data(detector, X, net.device, streams)
    with net.interrupt_:
        with closing(bar):
            training_data = Data(X, device=net.device, streams=streams)
            if split := _find_split(detector, streams):
                training_data = training_data.split(split)
            is_interrupted = _train(detector, net, training_data, is_warm_start=goes_on)
        offset = _find_offset(detector, net, data, training_data.held_out)
    rows = history_rows(net, len(history))
    if is_interrupted or net.interrupt_.is_requested:
        warn_unconverged(
            f"Training was interrupted after {len(rows)} of {budget.max_epochs} "
            f"epochs; {type(detector).__name__} is fitted as far as it got."
        )
    return {
        **schema.attributes(),
        "net_": net,
        "history_": history + rows,
        "n_iter_": sum("n_steps" not in row for row in history + rows),
        "offset_": offset,
        "_seed": seed,
        "_arguments": arguments,
        **{f"{name}_": value for name, value in net.module_.diagnostics.items()},
    }


def _continue_from(detector: Any, net: DetectorNet, arguments: dict) -> None:
    """Load the fitted weights, or name the parameters that they don't fit."""
    try:
        load_weights(net, weights_of(detector.net_))
    except ValueError as error:
        changed = ", ".join(
            f"{name} from {before} to {arguments[name]}"
            for name, before in detector._arguments.items()
            if str(before) != str(arguments[name])
        )
        raise ValueError(
            "The weights are those of another network: with warm_start=True training "
            f"can't continue after changing {changed}. Set the former values, or "
            "warm_start=False."
        ) from error


def _train(detector: Any, net: DetectorNet, data: Data, *, is_warm_start: bool) -> bool:
    """Train, and turn divergence into advice."""
    try:
        return train(net, data, is_warm_start=is_warm_start)
    except FloatingPointError as error:
        raise ValueError(
            f"Training diverged: {error}. Scale the features (for example with "
            "StandardScaler) or lower learning_rate (now "
            f"{detector.learning_rate:g})."
        ) from error


def _find_offset(
    detector: Any, net: DetectorNet, data: Data, held_out: Data | None
) -> float:
    """Return the threshold: a quantile of the scores of samples."""
    method: Literal["linear", "weibull"] = "linear"
    if detector.early_stopping and held_out is not None and held_out.rows is not None:
        # New samples score like these, and worse than what was trained on. By the rank
        # of n + 1, as a new sample is one more.
        data, method = data.take(held_out.rows), "weibull"
    n_scored = net.module_.max_threshold_samples or _MOST_THRESHOLD_SAMPLES
    scores = score_data(net, data if n_scored >= len(data) else data.sample(n_scored))
    return float(np.percentile(scores, 100.0 * detector.contamination, method=method))


def make_data(
    detector: Any,
    X: Any,
    device: str,
    streams: Streams | None = None,
) -> Data:
    """Return validated samples as a network on this device takes them."""
    progress = scoring_bar(type(detector).__name__) if detector.verbose == 1 else None
    return Data(X, device=device, streams=streams, progress=progress)


def score_data(net: DetectorNet, data: Data) -> np.ndarray:
    """Score samples. The one place where the sign is flipped."""
    score = evaluate(net.module_, "score", data)
    # A sample so extreme that the network overflows is as abnormal as can be.
    np.nan_to_num(score, copy=False, nan=_LARGEST_SCORE, posinf=_LARGEST_SCORE)
    return np.negative(score, out=score)


def make_net(
    detector: Any,
    arguments: Mapping[str, Any],
    budget: Budget,
    streams: Streams,
    bar: TrainingBar,
) -> DetectorNet:
    """Build an untrained net from the parameters of a detector."""
    options = dict(detector.net_params or {})
    options.pop("train_split", None)
    # Callbacks remember what they saw; the caller's own stay as they are.
    callbacks = copy.deepcopy(list(options.pop("callbacks", [])))
    for each in callbacks:
        callback = each[1] if isinstance(each, tuple) else each
        if isinstance(callback, LRScheduler) and not _is_plateau(callback.policy):
            # Each phase has new optimizers, and so begins the schedule anew.
            callback.last_epoch = getattr(callback, "last_epoch", -1)
    own: list[tuple[str, Any]] = []
    if detector.verbose == 1:
        own.append(("progress", bar))
    elif detector.verbose > 1:
        own.append(("print_log", PrintLog()))
    if detector.early_stopping:
        # skorch's relative threshold is wrong for losses below zero.
        stop = EarlyStopping(
            patience=budget.n_iter_no_change,
            threshold=0,
            threshold_mode="abs",
            load_best=True,
            sink=noop,
        )
        own.append(("early_stopping", stop))
    net = DetectorNet(
        partial(detector.module_class, **arguments),
        streams=streams,
        trim_fraction=detector.trim_fraction,
        max_epochs=budget.max_epochs,
        batch_size=budget.batch_size,
        lr=detector.learning_rate,
        device=find_device(detector.device),
        verbose=max(0, detector.verbose - 1),
        callbacks=[*own, *callbacks],
        **options,
    )
    try:
        return net.initialize()
    except (TypeError, ValueError) as error:
        if "unexpected argument" not in str(error):
            raise
        raise ValueError(f"net_params has a setting that is none: {error}") from error


def _find_split(detector: Any, streams: Streams) -> Any:
    """Return what holds out samples, or None where all are trained on."""
    split = (detector.net_params or {}).get("train_split", "default")
    if split != "default":
        return split
    if detector.early_stopping or detector.module_class.needs_held_out:
        return ValidSplit(
            detector.validation_fraction, random_state=streams.seed("split")
        )
    return None


def _is_plateau(policy: Any) -> bool:
    """Tell the one scheduler of torch that knows no epochs."""
    return getattr(policy, "__name__", policy) == "ReduceLROnPlateau"
