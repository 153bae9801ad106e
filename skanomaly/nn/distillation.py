"""Students that regress the outputs of a fixed teacher."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .backbones import make_decoder, make_encoder
from .ensemble import make_stacked_encoder
from .losses import squared_error, sum_per_sample
from .samples import TrainingSamples

# A teacher's output with a smaller standard deviation is constant: noise in its last
# bits would be blown up to the size of the others.
_CONSTANT = 1e-6


class MappedSamples:
    """Training samples as a function returns them."""

    def __init__(self, data: TrainingSamples, fn: Callable[[Tensor], Tensor]):
        self.data, self.fn = data, fn

    def __len__(self) -> int:
        return len(self.data)

    def mean(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """Average what another function returns for what this one returns."""
        return self.data.mean(lambda x: fn(self.fn(x)))


class Branch(nn.Module):
    """A teacher and its students, on rows or on the patches of one size.

    What is called x here is what `embedding` takes: samples, or features of them.
    """

    mean: Tensor
    std: Tensor
    output_mask: Tensor
    error_statistics: Tensor

    def __init__(
        self, embedding, teacher, hidden_sizes, latent_size, activation, n_students
    ):
        super().__init__()
        self.embedding = embedding
        size = embedding.size
        self.is_given = isinstance(teacher, nn.Module)
        if self.is_given:
            self.teacher = copy.deepcopy(teacher)
            latent_size = _n_outputs(self.teacher, embedding.raw_shape)
        else:
            self.teacher = make_encoder((size,), hidden_sizes, latent_size, activation)
            for layer in self.teacher[::2]:
                nn.init.orthogonal_(layer.weight, math.sqrt(2))
        if teacher == "autoencoder":
            self.decoder = make_decoder((size,), hidden_sizes, latent_size, activation)
        self.teacher.requires_grad_(False)
        self.students = make_stacked_encoder(
            n_students, (size, *hidden_sizes, latent_size), activation
        )
        self.register_buffer("mean", torch.zeros(latent_size))
        self.register_buffer("std", torch.ones(latent_size))
        self.register_buffer("output_mask", torch.ones(latent_size))
        # Rows: error and variance; columns: mean and standard deviation.
        self.register_buffer("error_statistics", torch.tensor([[0.0, 1.0]] * 2))

    def train(self, mode: bool = True):
        """Set the mode of all but the teacher, which is fixed."""
        super().train(mode)
        if self.is_given:
            self.teacher.eval()
        return self

    def centered_outputs(self, x: Tensor) -> Tensor:
        """Return the teacher's outputs less their mean, (n, n_patches, n_outputs)."""
        raw = self.embedding.raw(x) if self.is_given else self.embedding(x)
        outputs = self.teacher(raw) - self.mean
        return outputs.unflatten(0, (x.shape[0], -1))

    def residuals(self, x: Tensor) -> Tensor:
        """Return the students' outputs less the teacher's, in standard deviations."""
        targets = (self.centered_outputs(x) / self.std).flatten(0, 1)
        return (self.students(self.embedding(x)) - targets) * self.output_mask

    def error_and_variance(self, x: Tensor) -> Tensor:
        """Return equations 4 and 5 for each patch, of shape (n, n_patches, 2)."""
        # The residuals vary over the students as the students' outputs do.
        residuals = self.residuals(x)
        mean = residuals.mean(dim=0)
        error = mean.square().sum(dim=1)
        variance = squared_error(residuals, mean).sum(dim=2).mean(dim=0)
        both = torch.stack([error, variance], dim=1)
        return both.unflatten(0, (x.shape[0], -1))

    def score(self, x: Tensor) -> Tensor:
        """Return the sum of both, each normalized (equation 6), for each patch."""
        mean, std = self.error_statistics.unbind(1)
        return ((self.error_and_variance(x) - mean) / std).sum(dim=2)

    def reconstruction_loss(self, x: Tensor) -> Tensor:
        """Return the loss of a teacher that is the encoder of an autoencoder."""
        rows = self.embedding(x)
        return sum_per_sample(squared_error(rows, self.decoder(self.teacher(rows))))

    @torch.no_grad()
    def standardize_teacher(self, data: MappedSamples) -> None:
        """Measure the teacher's outputs on training samples."""
        self.mean.copy_(data.mean(lambda x: self.centered_outputs(x).mean(1)))
        variance = data.mean(lambda x: self.centered_outputs(x).square().mean(1))
        is_constant = variance.sqrt() < _CONSTANT
        if is_constant.all():
            if self.is_given:
                raise ValueError(
                    f"The teacher gives the same {len(is_constant)} numbers for all "
                    f"{len(data)} training samples: students can't learn anything from "
                    "it. Give one whose outputs vary, or scale the features to what it "
                    "was trained on."
                )
            is_constant[:] = False  # of the data, which are all there is to learn
        self.std.copy_(variance.sqrt().clamp(min=_CONSTANT))
        self.std[self.std <= _CONSTANT] = 1.0
        self.output_mask.copy_(~is_constant)

    @torch.no_grad()
    def measure_errors(self, held_out: MappedSamples) -> None:
        """Measure error and variance on samples that are not trained on."""

        def moments(x):
            both = self.error_and_variance(x)
            return torch.stack([both.mean(1), both.square().mean(1)], dim=1)

        mean, square = held_out.mean(moments)
        std = (square - mean.square()).clamp(min=0).sqrt()
        # All the same, as for one sample or constant data: no unit but the mean.
        std = torch.where(std > _CONSTANT * mean, std, torch.where(mean > 0, mean, 1.0))
        self.error_statistics.copy_(torch.stack([mean, std], dim=1))


def _n_outputs(teacher, shape):
    """Return how many outputs a given teacher has, or say what is wrong with it."""
    try:
        # A given teacher has weights even where all else has but shapes, on "meta".
        with torch.no_grad(), torch.device("cpu"):
            outputs = teacher.eval()(torch.zeros(2, *shape))
    except Exception as error:
        raise ValueError(
            f"The teacher can't take samples of shape {tuple(shape)}: {error}"
        ) from error
    shapes = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != 2:
        raise ValueError(
            "The teacher must return a tensor of shape (n_samples, n_outputs). For 2 "
            f"samples of shape {tuple(shape)} it returned {shapes}. Add pooling and "
            "torch.nn.Flatten() after feature maps."
        )
    return outputs.shape[1]
