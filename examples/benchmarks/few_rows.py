"""Milliseconds to score a few rows, beside a bare call of the same network.

    python examples/benchmarks/few_rows.py

One thread, no GPU. ``bare`` is the network's score of a tensor that is there already;
``detector`` adds validation, and ``pipeline`` the preprocessing of a frame. Each line
has the medians of many calls, alternately of all three.
"""

import argparse
import time
from functools import partial

import numpy as np
import pandas as pd
import torch

import skanomaly
from skanomaly import make_tabular_pipeline


def main():
    """Print a line for each detector and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--detector", nargs="+", default=["Autoencoder", "VAE", "MemAE"]
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 10, 100, 1000])
    parser.add_argument("--calls", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    X = np.random.default_rng(0).normal(size=(1000, 40)).astype(np.float32)
    frame = pd.DataFrame(X).add_prefix("x")
    for name in args.detector:
        make = getattr(skanomaly, name)
        detector = make(max_epochs=2, device="cpu", random_state=0).fit(X)
        pipeline = make_tabular_pipeline(make(max_epochs=2, random_state=0)).fit(frame)
        for n_rows in args.rows:
            calls = {
                "bare": partial(bare, detector.module_, torch.from_numpy(X[:n_rows])),
                "detector": partial(detector.score_samples, X[:n_rows]),
                "pipeline": partial(pipeline.score_samples, frame[:n_rows]),
            }
            seconds = {what: [] for what in calls}
            for _ in range(args.calls):
                for what, call in calls.items():
                    start = time.perf_counter()
                    call()
                    seconds[what].append(time.perf_counter() - start)
            median = {what: 1000 * np.median(each) for what, each in seconds.items()}
            told = "".join(f"  {what} {each:6.2f} ms" for what, each in median.items())
            ratio = median["detector"] / median["bare"]
            print(f"{name:<14} {n_rows:>5} rows{told}  {ratio:5.1f} x bare", flush=True)


def bare(module, x):
    """Score a tensor by the network alone."""
    with torch.no_grad():
        return module.score(x)


if __name__ == "__main__":
    main()
