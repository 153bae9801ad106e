"""How several detectors are fitted: those of equal networks in one pass."""

from collections import defaultdict
from contextlib import closing
from typing import Any

import torch

from ._budget import make_budget
from ._check_parameters import check_parameters
from ._fit import (
    find_seed,
    finish_fit,
    fit_network,
    goes_on,
    prepare_fit,
    train_net,
    warn_interrupted,
)
from ._net import make_progress
from ._reading import read_training_samples
from ._validation import Schema
from .training.stacked import NotStackableError, StackedData, stack_nets

# Whatever their values, the networks are the same and are trained alike.
_FREE_PARAMETERS = {"random_state", "contamination", "verbose"}


def fit_networks(detectors: list[Any], X: Any, y: Any = None) -> list[dict[str, Any]]:
    """Train the networks of detectors; return the fitted attributes of each."""
    for detector in detectors:
        detector._validate_params()
        check_parameters(detector)
    with torch.inference_mode(False), torch.enable_grad():
        # In the order in which they would be drawn one after the other.
        seeds = [find_seed(detector) for detector in detectors]
        fitted: dict[int, dict[str, Any]] = {}
        for numbers in _groups(detectors):
            group = [detectors[nth] for nth in numbers]
            samples, schema = read_training_samples(group[0], X, y)
            found = _fit_group(group, samples, schema, [seeds[nth] for nth in numbers])
            fitted.update(zip(numbers, found, strict=True))
    return [fitted[nth] for nth in range(len(detectors))]


def _groups(detectors: list[Any]) -> list[list[int]]:
    """List the numbers of detectors that can be trained in one pass."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for nth, detector in enumerate(detectors):
        groups[_key(detector) if _is_stackable(detector) else nth].append(nth)
    return list(groups.values())


def _is_stackable(detector: Any) -> bool:
    """Tell whether the network has one loss a step, and is trained from its start."""
    has_one_loss = not detector.module_class.networks
    return has_one_loss and not detector.net_params and not goes_on(detector)


def _key(detector: Any) -> tuple[type, str]:
    """Return what is the same for detectors of equal networks."""
    params = detector.get_params(deep=False)
    fixed = {name: params[name] for name in params.keys() - _FREE_PARAMETERS}
    return type(detector), repr(sorted(fixed.items()))


def _fit_group(
    detectors: list[Any], X: Any, schema: Schema, seeds: list[int]
) -> list[dict[str, Any]]:
    """Train in one pass, or else one after the other."""
    # The products of convolutions are large enough by themselves.
    if len(detectors) > 1 and len(schema.input_shape) == 1:
        try:
            return _fit_stacked(detectors, X, schema, seeds)
        except NotStackableError:
            pass
    return [
        fit_network(detector, X, schema, seed=seed)
        for detector, seed in zip(detectors, seeds, strict=True)
    ]


def _fit_stacked(
    detectors: list[Any], X: Any, schema: Schema, seeds: list[int]
) -> list[dict[str, Any]]:
    """Train in one pass."""
    first = detectors[0]
    budget = make_budget(first, schema.input_shape, X.shape[0])
    fits = [
        prepare_fit(detector, X, schema, budget, seed, [])
        for detector, seed in zip(detectors, seeds, strict=True)
    ]
    name = f"{len(detectors)} x {type(first).__name__}"
    bar, progress = make_progress(first, name, budget.max_epochs)
    net = stack_nets([fit.net for fit in fits], progress)
    data = StackedData([fit.training_data for fit in fits])
    with net.interrupt_:
        with closing(bar):
            try:
                is_interrupted = train_net(first, net, data)
            except ValueError as error:
                for nth in net.module_.diverged():
                    error.add_note(f"Raised by detector {nth}, {detectors[nth]!r}.")
                raise
        fitted = [finish_fit(fit) for fit in fits]
    if is_interrupted or net.interrupt_.is_requested:
        warn_interrupted(fits[0])
    return fitted
