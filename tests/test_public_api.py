"""What a user sees first: the import, the names, the docstrings."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
from helpers import all_detectors
from numpydoc.validate import validate

import skanomaly

TOOLKIT = (
    "calibration",
    "datasets",
    "metrics",
    "model_selection",
    "preprocessing",
    "video",
)
INNER = (
    "_parameters",
    "base",
    "nn.adversarial",
    "nn.backbones",
    "nn.ensemble",
    "nn.functional",
    "nn.linear",
    "nn.memory",
    "nn.module",
    "training.averaging",
    "nn.patches",
    "training.batches",
    "training.net",
    "training.optimizers",
)

# scikit-learn's list; not every summary needs to be extended, nor everything to name
# relatives.
NOT_CHECKED = {"ES01", "GL01", "GL02", "RT02", "SA01"}
NOT_OF_METHODS = NOT_CHECKED | {"EX01"}


def test_import_loads_no_torch():
    code = (
        "import sys, skanomaly; "
        "print(*{m.split('.')[0] for m in sys.modules} & "
        "{'torch', 'sklearn', 'skorch', 'numpy'}, sep=',')"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout.strip() == "", shown.stderr


def test_public_names_are_found():
    for name in (*skanomaly.__all__, *TOOLKIT):
        assert name in dir(skanomaly)
        assert getattr(skanomaly, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Oracle'"):
        _ = skanomaly.Oracle


def _public_objects():
    found = {f"skanomaly.{name}" for name in skanomaly.__all__}
    for module_name in (*TOOLKIT, *INNER):
        module = import_module(f"skanomaly.{module_name}")
        for name, value in vars(module).items():
            is_own = getattr(value, "__module__", "").startswith(module.__name__)
            if is_own and callable(value) and not name.startswith("_"):
                found.add(f"{module.__name__}.{name}")
    return sorted(found)


def _public_methods():
    for cls in all_detectors():
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and value.__module__.startswith("skanomaly"):
                yield f"skanomaly.{cls.__name__}.{name}"


@pytest.mark.parametrize("name", _public_objects())
def test_docstring(name):
    errors = [e for e in validate(name)["errors"] if e[0] not in NOT_CHECKED]
    assert not errors


@pytest.mark.parametrize("name", sorted(_public_methods()))
def test_method_docstring(name):
    errors = [e for e in validate(name)["errors"] if e[0] not in NOT_OF_METHODS]
    assert not errors
