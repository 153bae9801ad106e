"""KDD Cup 1999: a table through a Pipeline into a detector, by three protocols.

    python examples/kddcup99.py --protocol dagmm --seeds 10
    python examples/kddcup99.py --protocol intrusion --detector Autoencoder
    python examples/kddcup99.py --protocol ordered

Protocol "dagmm" is that of the papers on DAGMM, MemAE, EGBAD and ALAD: attacks, four
fifths of the data, are the normal class, and the fifth of the *test* rows with the
highest scores is called outliers. "intrusion" is the direction in which one would use
the data: trained on normal connections, tested on attacks, none of whose kinds is in
training. "ordered" is the same without shuffling: trained on the first half of the
normal connections in the file's order, tested on the second, and on the attacks.

Each row of the table is one detector after one preparation, both fitted on the
training part only:

standard
    `make_tabular_pipeline`: one-hot, z-scores clipped at 10, on distinct rows.
min-max
    the papers' preparation: one-hot, scaled to [0, 1], on all rows, repetitions
    included. With --epochs the network makes as many steps as on the distinct rows.

Where the data can't be found, the script says how to get it and runs on scikit-learn's
breast cancer data instead.
"""

import argparse
import time
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import Bunch

import skanomaly
from skanomaly import make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer, load_kddcup99, split_kddcup99
from skanomaly.metrics import precision_recall_f1_at
from skanomaly.neighbors import NearestNeighborDetector

FRACTION_CALLED_OUTLIERS = 0.2  # the papers' "top 20 %"
PROTOCOLS = ("dagmm", "intrusion", "ordered")
CONTAMINATION = 0.01  # of the training rows, for the threshold of `predict`


@dataclass
class Entry:
    """One line of the table."""

    name: str
    preparation: str
    pipeline: object


# -- what is compared ------------------------------------------------------------------


def make_entries(detectors, epochs, n_distinct, n_all):
    """Pair detectors and preparations."""
    on_distinct_rows = {"contamination": CONTAMINATION}
    on_all_rows = {"contamination": CONTAMINATION}
    if epochs is not None:
        on_distinct_rows["max_epochs"] = epochs
        on_all_rows["max_epochs"] = max(1, round(epochs * n_distinct / n_all))
    forest = IsolationForest(contamination=CONTAMINATION)
    neighbor = NearestNeighborDetector(contamination=CONTAMINATION)
    entries = []
    for name in detectors:
        detector = getattr(skanomaly, name)(**on_distinct_rows)
        entries.append(Entry(name, "standard", make_tabular_pipeline(detector)))
    entries += [
        Entry("IsolationForest", "standard", make_tabular_pipeline(clone(forest))),
        Entry("1-NN", "standard", make_tabular_pipeline(neighbor)),
    ]
    for name in detectors:
        detector = getattr(skanomaly, name)(**on_all_rows)
        entries.append(Entry(name, "min-max", as_in_the_papers(detector)))
    entries.append(Entry("IsolationForest", "min-max", as_in_the_papers(clone(forest))))
    return entries


def as_in_the_papers(detector):
    """Scale to [0, 1] and do not clip."""
    return make_tabular_pipeline(detector, scaler=MinMaxScaler(), clip=None)


# -- where the rows come from ----------------------------------------------------------


def kdd_splits(path, protocol):
    """Return the function that splits KDD anew for each seed."""
    kdd = load_kddcup99(path)

    def split(seed):
        published = split_kddcup99(kdd, protocol=protocol, random_state=seed)
        distinct = split_kddcup99(
            kdd, protocol=protocol, drop_duplicates="train", random_state=seed
        )
        first, rows = find_distinct(published.X_test)
        return Bunch(
            **published,
            X_train_distinct=distinct.X_train,
            X_test_distinct=published.X_test.iloc[first],
            rows_test=rows,
        )

    return split


def find_distinct(X):
    """Return where each distinct row is first, and which of them each row is."""
    group = X.groupby(list(X), observed=True, sort=False, dropna=False).ngroup()
    _, first, rows = np.unique(group, return_index=True, return_inverse=True)
    return first, rows


def embedded_splits():
    """Return the same for the breast cancer data."""
    cancer = load_breast_cancer()

    def split(seed):
        benign, malignant = (np.flatnonzero(cancer.target == c) for c in (1, -1))
        train, held_out = train_test_split(benign, test_size=0.5, random_state=seed)
        test = np.concatenate([held_out, malignant])
        return Bunch(
            X_train=cancer.data[train],
            X_train_distinct=cancer.data[train],
            X_test_distinct=cancer.data[test],
            rows_test=np.arange(len(test)),
            y_test=cancer.target[test],
            kind_test=np.where(cancer.target[test] == 1, "normal", "malignant"),
        )

    return split


def find_splits(path, protocol):
    """Take KDD where it can be had, else say so and take the embedded set."""
    try:
        return kdd_splits(path, protocol), f"KDD Cup 1999, protocol {protocol}"
    except (OSError, ImportError) as error:
        if path is not None:
            raise
        rule = "!" * 88
        print(f"{rule}\n{error}\n\nNOT KDD: this run is on the breast cancer data of ")
        print(f"scikit-learn instead. Its figures say nothing about KDD.\n{rule}\n")
        return embedded_splits(), "breast cancer (NOT KDD Cup 1999)"


# -- running and evaluating ------------------------------------------------------------


def evaluate(pipeline, split):
    """Return the figures of a fitted pipeline on the test part, and its scores."""
    scores = pipeline.score_samples(split.X_test_distinct)[split.rows_test]
    predicted = pipeline.predict(split.X_test_distinct)[split.rows_test]
    truth = split.y_test == -1
    precision, recall, f1 = precision_recall_f1_at(
        split.y_test, scores, FRACTION_CALLED_OUTLIERS
    )
    *_, predicted_f1, _ = precision_recall_fscore_support(
        truth, predicted == -1, average="binary", zero_division=0
    )
    inliers = scores[~truth]
    by_kind = [
        roc_auc_score(
            np.repeat([0, 1], [len(inliers), (split.kind_test == kind).sum()]),
            -np.concatenate([inliers, scores[split.kind_test == kind]]),
        )
        for kind in np.unique(split.kind_test[truth])
    ]
    return {
        "precision": precision,
        "recall": recall,
        "F1": f1,
        "AUC": roc_auc_score(truth, -scores),
        "AUC by kind": float(np.mean(by_kind)),
        "F1 of predict": predicted_f1,
    }, scores


def run(splits, detectors, epochs, seeds):
    """Fit and evaluate everything for each seed; print progress."""
    results = {}
    for seed in range(seeds):
        split = splits(seed)
        n_distinct, n_all = len(split.X_train_distinct), len(split.X_train)
        for entry in make_entries(detectors, epochs, n_distinct, n_all):
            is_on_all = entry.preparation == "min-max"
            X = split.X_train if is_on_all else split.X_train_distinct
            pipeline = entry.pipeline
            if "random_state" in pipeline[-1].get_params():
                pipeline.set_params(detector__random_state=seed)
            start = time.process_time()
            pipeline.fit(X)
            seconds = time.process_time() - start
            figures, scores = evaluate(pipeline, split)
            key = entry.name, entry.preparation
            results.setdefault(key, []).append({**figures, "fit, CPU s": seconds})
            print(
                f"seed {seed}  {entry.name:<16} {entry.preparation:<9} "
                f"{len(X):>7} rows  AUC {figures['AUC']:.4f}  {seconds:.0f} s",
                flush=True,
            )
            split.setdefault("scores", {})[key] = scores
            split.setdefault("offsets", {})[key] = pipeline[-1].offset_
    return results, split


def print_table(results, columns):
    """Print mean and standard deviation over the seeds."""
    print(f"\n{'':<17}{'prepared':<10}" + "".join(f"{name:>17}" for name in columns))
    for (name, preparation), figures in results.items():
        cells = []
        for column in columns:
            values = np.array([figure[column] for figure in figures])
            if column == "fit, CPU s":
                cells.append(f"{values.mean():.0f}")
            else:
                std = f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else ""
                cells.append(f"{values.mean():.4f}{std}")
        print(f"{name:<17}{preparation:<10}" + "".join(f"{c:>17}" for c in cells))


def save_figure(split, title, file):
    """Draw the scores of the first detector, and the ROC curves of all."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    truth = split.y_test == -1
    key = next(iter(split.scores))
    scores = split.scores[key]
    offset = split.offsets[key]
    highest = max(scores.max(), offset)
    abnormality = np.log10(highest - scores + 1e-3)
    bins = np.linspace(abnormality.min(), abnormality.max(), 80)
    for is_outlier, label in ((False, "inliers"), (True, "outliers")):
        left.hist(abnormality[truth == is_outlier], bins, alpha=0.6, label=label)
    threshold = np.log10(highest - offset + 1e-3)
    left.axvline(threshold, color="black", linestyle="--", label="threshold")
    left.set(
        yscale="log",
        title=f"{key[0]}, {key[1]} preparation: scores of the test rows",
        xlabel="abnormality, log10(highest score or threshold - score)",
        ylabel="rows",
    )
    left.legend()
    for (name, preparation), scores in split.scores.items():
        false, true, _ = roc_curve(truth, -scores)
        line = "-" if preparation == "standard" else ":"
        right.plot(false, true, line, label=f"{name}, {preparation}")
    right.set(
        xscale="log",
        xlim=(1e-4, 1),
        title="ROC curves of the last seed",
        xlabel="fraction of inliers called outliers",
        ylabel="fraction of outliers found",
    )
    right.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(file, dpi=120)
    print(f"\nFigure: {file}")


def main():
    """Run the main job."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ["Autoencoder", "VAE"]
    parser.add_argument("--protocol", choices=PROTOCOLS, default="dagmm")
    parser.add_argument("--detector", nargs="+", default=names, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=2, help="of split and weights")
    parser.add_argument("--epochs", type=int, help="over distinct rows; default: auto")
    parser.add_argument("--path", help="kddcup.data_10_percent.gz")
    parser.add_argument("--figure", help="file; '' saves none")
    args = parser.parse_args()
    unknown = set(args.detector) - set(skanomaly.__all__)
    if unknown:
        parser.error(f"no detector {sorted(unknown)}; there are {skanomaly.__all__}")

    # Two columns of KDD are constant, which each fit would say again.
    warnings.filterwarnings("ignore", message="Columns are left out")
    # A second thread gains nothing on networks of this size, and loses much when
    # another process wants the processor.
    torch.set_num_threads(1)
    splits, title = find_splits(args.path, args.protocol)
    is_dagmm = args.protocol == "dagmm" and "NOT" not in title
    print(f"{title}: {args.seeds} seeds of split and weights\n")
    results, last = run(splits, args.detector, args.epochs, args.seeds)
    columns = ["precision", "recall", "F1"] if is_dagmm else ["AUC by kind"]
    print_table(results, [*columns, "AUC", "F1 of predict", "fit, CPU s"])
    if is_dagmm:
        ceiling = 2 * np.mean(last.y_test == -1)
        ceiling /= FRACTION_CALLED_OUTLIERS + np.mean(last.y_test == -1)
        print(
            "\nPrecision, recall and F1: the papers' rule, the top 20 % of the test "
            f"scores (at best F1 {ceiling:.4f}).\n"
            f"F1 of predict: the threshold that {CONTAMINATION:.0%} of the training "
            "rows exceed; no test row is looked at.\n"
            "1-NN is not trained, and most test attacks are verbatim in the training "
            "part: a\nhigh F1 here is no evidence for a method. Scaling decides it."
        )
    else:
        print(
            "\nAUC by kind: the mean over the kinds of outliers, of which a few make "
            "up most rows.\n"
            f"F1 of predict: the threshold that {CONTAMINATION:.0%} of the training "
            "rows exceed; no test row is looked at."
        )
    file = f"kddcup99_{args.protocol}.png" if args.figure is None else args.figure
    if file:
        try:
            save_figure(last, title, file)
        except ImportError:
            warnings.warn("No figure: pip install 'skanomaly[plots]'.", stacklevel=1)


if __name__ == "__main__":
    main()
