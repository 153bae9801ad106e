"""From the network of a detector to a model."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch

from skanomaly._state import rebuild_net, weights_of

from ._graph import OPSET
from ._libraries import library, own_warnings_ignored

# Sizes of 0 and 1 are taken for constants.
_BATCH = 3


def export_network(detector: Any) -> Any:
    """Return the score of a fitted detector's network as a model."""
    # On the CPU, and another than the detector's own: exporting leaves traces.
    module = rebuild_net(
        detector.module_class,
        detector._arguments,
        weights_of(detector.net_),
        detector._seed,
        "cpu",
    ).module_
    example = torch.zeros(_BATCH, *detector.input_shape_)
    library("onnxscript")
    try:
        # Without gradients layers are products only; a graph has no way back.
        with torch.no_grad(), own_warnings_ignored(), _no_word_of_torchvision():
            program: Any = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                verbose=False,
            )
    except Exception as error:
        raise TypeError(
            f"{type(detector).__name__} can't be exported: torch.onnx says "
            f"{str(error).strip().splitlines()[0]!r}. It has to be one computation for "
            "all samples, without branches that depend on their values."
        ) from error
    return program.model_proto


@contextlib.contextmanager
def _no_word_of_torchvision() -> Iterator[None]:
    """Keep the exporter from saying that torchvision, of no use here, isn't there."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")

    def is_told(record: logging.LogRecord) -> bool:
        return "torchvision is not installed" not in record.getMessage()

    logger.addFilter(is_told)
    try:
        yield
    finally:
        logger.removeFilter(is_told)
