"""All detectors on MNIST: as in their papers, as they are here, and their error alone.

    python examples/reproduce/mnist.py one_normal --quick --digits 4 8
    python examples/reproduce/mnist.py one_abnormal --quick --epochs 120 --batch-size 64
    python examples/reproduce/mnist.py zeros --quick

``one_normal`` takes one digit as normal. ``one_abnormal`` takes one as abnormal, as in
GANomaly's paper. ``zeros`` prints the residuals of AnoGAN on zeros and other digits.
``--quick`` takes sizes for a CPU, and ``--detectors`` a part of the rows.
The data are read from the folder that the environment variable SKANOMALY_DATA names.
"""

import argparse
import time

import numpy as np
import torch
from _images import ImageTable
from _report import print_means
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from skanomaly import (
    ALAD,
    EGBAD,
    VAE,
    AnoGAN,
    Autoencoder,
    FAnoGAN,
    GANomaly,
    MemAE,
    OGNet,
)
from skanomaly.datasets import load_mnist, one_class_split
from skanomaly.neighbors import NearestNeighborDetector


class OnRows:
    """An outlier detector of rows, for images."""

    def __init__(self, detector):
        self.detector = detector

    def fit(self, X):
        self.detector.fit(X.reshape(len(X), -1))
        return self

    def set_params(self, random_state):
        if "random_state" in self.detector.get_params():
            self.detector.set_params(random_state=random_state)
        return self

    def score_samples(self, X):
        return self.detector.score_samples(X.reshape(len(X), -1))


def shallow_detectors():
    """Return detectors without a network."""
    # Its width is the one with the largest likelihood of held-out training images.
    density = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.2, 5, 8)})
    return {
        "1-NN": OnRows(NearestNeighborDetector()),
        "OneClassSVM": OnRows(OneClassSVM(nu=0.1)),
        "KernelDensity": OnRows(make_pipeline(PCA(0.95), density)),
        "IsolationForest": OnRows(IsolationForest()),
    }


def networks(args):
    """Return the detectors with a network, which they share as far as they can."""
    shared = {
        "activation": "leaky_relu",
        "batch_size": args.batch_size or (32 if args.quick else 64),
        "max_epochs": args.epochs or (10 if args.quick else 60),
    }
    coded = shared | {"latent_size": 16}
    search = {"n_search_steps": 50 if args.quick else 500}
    # The default, 10, has a larger loss of held-out images of fours, eights and zeros.
    search["penalty_weight"] = 1.0
    free = {"n_draws": 1, "max_code_norm": None}
    uniform = {
        "memory_init": "uniform",
        "temperature": 1.0,
        "shrinkage": 3.0,
        "warm_up_fraction": 0.0,
    }
    return {
        "Autoencoder": Autoencoder(**coded),
        "Autoencoder, code of 100": Autoencoder(**shared, latent_size=100),
        "VAE": VAE(**coded),
        "MemAE, paper": MemAE(**coded, **uniform),
        "MemAE": MemAE(**coded, memory_size=500, temperature=0.02),
        # Compared with others on held-out images: memae.py addressing.
        "MemAE, sparse": MemAE(
            **coded, memory_size=500, temperature=0.02, shrinkage=10.0
        ),
        "OGNet, paper": OGNet(**shared, use_reconstruction_error=False),
        "OGNet": OGNet(**coded, noise_std=0.4, n_phase_two_steps=300),
        "GANomaly, paper": GANomaly(**shared, latent_size=100),
        "GANomaly": GANomaly(**coded, encoder_weight=10),
        "EGBAD, paper": EGBAD(**coded, cycle_weight=0),
        "EGBAD": EGBAD(**coded, cycle_weight=10),
        "ALAD, paper": ALAD(
            **coded, cycle_weight=0, score_method="features", spectral_norm=True
        ),
        "ALAD": ALAD(**coded, cycle_weight=10, score_method="l1"),
        "FAnoGAN, paper": FAnoGAN(**coded, kappa=1.0),
        "FAnoGAN": FAnoGAN(**coded, kappa=0.1),
        "AnoGAN, paper": AnoGAN(**coded, **search, **free),
        "AnoGAN": AnoGAN(**coded, **search, max_code_norm=0.8),
    }


def chosen(detectors, args):
    """Keep the detectors that are asked for."""
    return {n: d for n, d in detectors.items() if n in (args.detectors or detectors)}


def evaluate(problems, detectors, args, title):
    """Fit on each problem's training part, and print the AUCs on its test part."""
    table = ImageTable()
    for seed in range(args.seeds):
        for label, X_train, X_test, y_test in problems(seed):
            for name, detector in detectors.items():
                detector.set_params(random_state=seed).fit(X_train)
                table.add(f"seed {seed} {label}", name, detector, X_test, y_test)
    table.print(title)


def some(X, n, seed):
    """Return at most `n` of the samples."""
    return X[np.random.RandomState(seed).permutation(len(X))[:n]]


def one_normal(args):
    """MNIST, one digit normal: AUCs over the digits."""
    data = load_mnist()
    n_train, n_test = (1000, 500) if args.quick else (None, None)

    def problems(seed):
        for digit in args.digits:
            split = one_class_split(
                data.X_train,
                data.y_train,
                data.X_test,
                data.y_test,
                digit,
                outlier_fraction=0.3,
                random_state=seed,
            )
            order = np.random.RandomState(seed).permutation(len(split.X_test))[:n_test]
            X_train = some(split.X_train, n_train, seed)
            yield f"digit {digit}", X_train, split.X_test[order], split.y_test[order]

    detectors = chosen(shallow_detectors() | networks(args), args)
    evaluate(problems, detectors, args, "MNIST, one digit normal")


def one_abnormal(args):
    """MNIST, one digit abnormal as in GANomaly's paper: AUCs over the digits."""
    data = load_mnist()
    X = np.concatenate([data.X_train, data.X_test])
    y = np.concatenate([data.y_train, data.y_test])
    n_train, n_test = (2000, 1000) if args.quick else (None, None)

    def problems(seed):
        for digit in args.digits:
            normal, outliers = np.flatnonzero(y != digit), np.flatnonzero(y == digit)
            train, held_out = train_test_split(normal, test_size=0.2, random_state=seed)
            test = some(np.concatenate([held_out, outliers]), n_test, seed)
            y_test = np.where(y[test] == digit, -1, 1)
            yield f"digit {digit}", X[train[:n_train]], X[test], y_test

    args.detectors = args.detectors or ["1-NN", "VAE", "EGBAD", "GANomaly"]
    detectors = chosen(shallow_detectors() | networks(args), args)
    evaluate(problems, detectors, args, "MNIST, one digit abnormal")


def zeros(args):
    """MNIST zeros normal: AnoGAN's residuals, and what f-AnoGAN saves."""
    data = load_mnist()
    split = one_class_split(
        data.X_train, data.y_train, data.X_test, data.y_test, 0, random_state=0
    )
    n_train, n_test = (2000, 500) if args.quick else (None, 2000)
    order = np.random.RandomState(0).permutation(len(split.X_test))[:n_test]
    X_test, is_zero = split.X_test[order], split.y_test[order] == 1
    args.detectors = args.detectors or ["AnoGAN, paper", "AnoGAN", "FAnoGAN"]
    figures = {}
    for seed in range(args.seeds):
        for name, detector in chosen(networks(args), args).items():
            start = time.perf_counter()
            detector.set_params(random_state=seed).fit(split.X_train[:n_train])
            fitted = time.perf_counter()
            scores = detector.score_samples(X_test)
            scored = time.perf_counter()
            residual = detector.anomaly_map(X_test).mean(axis=(1, 2, 3))
            row = {
                "AUC of the score": roc_auc_score(is_zero, scores),
                "AUC of the residual": roc_auc_score(~is_zero, residual),
                "mean residual of zeros": residual[is_zero].mean(),
                "mean residual of others": residual[~is_zero].mean(),
                "least residual of zeros": residual[is_zero].min(),
                "least residual of others": residual[~is_zero].min(),
                "seconds to fit": fitted - start,
                "ms an image": 1000 * (scored - fitted) / len(X_test),
            }
            for label, value in row.items():
                figures.setdefault(f"{name}, {label}", []).append(value)
    print_means(f"MNIST zeros, {len(X_test)} test images", figures)


TABLES = {table.__name__: table for table in (one_normal, one_abnormal, zeros)}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--quick", action="store_true", help="sizes for a CPU")
    parser.add_argument("--digits", nargs="+", type=int, default=range(10))
    parser.add_argument(
        "--detectors", nargs="+", help="how names start; all by default"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
