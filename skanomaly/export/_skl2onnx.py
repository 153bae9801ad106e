"""Transformers and detectors of scikit-learn that skl2onnx converts."""

from typing import Any

import numpy as np

from ._graph import ML_OPSET, OPSET, Graph
from ._libraries import library, own_warnings_ignored
from ._values import Values


def convert_step(estimator: Any, graph: Graph, values: Values) -> tuple[str, Any, int]:
    """Insert a transformer; return its value, dtype and number of columns."""
    values = values.of(estimator)
    model, dtype = _convert(estimator, values.n_columns)
    value = graph.insert(model, values.numbers(graph, dtype))[0]
    (output,) = model.graph.output
    tensor = output.type.tensor_type
    n_columns = tensor.shape.dim[1].dim_value
    onnx = library("onnx")
    return value, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type), n_columns


def convert_detector(estimator: Any, graph: Graph, values: Values) -> str:
    """Insert an outlier detector; return its scores, float64 of shape (n,)."""
    values = values.of(estimator)
    model, dtype = _convert(estimator, values.n_columns)
    _, decision = graph.insert(model, values.numbers(graph, dtype))
    decision = graph.cast(graph.add("Reshape", decision, np.array([-1])), np.float64)
    return graph.add("Add", decision, np.float64(np.ravel(estimator.offset_)[0]))


def _convert(estimator: Any, n_columns: int) -> tuple[Any, Any]:
    """Return a model in the precision of scikit-learn, or the one that can be run."""
    types = library("skl2onnx.common.data_types")
    problem: Exception | None = None
    for dtype, type_name in (
        (np.float64, "DoubleTensorType"),
        (np.float32, "FloatTensorType"),
    ):
        initial = [("X", getattr(types, type_name)([None, n_columns]))]
        try:
            with own_warnings_ignored():
                model = library("skl2onnx").convert_sklearn(
                    estimator,
                    initial_types=initial,
                    target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
                )
            _check_that_it_runs(model)
        except Exception as error:
            problem = problem or error
        else:
            return model, dtype
    raise TypeError(
        f"skl2onnx can't export {estimator!r}: {problem}. See its list of supported "
        "estimators, or apply the step before, to the samples given to the model."
    ) from problem


def _check_that_it_runs(model: Any) -> None:
    """Raise if the runtime has no operator for a type of the model."""
    library("onnxruntime").InferenceSession(model.SerializeToString())
