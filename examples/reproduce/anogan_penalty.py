"""AnoGAN's penalty weight on KDD Cup 1999, compared without labels.

    python examples/reproduce/anogan_penalty.py

Rows that the generator doesn't generate have a large loss: the table has the loss, at
the end of the search, of rows that were held out of training. They are
prepared as in kddcup99.py. The data are read from the folder that the environment
variable SKANOMALY_DATA names.
"""

import argparse

import numpy as np
import torch
from _report import note, print_table
from kddcup99 import SEARCH, prepare

from skanomaly import AnoGAN
from skanomaly.datasets import load_kddcup99

QUANTILES = (0.5, 0.9, 0.95, 0.98)
N_HELD_OUT = 2000


def main():
    """Print the losses, means over the seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", nargs="+", type=float, default=[1, 3, 10, 30])
    parser.add_argument("--steps", type=int, default=SEARCH["n_search_steps"])
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    losses = np.empty((len(args.weights), args.seeds, 1 + len(QUANTILES)))
    kdd = load_kddcup99()
    for seed in range(args.seeds):
        X, *_ = prepare(kdd, seed)
        X = X[np.random.RandomState(seed).permutation(len(X))]
        for number, weight in enumerate(args.weights):
            detector = AnoGAN(
                penalty_weight=weight, n_search_steps=args.steps, random_state=seed
            )
            loss = -detector.fit(X[N_HELD_OUT:]).score_samples(X[:N_HELD_OUT])
            losses[number, seed] = loss.mean(), *np.quantile(loss, QUANTILES)
            note(f"seed {seed} weight {weight:g} mean loss {loss.mean():.2f}")
    header = ["penalty_weight", "mean loss", *(f"{q:.0%} below" for q in QUANTILES)]
    rows = [
        [f"{weight:g}", *(f"{each:.2f}" for each in of_weight.mean(axis=0))]
        for weight, of_weight in zip(args.weights, losses, strict=True)
    ]
    print_table(f"{N_HELD_OUT} held-out rows, seeds: {args.seeds}", header, rows)


if __name__ == "__main__":
    main()
