"""How near ONNX models are to their detectors, and how long each of them takes.

    pip install 'skanomaly[frames,onnx]'
    python examples/benchmarks/onnx_speed.py

One thread each, no GPU. ``parity`` is the largest difference of the scores of new
samples in standard deviations of the scores. The times are medians of calls, taken
alternately; ``ratio`` is that of onnxruntime to `score_samples`. Pipelines are given a
frame, and onnxruntime the columns of it, 1,024 rows at a time, as detectors score them.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skanomaly
from skanomaly import Autoencoder, default_ensemble, make_tabular_pipeline, to_onnx
from skanomaly.calibration import ConformalDetector

DETECTORS = [
    *("Autoencoder", "VAE", "MemAE", "DAGMM", "FAnoGAN", "EGBAD", "ALAD", "GANomaly"),
    *("OGNet", "StudentTeacher"),
]
PIPELINES = ("table", "column transformer", "conformal", "ensemble")
BATCH = 1024
SHAPES = {"rows": (40,), "images": (1, 16, 16), "clips": (1, 4, 16, 16)}


def main():
    """Print a line for each detector or pipeline, and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[*DETECTORS, *PIPELINES])
    parser.add_argument("--kind", choices=SHAPES, default="rows")
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 10_000])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)  # the trainings are short
    for name in args.only:
        if name in PIPELINES:
            estimator, train, new = make_table_case(name, max(args.rows))
        else:
            shape = SHAPES[args.kind]
            make = getattr(skanomaly, name)
            estimator = make(max_epochs=5, device="cpu", random_state=0)
            train, new = draw(2000, shape, 0), draw(max(args.rows), shape, 1)
        measure(name, estimator.fit(train), train, new, args)


def draw(n_samples, shape, seed):
    """Draw float32 samples near a surface of four dimensions."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(0).normal(size=(4, *shape))
    X = np.tensordot(rng.normal(size=(n_samples, 4)), axes, axes=1) / 2
    return (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)


def make_table_case(name, n_rows):
    """Return a pipeline, and frames of ten numbers and three categories."""
    frames = []
    for n, seed in ((2000, 0), (n_rows, 1)):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(draw(n, (10,), seed).astype(float)).add_prefix("x")
        frame.loc[rng.random(n) < 0.05, "x3"] = np.nan
        for column, levels in {"a": "uvw", "b": "uvwxyz", "c": "uv"}.items():
            frame[column] = rng.choice(list(levels), n).astype(object)
        frames.append(frame)
    detector = Autoencoder(max_epochs=5, random_state=0)
    if name == "column transformer":
        numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
        encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        columns = [f"x{i}" for i in range(10)]
        parts = [("numbers", numbers, columns), ("texts", encode, ["a", "b", "c"])]
        return make_pipeline(ColumnTransformer(parts), detector), *frames
    if name == "ensemble":
        ensemble = default_ensemble(random_state=0).set_params(denoiser__max_epochs=5)
        return make_tabular_pipeline(ensemble), *frames
    pipeline = make_tabular_pipeline(detector)
    if name == "conformal":
        pipeline = ConformalDetector(pipeline, random_state=0)
    return pipeline, *frames


def measure(name, estimator, train, new, args):
    """Export an estimator; print the parity, and the times for each number of rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        # The bar is what this script measures; 1e-4 is not the place to raise an error.
        to_onnx(estimator, path, train, tolerance=1e-4)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options)
    feed = feed_of(new, session)
    (found,) = session.run(["score_samples"], feed)
    scores = estimator.score_samples(new)
    parity = np.abs(found - scores).max() / scores.std()
    for n_rows in args.rows:
        some = {column: values[:n_rows] for column, values in feed.items()}
        calls = {
            "ours": partial(estimator.score_samples, new[:n_rows]),
            "onnxruntime": partial(run, session, some, n_rows),
        }
        median = alternate(calls, args.seconds)
        told = "".join(
            f"  {what} {1e3 * each:8.3f} ms" for what, each in median.items()
        )
        ratio = median["onnxruntime"] / median["ours"]
        print(
            f"{name:<18} {n_rows:>6} rows  parity {parity:.1e}{told}  "
            f"ratio {ratio:.2f}",
            flush=True,
        )


def run(session, feed, n_rows):
    """Return the scores of a model, batch by batch."""
    batches = [
        {name: values[start : start + BATCH] for name, values in feed.items()}
        for start in range(0, n_rows, BATCH)
    ]
    scores = [session.run(["score_samples"], batch)[0] for batch in batches]
    return scores[0] if len(scores) == 1 else np.concatenate(scores)


def feed_of(new, session):
    """Return samples as a model takes them."""
    if not isinstance(new, pd.DataFrame):
        return {"X": new}
    return {each.name: new[[each.name]].to_numpy() for each in session.get_inputs()}


def alternate(calls, seconds):
    """Return the median time of each call, taken in turns for some seconds."""
    times = {what: [] for what in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for what, call in calls.items():
            start = time.perf_counter()
            call()
            times[what].append(time.perf_counter() - start)
    return {what: statistics.median(each) for what, each in times.items()}


if __name__ == "__main__":
    main()
