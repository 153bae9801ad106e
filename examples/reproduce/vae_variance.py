"""The variance of the VAE's decoder, of a code or of a feature, on KDD Cup 1999.

An and Cho's decoder gives a variance for each code; ours learns one for each feature.
This prints the table on the VAE's page of the documentation: protocol dagmm, standard
preparation, distinct rows, means over seeds of split and weights.

    python examples/reproduce/vae_variance.py --seeds 3
"""

import argparse
from typing import Literal

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from skanomaly import VAE, make_tabular_pipeline
from skanomaly.base import NonNegativeFloat, parameters
from skanomaly.datasets import load_kddcup99, split_kddcup99
from skanomaly.detectors.vae import VAEModule
from skanomaly.metrics import precision_recall_f1_at


class VariantModule(VAEModule):
    """The log-variance has a bound, and is of each code or of each feature."""

    def __init__(self, input_shape, hidden_sizes, *args, **parameters):
        super().__init__(input_shape, hidden_sizes, *args, **parameters)
        if self.variance_of == "code":
            self.log_variance_layer = nn.Linear(hidden_sizes[0], *input_shape)

    def decode(self, code):
        log_variance = self.log_variance
        if self.variance_of == "code":
            log_variance = self.log_variance_layer(self.decoder[:-1](code))
        return self.decoder(code), log_variance.clamp(-self.bound, self.bound)


@parameters
class VariantVAE(VAE):
    """A VAE with a choice of variances; a bound of 0 is unit variance."""

    variance_of: Literal["code", "feature"] = "feature"
    bound: NonNegativeFloat = 6.0

    module_class = VariantModule


VARIANTS = {
    "of each code, clamped to [-6, 6]": ("code", 6.0),
    "of each code, clamped to [-3, 3]": ("code", 3.0),
    "of each feature, clamped to [-6, 6]": ("feature", 6.0),
    "of each feature, clamped to [-3, 3]": ("feature", 3.0),
    "none: unit variance": ("feature", 0.0),
}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--path", help="kddcup.data_10_percent.gz")
    args = parser.parse_args()

    torch.set_num_threads(1)
    kdd = load_kddcup99(args.path)
    figures = {name: [] for name in VARIANTS}
    for seed in range(args.seeds):
        split = split_kddcup99(kdd, drop_duplicates="train", random_state=seed)
        for name, (variance_of, bound) in VARIANTS.items():
            detector = VariantVAE(
                variance_of=variance_of,
                bound=bound,
                max_epochs=args.epochs,
                batch_size=256,
                random_state=seed,
            )
            pipeline = make_tabular_pipeline(detector).fit(split.X_train)
            scores = pipeline.score_samples(split.X_test)
            f1 = precision_recall_f1_at(split.y_test, scores, 0.2)[2]
            figures[name].append((f1, roc_auc_score(split.y_test, scores)))
    print(f"{'log-variance':<38}{'F1':>16}{'AUC':>16}   {args.seeds} seeds")
    for name, values in figures.items():
        mean, std = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, std, strict=True)]
        print(f"{name:<38}{cells[0]:>16}{cells[1]:>16}")


if __name__ == "__main__":
    main()
