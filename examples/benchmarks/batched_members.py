"""Several networks of one architecture in one pass, against one after the other.

Detectors that differ in their seed only are fitted by `fit_together`, and by their own
`fit` one after the other, alternately in one process, so that a noisy machine slows
both. The ratio of each pair is taken, and the median of the ratios is printed, of
processor time on one thread. Fits include checking the data, tracing, and the
thresholds.

    python examples/benchmarks/batched_members.py
    python examples/benchmarks/batched_members.py --network narrow --batch-sizes 32 1024
"""

import argparse
import os
import time

import numpy as np
import torch

from skanomaly import VAE, Autoencoder, MemAE
from skanomaly.ensemble import fit_together

SIZES = {"hidden_sizes": (60, 30, 10), "latent_size": 3}
NETWORKS = {
    "narrow": (Autoencoder, SIZES),
    "default": (Autoencoder, {}),
    "VAE": (VAE, SIZES),
    "MemAE": (MemAE, SIZES),
}


def timed(function, *args):
    """Call a function; return its seconds of processor time and what it returned."""
    start = time.process_time()
    value = function(*args)
    return time.process_time() - start, value


def fit_alone(detectors, X):
    """Fit one detector after the other."""
    return [detector.fit(X) for detector in detectors]


def compare(network, X, batch_size, args):
    """Return the ratios of the seconds, and the largest difference of scores."""
    cls, sizes = NETWORKS[network]

    def make():
        options = {"max_epochs": args.epochs, "batch_size": batch_size, "device": "cpu"}
        members = range(args.members)
        return [cls(random_state=seed, **options, **sizes) for seed in members]

    ratios, seconds, difference = [], [], 0.0
    for repeat in range(args.repeats + 1):
        alone, one_by_one = timed(fit_alone, make(), X)
        batched, together = timed(fit_together, make(), X)
        for a, b in zip(one_by_one, together, strict=True):
            scores = a.score_samples(X[:1000])
            ratio = np.abs(b.score_samples(X[:1000]) / scores - 1).max()
            difference = max(difference, ratio)
        if repeat:  # the first pair pays for caches and lazy imports
            ratios.append(alone / batched)
            seconds.append(batched)
    return np.array(ratios), np.median(seconds), difference


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=120)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128])
    args = parser.parse_args()

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(args.rows, 10))
    X = codes @ rng.normal(size=(10, args.features)) / 10**0.5
    X = (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)
    print(
        f"{args.rows} x {args.features} rows, {args.members} members, {args.epochs} "
        f"epochs, one torch thread, {os.cpu_count()} processors, "
        f"torch {torch.__version__}"
    )
    print(f"one after the other / in one pass: median [min, max] of {args.repeats}")
    print(f"{'network':<9}{'batch':>6}{'ratio':>20}{'seconds':>9}{'difference':>12}")
    for network in args.network:
        for batch_size in args.batch_sizes:
            r, seconds, difference = compare(network, X, batch_size, args)
            ratio = f"{np.median(r):.2f} [{r.min():.2f}, {r.max():.2f}]"
            print(
                f"{network:<9}{batch_size:>6}{ratio:>20}{seconds:>9.2f}"
                f"{difference:>12.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
