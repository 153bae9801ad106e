"""All detectors on KDD Cup 1999: as in their papers, as they are here, and parts alone.

    python examples/reproduce/kddcup99.py --seeds 10
    python examples/reproduce/kddcup99.py --seeds 2 --rows "EGBAD" "EGBAD, paper"

Protocol dagmm (see `skanomaly.datasets.split_kddcup99`): attacks are the normal class,
all of their rows train, repetitions included, and the 20 % of the test rows with the
highest scores are called outliers. Every detector sees the same rows, prepared by
`skanomaly.make_tabular_pipeline`, and makes as many steps. No labels are used but for
the split and the figures.

With ``--results`` the figures of each fit are appended to a file, fits that are there
already are left out, and the table is printed from it. The data are read from the
folder that the environment variable SKANOMALY_DATA names.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _report import note, print_table
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skanomaly import (
    ALAD,
    DAGMM,
    EGBAD,
    VAE,
    AnoGAN,
    Autoencoder,
    FAnoGAN,
    GANomaly,
    MemAE,
    OGNet,
    StudentTeacher,
    make_tabular_pipeline,
)
from skanomaly.datasets import load_kddcup99, split_kddcup99
from skanomaly.metrics import precision_recall_f1_at
from skanomaly.neighbors import NearestNeighborDetector

FRACTION_CALLED_OUTLIERS = 0.2  # the papers' "top 20 %"
# After 20 steps the mean loss of held-out training rows is within a sixth of that after
# the paper's 500: anogan_penalty.py --steps 500.
SEARCH = {"n_search_steps": 20}
WEAK_PENALTY = SEARCH | {"penalty_weight": 1.0}
FREE_SEARCH = WEAK_PENALTY | {"n_draws": 1, "max_code_norm": None}
PAPER_ALAD = {"cycle_weight": 0, "spectral_norm": True}
PAPER_MEMORY = {"memory_init": "uniform", "temperature": 1.0, "memory_size": 50}
DETECTORS = {
    "IsolationForest": IsolationForest(),
    "1-NN": NearestNeighborDetector(),
    "Autoencoder": Autoencoder(),
    # The encoder and decoder that the others have.
    "Autoencoder, bottleneck": Autoencoder(latent_size=16, activation="leaky_relu"),
    "VAE": VAE(),
    "DAGMM": DAGMM(),
    "MemAE": MemAE(),
    "MemAE, paper, 1/N": MemAE(**PAPER_MEMORY, shrinkage=1.0, latent_size=3),
    "MemAE, paper, 3/N": MemAE(**PAPER_MEMORY, shrinkage=3.0, latent_size=3),
    "EGBAD": EGBAD(),
    "EGBAD, paper": EGBAD(cycle_weight=0),
    "ALAD": ALAD(),
    "ALAD, paper": ALAD(**PAPER_ALAD),
    "GANomaly": GANomaly(),
    "AnoGAN": AnoGAN(**SEARCH),
    "AnoGAN, weak penalty": AnoGAN(**WEAK_PENALTY),
    "AnoGAN, paper": AnoGAN(**FREE_SEARCH),
    "FAnoGAN": FAnoGAN(),
    "FAnoGAN, paper": FAnoGAN(kappa=1.0),
    "OGNet": OGNet(),
    "OGNet, paper": OGNet(use_reconstruction_error=False, pseudo_anomalies="mean"),
    "StudentTeacher": StudentTeacher(),
}
# Whose score is more than the error of the reconstruction: the error's power.
ERROR_POWERS = {
    "EGBAD": 1,
    "ALAD": 1,
    "AnoGAN": 1,
    "GANomaly": 1,
    "DAGMM": 2,
    "FAnoGAN": 2,
    "OGNet": 2,
}


def prepare(kdd, seed):
    """Return training rows, distinct test rows, which of them each is, and labels."""
    split = split_kddcup99(kdd, random_state=seed)
    preparation = make_tabular_pipeline(Autoencoder())[:-1].fit(split.X_train)
    # Equal rows have equal scores: each is scored once.
    groups = split.X_test.groupby(list(split.X_test), observed=True, sort=False)
    _, first, rows = np.unique(groups.ngroup(), return_index=True, return_inverse=True)
    X_train, X_test = (
        preparation.transform(X).astype(np.float32)
        for X in (split.X_train, split.X_test.iloc[first])
    )
    return X_train, X_test, rows, split.y_test


def score_terms(detector, X):
    """Yield the scores of a fitted detector, and those by its error alone."""
    yield "", detector.score_samples(X)
    power = ERROR_POWERS.get(type(detector).__name__)
    if power:
        yield ", error alone", -(np.abs(X - detector.reconstruct(X)) ** power).sum(1)


def evaluate(name, prepared, seed):
    """Fit a detector and return the figures of each of its scores."""
    X_train, X_test, rows, y_test = prepared
    if name == "1-NN":
        X_train = np.unique(X_train, axis=0)  # repetitions change no distance
    detector = DETECTORS[name]
    if "random_state" in detector.get_params():
        detector.set_params(random_state=seed)
    start = time.process_time()
    detector.fit(X_train)
    shared = {"seed": seed, "fit": time.process_time() - start}
    if hasattr(detector, "mean_active_items_"):
        shared["active"] = detector.mean_active_items_
    for term, scores in score_terms(detector, X_test):
        of_rows = scores[rows]
        *_, f1 = precision_recall_f1_at(y_test, of_rows, FRACTION_CALLED_OUTLIERS)
        auc = roc_auc_score(y_test, of_rows)
        note(f"seed {seed} {name + term:<30} F1 {f1:.4f} AUC {auc:.4f}")
        yield {"name": name, "term": term, "F1": f1, "AUC": auc, **shared}


def report(results, names):
    """Print means over the seeds, and the standard deviation of F1."""
    rows = []
    found = {(each["name"], each["term"]): [] for each in results}
    for each in results:
        found[each["name"], each["term"]].append(each)
    for name, term in sorted(found, key=lambda key: list(DETECTORS).index(key[0])):
        if name not in names:
            continue
        figures = found[name, term]
        f1 = np.array([each["F1"] for each in figures])
        std = f1.std(ddof=1) if len(f1) > 1 else np.nan
        active = np.mean([each.get("active", np.nan) for each in figures])
        rows.append(
            [
                name + term,
                str(len(figures)),
                f"{f1.mean():.4f} ± {std:.4f}",
                f"{f1.min():.4f}",
                f"{np.mean([each['AUC'] for each in figures]):.4f}",
                "" if term else f"{np.mean([each['fit'] for each in figures]):.0f}",
                "" if term or np.isnan(active) else f"{active:.0f}",
            ]
        )
    header = ["detector", "seeds", "F1", "smallest", "AUC", "fit, CPU s", "items"]
    print_table("KDD Cup 1999, protocol dagmm", header, rows)


def main():
    """Fit what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="of split and weights")
    parser.add_argument("--rows", nargs="+", choices=DETECTORS, default=[*DETECTORS])
    parser.add_argument("--results", type=Path, help="file of JSON lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    # Two columns of KDD are constant, which each preparation would say again.
    warnings.filterwarnings("ignore", message="Columns are left out")
    results = []
    if args.results and args.results.exists():
        results = [json.loads(line) for line in args.results.read_text().splitlines()]
    done = {(each["name"], each["seed"]) for each in results}
    kdd = load_kddcup99()
    for seed in range(args.seeds):
        missing = [name for name in args.rows if (name, seed) not in done]
        if not missing:
            continue
        prepared = prepare(kdd, seed)
        for name in missing:
            fitted = list(evaluate(name, prepared, seed))
            results += fitted
            if args.results:
                with args.results.open("a") as file:
                    file.writelines(json.dumps(each) + "\n" for each in fitted)
    report(results, args.rows)


if __name__ == "__main__":
    main()
