"""How much a detector costs above a bare torch loop of the same network.

The bare loop is what a person would write who cares for speed and nothing else: one
tensor, a permutation an epoch, index_select, fused Adam. Detector and loop train and
score alternately in one process, so that a noisy machine slows both; the ratio of
each pair is taken, and the median of the ratios is printed. The detector's fit
includes what the loop leaves out: checking the data, the history, and scoring all rows
once for the threshold.

    python examples/benchmarks/fit_speed.py
"""

import argparse
import os
import time

import numpy as np
import torch
from sklearn.base import clone

from skanomaly import Autoencoder
from skanomaly.detectors.autoencoder import AutoencoderModule

HIDDEN_SIZES, LATENT_SIZE = (60, 30, 10), 3
BATCH_SIZE_OF_BARE_SCORING = 1024


def timed(function, *args):
    """Call a function; return the seconds it took and what it returned."""
    start = time.perf_counter()
    value = function(*args)
    return time.perf_counter() - start, value


def bare_fit(X, batch_size, epochs):
    """Train without any library around torch."""
    torch.manual_seed(0)
    module = AutoencoderModule(
        X.shape[1:],
        HIDDEN_SIZES,
        LATENT_SIZE,
        "tanh",
        sparsity_weight=0.0,
        noise_std=0.0,
    )
    network = torch.nn.Sequential(*module.encoder, *module.decoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    samples = torch.from_numpy(X)
    for _ in range(epochs):
        for rows in torch.randperm(len(samples)).split(batch_size):
            x = samples.index_select(0, rows)
            optimizer.zero_grad()
            (x - network(x)).square().sum(1).mean().backward()
            optimizer.step()
    return network


def bare_score(network, X):
    """Score in batches of a good size, reducing inside the loop."""
    samples = torch.from_numpy(X)
    with torch.inference_mode():
        scores = [
            (x - network(x)).square().sum(1)
            for x in samples.split(BATCH_SIZE_OF_BARE_SCORING)
        ]
    return torch.cat(scores).double().numpy()


def compare(X, batch_size, epochs, repeats):
    """Return the ratios of fitting and of scoring, one a repeat."""
    detector = Autoencoder(
        hidden_sizes=HIDDEN_SIZES,
        latent_size=LATENT_SIZE,
        max_epochs=epochs,
        batch_size=batch_size,
        device="cpu",
        random_state=0,
    )
    fits, scorings, seconds = [], [], []
    for repeat in range(repeats + 1):
        fitted = clone(detector)
        ours, _ = timed(fitted.fit, X)
        bare, network = timed(bare_fit, X, batch_size, epochs)
        our_scoring, _ = timed(fitted.score_samples, X)
        bare_scoring, _ = timed(bare_score, network, X)
        if repeat:  # the first round warms up
            fits.append(ours / bare)
            scorings.append(our_scoring / bare_scoring)
            seconds.append((ours, bare))
    return np.array(fits), np.array(scorings), np.median(seconds, axis=0)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1024, 256])
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    X = np.random.default_rng(0).normal(size=(args.rows, args.features))
    X = X.astype(np.float32)
    print(
        f"{args.rows} x {args.features} float32 rows, {args.epochs} epochs, "
        f"{args.threads} torch thread(s), {os.cpu_count()} processors, "
        f"torch {torch.__version__}; median [min, max] of {args.repeats} ratios"
    )
    print(f"{'batch':>6} {'fit':>20} {'score':>20} {'ours, s':>9} {'bare, s':>9}")
    for batch_size in args.batch_sizes:
        fits, scorings, seconds = compare(X, batch_size, args.epochs, args.repeats)
        columns = [
            f"{np.median(r):.2f} [{r.min():.2f}, {r.max():.2f}]"
            for r in (fits, scorings)
        ]
        print(
            f"{batch_size:>6} {columns[0]:>20} {columns[1]:>20} "
            f"{seconds[0]:>9.2f} {seconds[1]:>9.2f}"
        )


if __name__ == "__main__":
    main()
