"""Whose variance? The VAE's decoder variance, compared on KDD Cup 1999.

An and Cho's decoder gives a variance for each code; ours learns one for each feature.
This prints the table on the VAE's page of the documentation: protocol dagmm, standard
preparation, distinct rows, means over seeds of split and weights.

    python examples/reproduce/vae_variance.py --seeds 3
"""

import argparse

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from skanomaly import VAE, make_tabular_pipeline
from skanomaly.base import parameters
from skanomaly.datasets import load_kddcup99, split_kddcup99
from skanomaly.detectors.vae import VAEModule
from skanomaly.metrics import precision_recall_f1_at


class VarianceOfTheCode(VAEModule):
    """The decoder has a second output, the log-variance."""

    def __init__(self, input_shape, hidden_sizes, latent_size, *args, bound, **kwargs):
        super().__init__(input_shape, hidden_sizes, latent_size, *args, **kwargs)
        self.spread = nn.Linear(hidden_sizes[0], *input_shape)
        self.bound = bound

    def decode(self, code):
        hidden = self.decoder[:-1](code)
        log_variance = self.spread(hidden).clamp(-self.bound, self.bound)
        return self.decoder[-1](hidden), log_variance


class VarianceOfTheFeature(VAEModule):
    """As in the package, with another bound; a bound of 0 is unit variance."""

    def __init__(self, *args, bound, **kwargs):
        super().__init__(*args, **kwargs)
        self.bound = bound

    def decode(self, code):
        return self.decoder(code), self.log_variance.clamp(-self.bound, self.bound)


@parameters
class VariantVAE(VAE):
    """A VAE whose module is given."""

    variant: type = VarianceOfTheFeature
    bound: float = 6.0

    _parameter_constraints = VAE._parameter_constraints | {
        "variant": [type],
        "bound": [float],
    }

    def _make_module(self, input_shape):
        return self.variant(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            self._resolve_latent_size(input_shape),
            self.activation,
            bound=self.bound,
        )


VARIANTS = {
    "of each code, clamped to [-6, 6]": (VarianceOfTheCode, 6.0),
    "of each code, clamped to [-3, 3]": (VarianceOfTheCode, 3.0),
    "of each feature, clamped to [-6, 6]": (VarianceOfTheFeature, 6.0),
    "of each feature, clamped to [-3, 3]": (VarianceOfTheFeature, 3.0),
    "none: unit variance": (VarianceOfTheFeature, 0.0),
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
        for name, (variant, bound) in VARIANTS.items():
            detector = VariantVAE(
                variant=variant,
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
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)]
        print(f"{name:<38}{cells[0]:>16}{cells[1]:>16}")


if __name__ == "__main__":
    main()
