"""How a detector is fitted: from its parameters and samples to fitted attributes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state
from skorch.dataset import ValidSplit

from ._budget import Budget, make_budget
from ._check_parameters import find_device
from ._net import make_net, make_progress
from ._scoring import make_data, score_data
from ._state import load_weights, rebuild_net, weights_of
from ._validation import Schema
from ._warnings import warn_unconverged
from .training import Data, DetectorNet, Streams, train
from .training.phases import history_rows
from .training.tasks import FitTasks

# By so many scores a threshold is known well enough, however many rows there are.
_MOST_THRESHOLD_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Fit:
    """A fit before training: the net and data that a detector and samples make."""

    detector: Any
    schema: Schema
    budget: Budget
    seed: int
    arguments: dict[str, Any]
    history: list[dict[str, Any]]
    net: DetectorNet
    data: Data
    training_data: Data
    scored: DetectorNet  # the same, unless a copy is to be scored

    def copied(self) -> "Fit":
        """Return the fit as far as it is, with a net that is apart from the training.

        To score may draw random numbers that training would have.
        """
        net, module_class = self.net, self.detector.module_class
        options: Any = (self.arguments, weights_of(net), self.seed, str(net.device))
        return replace(self, scored=rebuild_net(module_class, *options))


def fit_network(
    detector: Any,
    X: Any,
    schema: Schema,
    tasks: FitTasks | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Train a detector's network on validated samples; return the fitted attributes."""
    seed = find_seed(detector) if seed is None else seed
    budget = make_budget(detector, schema.input_shape, X.shape[0])
    name = type(detector).__name__
    bar, callbacks = make_progress(detector, name, budget.max_epochs)
    callbacks += [] if tasks is None else [tasks]
    fit = prepare_fit(detector, X, schema, budget, seed, callbacks)
    if tasks is not None:
        tasks.follow(lambda: finish_fit(fit.copied()))
    with fit.net.interrupt_:
        with closing(bar):
            is_interrupted = train_net(
                detector, fit.net, fit.training_data, is_warm_start=goes_on(detector)
            )
        fitted = finish_fit(fit)
    if is_interrupted or fit.net.interrupt_.is_requested:
        warn_interrupted(fit)
    return fitted


def goes_on(detector: Any) -> bool:
    """Tell whether training continues from fitted weights."""
    return detector.warm_start and hasattr(detector, "net_")


def draw_seed(detector: Any) -> int:
    """Draw the seed of all random streams from a detector's `random_state`."""
    random_state = check_random_state(detector.random_state)
    return random_state.randint(np.iinfo(np.int32).max)


def find_seed(detector: Any) -> int:
    """Return the seed of a fit; a warm start keeps its own."""
    seed = draw_seed(detector)
    return detector._seed if goes_on(detector) else seed


def prepare_fit(
    detector: Any,
    X: Any,
    schema: Schema,
    budget: Budget,
    seed: int,
    callbacks: list[Any],
) -> Fit:
    """Make the net of a detector, and hold out what is not trained on."""
    if goes_on(detector) and schema.input_shape != detector.input_shape_:
        raise ValueError(
            "With warm_start=True training continues with samples of shape "
            f"{detector.input_shape_}, got {schema.input_shape}."
        )
    history = detector.history_ if goes_on(detector) else []
    streams = Streams(seed, n_epochs=len(history))
    arguments = detector._module_arguments(schema.input_shape)
    device = find_device(detector.device, X)
    net = make_net(detector, arguments, budget, streams, callbacks, device=device)
    if goes_on(detector):
        continue_from(detector, net, arguments)
    training_data = Data(X, device=net.device, streams=streams)
    if split := _find_split(detector, streams):
        training_data = training_data.split(split)
    return Fit(
        detector=detector,
        schema=schema,
        budget=budget,
        seed=seed,
        arguments=arguments,
        history=history,
        net=net,
        data=make_data(detector, X, net.device, streams),
        training_data=training_data,
        scored=net,
    )


def finish_fit(fit: Fit) -> dict[str, Any]:
    """Set the threshold, and return the fitted attributes."""
    history = fit.history + history_rows(fit.net, len(fit.history))
    return {
        **fit.schema.attributes(),
        **network_attributes(fit.net, fit.arguments, fit.seed, history),
        "net_": fit.scored,
        "offset_": _find_offset(
            fit.detector, fit.scored, fit.data, fit.training_data.held_out
        ),
    }


def network_attributes(
    net: DetectorNet, arguments: dict, seed: int, history: list
) -> dict[str, Any]:
    """Return the fitted attributes that a training gives, but for the threshold."""
    return {
        "net_": net,
        "history_": history,
        "n_iter_": sum("n_steps" not in row for row in history),
        "_seed": seed,
        "_arguments": arguments,
        **{f"{name}_": value for name, value in net.module_.diagnostics.items()},
    }


def warn_interrupted(fit: Fit) -> None:
    """Say how far an interrupted training got."""
    n_epochs = len(history_rows(fit.net))
    warn_unconverged(
        f"Training was interrupted after {n_epochs} of {fit.budget.max_epochs} "
        f"epochs; {type(fit.detector).__name__} is fitted as far as it got."
    )


def continue_from(detector: Any, net: DetectorNet, arguments: dict) -> None:
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
            "The weights are those of another network: training can't continue after "
            f"changing {changed}. Set the former values, or begin anew by fit with "
            "warm_start=False."
        ) from error


def train_net(
    detector: Any, net: DetectorNet, data: Data, *, is_warm_start: bool = False
) -> bool:
    """Train, and tell whether it was interrupted."""
    with advice_if_diverged(detector):
        return train(net, data, is_warm_start=is_warm_start)


@contextmanager
def advice_if_diverged(detector: Any) -> Iterator[None]:
    """Turn divergence into advice."""
    try:
        yield
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
    values = scores.cpu().numpy()
    return float(np.percentile(values, 100.0 * detector.contamination, method=method))


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
