"""Choosing a detector's settings without labels, on tables of ADBench.

For each table and seed, half of the normal rows train and the other half, with the
outliers, test. A pool of settings is fitted on three quarters of the training rows; the
last quarter is all that a criterion without labels sees. The criteria:

- ``shuffle``, ``replace``, ``jitter``: ROC AUC of these held-out rows against outliers
  that are made from them (`skanomaly.model_selection.make_synthetic_outliers`), and the
  mean of the three;
- ``uniform``: ROC AUC of the held-out rows against uniform rows in their range;
- ``excess mass``, ``mass volume``: areas under the curves of Goix (arXiv:1607.01152),
  volumes by Monte Carlo over the range of the held-out rows;
- ``random``: the mean over the pool; ``labels (best)``: the best one by the test.

The report has the mean test AUC of what is chosen, on how many tables that is better
than the default setting, and the rank correlation of criterion and test AUC over the
pool. Rows are distinct; of a large table at most 3,000 are drawn, of which at most 600
are outliers. No criterion sees a label or a test row.

    SKANOMALY_DATA=... python examples/benchmarks/selection.py --output selection.json
    python examples/benchmarks/selection.py --report selection.json
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

N_UNIFORM = 2000
KINDS = ("shuffle", "replace", "jitter")
# What one would take without a choice, in the whole pool and in each family.
DEFAULTS = (
    ("all", "IsolationForest"),
    ("all", "autoencoder 256-256, noise .05 to .55"),
    ("Autoencoder", "autoencoder 256-256, noise .05 to .55"),
    ("NearestNeighborDetector", "1 neighbor"),
    ("LocalOutlierFactor", "LOF, 20 neighbors"),
    ("OneClassSVM", "SVM, gamma 1 / n_features"),
)


def make_pool(shape, seed):
    """Return the settings by family and name, for training rows of this shape."""
    from skanomaly import Autoencoder
    from skanomaly.neighbors import NearestNeighborDetector

    n_samples, n_features = shape
    pool = {("IsolationForest", "IsolationForest"): IsolationForest(random_state=seed)}
    for k in (1, 2, 5, 10, 30, 100):
        detector = NearestNeighborDetector(min(k, n_samples - 1))
        pool["NearestNeighborDetector", f"{k} neighbor{'s' * (k > 1)}"] = detector
    for k in (5, 10, 20, 50, 100):
        detector = LocalOutlierFactor(min(k, n_samples - 1), novelty=True)
        pool["LocalOutlierFactor", f"LOF, {k} neighbors"] = detector
    for factor in (0.01, 0.1, 1, 10):
        detector = OneClassSVM(gamma=factor / n_features, nu=0.1)
        pool["OneClassSVM", f"SVM, gamma {factor:g} / n_features"] = detector
    shared = {"batch_size": 32, "activation": "leaky_relu", "random_state": seed}
    for name, hidden_sizes, latent_size, noise_std, max_epochs in (
        ("256-256, noise .05 to .55", (256, 256), None, (0.05, 0.55), 25),
        ("256-256, noise .3", (256, 256), None, 0.3, 25),
        ("256-256, no noise", (256, 256), None, 0.0, 25),
        ("128-64-16", (128, 64), 16, 0.0, 25),
        ("128-64-8", (128, 64), 8, 0.0, 25),
        ("128-64-8, 5 epochs", (128, 64), 8, 0.0, 5),
        ("128-64-2", (128, 64), 2, 0.0, 25),
        ("16-2", (16,), 2, 0.0, 25),
    ):
        pool["Autoencoder", f"autoencoder {name}"] = Autoencoder(
            hidden_sizes=hidden_sizes,
            latent_size=latent_size,
            noise_std=noise_std,
            max_epochs=max_epochs,
            device="cpu",
            **shared,
        )
    return pool


def load(name, seed, max_rows):
    """Return training rows, test rows and which of these are outliers."""
    from skanomaly.datasets import load_adbench

    data = load_adbench(name)
    X, first = np.unique(data.data, axis=0, return_index=True)
    is_outlier = data.target[first] == -1
    order = np.random.default_rng(seed).permutation(len(X))
    X, is_outlier = X[order], is_outlier[order]
    outliers = X[is_outlier][: max_rows // 5]
    normal = X[~is_outlier][: max_rows - len(outliers)]
    half = len(normal) // 2
    test = np.concatenate([normal[half:], outliers])
    return normal[:half], test, np.arange(len(test)) >= len(normal) - half


def excess_mass(scores, uniform):
    """Return the area under the excess-mass curve: the larger, the better."""
    levels = np.unique(scores)
    mass = 1 - np.searchsorted(np.sort(scores), levels) / len(scores)
    volume = 1 - np.searchsorted(np.sort(uniform), levels) / len(uniform)
    t = np.arange(0, 100, 0.01)
    curve = (mass[:, None] - volume[:, None] * t).max(axis=0, initial=0)
    end = np.argmax(curve <= 0.9) or len(t)
    return np.trapezoid(curve[:end], t[:end])


def mass_volume(scores, uniform):
    """Return the negative area under the mass-volume curve: the larger, the better."""
    alpha = np.linspace(0.9, 0.999, 100)
    levels = np.quantile(scores, 1 - alpha)
    volume = 1 - np.searchsorted(np.sort(uniform), levels) / len(uniform)
    return -np.trapezoid(volume, alpha)


def criteria(detector, held_out, made, uniform):
    """Return what each criterion says of a fitted detector."""
    scores = detector.score_samples(held_out)

    def auc(outliers):
        others = detector.score_samples(outliers)
        truth = np.repeat([0, 1], [len(scores), len(others)])
        return roc_auc_score(truth, -np.concatenate([scores, others])), others

    found = {kind: auc(rows)[0] for kind, rows in made.items()}
    found["synthetic"] = np.mean([found[kind] for kind in KINDS])
    found["uniform"], of_uniform = auc(uniform)
    found["excess mass"] = excess_mass(scores, of_uniform)
    found["mass volume"] = mass_volume(scores, of_uniform)
    return found


def measure(name, seed, args):
    """Fit the pool on one table and return a record a setting."""
    from skanomaly.model_selection import make_synthetic_outliers
    from skanomaly.preprocessing import ClipTransformer

    train, test, is_outlier = load(name, seed, args.rows)
    fitted_on, held_out = train_test_split(train, test_size=0.25, random_state=seed)
    made = {
        kind: make_synthetic_outliers(held_out, kind, random_state=seed)
        for kind in KINDS
    }
    low, high = held_out.min(axis=0), held_out.max(axis=0)
    uniform = np.random.default_rng(seed).uniform(low, high, size=(N_UNIFORM, len(low)))
    for (family, setting), detector in make_pool(fitted_on.shape, seed).items():
        start = time.process_time()
        pipeline = make_pipeline(StandardScaler(), ClipTransformer(10.0), detector)
        pipeline.fit(fitted_on)
        scores = -pipeline.score_samples(test)
        record = {
            "table": name,
            "seed": seed,
            "family": family,
            "setting": setting,
            "auc": roc_auc_score(is_outlier, scores),
            "ap": average_precision_score(is_outlier, scores),
            **criteria(pipeline, held_out, made, uniform),
        }
        record["seconds"] = time.process_time() - start
        yield {
            k: float(v) if isinstance(v, np.floating) else v for k, v in record.items()
        }


def choose(pool, criterion):
    """Return the test AUC of what a criterion chooses, the mean over ties."""
    aucs = np.array([record["auc"] for record in pool])
    if criterion == "random":
        return aucs.mean()
    values = np.array([record[CRITERIA[criterion]] for record in pool])
    return aucs[values == values.max()].mean()


CRITERIA = {
    **{kind: kind for kind in KINDS},
    "shuffle, replace, jitter": "synthetic",
    "uniform": "uniform",
    "excess mass": "excess mass",
    "mass volume": "mass volume",
    "random": None,
    "labels (best)": "auc",
}


def correlation(pool, criterion):
    """Return the rank correlation with the test AUC; 0 if all are tied."""
    if criterion == "random":
        return 0.0
    aucs = [record["auc"] for record in pool]
    values = [record[CRITERIA[criterion]] for record in pool]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant
        return float(np.nan_to_num(spearmanr(values, aucs).statistic))


def report(records):
    """Print a table for the whole pool and one for each family."""
    seeds = sorted({record["seed"] for record in records})
    tables = sorted({record["table"] for record in records})
    n_seconds = sum(record["seconds"] for record in records)
    print(f"{len(tables)} tables, seeds {seeds}, {n_seconds:.0f} CPU seconds")
    for family, default in DEFAULTS:
        pools = {
            (table, seed): [
                record
                for record in records
                if (record["table"], record["seed"]) == (table, seed)
                and family in ("all", record["family"])
            ]
            for table in tables
            for seed in seeds
        }
        default_aucs = np.array(
            [
                [
                    next(r["auc"] for r in pools[t, s] if r["setting"] == default)
                    for s in seeds
                ]
                for t in tables
            ]
        )
        size = len(next(iter(pools.values())))
        print(
            f"\n{'whole pool' if family == 'all' else family}, {size} settings; "
            f"default: {default}, AUC {default_aucs.mean():.3f}"
        )
        print(
            f"{'criterion':<26}{'AUC':>7}{'sd':>7}{'gain':>8}"
            f"{'better':>8}{'same':>6}{'worse':>7}{'rank corr.':>12}"
        )
        for criterion in CRITERIA:
            chosen = np.array(
                [[choose(pools[t, s], criterion) for s in seeds] for t in tables]
            )
            gain = (chosen - default_aucs).mean(axis=1)
            counts = [int(n.sum()) for n in (gain > 0, gain == 0, gain < 0)]
            rank = np.mean([correlation(p, criterion) for p in pools.values()])
            print(
                f"{criterion:<26}{chosen.mean():>7.3f}{chosen.mean(axis=0).std():>7.3f}"
                f"{gain.mean():>+8.3f}{counts[0]:>8}{counts[1]:>6}{counts[2]:>7}"
                f"{rank:>12.2f}"
            )


def main():
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--tables", nargs="+", help="by name; all by default")
    parser.add_argument("--output", help="a JSON file to write")
    parser.add_argument("--report", help="a JSON file to print, without measuring")
    args = parser.parse_args()
    if args.report:
        report(json.loads(Path(args.report).read_text()))
        return
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SKANOMALY_DATA"]) / "adbench"
    tables = args.tables or sorted(file.stem for file in folder.glob("*.npz"))
    records = []
    for name in tables:
        for seed in range(args.seeds):
            records += measure(name, seed, args)
        print(name, f"{time.process_time():.0f} s", flush=True)
        if args.output:
            Path(args.output).write_text(json.dumps(records, indent=0, default=float))
    report(records)


if __name__ == "__main__":
    main()
