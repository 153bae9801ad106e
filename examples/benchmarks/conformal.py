"""False alarms, power and false discoveries of ConformalDetector.

Tables of ADBench and the 10 % file of KDD Cup 1999. For each of 20 splits of a table
the normal rows are shuffled: --sizes of them are given to `fit`, where the first half
has so many, and at most 500 of the other half are new normal rows; at most 100 outliers
are new, too. What scales or encodes rows is inside the wrapped detector. Labels tell
which rows are normal, and nothing else.

rate
    Fraction of the new normal rows with a p-value of at most alpha: false alarms.
level
    What the rate should be in the mean: k / (n + 1), the largest such fraction that is
    at most alpha, of n held-out rows. Too few of them for an alpha have no line.
within, above
    In how many pairs of table and detector the mean rate over the splits is within two
    standard errors of the level, and above alpha by more than two. By chance it is
    95 % and 2 %. The number of false alarms among m new rows has a beta-binomial
    distribution, and the variance m p (1 - p) (n + 1 + m) / (n + 2), p = k / (n + 1):
    that of a binomial one and of the threshold.
power, gain, AUC
    Fraction of the outliers found at this alpha; how much more it is than that of
    "split" with the same rows, and the standard error of that over pairs; area under
    the ROC curve of the scores.
at most alpha
    With method="split" and confidence=0.9: in what fraction of the splits the rate is
    at most alpha, and what fraction is expected of m new rows, the cumulative
    beta-binomial distribution at alpha m. It is less than that of the false-alarm rate
    itself, at least 0.9, as m rows estimate it.
FDR, power
    Among those that `predict_batch` calls outliers the fraction of normal rows, zero
    where there are none, and the fraction of outliers that it finds; for batches of new
    rows of which a tenth are outliers.

    SKANOMALY_DATA=... python examples/benchmarks/conformal.py
    python examples/benchmarks/conformal.py --detector IsolationForest --sizes 500 \\
        --methods split cross repeated \\
        --tables 2_annthyroid 6_cardio 12_fault 20_letter 28_pendigits 30_satellite
    python examples/benchmarks/conformal.py --detector Autoencoder --sizes 150 \\
        --tables 6_cardio 20_letter
"""

import argparse
import os
import time
import warnings
from pathlib import Path

# Before numpy and torch are imported.
os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import numpy as np
import pandas as pd
import torch
from scipy.stats import betabinom, binom, false_discovery_control
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector
from skanomaly.datasets import load_adbench, load_kddcup99
from skanomaly.neighbors import NearestNeighborDetector

ALPHAS = (0.01, 0.05, 0.1)
FDRS = (0.05, 0.1, 0.2)
CONFIDENCE = 0.9
METHODS = {
    "split": {},
    "cross": {"method": "cross"},
    "repeated": {
        "method": "cross",
        "cv": RepeatedKFold(n_splits=5, n_repeats=4, random_state=0),
    },
}
MOST_NORMAL, MOST_OUTLIERS = 500, 100
KDD = "kddcup99"


def find_detectors(seed):
    """Return the detectors by name, cheap ones."""
    return {
        "NearestNeighborDetector": NearestNeighborDetector(),
        "IsolationForest": IsolationForest(n_estimators=25, random_state=seed),
        "Autoencoder": Autoencoder(max_epochs=200, random_state=seed),
    }


def load(name):
    """Return the normal rows and the outliers of a table."""
    table = load_kddcup99() if name == KDD else load_adbench(name)
    X = table.data.reset_index(drop=True) if name == KDD else table.data
    return (
        _safe_indexing(X, np.flatnonzero(table.target == 1)),
        _safe_indexing(X, np.flatnonzero(table.target == -1)),
    )


def draw(normal, outliers, seed):
    """Return normal rows to fit, new normal rows, and new outliers."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(_num_samples(normal))
    half = len(order) // 2
    drawn = rng.permutation(_num_samples(outliers))[:MOST_OUTLIERS]
    return (
        _safe_indexing(normal, order[:half]),
        _safe_indexing(normal, order[half:][:MOST_NORMAL]),
        _safe_indexing(outliers, drawn),
    )


def measure(conformal, new, outliers):
    """Return what a fitted detector does with new rows, a line an alpha or an FDR."""
    n, m = len(conformal.calibration_scores_), _num_samples(new)
    p_new, p_outliers = conformal.p_values(new), conformal.p_values(outliers)
    scores = [conformal.score_samples(rows) for rows in (new, outliers)]
    shared = {
        "held out": n,
        "AUC": roc_auc_score(
            np.repeat([0, 1], list(map(len, scores))), -np.concatenate(scores)
        ),
    }
    lines = []
    for alpha in ALPHAS:
        k = int(np.sum(np.arange(1, n + 1) / (n + 1) <= alpha))
        if k:
            p = k / (n + 1)
            lines.append(
                shared
                | {
                    "alpha": alpha,
                    "level": p,
                    "rate": np.mean(p_new <= alpha),
                    "variance": p * (1 - p) * (n + 1 + m) / (n + 2) / m,
                    "power": np.mean(p_outliers <= alpha),
                }
            )
        k = int(binom.ppf(1 - CONFIDENCE, n, alpha))
        if k and conformal.method == "split":
            conformal.set_params(alpha=alpha, confidence=CONFIDENCE)
            lines.append(
                shared
                | {
                    "confident alpha": alpha,
                    "at most alpha": np.mean(conformal.predict(new) == -1) <= alpha,
                    "expected": betabinom.cdf(int(alpha * m), m, k, n + 1 - k),
                }
            )
    n_outliers = min(len(p_outliers), m // 9)
    batch = np.concatenate([p_new, p_outliers[:n_outliers]])
    adjusted = false_discovery_control(batch)  # as predict_batch does
    for fdr in FDRS:
        called = adjusted <= fdr
        n_false = called[:m].sum()
        lines.append(
            shared
            | {
                "nominal FDR": fdr,
                "FDR": n_false / max(called.sum(), 1),
                "batch power": called[m:].mean(),
            }
        )
    return lines


def run(name, args):
    """Measure all settings on all splits of a table."""
    normal, outliers = load(name)
    lines = []
    for seed in range(args.splits):
        train, new, few_outliers = draw(normal, outliers, seed)
        for detector_name in args.detector:
            detector = find_detectors(seed)[detector_name]
            if name == KDD:
                detector = make_tabular_pipeline(detector)
            else:
                detector = make_pipeline(StandardScaler(), detector)
            for size in args.sizes:
                if size > _num_samples(train):
                    continue
                rows = _safe_indexing(train, np.arange(size))
                for method in args.methods:
                    conformal = ConformalDetector(
                        detector, **METHODS[method], alpha=0.5, random_state=seed
                    )
                    setting = {
                        "table": name,
                        "detector": detector_name,
                        "rows": size,
                        "method": method,
                        "seed": seed,
                    }
                    lines += [
                        setting | line
                        for line in measure(conformal.fit(rows), new, few_outliers)
                    ]
    return lines


def report(lines):
    """Print the means over tables and splits."""
    setting = ["method", "rows", "held out"]
    by_pair = ["table", "detector", "alpha", *setting]
    pairs = lines.dropna(subset="alpha").groupby(by_pair).mean(numeric_only=True)
    counts = lines.dropna(subset="alpha").groupby(by_pair).size()
    error = np.sqrt(pairs["variance"] / counts)
    alpha = pairs.index.get_level_values("alpha")
    pairs["within"] = (pairs["rate"] - pairs["level"]).abs() <= 2 * error
    pairs["above"] = pairs["rate"] > alpha + 2 * error
    pairs = pairs.reset_index()
    same = ["table", "detector", "alpha", "rows"]
    split = pairs[pairs["method"] == "split"].set_index(same)["power"]
    pairs["gain"] = pairs["power"] - split.reindex(pairs.set_index(same).index).values
    groups = pairs.groupby(["alpha", *setting])
    found = groups[["level", "rate", "within", "above"]].mean()
    found["pairs"] = groups.size()
    found[["power", "gain", "AUC"]] = groups[["power", "gain", "AUC"]].mean()
    found.insert(7, "error", groups["gain"].sem())
    print("\nFalse-alarm rates")
    for method, flags in pairs.groupby("method")[["within", "above"]]:
        share = flags.mean()
        print(
            f"{method}: of {len(flags)} pairs at all sizes and alphas "
            f"{share['within']:.1%} are within, {share['above']:.1%} above"
        )
    print(found.reset_index().to_string(index=False, float_format="{:.3f}".format))

    if "confident alpha" in lines:
        confident = lines.dropna(subset="confident alpha")
        confident = confident.astype({"at most alpha": float})
        groups = confident.groupby(["confident alpha", *setting])
        found = groups[["at most alpha", "expected"]].mean()
        found["splits"] = groups.size()
        print(f"\nFalse-alarm rates with confidence={CONFIDENCE}")
        print(found.reset_index().to_string(index=False, float_format="{:.3f}".format))

    groups = lines.groupby(["nominal FDR", *setting])
    found = groups[["FDR", "batch power"]].mean()
    found["largest of a pair"] = (
        lines.groupby(["table", "detector", "nominal FDR", *setting])["FDR"]
        .mean()
        .groupby(["nominal FDR", *setting])
        .max()
    )
    print("\nFalse discovery rates of batches")
    print(found.reset_index().to_string(index=False, float_format="{:.3f}".format))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = list(find_detectors(0))
    parser.add_argument(
        "--detector", nargs="+", choices=known, default=known[:1], metavar="NAME"
    )
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[50, 100, 150, 500, 1500]
    )
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=["split", "cross"]
    )
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--output", help="a CSV file of all lines to write")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # of what the defaults do on some table
    torch.set_num_threads(1)
    start = time.process_time()
    folder = Path(os.environ["SKANOMALY_DATA"]) / "adbench"
    names = args.tables or [*sorted(file.stem for file in folder.glob("*.npz")), KDD]
    lines = []
    for name in names:
        lines += run(name, args)
        print(f"{name:<16}{time.process_time() - start:6.0f} s", flush=True)
    lines = pd.DataFrame(lines)
    if args.output:
        lines.to_csv(args.output, index=False)
    report(lines)


if __name__ == "__main__":
    main()
