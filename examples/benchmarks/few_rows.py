"""Milliseconds to score a few rows, beside what can't be saved.

    python examples/benchmarks/few_rows.py

One thread, no GPU. First a detector on arrays: ``bare`` is the network's score of a
tensor that is there already. Then `make_tabular_pipeline` on frames of numbers and
categories, and on a dict: ``steps`` is a ColumnTransformer of StandardScaler and
OneHotEncoder, which needs a frame of the dict, and ``arrays`` the two of them alone, on
arrays that are there already. Medians of many calls, alternately of all in a line.
"""

import argparse
import time
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skanomaly
from skanomaly import Autoencoder, make_tabular_pipeline

N_NUMBERS, N_CATEGORIES = 20, 10


def main():
    """Print a line for each detector or table, and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--detector", nargs="+", default=["Autoencoder", "VAE", "MemAE"]
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 10, 100, 1000])
    parser.add_argument("--calls", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.detector:
        compare_detector(name, args.rows, args.calls)
    compare_pipeline(args.rows, args.calls)


def compare_detector(name, rows, n_calls):
    """Print how long a detector takes beside its network."""
    X = np.random.default_rng(0).normal(size=(max(rows), 40)).astype(np.float32)
    make = getattr(skanomaly, name)
    detector = make(max_epochs=2, device="cpu", random_state=0).fit(X)
    for n_rows in rows:
        calls = {
            "bare": partial(bare, detector.module_, torch.from_numpy(X[:n_rows])),
            "detector": partial(detector.score_samples, X[:n_rows]),
        }
        show(f"{name:<14} {n_rows:>5} rows", calls, n_calls, "detector", ["bare"])


def compare_pipeline(rows, n_calls):
    """Print how long a pipeline takes beside the steps of scikit-learn."""
    frame = make_table(max(rows))
    pipeline = make_tabular_pipeline(
        Autoencoder(max_epochs=2, device="cpu", random_state=0)
    ).fit(frame)
    numbers, categories = frame.columns[:N_NUMBERS], frame.columns[N_NUMBERS:]
    scaler, encoder = StandardScaler(), OneHotEncoder(handle_unknown="ignore")
    steps = ColumnTransformer(
        [("numbers", scaler, numbers), ("categories", encoder, categories)]
    ).fit(frame)
    scaler.fit(frame[numbers].to_numpy())
    encoder.fit(frame[categories].to_numpy())
    tables = [(f"dict  {1:>14} rows", 1, frame[:1].to_dict("records")[0])]
    tables += [(f"frame {n:>14} rows", n, frame[:n]) for n in rows]
    for name, n_rows, X in tables:
        scaled = frame[numbers][:n_rows].to_numpy()
        encoded = frame[categories][:n_rows].to_numpy()
        calls = {
            "steps": partial(transform_table, steps, X),
            "arrays": lambda x=scaled, c=encoded: (
                scaler.transform(x),
                encoder.transform(c),
            ),
            "pipeline": partial(pipeline.score_samples, X),
        }
        show(name, calls, n_calls, "pipeline", ["steps", "arrays"])


def make_table(n_rows):
    """Make a frame of numbers and of categories of six levels."""
    rng = np.random.default_rng(0)
    numbers = {f"x{i}": rng.normal(size=n_rows) for i in range(N_NUMBERS)}
    categories = {f"c{i}": rng.choice([*"abcdef"], n_rows) for i in range(N_CATEGORIES)}
    return pd.DataFrame(numbers | categories)


def bare(module, x):
    """Score a tensor by the network alone."""
    with torch.no_grad():
        return module.score(x)


def transform_table(steps, X):
    """Transform a frame, or a dict, of which scikit-learn needs a frame."""
    return steps.transform(pd.DataFrame([X]) if isinstance(X, dict) else X)


def show(name, calls, n_calls, measured, others):
    """Print the medians of alternate calls, and ratios to some of them."""
    seconds = {what: [] for what in calls}
    for _ in range(n_calls):
        for what, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[what].append(time.perf_counter() - start)
    median = {what: 1000 * np.median(each) for what, each in seconds.items()}
    told = "".join(f"  {what} {each:6.2f} ms" for what, each in median.items())
    ratios = "".join(f"  {median[measured] / median[o]:5.2f} x {o}" for o in others)
    print(f"{name}{told}{ratios}", flush=True)


if __name__ == "__main__":
    main()
