"""Detectors with their defaults on the tables of ADBench.

All detectors of skanomaly, its default ensemble, nearest neighbors, three detectors of
scikit-learn and, where PyOD is installed, five of its networks, on every table in the
folder "adbench" of the folder named by SKANOMALY_DATA, or in --path. No parameter is
set but the seed.

novelty
    Half of the normal rows are for training; the other half and all outliers are for
    testing. Copies of a row are never in both parts.
unsupervised
    All rows, outliers included, are for training, and the same rows are scored.

Rows are shuffled, and --max-rows of a larger table are drawn, with the table's fraction
of outliers. They are scaled by the mean and standard deviation of the training part and
clipped at 10. Seeds are those of the draw, the split and the weights.

Each result is appended to a file at once, and what is in the file is not run again:
delete the lines of a detector that has changed. Processor time is that of fit and
scores, on one thread. A table and a figure are saved beside the file.

    SKANOMALY_DATA=... python examples/benchmarks/adbench.py --protocol novelty --jobs 2
    python examples/benchmarks/adbench.py --detector Autoencoder 1-NN --seeds 1
    python examples/benchmarks/adbench.py --table adbench.jsonl
"""

import argparse
import importlib
import inspect
import json
import os
import time
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

# Before numpy and torch are imported, here and in the processes of --jobs.
os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import numpy as np
from _adbench_report import read, report
from joblib import Parallel, delayed
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

PROTOCOLS = ("novelty", "unsupervised")
CLIP = 10
# For training rows of which any fraction may be outliers. With the plain autoencoder,
# what has it is all that is no default.
TRIMMED = {"trim_fraction": 0.3, "noise_std": (0.05, 2.0)}
PYOD = {
    "AutoEncoder": "auto_encoder",
    "VAE": "vae",
    "DeepSVDD": "deep_svdd",
    "LUNAR": "lunar",
    "DIF": "dif",
}


# -- what is compared ------------------------------------------------------------------


def find_detectors():
    """Return what makes each detector, by name."""
    import skanomaly
    from skanomaly.base import BaseDetector
    from skanomaly.neighbors import NearestNeighborDetector

    classes = {name: getattr(skanomaly, name) for name in skanomaly.__all__}
    found = {
        name: made
        for name, made in classes.items()
        if inspect.isclass(made) and issubclass(made, BaseDetector)
    }
    found |= {
        "Autoencoder, plain": partial(skanomaly.Autoencoder, latent_size=16),
        "Autoencoder, trimmed": partial(skanomaly.Autoencoder, **TRIMMED),
        "ensemble, trimmed": partial(
            skanomaly.DetectorEnsemble,
            [
                ("forest", IsolationForest()),
                ("denoiser", skanomaly.Autoencoder(**TRIMMED)),
            ],
        ),
        "default ensemble": skanomaly.default_ensemble,
        "1-NN": NearestNeighborDetector,
        "5-NN": partial(NearestNeighborDetector, n_neighbors=5),
        "LOF": partial(LocalOutlierFactor, novelty=True),
        "IsolationForest": IsolationForest,
        "OneClassSVM": OneClassSVM,
    }
    if find_spec("pyod"):
        for name, module in PYOD.items():
            module = importlib.import_module(f"pyod.models.{module}")
            found[f"PyOD {name}"] = getattr(module, name)
    return found


def make_detector(make, seed, n_features):
    """Make a detector with its defaults; PyOD's DeepSVDD must know n_features."""
    arguments = {"random_state": seed, "n_features": n_features, "verbose": 0}
    accepted = inspect.signature(make).parameters
    return make(**{name: arguments[name] for name in arguments if name in accepted})


def score(detector, X, protocol):
    """Return the scores of the test rows, the higher the more abnormal."""
    if protocol == "unsupervised":
        # The scores that a detector stores for its training rows: those of
        # LocalOutlierFactor don't count a row as its own neighbor.
        if hasattr(detector, "decision_scores_"):
            return detector.decision_scores_
        if hasattr(detector, "negative_outlier_factor_"):
            return -detector.negative_outlier_factor_
    if type(detector).__module__.startswith("pyod."):
        return detector.decision_function(X)
    return -detector.score_samples(X)


# -- the rows --------------------------------------------------------------------------


def make_split(folder, name, protocol, seed, max_rows):
    """Return scaled training and test rows, and which test rows are outliers."""
    from skanomaly.datasets import load_adbench

    table = load_adbench(name, folder)
    X, is_outlier = table.data, table.target == -1
    if len(X) > max_rows:
        X, _, is_outlier, _ = train_test_split(
            X, is_outlier, train_size=max_rows, stratify=is_outlier, random_state=seed
        )
    if protocol == "novelty":
        train, test = split_normal_rows(X, is_outlier, seed)
    else:
        train = test = np.random.default_rng(seed).permutation(len(X))
    scaler = StandardScaler().fit(X[train])
    X = np.clip(scaler.transform(X), -CLIP, CLIP)
    return X[train], X[test], is_outlier[test]


def split_normal_rows(X, is_outlier, seed):
    """Draw half of the normal rows for training, all copies of a row or none."""
    _, row = np.unique(X, axis=0, return_inverse=True)
    row = row.ravel()
    normal = np.flatnonzero(~np.isin(row, row[is_outlier]))
    halves = GroupShuffleSplit(n_splits=1, test_size=0.5, random_state=seed)
    drawn, _ = next(halves.split(normal, groups=row[normal]))
    train = np.random.default_rng(seed).permutation(normal[drawn])
    return train, np.setdiff1d(np.arange(len(X)), train)


# -- running ---------------------------------------------------------------------------


def run(args, name, seed, wanted):
    """Fit and evaluate detectors on one split, and append the results to the file."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of what the defaults do on some table
    detectors = find_detectors()
    X_train, X_test, is_outlier = make_split(
        args.path, name, args.protocol, seed, args.max_rows
    )
    for detector_name in wanted:
        start = time.process_time()
        try:
            detector = make_detector(detectors[detector_name], seed, X_train.shape[1])
            detector.fit(X_train)
            fitted = time.process_time()
            scores = score(detector, X_test, args.protocol)
            auc = roc_auc_score(is_outlier, scores)
        except Exception as error:  # any one of another library, and the rest goes on
            print(f"{name}, seed {seed}, {detector_name}: {error!r}", flush=True)
            continue
        result = {
            "protocol": args.protocol,
            "table": name,
            "seed": seed,
            "max_rows": args.max_rows,
            "detector": detector_name,
            "auc": round(auc, 5),
            "ap": round(average_precision_score(is_outlier, scores), 5),
            "fit_seconds": round(fitted - start, 3),
            "score_seconds": round(time.process_time() - fitted, 3),
            "n_train": len(X_train),
            "n_test": len(X_test),
        }
        with open(args.results, "a") as file:
            file.write(json.dumps(result) + "\n")
        print(
            f"{name:<16} seed {seed}  {detector_name:<18} AUC {result['auc']:.3f}  "
            f"{result['fit_seconds'] + result['score_seconds']:.1f} s",
            flush=True,
        )


def run_missing(args):
    """Run what the file of results doesn't have, one split a process at a time."""
    done = set()
    Path(args.results).parent.mkdir(parents=True, exist_ok=True)
    if Path(args.results).exists():
        results = read(args.results, args)
        columns = results[["table", "seed", "detector"]]
        done = set(columns.itertuples(index=False, name=None))
    jobs = []
    for seed in range(args.seeds):
        for name in args.tables:
            wanted = [d for d in args.detector if (name, seed, d) not in done]
            if wanted:
                jobs.append(delayed(run)(args, name, seed, wanted))
    Parallel(n_jobs=args.jobs)(jobs)


def main():
    """Run what is missing, or only show what is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0])
    parser.add_argument("--detector", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=20_000, help="of a table")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--path", help="folder of the .npz files")
    parser.add_argument("--results", default="adbench.jsonl", help="file to append to")
    parser.add_argument("--table", metavar="FILE", help="show these results, run none")
    args = parser.parse_args()
    if args.table:
        args.results = args.table
    else:
        known = list(find_detectors())
        if not find_spec("pyod"):
            print("PyOD's detectors are skipped: pip install 'skanomaly[benchmarks]'")
        args.detector = args.detector or known
        if unknown := set(args.detector) - set(known):
            parser.error(f"no detector {sorted(unknown)}; there are {known}")
        folder = args.path or Path(os.environ.get("SKANOMALY_DATA", ".")) / "adbench"
        args.tables = args.tables or sorted(
            file.stem for file in Path(folder).glob("*.npz")
        )
        if not args.tables:
            parser.error(
                f"no .npz files in {folder}: pass --path or set SKANOMALY_DATA"
            )
        run_missing(args)
    report(args)


if __name__ == "__main__":
    main()
