"""The comparison of a model with the estimator that it is made from."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from skanomaly.ensemble import DetectorEnsemble
from skanomaly.inspection._innermost import layers

from ._inputs import Input
from ._libraries import library
from ._samples import Feed, as_samples, draw, make_odd, read

# A score is a sum in float32, whose last bits depend on the order.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Comparison:
    """Outputs of a model beside those of its estimator, for the same samples."""

    ours: np.ndarray
    theirs: dict[str, np.ndarray]
    allowed: np.ndarray

    def check(self, estimator: Any, tolerance: float, what: str) -> None:
        """Raise if the outputs aren't equal within what is allowed."""
        with np.errstate(over="ignore", invalid="ignore"):
            excess = np.abs(self.theirs["score_samples"] - self.ours) / self.allowed
        if not (excess <= 1).all():
            row = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
            raise ValueError(
                f"The model is not equal to {type(estimator).__name__}: the score of "
                f"{what} {row} is {self.theirs['score_samples'][row]:.9g} instead of "
                f"{self.ours[row]:.9g}, more than tolerance={tolerance:g} allows. "
                "Nothing was written. Raise tolerance if that is near enough."
            )
        for name, (low, high) in self._bounds(estimator).items():
            found = self.theirs[name]
            if not ((low <= found) & (found <= high)).all():
                raise ValueError(
                    f"The model is not equal to {type(estimator).__name__}: {name} "
                    f"differs for {what}. Nothing was written."
                )

    def _bounds(self, estimator: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the other outputs for the lowest and the highest score allowed."""
        ends = self.ours - self.allowed, self.ours + self.allowed
        offset = threshold(estimator)
        found = {
            "decision_function": [end - offset for end in ends],
            "label": [np.where(end < offset, -1, 1) for end in ends],
        }
        if hasattr(estimator, "p_values"):
            low, high = (estimator._p_values_of(end) for end in ends)
            found["p_values"] = [low * (1 - _ROUNDING), high * (1 + _ROUNDING)]
        return {name: (low, high) for name, (low, high) in found.items()}


def check_parity(
    model: Any, estimator: Any, inputs: list[Input], X: Any, tolerance: float
) -> None:
    """Raise if the model isn't equal to the estimator, on ordinary and odd samples."""
    session = make_session(model)
    if X is None:
        feed = draw(estimator, inputs)
        samples, feed = _accepted(estimator, inputs, feed)
        if samples is None:
            raise ValueError(
                f"{type(estimator).__name__} takes none of the samples drawn for it: "
                "pass X, samples on which the model is compared."
            )
    else:
        samples, feed = read(X, inputs)
    ours = np.asarray(estimator.score_samples(samples), dtype=np.float64)
    spread = ours.std()
    allowed = tolerance * spread + _ROUNDING * np.abs(ours)
    allowed += _slack(estimator, samples, tolerance)
    theirs = run(session, feed)
    Comparison(ours, theirs, allowed).check(estimator, tolerance, "sample")
    samples, feed = _accepted(estimator, inputs, make_odd(feed, inputs))
    if samples is not None:
        with warnings.catch_warnings():  # of values that are odd on purpose
            warnings.simplefilter("ignore")
            ours = np.asarray(estimator.score_samples(samples), dtype=np.float64)
            slack = _slack(estimator, samples, tolerance)
        allowed = tolerance * (spread + np.abs(ours)) + slack
        theirs = run(session, feed)
        Comparison(ours, theirs, allowed).check(estimator, tolerance, "odd sample")


def _slack(estimator: Any, samples: Any, tolerance: float) -> Any:
    """Return by how much an ensemble differs if its members do within the tolerance.

    Its score has steps where scores of held-out rows are all but equal.
    """
    for each, X in layers(estimator, samples):
        if isinstance(each, DetectorEnsemble):
            slacks = []
            for member, scale in zip(each.estimators_, each._scales, strict=True):
                scores = member.score_samples(X)
                allowed = tolerance * scores.std() + _ROUNDING * np.abs(scores)
                slacks.append(scale(allowed - scores) - scale(-allowed - scores))
            return np.max(slacks, axis=0)
    return 0.0


def make_session(model: Any) -> Any:
    """Return what runs a model, and prints errors only."""
    onnxruntime = library("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def run(session: Any, feed: Feed) -> dict[str, np.ndarray]:
    """Return the outputs of a model by their names."""
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def threshold(estimator: Any) -> float:
    """Return the threshold of the scores of an estimator, or of what is in it."""
    for each, _ in layers(estimator):
        if hasattr(type(each), "offset_") or "offset_" in vars(each):
            return float(np.ravel(each.offset_)[0])
    raise TypeError(f"{estimator!r} has no threshold of its scores, offset_.")


def _accepted(estimator: Any, inputs: list[Input], feed: Feed) -> tuple[Any, Feed]:
    """Return the samples that an estimator doesn't refuse, in both forms."""
    n_rows = len(next(iter(feed.values())))
    if _is_accepted(estimator, as_samples(feed, inputs, estimator)):
        return as_samples(feed, inputs, estimator), feed
    rows = []
    for row in range(n_rows):
        one = {name: values[row : row + 1] for name, values in feed.items()}
        if _is_accepted(estimator, as_samples(one, inputs, estimator)):
            rows.append(row)
    feed = {name: values[rows] for name, values in feed.items()}
    return (as_samples(feed, inputs, estimator) if rows else None), feed


def _is_accepted(estimator: Any, samples: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.score_samples(samples)
        except (TypeError, ValueError):
            return False
    return True
