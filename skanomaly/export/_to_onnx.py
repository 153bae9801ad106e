"""From a fitted estimator to a file that runs without Python."""

import os
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

import skanomaly
from skanomaly._files import check_path, replacing
from skanomaly.calibration import ConformalDetector

from ._graph import Graph
from ._inputs import Input, as_values, describe, find_inputs
from ._libraries import check_libraries, library
from ._parity import check_parity, threshold
from ._ranks import p_values
from ._scores import score


def to_onnx(
    estimator: Any, path: str | os.PathLike, X: Any = None, *, tolerance: float = 1e-5
) -> None:
    """Write a fitted detector, or a whole Pipeline, as an ONNX model.

    Before the file is written, the model is compared with the estimator: on samples
    like those of the training, and on odd ones, with missing, unknown and huge values.

    Parameters
    ----------
    estimator : estimator
        Fitted outlier detector with `score_samples`, or a Pipeline, a meta-estimator or
        a search that ends with one.
    path : str or path-like
        Where the file is written, whole or not at all; a file that is there is
        replaced.
    X : {array-like, DataFrame} of shape (n_samples, ...), default=None
        Samples on which the model is compared with the estimator. None draws some from
        what is known of the training samples, which is little where another step than
        `~skanomaly.preprocessing.TableEncoder` or a scaler comes first. If X is an
        array of float32, so is the input of the model.
    tolerance : float, default=1e-5
        Largest difference of the scores, in standard deviations of the scores of
        ordinary samples.

    Raises
    ------
    ImportError
        If a library of the extra ``onnx`` is missing.
    TypeError
        If a step can't be exported; the error says what to do.
    ValueError
        If the model is not equal to the estimator within the tolerance, or if X is
        not like the training samples.
    OSError
        If the file can't be written.

    Notes
    -----
    The model of an estimator that was fitted on a frame, or that starts with a
    `~skanomaly.preprocessing.TableEncoder`, has an input of shape (n_samples, 1) for
    each column that is used, of the name of the column, or ``x0``, ``x1``, ...: float64
    for numbers and string for categories. NaN and the empty string are missing values.
    A date is the number of seconds from 1970-01-01T00:00 to it, as the clock on the
    wall shows it. Other estimators have one input, ``X``: float32 for a detector alone,
    float64 with preprocessing.

    The outputs, of shape (n_samples,), are those of the methods: ``score_samples``,
    ``decision_function`` and, if the estimator is a
    `~skanomaly.calibration.ConformalDetector`, ``p_values``, of float64; ``label`` is
    what `predict` returns, of int64. A sample that a detector of this package would
    refuse, as it is not finite, has the lowest score.

    Preprocessing is done in the precision of scikit-learn, float64 for frames, and the
    network in float32, as torch does it.

    Examples
    --------
    >>> import tempfile
    >>> import onnxruntime
    >>> import pandas as pd
    >>> from skanomaly import Autoencoder, make_tabular_pipeline, to_onnx
    >>> frame = pd.DataFrame({"size": [1.0, 2.0, 4.0] * 9, "kind": ["a", "a", "b"] * 9})
    >>> detector = make_tabular_pipeline(Autoencoder(max_epochs=9, random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(detector.fit(frame), f"{folder}/detector.onnx", frame)
    ...     session = onnxruntime.InferenceSession(f"{folder}/detector.onnx")
    >>> [(each.name, each.type, each.shape) for each in session.get_inputs()]
    [('size', 'tensor(double)', ['n_samples', 1]),
     ('kind', 'tensor(string)', ['n_samples', 1])]
    >>> feed = {name: frame[[name]].to_numpy() for name in frame}
    >>> (label,) = session.run(["label"], feed)
    >>> (label == detector.predict(frame)).all()
    np.True_
    """
    check_libraries()
    path = check_path(path)
    check_scalar(tolerance, "tolerance", Real, min_val=0, include_boundaries="neither")
    if not np.isfinite(tolerance):
        raise ValueError(f"tolerance must be finite, got {tolerance}.")
    check_is_fitted(estimator)
    if not hasattr(estimator, "score_samples"):
        raise TypeError(
            f"to_onnx takes an outlier detector with score_samples, or a Pipeline that "
            f"ends with one, got {estimator!r}."
        )
    inputs = find_inputs(estimator, X)
    model = _build(estimator, inputs)
    check_parity(model, estimator, inputs, X, tolerance)
    with replacing(path) as draft:
        draft.write_bytes(model.SerializeToString())


def _build(estimator: Any, inputs: list[Input]) -> Any:
    """Return the model of an estimator, not yet compared with it."""
    graph = Graph()
    scores = score(estimator, graph, as_values(inputs))
    decision = graph.add("Sub", scores, np.float64(threshold(estimator)))
    is_outlier = graph.add("Less", decision, np.float64(0))
    label = graph.add("Where", is_outlier, np.int64(-1), np.int64(1))
    outputs = {
        "score_samples": (scores, np.float64),
        "decision_function": (decision, np.float64),
        "label": (label, np.int64),
    }
    if isinstance(estimator, ConformalDetector):
        outputs["p_values"] = p_values(estimator, graph, scores), np.float64
    _check_names(inputs, outputs)
    model = graph.to_model([each.info() for each in inputs], outputs)
    _describe(model, estimator, inputs)
    return model


def _check_names(inputs: list[Input], outputs: dict) -> None:
    """Raise if a column has the name of an output."""
    taken = [each.name for each in inputs if each.name in outputs]
    if taken:
        raise ValueError(
            f"The columns {taken} have names of the model's outputs, which are "
            f"{list(outputs)}. Rename them before fit."
        )


def _describe(model: Any, estimator: Any, inputs: list[Input]) -> None:
    """Say in the file where it comes from and what its inputs are."""
    model.producer_name = "skanomaly"
    model.producer_version = skanomaly.__version__
    properties = {"estimator": type(estimator).__name__, "inputs": describe(inputs)}
    library("onnx").helper.set_model_props(model, properties)
