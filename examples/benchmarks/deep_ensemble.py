"""Does the mean of several seeds detect better than one of them?

Autoencoders with their defaults on tables of ADBench, by the protocols of adbench.py:
the area under the ROC curve of each seed's network alone, of the mean of their scores,
and of the distance to the nearest training row. One split for each of --splits; the
networks of a split differ in their seed only. Each row of the output is a table, the
last one the mean over tables.

    SKANOMALY_DATA=... python examples/benchmarks/deep_ensemble.py
"""

import argparse
import os
import warnings
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import numpy as np
import torch
from adbench import PROTOCOLS, make_split, score
from sklearn.metrics import roc_auc_score

from skanomaly.ensemble import DeepEnsemble
from skanomaly.neighbors import NearestNeighborDetector


def evaluate(args, table, split):
    """Return the AUC of each network, of their ensemble, and of 1-NN."""
    X_train, X_test, is_outlier = make_split(
        args.path, table, args.protocol, split, args.max_rows
    )
    ensemble = DeepEnsemble(n_estimators=args.members, random_state=split)
    members = -ensemble.fit(X_train).score_members(X_test).T
    neighbors = NearestNeighborDetector().fit(X_train)
    return np.array(
        [
            *(roc_auc_score(is_outlier, scores) for scores in members),
            roc_auc_score(is_outlier, members.mean(axis=0)),
            roc_auc_score(is_outlier, score(neighbors, X_test, args.protocol)),
        ]
    )


def show(name, aucs):
    """Print a row: aucs are of shape (n_splits, n_members + 2)."""
    members, (ensemble, nearest) = aucs[:, :-2], aucs[:, -2:].mean(axis=0)
    print(
        f"{name:<18}{members.mean():>9.4f}{members.std(axis=1).mean():>9.4f}"
        f"{members.max(axis=1).mean():>9.4f}{ensemble:>10.4f}{nearest:>9.4f}",
        flush=True,
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0])
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--max-rows", type=int, default=5000, help="of a table")
    parser.add_argument("--path", help="folder of the .npz files")
    args = parser.parse_args()

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of what the defaults do on some table
    folder = args.path or Path(os.environ.get("SKANOMALY_DATA", ".")) / "adbench"
    tables = args.tables or sorted(file.stem for file in Path(folder).glob("*.npz"))
    columns = ("one seed", "+-", "best", "ensemble", "1-NN")
    widths = (9, 9, 9, 10, 9)
    print(f"{args.protocol}, AUC, {args.members} seeds, {args.splits} split(s)")
    print(f"{'table':<18}" + "".join(map("{:>{}}".format, columns, widths)))
    found = []
    for table in tables:
        found.append(
            np.array([evaluate(args, table, split) for split in range(args.splits)])
        )
        show(table, found[-1])
    mean = np.mean(found, axis=0)
    show("mean", mean)


if __name__ == "__main__":
    main()
