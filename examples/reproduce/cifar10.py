"""CIFAR-10 (a JPEG copy): one class normal as in MemAE's paper, or abnormal.

    python examples/reproduce/cifar10.py one_normal --quick
    python examples/reproduce/cifar10.py one_abnormal --quick
    python examples/reproduce/cifar10.py one_abnormal --quick --held-out --classes 0 1 2

``one_abnormal`` is the protocol of GANomaly's paper. ``--held-out`` scores images that
are neither trained on nor tested, to compare settings. ``--quick`` takes sizes for a
CPU. The data are read from the folder that the environment variable SKANOMALY_DATA
names. The detectors take a GPU where there is one.
"""

import argparse

import numpy as np
import torch
from _images import ImageTable, standardize_images
from sklearn.model_selection import train_test_split

from skanomaly import VAE, Autoencoder, GANomaly, MemAE
from skanomaly.datasets import load_cifar10, one_class_split

NAMES = "plane car bird cat deer dog frog horse ship truck".split()


def one_normal(args):
    """One class normal, 30 % outliers in the test part."""
    data = load_cifar10()
    shared = {
        "hidden_sizes": (16, 32, 64) if args.quick else (64, 128, 128, 256),
        "latent_size": 16,
        "activation": "relu",
        "max_epochs": args.epochs or (8 if args.quick else 60),
    }
    # Compared with others on a tenth of the training images held out (classes 0, 3 and
    # 9; the preparation on all ten, by PCA and k-means).
    memory = {"memory_size": 500, "temperature": 0.005}
    detectors = {
        "Autoencoder": Autoencoder(**shared),
        "MemAE": MemAE(**shared, **memory),
    }
    prepare = np.asarray if args.raw else standardize_images
    X_train, X_test = prepare(data.X_train), prepare(data.X_test)
    table = ImageTable()
    for seed in range(args.seeds):
        for label in args.classes:
            split = one_class_split(
                X_train,
                data.y_train,
                X_test,
                data.y_test,
                label,
                outlier_fraction=0.3,
                random_state=seed,
            )
            for name, detector in detectors.items():
                detector.set_params(random_state=seed).fit(split.X_train)
                where = f"seed {seed} {NAMES[label]}"
                table.add(where, name, detector, split.X_test, split.y_test)
    table.print("CIFAR-10, one class normal")


def scale_to_tanh(X):
    """Scale pixels to [-1, 1], as in the paper."""
    return 2 * X - 1


def standardize_to_tanh(X):
    """Scale images to mean 0 and standard deviation 1/3, and clip them to [-1, 1]."""
    return np.clip(standardize_images(X) / 3, -1, 1)


PREPARATIONS = {"pixels": scale_to_tanh, "standardized": standardize_to_tanh}


def one_abnormal(args):
    """One class abnormal, the nine others normal."""
    data = load_cifar10()
    X = np.concatenate([data.X_train, data.X_test])
    y = np.concatenate([data.y_train, data.y_test])
    n_train, n_test = (10_000, 4000) if args.quick else (None, None)
    shared = {
        "latent_size": 100,
        "activation": "leaky_relu",
        "batch_size": 64,
        "max_epochs": args.epochs or (2 if args.quick else 15),
    }
    detectors = {
        "VAE": VAE(**shared),
        "GANomaly": GANomaly(**shared, output_activation="tanh"),
    }
    table = ImageTable()
    for seed in range(args.seeds):
        for label in args.classes:
            normal, outliers = np.flatnonzero(y != label), np.flatnonzero(y == label)
            train, held_out = train_test_split(normal, test_size=0.2, random_state=seed)
            test = np.concatenate([held_out, outliers])
            test = np.random.RandomState(seed).permutation(test)
            if args.held_out:
                unused = test[n_test:][y[test[n_test:]] == label]
                test = np.concatenate([train[n_train:][:1000], unused[:500]])
            else:
                test = test[:n_test]
            y_test = np.where(y[test] == label, -1, 1)
            for way in args.preparations:
                prepare = PREPARATIONS[way]
                X_train, X_test = prepare(X[train[:n_train]]), prepare(X[test])
                for name, detector in detectors.items():
                    detector.set_params(random_state=seed).fit(X_train)
                    where = f"seed {seed} {NAMES[label]:<6}"
                    table.add(where, f"{name}, {way}", detector, X_test, y_test)
    table.print("CIFAR-10, one class abnormal")


TABLES = {table.__name__: table for table in (one_normal, one_abnormal)}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--quick", action="store_true", help="sizes for a CPU")
    parser.add_argument("--classes", nargs="+", type=int, default=range(10))
    parser.add_argument("--held-out", action="store_true", help="needs --quick")
    parser.add_argument(
        "--preparations", nargs="+", choices=PREPARATIONS, default=list(PREPARATIONS)
    )
    parser.add_argument("--raw", action="store_true", help="pixels as read: one_normal")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    if args.held_out and not args.quick:
        parser.error("--held-out needs --quick: otherwise no image is left")
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
