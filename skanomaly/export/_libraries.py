"""The libraries that write and run ONNX, which are imported when they are needed."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

_NEEDED = ("onnx", "onnxruntime", "onnxscript", "skl2onnx")


def check_libraries() -> None:
    """Name the extra that installs the libraries if one isn't there."""
    for name in _NEEDED:
        try:
            library(name)
        except ImportError as error:
            raise ImportError(
                f"to_onnx needs {name}: pip install 'skanomaly[onnx]'."
            ) from error


def library(name: str) -> ModuleType:
    """Import a library, or a module of it."""
    with own_warnings_ignored():
        return import_module(name)


@contextmanager
def own_warnings_ignored() -> Iterator[None]:
    """Ignore what the exporters warn their own authors of."""
    with warnings.catch_warnings():
        # torch.export calls what it deprecates itself.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec", FutureWarning)
        for module in ("onnx", "onnxscript", "skl2onnx", "torch"):
            warnings.filterwarnings(
                "ignore", category=DeprecationWarning, module=module
            )
        yield
