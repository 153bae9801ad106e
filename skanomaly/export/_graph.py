"""A graph of ONNX operators that is written from its inputs to its outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._libraries import library, own_warnings_ignored

OPSET, ML_OPSET = 20, 3
_ML = "ai.onnx.ml"
# Of a graph with these operators; runtimes refuse what is newer than themselves.
_IR_VERSION = 9


class Graph:
    """Operators in the order in which they run; values are known by their names.

    Where an operator takes a value it may be given an array, which is a constant then.
    """

    def __init__(self) -> None:
        self._onnx = library("onnx")
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._n_names = 0

    def add(self, operator: str, *inputs: Any, n_outputs: int = 1, **attributes) -> Any:
        """Apply an operator; return the name of its value, or the names of several."""
        names = [self._new_name() for _ in range(n_outputs)]
        domain = _ML if operator == "LabelEncoder" else ""
        self._nodes.append(
            self._onnx.helper.make_node(
                operator,
                [
                    each if isinstance(each, str) else self.constant(each)
                    for each in inputs
                ],
                names,
                domain=domain,
                **attributes,
            )
        )
        return names[0] if n_outputs == 1 else names

    def constant(self, value: Any) -> str:
        """Return the name of an array, a number or an array of strings."""
        name, array = self._new_name(), np.asarray(value)
        if array.dtype.kind in "OU":
            array = array.astype(object)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """Convert a value to a dtype of numpy."""
        to = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", value, to=to)

    def concat(self, values: Sequence[str]) -> str:
        """Put columns beside each other."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def take(self, value: str, columns: Any) -> str:
        """Select columns by their positions."""
        return self.add("Gather", value, np.asarray(columns, dtype=np.int64), axis=1)

    def insert(self, model: Any, *inputs: str) -> list[str]:
        """Insert all of another model; return the names of its outputs."""
        with own_warnings_ignored():
            if _opset_of(model) != OPSET:
                model = self._onnx.version_converter.convert_version(model, OPSET)
            model = self._onnx.compose.add_prefix(model, f"{self._new_name()}/")
        graph = model.graph
        for inner, outer in zip(graph.input, inputs, strict=True):
            self._nodes.append(
                self._onnx.helper.make_node("Identity", [outer], [inner.name])
            )
        for node in graph.node:
            # Where each operator stands in the files of this machine.
            del node.metadata_props[:]
            node.doc_string = ""
        self._nodes.extend(graph.node)
        self._constants.extend(graph.initializer)
        return [each.name for each in graph.output]

    def to_model(
        self, inputs: Sequence[Any], outputs: dict[str, tuple[str, Any]]
    ) -> Any:
        """Return the model with these inputs, and outputs by name: value and dtype."""
        helper = self._onnx.helper
        infos = []
        for name, (value, dtype) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            infos.append(helper.make_tensor_value_info(name, kind, ["n_samples"]))
        graph = helper.make_graph(
            self._nodes, "skanomaly", list(inputs), infos, self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_ML, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        self._onnx.checker.check_model(model)
        return model

    def _new_name(self) -> str:
        self._n_names += 1
        return f"/{self._n_names}"


def _opset_of(model: Any) -> int:
    """Return the version of the standard operators that a model uses."""
    versions = {each.domain: each.version for each in model.opset_import}
    return versions.get("", OPSET)
