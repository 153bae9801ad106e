"""MemAE: the decoder reconstructs from memory items of normal samples only."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skanomaly.base import (
    BaseDetector,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    UnitFloat,
    parameters,
)
from skanomaly.nn import Phase, ReconstructionModule, make_decoder, make_encoder
from skanomaly.nn.backbones import code_shape
from skanomaly.nn.losses import entropy, squared_error, sum_per_sample
from skanomaly.nn.memory import Memory

# Cosines compare directions, of which a shorter code has few.
_SHORTEST_DEFAULT_CODE = 8
# So many codes are looked at to choose the items from.
_CODES_PER_ITEM = 20


class MemAEModule(ReconstructionModule):
    """An autoencoder whose code is replaced by what the memory reads for it."""

    min_epochs = 2

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, **parameters
    ):
        super().__init__(input_shape, **parameters)
        sizes = (hidden_sizes, latent_size, activation)
        self.encoder = make_encoder(input_shape, *sizes)
        self.decoder = make_decoder(input_shape, *sizes)
        item_size, *self.sides = code_shape(input_shape, hidden_sizes, latent_size)
        self.memory = Memory(
            self.memory_size,
            item_size,
            shrinkage=self.shrinkage,
            similarity=self.similarity,
            temperature=self.temperature,
        )

    def phases(self, data) -> Iterator[Phase]:
        """Train without the memory, fill it with codes, and train with it."""
        if self.memory_init == "data":
            yield Phase(self.warm_up_losses, "warm-up", fraction=self.warm_up_fraction)
            n_samples = _CODES_PER_ITEM * self.memory_size // math.prod(self.sides) + 1
            by = F.normalize if self.similarity == "cosine" else None
            items = data.spread_out(self.queries, self.memory_size, n_samples, by)
            self.memory.items.copy_(items)
        yield from self.warm_start_phases(data)

    def warm_start_phases(self, data) -> Iterator[Phase]:
        """Train with the memory, and measure how it is addressed."""
        yield Phase(self.losses)
        self.diagnostics = self.memory.measure_usage(data, self.queries)

    def warm_up_losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error without memory."""
        yield sum_per_sample(squared_error(x, self.decoder(self.encoder(x)))).mean()

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error plus the entropy of the addressing (equation 11)."""
        read, weights = self.memory(self.queries(x))
        error = sum_per_sample(squared_error(x, self.decode(read, len(x)))).mean()
        yield error + self.entropy_weight * entropy(weights).mean()

    def queries(self, x: Tensor) -> Tensor:
        """Encode: a query for each sample, or for each position of its feature map."""
        return self.encoder(x).movedim(1, -1).flatten(0, -2)

    def decode(self, queries: Tensor, n_samples: int) -> Tensor:
        """Decode what the memory has read for the queries of samples."""
        by_position = queries.unflatten(0, (n_samples, *self.sides))
        return self.decoder(by_position.movedim(-1, 1))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode, read the memory and decode."""
        return self.decode(self.memory(self.queries(x))[0], x.shape[0])

    def prototype(self, items: Tensor) -> Tensor:
        """Decode items; all positions of a feature map are filled with the same one."""
        return self.decode(
            items.repeat_interleave(math.prod(self.sides), 0), len(items)
        )

    def address(self, x: Tensor) -> Tensor:
        """Return the addressing weights of each sample, or of each of its positions."""
        weights = self.memory.address(self.queries(x))
        return weights.unflatten(0, (x.shape[0], *self.sides))


@parameters
class MemAE(BaseDetector):
    """MemAE: an autoencoder that reconstructs from a memory of normal samples.

    The code of a sample is only a *query*: the decoder gets a sparse combination of
    `memory_size` learned items, which represent normal samples. So an outlier is
    reconstructed like the normal sample next to it, and the squared error is large.

    Parameters
    ----------
    {shared_parameters}
    memory_size : int, default=100
        Number of items, N; no more than there are training samples.
    shrinkage : float, default=1.0
        Weights up to this multiple of 1 / N become zero; the paper suggests 1 to 3.
        Zero keeps all: the paper's "non-sparse" variant.
    entropy_weight : float, default=0.0002
        Weight of the entropy of the addressing weights in the loss, in units of the
        squared error, which is summed over features.
    similarity : {"cosine", "dot"}, default="cosine"
        How codes and items are compared: as in the paper, or as in its authors' code.
    temperature : float, default=0.1
        Divides the similarities before the softmax: the lower, the sparser the
        addressing. The paper has none, which is 1.
    query : {"sample", "position"}, default="sample"
        What a query is: the code of a whole sample, or that of one position of the last
        feature map, as the paper has it for video. Rows have only the former.
    memory_init : {"data", "uniform"}, default="data"
        The items at the start: codes of training samples that are unlike each other, or
        uniform random numbers, as in the paper.
    warm_up_fraction : float, default=0.3
        Fraction of `max_epochs` in which encoder and decoder are trained without the
        memory, before it is filled with codes. Only used with ``memory_init="data"``.

    Attributes
    ----------
    {shared_attributes}
    memory_ : ndarray of shape (memory_size, item_size)
        The items, float32.
    unaddressed_fraction_ : float
        Fraction of the training queries for which no weight was above the threshold,
        and which kept all their weights.
    n_items_used_ : int
        Items that have the most weight for one training query at least.
    mean_active_items_ : float
        Mean number of items with a weight above zero for a training query.

    See Also
    --------
    Autoencoder : The same without the memory.

    References
    ----------
    .. [1] D. Gong, L. Liu, V. Le, B. Saha, M. R. Mansour, S. Venkatesh, A. van den
       Hengel, "Memorizing Normality to Detect Anomaly: Memory-augmented Deep
       Autoencoder for Unsupervised Anomaly Detection", ICCV 2019, :arxiv:`1904.02639`.

    Examples
    --------
    >>> from skanomaly import MemAE
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = MemAE(memory_size=20, max_epochs=30, random_state=0).fit(zeros)
    >>> detector.prototypes().shape
    (20, 1, 8, 8)
    >>> detector.address(zeros[:3]).shape
    (3, 20)
    """

    memory_size: PositiveInt = 100
    shrinkage: NonNegativeFloat = 1.0
    entropy_weight: NonNegativeFloat = 0.0002
    similarity: Literal["cosine", "dot"] = "cosine"
    temperature: PositiveFloat = 0.1
    query: Literal["sample", "position"] = "sample"
    memory_init: Literal["data", "uniform"] = "data"
    warm_up_fraction: UnitFloat = 0.3

    module_class = MemAEModule

    def _module_arguments(self, input_shape):
        arguments = super()._module_arguments(input_shape)
        if self.query == "position" and len(input_shape) > 1:
            return arguments | {"latent_size": None}
        shortest = 1 if self.latent_size else _SHORTEST_DEFAULT_CODE
        return arguments | {"latent_size": max(arguments["latent_size"], shortest)}

    @property
    def memory_(self) -> np.ndarray:
        """The memory items, ndarray of shape (memory_size, item_size), float32."""
        return self.module_.memory.items.detach().cpu().numpy().copy()

    def prototypes(self) -> np.ndarray:
        """Decode each memory item into a sample.

        Returns
        -------
        prototypes : ndarray of shape (memory_size, ...)
            Of float32. Where queries are positions of a feature map, the same item
            fills all positions.
        """
        check_is_fitted(self)
        with torch.no_grad():
            return self.module_.prototype(self.module_.memory.items).cpu().numpy()

    def address(self, X: Any) -> np.ndarray:
        """Return the addressing weights: which items reconstruct each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        weights : ndarray of shape (n_samples, ..., memory_size)
            Not negative, float64; they sum to one over the items. Where queries are
            positions of a feature map, its sides stand in between.
        """
        return self._evaluate("address", X)
