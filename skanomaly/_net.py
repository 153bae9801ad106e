"""An untrained net, and its callbacks, from the parameters of a detector."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from skorch.callbacks import EarlyStopping, LRScheduler, PrintLog
from skorch.utils import noop

from ._budget import Budget
from .training import DetectorNet, Streams
from .training.progress import TrainingBar


def make_progress(
    detector: Any, name: str, max_epochs: int | None
) -> tuple[TrainingBar, list[Any]]:
    """Return a bar, and the callbacks that `verbose` asks for."""
    bar = TrainingBar(name, max_epochs)
    if detector.verbose == 1:
        return bar, [("progress", bar)]
    return bar, [("print_log", PrintLog())] if detector.verbose > 1 else []


def make_net(
    detector: Any,
    arguments: Mapping[str, Any],
    budget: Budget,
    streams: Streams,
    callbacks: Sequence[Any],
    *,
    device: str,
) -> DetectorNet:
    """Build an untrained net from the parameters of a detector."""
    options = dict(detector.net_params or {})
    options.pop("train_split", None)
    # Callbacks remember what they saw; the caller's own stay as they are.
    of_user = copy.deepcopy(list(options.pop("callbacks", [])))
    for each in of_user:
        callback = each[1] if isinstance(each, tuple) else each
        if isinstance(callback, LRScheduler) and not _is_plateau(callback.policy):
            # Each phase has new optimizers, and so begins the schedule anew.
            callback.last_epoch = getattr(callback, "last_epoch", -1)
    own = list(callbacks)
    if detector.early_stopping and budget.n_iter_no_change is not None:
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
        device=device,
        verbose=max(0, detector.verbose - 1),
        callbacks=[*own, *of_user],
        **options,
    )
    try:
        return net.initialize()
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        raise MemoryError(
            f"The network of {type(detector).__name__} doesn't fit into memory: "
            f"{error}. Lower its sizes, such as hidden_sizes and latent_size."
        ) from error
    except (TypeError, ValueError) as error:
        if "unexpected argument" not in str(error):
            raise
        raise ValueError(f"net_params has a setting that is none: {error}") from error


def _is_plateau(policy: Any) -> bool:
    """Tell the one scheduler of torch that knows no epochs."""
    return getattr(policy, "__name__", policy) == "ReduceLROnPlateau"
