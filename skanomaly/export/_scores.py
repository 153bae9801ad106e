"""Scores of detectors and of what is around them, as operators."""

import math
from functools import partial, reduce, singledispatch
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skanomaly._scoring import LARGEST_SCORE
from skanomaly.base import BaseDetector
from skanomaly.calibration import ConformalDetector
from skanomaly.detectors.anogan import AnoGAN
from skanomaly.ensemble import DeepEnsemble, DetectorEnsemble
from skanomaly.inspection._innermost import held_by
from skanomaly.neighbors import NearestNeighborDetector

from ._graph import Graph
from ._network import export_network
from ._ranks import minus_log_p
from ._skl2onnx import convert_detector
from ._transformers import steps_of, transform
from ._values import Values

_LARGEST = np.finfo(np.float64).max


@singledispatch
def score(estimator: Any, graph: Graph, values: Values) -> str:
    """Return the scores of a fitted estimator, float64 of shape (n,).

    What searches and meta-estimators hold is scored; a detector that has no rule here
    is left to skl2onnx.
    """
    held = held_by(estimator)
    if held is not None:
        return score(held, graph, values)
    return convert_detector(estimator, graph, values)


@score.register
def _(estimator: Pipeline, graph: Graph, values: Values) -> str:
    *steps, last = steps_of(estimator)
    for step in steps:
        values = transform(step, graph, values)
    return score(last, graph, values)


@score.register
def _(estimator: BaseDetector, graph: Graph, values: Values) -> str:
    x = values.of(estimator).numbers(graph, np.float32)
    shape = estimator.input_shape_
    if len(shape) > 1:
        x = graph.add("Reshape", x, np.array([-1, *shape]))
    (found,) = graph.insert(export_network(estimator), x)
    found = graph.cast(graph.add("Reshape", found, np.array([-1])), np.float64)
    # As _scoring.score_data has it: an overflow is as abnormal as can be.
    limits = np.float64(-_LARGEST), np.float64(LARGEST_SCORE)
    capped = graph.add("Clip", found, *limits)
    is_nan = graph.add("IsNaN", found)
    capped = graph.add("Where", is_nan, np.float64(LARGEST_SCORE), capped)
    rows = graph.add("Reshape", x, np.array([-1, math.prod(shape)]))
    return _lowest_if_refused(graph, rows, graph.add("Neg", capped))


def _lowest_if_refused(graph: Graph, rows: str, scores: str) -> str:
    """Replace the scores of rows that aren't finite: a model can't raise an error."""
    # Zero, or NaN; a sum of the values themselves may overflow.
    zeros = graph.cast(graph.add("Sub", rows, rows), np.float32)
    zeros = graph.add("ReduceSum", zeros, np.array([1]), keepdims=0)
    is_finite = graph.add("Equal", zeros, np.float32(0))
    return graph.add("Where", is_finite, scores, np.float64(-LARGEST_SCORE))


@score.register
def _(estimator: AnoGAN, graph: Graph, values: Values) -> str:
    raise TypeError(
        "AnoGAN can't be exported: it scores a sample by a search with gradients, and "
        "an ONNX model has none. Take FAnoGAN, whose encoder replaces the search, or "
        "EGBAD."
    )


@score.register(ConformalDetector)
@score.register(DeepEnsemble)
def _(estimator: Any, graph: Graph, values: Values) -> str:
    return _mean(graph, [score(each, graph, values) for each in estimator.estimators_])


def _mean(graph: Graph, values: list[str]) -> str:
    """Return the mean of values of float64, which the operator Mean doesn't take."""
    total = reduce(partial(graph.add, "Add"), values)
    return graph.add("Div", total, np.float64(len(values)))


@score.register
def _(estimator: DetectorEnsemble, graph: Graph, values: Values) -> str:
    members = zip(estimator.estimators_, estimator._scales, strict=True)
    found = [
        minus_log_p(scale, graph, score(member, graph, values))
        for member, scale in members
    ]
    if estimator._combination == "max":
        return graph.add("Neg", graph.add("Max", *found))
    if estimator._combination == "rank":
        one = np.float64(1)
        found = [
            graph.add("Sub", one, graph.add("Exp", graph.add("Neg", each)))
            for each in found
        ]
    return graph.add("Neg", _mean(graph, found))


@score.register
def _(estimator: NearestNeighborDetector, graph: Graph, values: Values) -> str:
    """Compare with all training rows, whatever index the detector has."""
    neighbors = estimator.neighbors_
    if neighbors.effective_metric_ != "euclidean":
        raise TypeError(
            f"NearestNeighborDetector is exported with metric='euclidean' only, got "
            f"metric={estimator.metric!r}."
        )
    rows = neighbors._fit_X
    rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)
    x = values.of(estimator).numbers(graph, rows.dtype)
    k = neighbors.n_neighbors
    doubles = rows.astype(np.float64)
    double_x = graph.cast(x, np.float64)
    axis = np.array([1])
    # The squared distances, but for the square of the row itself.
    squares = graph.add(
        "Gemm", double_x, -2 * doubles.T, np.square(doubles).sum(axis=1)
    )
    nearest, index = graph.add(
        "TopK", squares, np.array([k + 1]), axis=1, largest=0, n_outputs=2
    )
    length = graph.add("Mul", double_x, double_x)
    length = graph.add("ReduceSum", length, axis, keepdims=1)
    nearest = graph.add("Max", graph.add("Add", nearest, length), np.float64(0))
    # A row that was trained on is not its own neighbor.
    first = graph.add("Squeeze", graph.take(index, [0]), axis)
    is_other = graph.add(
        "Not", graph.add("Equal", graph.add("Gather", rows, first, axis=0), x)
    )
    differs = graph.add("ReduceMax", graph.cast(is_other, np.float32), axis, keepdims=0)
    kth, after = (
        graph.add("Squeeze", graph.take(nearest, [n]), axis) for n in (k - 1, k)
    )
    is_other = graph.add("Greater", differs, np.float32(0))
    distance = graph.add("Sqrt", graph.add("Where", is_other, kth, after))
    return _lowest_if_refused(graph, x, graph.add("Neg", distance))
