"""What a user sees first: the import, the names, the docstrings."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from helpers import all_detectors
from numpydoc.validate import validate

import skanomaly

TOOLKIT = (
    "calibration",
    "datasets",
    "ensemble",
    "export",
    "inspection",
    "metrics",
    "model_selection",
    "neighbors",
    "out_of_core",
    "persistence",
    "preprocessing",
    "video",
)
API_PAGE = Path(__file__).parents[1] / "docs" / "api.rst"

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
    assert shown.returncode == 0
    assert shown.stdout.strip() == "", shown.stderr


def test_public_names_are_found():
    for name in (*skanomaly.__all__, *TOOLKIT):
        assert name in dir(skanomaly)
        assert getattr(skanomaly, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Oracle'"):
        _ = skanomaly.Oracle


def find(name):
    """Return what a dotted name stands for."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise AttributeError(name)


def names_of_the_page():
    """List what the API page documents."""
    entries = re.findall(r"(?m)^   ([\w.]+)$", API_PAGE.read_text())
    return [f"skanomaly.{name}" for name in entries]


def names_of_the_toolkit():
    found = [f"skanomaly.{name}" for name in skanomaly.__all__]
    for module_name in TOOLKIT:
        module = import_module(f"skanomaly.{module_name}")
        for name, value in vars(module).items():
            is_own = getattr(value, "__module__", "").startswith(module.__name__)
            if is_own and callable(value) and not name.startswith("_"):
                found.append(f"{module.__name__}.{name}")
    return found


PUBLIC = sorted({*names_of_the_page(), *names_of_the_toolkit()})
# The methods of the net are skorch's seams, one line each.
CLASSES = [
    name
    for name in names_of_the_toolkit()
    if inspect.isclass(find(name)) and not issubclass(find(name), Exception)
] + ["skanomaly.base.BaseDetector", "skanomaly.nn.DetectorModule"]


def methods_of(name):
    # Class methods, such as from_estimator of a display, are routines, too.
    for method, function in inspect.getmembers(find(name), inspect.isroutine):
        if not method.startswith("_") and function.__module__.startswith("skanomaly"):
            yield f"{name}.{method}"


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring(name):
    errors = [e for e in validate(name)["errors"] if e[0] not in NOT_CHECKED]
    assert not errors


@pytest.mark.parametrize("name", CLASSES)
def test_docstrings_of_methods(name):
    assert list(methods_of(name))
    for method in methods_of(name):
        errors = [e for e in validate(method)["errors"] if e[0] not in NOT_OF_METHODS]
        assert not errors, method


@pytest.mark.parametrize("name", sorted({*names_of_the_page()}))
def test_what_the_page_names_is_there(name):
    assert find(name) is not None


def test_networks_of_detectors_are_no_api():
    """One line says what a module is; the paper's words are in its methods."""
    for cls in all_detectors():
        module_class = cls.module_class
        assert module_class.__doc__
        assert "Parameters\n" not in module_class.__doc__, module_class
