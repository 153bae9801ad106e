"""Uninformed students with teachers that need no download, on the papers' data.

    python examples/reproduce/student_teacher.py kddcup --seeds 10
    python examples/reproduce/student_teacher.py mnist
    python examples/reproduce/student_teacher.py cifar10
    python examples/reproduce/student_teacher.py ped2

The tables of MNIST and CIFAR-10 print MemAE beside it where ``--memae`` is given: the
settings are those of ``memae.py``. That of Ped2 has all detectors. ``--quick`` takes
sizes for a CPU. The data are read from the folder that the environment variable
SKANOMALY_DATA names. The detectors take a GPU where there is one.
"""

import argparse
import time

import numpy as np
import torch
from _report import note, print_means
from sklearn.metrics import roc_auc_score

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
    StudentTeacher,
    make_tabular_pipeline,
)
from skanomaly.datasets import (
    find_data,
    load_cifar10,
    load_kddcup99,
    load_mnist,
    load_ped2,
    one_class_split,
    split_kddcup99,
)
from skanomaly.metrics import per_region_overlap, precision_recall_f1_at

OUTLIER_FRACTION = 0.3  # of the test part, as in memae.py


def kddcup(args):
    """F1 on KDD Cup 1999, protocol dagmm."""
    kdd = load_kddcup99()
    # Compared with 10 epochs, and with ReLU, on one split of a training half.
    settings = {"max_epochs": args.epochs or 30, "batch_size": 256}
    figures = {"F1": [], "AUC": []}
    for seed in range(args.seeds or (2 if args.quick else 10)):
        start = time.perf_counter()
        split = split_kddcup99(kdd, drop_duplicates="train", random_state=seed)
        pipeline = make_tabular_pipeline(StudentTeacher(**settings, random_state=seed))
        scores = pipeline.fit(split.X_train).score_samples(split.X_test)
        f1 = precision_recall_f1_at(split.y_test, scores, 0.2)[2]
        auc = roc_auc_score(split.y_test, scores)
        figures["F1"].append(f1)
        figures["AUC"].append(auc)
        seconds = time.perf_counter() - start
        note(f"seed {seed} F1 {f1:.4f} AUC {auc:.4f} {seconds:.0f} s")
    print_means("KDD Cup 1999, protocol dagmm", figures)


def one_class_images(data, detectors, args):
    """Train on each class in turn."""
    figures = {name: [] for name in detectors}
    rng = np.random.RandomState(0)
    keep = np.arange(len(data.X_train))
    if args.quick:
        keep = rng.choice(keep, len(keep) // 4, replace=False)
    for seed in range(args.seeds or 1):
        for normal_class in range(10):
            split = one_class_split(
                data.X_train[keep],
                data.y_train[keep],
                data.X_test,
                data.y_test,
                normal_class,
                outlier_fraction=OUTLIER_FRACTION,
                random_state=seed,
            )
            for name, detector in detectors.items():
                start = time.perf_counter()
                detector.set_params(random_state=seed).fit(split.X_train)
                auc = roc_auc_score(split.y_test, detector.score_samples(split.X_test))
                figures[name].append(auc)
                seconds = time.perf_counter() - start
                note(
                    f"seed {seed} class {normal_class} {name:<14} AUC {auc:.4f} "
                    f"{seconds:.0f} s"
                )
    return figures


def mnist(args):
    """MNIST: mean of ten one-class AUCs."""
    # Compared with patches of 10, 14 and 28 pixels, and with tanh, on a part of the
    # training images that was held out (digits 2 and 8).
    detectors = {
        "StudentTeacher": StudentTeacher(
            patch_sizes=(20,),
            stride=4,
            hidden_sizes=(256,),
            latent_size=64,
            learning_rate=2e-3,
            max_epochs=args.epochs or 16,
        )
    }
    if args.memae:
        detectors["MemAE"] = MemAE(
            hidden_sizes=(16, 32, 64),
            latent_size=16,
            activation="relu",
            max_epochs=8 if args.quick else 60,
            memory_size=2000,
            temperature=0.01,
        )
    figures = one_class_images(load_mnist(), detectors, args)
    print_means("MNIST, one class normal, AUC over classes", figures)


def cifar10(args):
    """CIFAR-10 (JPEG copy): mean of ten one-class AUCs."""
    detectors = {
        "StudentTeacher": StudentTeacher(
            patch_sizes=(16,),
            stride=8,
            hidden_sizes=(256,),
            latent_size=64,
            learning_rate=2e-3,
            max_epochs=args.epochs or 16,
        )
    }
    if args.memae:
        detectors["MemAE"] = MemAE(
            hidden_sizes=(32, 64, 64) if args.quick else (64, 128, 128, 256),
            latent_size=64,
            activation="relu",
            max_epochs=8 if args.quick else 60,
            memory_size=500,
            temperature=0.02,
        )
    figures = one_class_images(load_cifar10(), detectors, args)
    print_means("CIFAR-10, one class normal, AUC over classes", figures)


def load_masks():
    """Load which pixels of Ped2's test frames are abnormal, at 64 x 96."""
    with np.load(find_data("ucsd_ped2/ped2_masks_240x360_packed.npz")) as arrays:
        masks = np.unpackbits(arrays["mask_packed"], axis=-1)[..., :360]
    # The nearest pixel of each pixel of the small frames.
    rows = (np.arange(64) + 0.5) * 240 / 64
    columns = (np.arange(96) + 0.5) * 360 / 96
    return masks[:, rows.astype(int)][:, :, columns.astype(int)]


def ped2(args):
    """UCSD Ped2, frame by frame: maps against pixel masks, frames by their maps."""
    data, masks = load_ped2(), load_masks()
    shared = {
        "activation": "leaky_relu",
        "max_epochs": args.epochs or 20,
        "batch_size": 32,
    }
    search = {"n_search_steps": 100 if args.quick else 500}
    detectors = {
        "StudentTeacher": StudentTeacher(**shared, patch_sizes=(8, 16), stride=4),
        "Autoencoder": Autoencoder(**shared),
        "VAE": VAE(**shared),
        "MemAE": MemAE(**shared, query="position", temperature=0.05),
        "OGNet": OGNet(**shared),
        "GANomaly": GANomaly(**shared),
        "EGBAD": EGBAD(**shared),
        "ALAD": ALAD(**shared),
        "FAnoGAN": FAnoGAN(**shared, n_critic_steps=2),
        "AnoGAN": AnoGAN(**shared, **search),
    }
    step = 5 if args.quick else 1
    evaluate_maps(detectors, data.X_train[::step], data, masks, args)


def evaluate_maps(detectors, train, data, masks, args):
    """Print PRO of the maps, and frame AUCs by scores and by the maps' maxima."""
    step = 4 if args.quick else 1
    X_test, y_test, masks = data.X_test[::step], data.y_test[::step], masks[::step]
    figures = {}
    for seed in range(args.seeds or 1):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector.set_params(random_state=seed).fit(train)
            maps = detector.anomaly_map(X_test).sum(axis=1)
            found = {
                "PRO": per_region_overlap(masks, maps),
                "frame AUC": roc_auc_score(y_test, detector.score_samples(X_test)),
                "frame AUC, maxima": roc_auc_score(y_test, -maps.max(axis=(1, 2))),
            }
            for what, value in found.items():
                figures.setdefault(f"{name} {what}", []).append(value)
            seconds = time.perf_counter() - start
            cells = [f"{what} {value:.4f}" for what, value in found.items()]
            note(f"seed {seed} {name:<14}", *cells, f"{seconds:.0f} s")
    print_means("UCSD Ped2 64 x 96, single frames", figures)


TABLES = {table.__name__: table for table in (kddcup, mnist, cifar10, ped2)}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--quick", action="store_true", help="sizes for a CPU")
    parser.add_argument("--memae", action="store_true", help="MemAE beside it")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
