"""OGNet's phases on the papers' data: what the second adds to the first.

    python examples/reproduce/ognet.py mnist --seeds 5
    python examples/reproduce/ognet.py ped2
    python examples/reproduce/ognet.py kddcup --seeds 5
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
from student_teacher import evaluate_maps, load_masks

from skanomaly import OGNet, make_tabular_pipeline
from skanomaly.datasets import (
    load_cifar10,
    load_kddcup99,
    load_mnist,
    load_ped2,
    one_class_split,
    split_kddcup99,
)
from skanomaly.metrics import precision_recall_f1_at


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


def cifar10(args):
    """CIFAR-10 (JPEG copy): mean of ten one-class AUCs."""
    data = load_cifar10()
    step = 4 if args.quick else 1
    X_train, y_train = data.X_train[::step], data.y_train[::step]
    detector = OGNet(activation="leaky_relu", max_epochs=args.epochs or 5)
    aucs = []
    for normal_class in range(10):
        split = one_class_split(
            X_train, y_train, data.X_test, data.y_test, normal_class
        )
        detector.set_params(random_state=0).fit(2 * split.X_train - 1)
        scores = detector.score_samples(2 * split.X_test - 1)
        aucs.append(roc_auc_score(split.y_test, scores))
        note(f"class {normal_class} AUC {aucs[-1]:.4f}")
    print_means("CIFAR-10, one class normal, AUC over classes", {"OGNet": aucs})


def ped2(args):
    """UCSD Ped2, frame by frame: maps against pixel masks, frames by their maps."""
    data, masks = load_ped2(), load_masks()
    base = OGNet(activation="leaky_relu", max_epochs=args.epochs or 10, batch_size=32)
    detectors = {
        "OGNet": base,
        "OGNet, phase one": clone(base).set_params(n_phase_two_steps=0),
    }
    evaluate_maps(detectors, data.X_train[:: 5 if args.quick else 1], data, masks, args)


def kddcup(args):
    """F1 on KDD Cup 1999, protocol dagmm."""
    kdd = load_kddcup99()
    figures = {}
    for seed in range(args.seeds or (1 if args.quick else 5)):
        split = split_kddcup99(kdd, drop_duplicates="train", random_state=seed)
        for pseudo in ("mean", "crossover"):
            detector = OGNet(
                max_epochs=args.epochs or 20,
                batch_size=256,
                pseudo_anomalies=pseudo,
                random_state=seed,
            )
            pipeline = make_tabular_pipeline(detector).fit(split.X_train)
            scores = pipeline.score_samples(split.X_test)
            found = {
                "F1": precision_recall_f1_at(split.y_test, scores, 0.2)[2],
                "AUC": roc_auc_score(split.y_test, scores),
            }
            for what, value in found.items():
                figures.setdefault(f"{pseudo} {what}", []).append(value)
            note(
                f"seed {seed} {pseudo:<10} F1 {found['F1']:.4f} AUC {found['AUC']:.4f}"
            )
    print_means("KDD Cup 1999, protocol dagmm", figures)


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


TABLES = {table.__name__: table for table in (mnist, cifar10, ped2, kddcup, pseudo)}


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
