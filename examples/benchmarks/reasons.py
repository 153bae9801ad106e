"""Whether `inspection.explain` names the column of a fault, and how long it takes.

    python examples/benchmarks/reasons.py faults
    python examples/benchmarks/reasons.py relations
    python examples/benchmarks/reasons.py unseen
    python examples/benchmarks/reasons.py time

A detector is fitted on half of the rows of a table; faults are planted into rows of the
other half. ``faults`` and ``relations`` print how often a faulty column is the first
reason, and among the first three; ``unseen`` does so on tables on which no method was
chosen. ``time`` prints explaining as a multiple of scoring. The data are read from the
folder that the environment variable SKANOMALY_DATA names.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import torch
from _faults import ADBENCH, break_relations, load_table, plant_faults
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

import skanomaly
from skanomaly import NearestNeighborDetector, default_ensemble, make_tabular_pipeline
from skanomaly.inspection import explain
from skanomaly.nn.attribution import integrated_gradients

NETWORKS = ("Autoencoder", "VAE", "MemAE", "ALAD", "StudentTeacher")


def make_detector(name, seed):
    """Return a detector with its defaults."""
    others = {
        "1-NN": lambda: NearestNeighborDetector(),
        "ensemble": lambda: default_ensemble(random_state=seed),
        "LocalOutlierFactor": lambda: LocalOutlierFactor(novelty=True),
        "IsolationForest": lambda: IsolationForest(random_state=seed),
    }
    if name in others:
        return others[name]()
    return getattr(skanomaly, name)(random_state=seed)


def methods(pipeline, train):
    """Return what ranks the columns: functions of rows that return reasons."""
    detector = pipeline[-1]
    found = {"auto": lambda rows: explain(pipeline, rows, reference=train)}
    if hasattr(detector, "anomaly_map") and hasattr(detector, "reconstruct"):
        found["replacement"] = lambda rows: explain(
            pipeline, rows, method="replacement", reference=train
        )
        found["anomaly_map"] = lambda rows: explain(
            pipeline, rows, method="anomaly_map"
        )
    if hasattr(detector, "module_") and hasattr(detector, "reconstruct"):
        usual = detector.anomaly_map(pipeline[:-1].transform(train)).mean(axis=0)
        found["whitened error"] = lambda rows: by_features(
            pipeline, rows, detector.anomaly_map(pipeline[:-1].transform(rows)) / usual
        )
        found["gradient"] = lambda rows: by_features(
            pipeline, rows, gradients(detector, pipeline[:-1].transform(rows))
        )
    return found


def gradients(detector, X):
    """Return the integrated gradients of the score from the training mean."""
    module = detector.module_
    X = torch.from_numpy(np.asarray(X, dtype=np.float32)).to(module.center.device)
    return integrated_gradients(module.score, X, module.center).cpu().numpy()


def by_features(pipeline, rows, attributions):
    """Return the reasons by what is attributed to the features before the detector."""
    sources = pipeline["encode"].source_columns_
    amounts = pd.DataFrame(attributions.T).groupby(sources).sum()
    names = pipeline["encode"].feature_names_in_
    order = names[amounts.index.to_numpy()[(-amounts).to_numpy().argsort(axis=0)[:3]]]
    return pd.DataFrame(
        {"sample": np.tile(np.arange(len(rows)), len(order)), "column": order.ravel()}
    )


def hits(reasons, truth):
    """Return how often one of the true columns is first, and among the first three."""
    named = reasons.groupby("sample", sort=True)["column"].agg(list)
    told = [named.get(sample, []) for sample in range(len(truth))]
    pairs = list(zip(told, truth, strict=True))
    first = np.mean([bool({*names[:1]} & {*true}) for names, true in pairs])
    three = np.mean([bool({*names[:3]} & {*true}) for names, true in pairs])
    return first, three


def compare(tables, plant, detectors, args):
    """Print a line for each table, detector and method."""
    for table in tables:
        for name in args.detector or detectors:
            found = {}
            for seed in range(args.seeds):
                frame = load_table(table, seed)
                order = np.random.default_rng(seed).permutation(len(frame))
                train = frame.iloc[order[: len(frame) // 2]].reset_index(drop=True)
                rest = frame.iloc[order[len(frame) // 2 :]]
                pipeline = make_tabular_pipeline(make_detector(name, seed)).fit(train)
                rows = rest.sample(args.faults, replace=True, random_state=seed)
                rows, truth = plant(
                    rows.reset_index(drop=True),
                    train,
                    pipeline["encode"].column_kinds_,
                    seed,
                )
                for method, tell in methods(pipeline, train).items():
                    found.setdefault(method, []).append(hits(tell(rows), truth))
            for method, values in found.items():
                first, three = np.mean(values, axis=0)
                least = np.min(values, axis=0)
                print(
                    f"{table:<14} {name:<20} {method:<15} first {first:.3f} "
                    f"(least {least[0]:.3f})  in three {three:.3f} ({least[1]:.3f})",
                    flush=True,
                )


def faults(args):
    """Single-column faults in the three tables."""
    detectors = (*NETWORKS, "1-NN", "ensemble", "LocalOutlierFactor", "IsolationForest")
    compare(("breast cancer", "KDD Cup 1999", "orders"), plant_faults, detectors, args)


def unseen(args):
    """Single-column faults in tables on which nothing was chosen."""
    detectors = ("Autoencoder", "MemAE", "1-NN", "IsolationForest")
    compare(ADBENCH, plant_faults, detectors, args)


def relations(args):
    """Relations between columns that are broken."""
    detectors = (*NETWORKS, "1-NN", "ensemble", "LocalOutlierFactor", "IsolationForest")

    def plant(rows, train, kinds, seed):
        return break_relations(rows, kinds, seed)

    compare(("breast cancer", "orders"), plant, detectors, args)


def times(args):
    """Explain 10,000 rows of 50 columns; print the time as a multiple of scoring."""
    X = np.random.default_rng(0).normal(size=(10_000, 50)).astype(np.float32)
    frame = pd.DataFrame(X).add_prefix("x")
    names = (*NETWORKS, "1-NN", "ensemble", "LocalOutlierFactor", "IsolationForest")
    for name in args.detector or names:
        bare = make_detector(name, 0).fit(X)
        for kind, estimator, samples in (
            ("array", bare, X),
            ("frame", make_tabular_pipeline(make_detector(name, 0)).fit(frame), frame),
        ):
            seconds = {"score": [], "explain": []}
            for _ in range(3):
                start = time.process_time()
                estimator.score_samples(samples)
                middle = time.process_time()
                explain(estimator, samples)
                seconds["score"].append(middle - start)
                seconds["explain"].append(time.process_time() - middle)
            score, reasons = map(min, seconds.values())
            print(
                f"{name:<20} {kind}  score {score:7.3f} s  explain {reasons:7.3f} s  "
                f"{reasons / score:5.1f} x",
                flush=True,
            )


TABLES = {"faults": faults, "relations": relations, "unseen": unseen, "time": times}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--detector", nargs="+")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    # Constant columns and ids are left out of the tables, as they should be.
    warnings.filterwarnings("ignore", message="Columns are left out")
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
