"""Uninformed students on MNIST and CIFAR-10, one class normal.

    python examples/reproduce/student_teacher.py mnist
    python examples/reproduce/student_teacher.py cifar10 --images 500

CIFAR-10 compares a random teacher with EfficientNet-lite0, which needs the extra
``teachers``, and that with nearest neighbors among the same features. The data are read
from the folder that the environment variable SKANOMALY_DATA names. The detectors take a
GPU where there is one.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from _report import note, print_means, print_table
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skanomaly import StudentTeacher
from skanomaly.datasets import load_cifar10, load_mnist, one_class_split
from skanomaly.neighbors import NearestNeighborDetector
from skanomaly.nn.efficientnet import ImageFeatures

OUTLIER_FRACTION = 0.3  # of the test part, as in memae.py


def one_class_images(data, detectors, args):
    """Train each detector on each class in turn, and print the AUCs."""
    figures = {name: np.empty((args.seeds, 10)) for name in detectors}
    for seed in range(args.seeds):
        for normal_class in range(10):
            split = one_class_split(
                data.X_train,
                data.y_train,
                data.X_test,
                data.y_test,
                normal_class,
                outlier_fraction=OUTLIER_FRACTION,
                random_state=seed,
            )
            drawn = np.random.RandomState(seed).permutation(len(split.X_train))
            X_train = split.X_train[drawn[: args.images]]
            for name, make in detectors.items():
                start = time.process_time()
                scores = make(seed).fit(X_train).score_samples(split.X_test)
                auc = roc_auc_score(split.y_test, scores)
                figures[name][seed, normal_class] = auc
                seconds = time.process_time() - start
                columns = f"seed {seed} class {normal_class}", name, f"{auc:.4f}"
                note(*columns, f"{seconds:.0f} s")
    rows = [
        [str(number), *(f"{aucs[:, number].mean():.4f}" for aucs in figures.values())]
        for number in range(10)
    ]
    rows.append(["mean", *(f"{aucs.mean():.4f}" for aucs in figures.values())])
    print_table(f"AUC, seeds: {args.seeds}", ["class", *figures], rows)
    print_means("AUC", {name: aucs.ravel() for name, aucs in figures.items()})


def mnist(args):
    """MNIST: ten one-class AUCs."""
    one_class_images(load_mnist(), {"random teacher": random_digits}, args)


def random_digits(seed):
    """Return the students of a random teacher, for blurred digits."""
    # Compared on held-out training images. Patches, outputs, hidden layers, activations
    # and epochs: digits 2, 5 and 8; the blur, a single size of patches, strides, more
    # students and pooling of patches: digit 8.
    blur = FunctionTransformer(gaussian_filter, kw_args={"sigma": (0, 0, 0.8, 0.8)})
    students = StudentTeacher(
        patch_sizes=(22,),
        stride=4,
        hidden_sizes=(256,),
        latent_size=16,
        learning_rate=2e-3,
        max_epochs=10,
        random_state=seed,
    )
    return make_pipeline(blur, students)


class PooledFeatures(nn.Module):
    """EfficientNet's features of a whole image, of length one."""

    def __init__(self):
        super().__init__()
        self.features = ImageFeatures((3, 32, 32), patch_size=32)

    def forward(self, x):
        """Return rows of 1280 features."""
        return F.normalize(self.features.head(self.features(x)).mean(dim=(2, 3)))

    @torch.no_grad()
    def extract(self, X):
        """Return them for an array of images."""
        return torch.cat([self(x) for x in torch.from_numpy(X).split(32)]).numpy()


def cifar10(args):
    """CIFAR-10 (JPEG copy): ten one-class AUCs."""
    detectors = {
        "random teacher": random_patches,
        "EfficientNet": pretrained,
        "cosine 2-NN": nearest_neighbors,
    }
    if args.pixels:
        detectors["EfficientNet, from pixels"] = pretrained_from_pixels
    one_class_images(load_cifar10(), detectors, args)


def random_patches(seed):
    """Return the students of a random teacher, for patches of photographs."""
    return StudentTeacher(
        patch_sizes=(16,),
        stride=8,
        hidden_sizes=(256,),
        latent_size=64,
        learning_rate=2e-3,
        max_epochs=16,
        random_state=seed,
    )


def pretrained(seed):
    """Return students that see EfficientNet's features."""
    return StudentTeacher(
        teacher="efficientnet",
        patch_sizes=(32,),
        max_epochs=20,
        batch_size=64,
        random_state=seed,
    )


def pretrained_from_pixels(seed):
    """Return students that see pixels, as in the paper, where the teacher is pooled."""
    return StudentTeacher(
        teacher=PooledFeatures(),
        hidden_sizes=(256,),
        patch_sizes=(32,),
        max_epochs=3,
        batch_size=64,
        random_state=seed,
    )


def nearest_neighbors(seed):
    """Return what needs no training: neighbors among the teacher's outputs."""
    features = FunctionTransformer(PooledFeatures().extract)
    return make_pipeline(features, NearestNeighborDetector(2, metric="cosine"))


TABLES = {table.__name__: table for table in (mnist, cifar10)}


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, help="training images, at the most")
    parser.add_argument("--pixels", action="store_true", help="students of pixels, too")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    TABLES[args.table](args)


if __name__ == "__main__":
    main()
