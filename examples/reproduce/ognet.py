"""OGNet's phases on MNIST, and its pseudo anomalies: what the second phase adds.

    python examples/reproduce/ognet.py mnist --quick --seeds 5
    python examples/reproduce/ognet.py pseudo

``mnist``: zeros are normal, 10 to 50 % of the test part are outliers. ``pseudo`` tells
how easily pseudo anomalies are told from rows of KDD Cup 1999. ``--quick`` has sizes
for a CPU. The data are read from the folder named by the variable SKANOMALY_DATA of
the environment. The detectors take a GPU where there is one.
"""

import argparse
import time

import numpy as np
import torch
from _report import note, print_means
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score, roc_curve

from skanomaly import OGNet, make_tabular_pipeline
from skanomaly.datasets import (
    load_kddcup99,
    load_mnist,
    one_class_split,
    split_kddcup99,
)


def f1_at_equal_errors(y, scores):
    """F1 of inliers at the threshold where both error rates are equal on the test."""
    false, true, thresholds = roc_curve(y == 1, scores)
    threshold = thresholds[np.argmin(np.abs(false - (1 - true)))]
    return f1_score(y == 1, scores >= threshold)


def mnist(args):
    """MNIST zeros: AUC and F1 by fraction of outliers, phase one beside phase two."""
    data = load_mnist()
    X_train, y_train = data.X_train, data.y_train
    if args.quick:
        X_train, y_train = X_train[::3], y_train[::3]
    # Epochs (8, 20, 40) and steps (75, 300) were compared on a part of the training
    # images that was held out.
    base = OGNet(
        hidden_sizes=(16, 32, 64) if args.quick else (64, 128, 256),
        latent_size=16,  # without it, others are reconstructed as well as zeros
        noise_std=0.4,
        activation="relu",
        max_epochs=args.epochs or 20,
        batch_size=64,
        n_phase_two_steps=300,
    )
    ways = {
        "phase one": {"use_reconstruction_error": False, "n_phase_two_steps": 0},
        "phase two": {"use_reconstruction_error": False},
        "phase one, with error": {"n_phase_two_steps": 0},
        "phase two, with error": {},
    }
    figures = {}
    for seed in range(args.seeds or 1):
        for way, settings in ways.items():
            start = time.perf_counter()
            detector = clone(base).set_params(random_state=seed, **settings)
            detector.fit(2 * X_train[y_train == 0] - 1)
            for fraction in (0.1, 0.2, 0.3, 0.4, 0.5):
                split = one_class_split(
                    X_train,
                    y_train,
                    data.X_test,
                    data.y_test,
                    0,
                    outlier_fraction=fraction,
                    random_state=seed,
                )
                scores = detector.score_samples(2 * split.X_test - 1)
                found = {
                    "AUC": roc_auc_score(split.y_test, scores),
                    "F1": f1_score(split.y_test == 1, scores >= detector.offset_),
                    "F1 at EER": f1_at_equal_errors(split.y_test, scores),
                }
                for what, value in found.items():
                    name = f"{way}, {fraction:.0%} {what}"
                    figures.setdefault(name, []).append(value)
            seconds = time.perf_counter() - start
            note(f"seed {seed} {way:<24} AUC {found['AUC']:.4f} {seconds:.0f} s")
    print_means("MNIST, zeros normal", figures)


def pseudo(args):
    """How well a linear model tells pseudo anomalies from rows of training."""
    split = split_kddcup99(
        load_kddcup99(), drop_duplicates="train", random_state=args.seeds or 0
    )
    detector = OGNet(
        max_epochs=args.epochs or 5, batch_size=256, n_phase_two_steps=0, random_state=0
    )
    pipeline = make_tabular_pipeline(detector).fit(split.X_train)
    rows = pipeline[:-1].transform(split.X_train)
    rows = rows.toarray() if hasattr(rows, "toarray") else rows
    rng = np.random.default_rng(0)
    first, second = rng.choice(len(rows), (2, 4000))
    x, partner = (
        torch.from_numpy(rows[some].astype(np.float32)) for some in (first, second)
    )
    module = pipeline[-1].module_.cpu()
    with torch.no_grad():
        made = {"mean of rows": (x + partner) / 2}
        old = module.old_generator(x), module.old_generator(partner)
        for way in ("mean", "crossover"):
            module.pseudo_anomalies = way
            made[f"{way} of old reconstructions"] = module.mix(*old)
        for name in tuple(made):
            made[f"G({name})"] = module.generator(made[name])
        targets = {"row": x, "G(row)": module.generator(x)}
    for name, mixtures in made.items():
        cells = []
        for against, good in targets.items():
            both = torch.cat([good, mixtures]).numpy()
            is_pseudo = np.repeat([0, 1], len(x))
            model = LogisticRegression(max_iter=300).fit(both[::2], is_pseudo[::2])
            auc = roc_auc_score(is_pseudo[1::2], model.decision_function(both[1::2]))
            cells.append(f"against {against} AUC {auc:.3f}")
        note(f"{name:<36}", *cells)


TABLES = {table.__name__: table for table in (mnist, pseudo)}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--quick", action="store_true", help="sizes for a CPU")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
