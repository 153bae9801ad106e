"""Imports go downwards only."""

import ast
from pathlib import Path

import pytest

import skanomaly

ROOT = Path(skanomaly.__file__).parent

# What each layer may import of the package, and which frameworks it may know.
MAY_IMPORT = {
    "nn": ({"nn"}, {"torch"}),
    "training": ({"nn", "training"}, {"torch", "skorch", "numpy", "scipy", "tqdm"}),
    "_parameters": ({"nn"}, set()),
    "base": (
        {"_parameters", "nn", "training"},
        {"torch", "skorch", "numpy", "scipy", "sklearn"},
    ),
    "detectors": ({"nn", "base"}, {"torch", "numpy", "scipy", "sklearn"}),
    "calibration": (set(), {"numpy", "sklearn"}),
    "datasets": ({"datasets"}, {"numpy", "sklearn", "pandas", "PIL"}),
    "metrics": (set(), {"numpy", "scipy", "sklearn"}),
    "model_selection": ({"metrics"}, {"numpy", "sklearn"}),
    "preprocessing": (set(), {"numpy", "sklearn"}),
    "video": (set(), {"numpy", "sklearn"}),
    "__init__": ({"detectors", "preprocessing"}, set()),
}

# One detector may build on another's module; each such edge is named here.
EDGES_BETWEEN_DETECTORS = {
    ("alad", "egbad"),
    ("f_anogan", "anogan"),
    ("memae", "autoencoder"),
    ("student_teacher", "autoencoder"),
}

FILES = sorted(ROOT.rglob("*.py"))
FRAMEWORKS = set().union(*(known for _, known in MAY_IMPORT.values()))


def imported(file):
    """List the dotted names that a file imports, relative ones made absolute."""
    package = ("skanomaly", *file.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*start, *filter(None, [node.module])])


def layer(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_downwards(file):
    layers, frameworks = MAY_IMPORT[layer(file)]
    for name in imported(file):
        top, *rest = name.split(".")
        if top != "skanomaly":
            assert top not in FRAMEWORKS - frameworks, name
        elif rest and not (layer(file) == "detectors" and rest[0] == "detectors"):
            assert rest[0] in layers, name


@pytest.mark.parametrize(
    "file", sorted((ROOT / "detectors").glob("[!_]*.py")), ids=lambda f: f.stem
)
def test_edges_between_detectors_are_named(file):
    for name in imported(file):
        if name.startswith("skanomaly.detectors.") and "._" not in name:
            assert (file.stem, name.split(".")[2]) in EDGES_BETWEEN_DETECTORS


def test_relative_imports_are_seen():
    """The test above would pass on nothing at all."""
    assert "skanomaly.metrics" in set(imported(ROOT / "model_selection.py"))
    assert "skanomaly.base" in set(imported(ROOT / "detectors" / "vae.py"))
