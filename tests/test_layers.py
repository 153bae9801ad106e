"""What the house asks of the code, read from the code: layers, and measures."""

import ast
from pathlib import Path

import pytest

import skanomaly

ROOT = Path(skanomaly.__file__).parent

# What each layer may import of the package, and which frameworks it may know.
MAY_IMPORT = {
    "_warnings": (set(), {"sklearn"}),
    "_sources": ({"_sources"}, {"numpy", "pyarrow", "narwhals"}),
    "nn": ({"nn", "_warnings"}, {"torch"}),
    "training": (
        {"nn", "training", "_sources", "_warnings"},
        {"torch", "skorch", "numpy", "scipy", "sklearn", "tqdm"},
    ),
    "_decorators": (set(), {"sklearn"}),
    "_parameters": ({"nn"}, {"sklearn"}),
    "_namespace": (set(), {"numpy", "sklearn"}),
    "_array_api": ({"_namespace"}, {"torch"}),
    "_advice": (set(), {"sklearn"}),
    "_features": (set(), set()),
    "_check_parameters": (set(), {"torch", "numpy"}),
    "_callbacks": ({"_decorators", "training"}, {"sklearn"}),
    "_validation": (
        {"_advice", "_array_api", "_check_parameters", "_namespace", "_warnings"},
        {"torch", "numpy", "scipy", "sklearn"},
    ),
    "_move": ({"_check_parameters", "_namespace"}, {"numpy", "sklearn"}),
    "_reading": ({"_advice", "_sources", "_validation"}, set()),
    "_budget": (set(), set()),
    "_threshold": ({"_namespace"}, {"numpy", "sklearn"}),
    "_version": ({"_warnings"}, {"sklearn"}),
    "_state": ({"training"}, {"torch", "numpy"}),
    "_scoring": ({"training"}, {"torch", "numpy"}),
    "_net": ({"_budget", "training"}, {"skorch"}),
    "_fit": (
        {"_budget", "_check_parameters", "_net", "_scoring", "_state", "_validation"}
        | {"training", "_warnings"},
        {"numpy", "sklearn", "skorch"},
    ),
    "_partial_fit": (
        {"_budget", "_check_parameters", "_decorators", "_fit", "_net", "_reading"}
        | {"_scoring", "training", "_validation"},
        {"torch", "numpy", "sklearn"},
    ),
    "_fit_together": (
        {"_budget", "_check_parameters", "_fit", "_net", "_reading", "_validation"}
        | {"training"},
        {"torch"},
    ),
    "base": (
        {
            "_callbacks",
            "_check_parameters",
            "_decorators",
            "_fit",
            "_move",
            "_namespace",
            "_partial_fit",
            "_reading",
            "_scoring",
            "_state",
            "_parameters",
            "_threshold",
            "_version",
            "_warnings",
            "nn",
            "training",
        },
        {"torch", "numpy", "sklearn"},
    ),
    "detectors": ({"nn", "base", "detectors"}, {"torch", "numpy", "sklearn"}),
    "calibration": (
        {"calibration", "_advice", "_decorators", "_features", "_namespace"}
        | {"_threshold", "_version"},
        {"numpy", "scipy", "sklearn"},
    ),
    "datasets": (
        {"datasets", "_decorators"},
        {"numpy", "scipy", "sklearn", "pandas", "PIL", "cv2"},
    ),
    "_matplotlib": (set(), {"matplotlib"}),
    "metrics": (
        {"metrics", "_decorators", "_matplotlib", "_namespace", "_warnings"},
        {"numpy", "scipy", "sklearn"},
    ),
    "model_selection": (
        {"_decorators", "_features", "metrics", "model_selection", "_version"}
        | {"_warnings"},
        {"numpy", "scipy", "sklearn"},
    ),
    "neighbors": (
        {"_advice", "_decorators", "_namespace", "_threshold", "_version"},
        {"numpy", "scipy", "sklearn"},
    ),
    "ensemble": (
        {"_advice", "_decorators", "_features", "_fit_together", "_namespace"}
        | {"_threshold", "_version", "base", "detectors", "ensemble", "neighbors"},
        {"numpy", "scipy", "sklearn", "joblib"},
    ),
    "preprocessing": (
        {"preprocessing", "_decorators", "_version", "_warnings"},
        {"numpy", "scipy", "sklearn", "narwhals"},
    ),
    "out_of_core": (
        {"out_of_core", "_files", "_sources", "_threshold", "base"},
        {"numpy", "scipy", "sklearn", "joblib", "pyarrow"},
    ),
    "inspection": (
        {
            "inspection",
            "calibration",
            "ensemble",
            "metrics",
            "preprocessing",
            "_decorators",
            "_files",
            "_matplotlib",
        },
        {"numpy", "scipy", "sklearn", "narwhals", "pandas", "matplotlib"},
    ),
    "export": (
        {
            "export",
            "base",
            "calibration",
            "detectors",
            "ensemble",
            "inspection",
            "neighbors",
            "preprocessing",
            "_files",
            "_scoring",
            "_state",
        },
        {"torch", "numpy", "sklearn", "onnx", "onnxruntime", "onnxscript", "skl2onnx"},
    ),
    "video": (
        {"video", "_decorators", "_version"},
        {"numpy", "scipy", "sklearn", "cv2"},
    ),
    "_arguments": (set(), set()),
    "_files": (set(), set()),
    "persistence": (
        {"persistence", "preprocessing", "_files"},
        {"numpy", "scipy", "sklearn", "skops"},
    ),
    "__main__": (
        {
            "calibration",
            "ensemble",
            "inspection",
            "out_of_core",
            "persistence",
            "preprocessing",
            "_arguments",
            "_files",
        },
        {"numpy", "pandas"},
    ),
    "__init__": (
        {"detectors", "ensemble", "export", "neighbors", "persistence"}
        | {"preprocessing"},
        set(),
    ),
}
# The standard library is left out of account.
FRAMEWORKS = set().union(*(known for _, known in MAY_IMPORT.values()))

# One detector may build on another's module; each such edge is named here.
EDGES_BETWEEN_DETECTORS: set[tuple[str, str]] = set()

# A detector knows its module and its data, never how it is trained.
NOT_OF_A_DETECTOR = {"net", "net_", "history", "history_"}

MOST_LINES_OF_A_DETECTOR = 250
MOST_LINES_OF_ALL_DETECTORS = 2150
MOST_LINES_OF_A_CLASS = 250

FILES = sorted(ROOT.rglob("*.py"))
DETECTORS = sorted((ROOT / "detectors").glob("*.py"))
each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda f: str(f.relative_to(ROOT))
)
each_detector_file = pytest.mark.parametrize("file", DETECTORS, ids=lambda f: f.stem)


def imported(file):
    """List the dotted names that a file imports, relative ones made absolute."""
    package = ("skanomaly", *file.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*start, *filter(None, [node.module])])


def attributes(file):
    """List the names of all attributes that a file reads or writes."""
    tree = ast.parse(file.read_text())
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]


def classes(file):
    """List the classes of a file with their numbers of lines."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef):
            first = min([node, *node.decorator_list], key=lambda n: n.lineno).lineno
            yield node.name, node.end_lineno - first + 1


def n_lines(file):
    return len(file.read_text().splitlines())


def layer(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


@each_file
def test_imports_go_downwards(file):
    layers, frameworks = MAY_IMPORT[layer(file)]
    for name in imported(file):
        top, *rest = name.split(".")
        if top != "skanomaly":
            assert top not in FRAMEWORKS - frameworks, name
        elif rest:
            assert rest[0] in layers, name


def test_no_layer_imports_upwards():
    """The table above has no circle."""
    below = {name: set(layers) - {name} for name, (layers, _) in MAY_IMPORT.items()}
    while below:
        lowest = [name for name, layers in below.items() if not layers & below.keys()]
        assert lowest, below
        for name in lowest:
            del below[name]


@each_detector_file
def test_edges_between_detectors_are_named(file):
    for name in imported(file):
        if name.startswith("skanomaly.detectors.") and "._" not in name:
            if file.stem == "__init__":
                continue
            assert (file.stem, name.split(".")[2]) in EDGES_BETWEEN_DETECTORS


@each_detector_file
def test_a_detector_does_not_reach_into_its_net(file):
    assert not NOT_OF_A_DETECTOR & set(attributes(file))


@each_detector_file
def test_a_detector_is_a_short_file(file):
    assert n_lines(file) <= MOST_LINES_OF_A_DETECTOR


def test_all_detectors_are_short():
    assert sum(map(n_lines, DETECTORS)) <= MOST_LINES_OF_ALL_DETECTORS


@each_file
def test_no_class_is_large(file):
    large = {c: n for c, n in classes(file) if n > MOST_LINES_OF_A_CLASS}
    assert not large


def test_the_reader_sees():
    """The tests above would pass on nothing at all."""
    assert "skanomaly.metrics" in set(imported(ROOT / "model_selection/_split.py"))
    assert "skanomaly.base" in set(imported(ROOT / "detectors" / "vae.py"))
    assert NOT_OF_A_DETECTOR & set(attributes(ROOT / "base.py"))
    lines = dict(classes(ROOT / "training" / "batches.py"))
    assert lines["Batches"] > lines["Rounds"] > 15
    assert len(DETECTORS) > 10
