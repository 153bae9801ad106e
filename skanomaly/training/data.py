"""The samples of a fit or of a scoring, whatever holds them.

A generic loader fetches rows one by one and stacks them again, which costs several
times the training of a small network. Here a batch is one gather from the caller's own
array, and no copy of the whole is ever made.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus
from sklearn.utils.random import sample_without_replacement
from skorch.dataset import Dataset
from torch import Tensor
from torch.utils.data import Subset

from skanomaly._sources import BlockSource

from . import passes
from .batches import Batches, dense, pad
from .blocks import BlockBatches
from .random import Streams
from .rounding import largest_size

TensorMap = Callable[[Tensor], Tensor]
_LARGEST_PERMUTATION = 2**22


class Data:
    """Samples as a network takes them: float32, batch by batch.

    Parameters
    ----------
    X : ndarray, memory map, Tensor, CSR matrix or array, or BlockSource
        Float32 samples of shape (n_samples, ...). They are neither changed nor copied;
        sparse rows are made dense batch by batch, and a source is read block by block.
    rows : ndarray of int or None, default=None
        Which samples are meant; None means all.
    device : str or torch.device, default="cpu"
        Where batches are wanted.
    streams : Streams or None, default=None
        Where random choices come from.
    held_out : Data or None, default=None
        Samples that are not trained on.
    progress : callable or None, default=None
        Wraps the batches of a pass, to show its progress.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.training.data import Data
    >>> data = Data(np.arange(10, dtype=np.float32).reshape(5, 2))
    >>> [len(x) for x, _ in data.batches(2)]
    [2, 2, 1]
    >>> data.mean().tolist()
    [4.0, 5.0]
    """

    y = None  # callbacks of skorch ask for it

    def __init__(
        self,
        X: Any,
        rows: np.ndarray | None = None,
        *,
        device: str | torch.device = "cpu",
        streams: Streams | None = None,
        held_out: "Data | None" = None,
        progress: Callable[[Iterable[Any], int], Iterable[Any]] | None = None,
    ):
        self.source = X
        self.rows = rows
        self.device = torch.device(device)
        self.streams = streams or Streams(0)
        self.held_out = held_out
        self.progress = progress

    def __len__(self) -> int:
        return self.source.shape[0] if self.rows is None else len(self.rows)

    @property
    def X(self) -> Any:  # noqa: N802 # the name by which skorch's callbacks ask for it
        """The samples themselves, for callbacks of skorch that ask for them."""
        return self.source if self.rows is None else self.source[self.rows]

    def take(self, rows: np.ndarray, held_out: "Data | None" = None) -> "Data":
        """Return some of the samples.

        Parameters
        ----------
        rows : ndarray of int
            Which of them.
        held_out : Data or None, default=None
            Others, that are not trained on.

        Returns
        -------
        data : Data
            A view.
        """
        return Data(
            self.source,
            rows if self.rows is None else self.rows[rows],
            device=self.device,
            streams=self.streams,
            held_out=held_out,
            progress=self.progress,
        )

    def split(self, train_split: Callable[..., Any]) -> "Data":
        """Hold out samples, once for the whole fit.

        Parameters
        ----------
        train_split : callable
            As in skorch: takes a data set and returns two subsets of it.

        Returns
        -------
        data : Data
            The training samples; the others are its `held_out`.

        Raises
        ------
        ValueError
            If the split doesn't give two subsets of the samples, or an empty one.
        """
        rows, held_rows = _split_rows(train_split, len(self))
        return self.take(rows, held_out=self.take(held_rows))

    def sample(self, n_samples: int, stream: str = "subsample") -> "Data":
        """Return samples drawn at random, without replacement.

        Parameters
        ----------
        n_samples : int
            How many, at the most.
        stream : str, default="subsample"
            Which of the `streams` decides.

        Returns
        -------
        data : Data
            In the order of the data.
        """
        random_state = self.streams.random_state(stream)
        return self.take(_draw_rows(len(self), n_samples, random_state))

    def spread_out(
        self, fn: TensorMap, n_values: int, n_samples: int, key: TensorMap | None = None
    ) -> Tensor:
        """Choose values of a function that are far from each other, by k-means++.

        Parameters
        ----------
        fn : callable
            Takes a batch and returns a tensor of rows, one or more for each sample.
        n_values : int
            How many are chosen.
        n_samples : int
            Of how many samples, drawn at random, the candidates are taken.
        key : callable or None, default=None
            Takes the values and returns the points between which distances are taken.

        Returns
        -------
        values : Tensor of shape (n_values, ...)
            Rows of what the function returns.
        """
        random_state = self.streams.random_state("memory")
        drawn = self.sample(n_samples, "memory")
        values = torch.cat([fn(x[:n]) for n, x in drawn.padded_batches((1024,))]).cpu()
        if len(values) < n_values:
            return values[random_state.choice(len(values), n_values)]
        points = (values if key is None else key(values)).double().numpy()
        _, chosen = kmeans_plusplus(points, n_values, random_state=random_state)
        return values[chosen]

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> "Batches | BlockBatches":
        """Return all samples in batches, for training.

        Parameters
        ----------
        batch_size : int
            Samples in a batch; the last one may have fewer and is never dropped.
        generator : torch.Generator or None, default=None
            Shuffles the samples in each iteration, those of a source block by block;
            None keeps their order.

        Returns
        -------
        batches : Batches or BlockBatches
            Can be iterated over again and again.
        """
        is_in_blocks = isinstance(self.source, BlockSource)
        cls = BlockBatches if is_in_blocks else Batches
        return cls(self.source, self.rows, batch_size, self.device, generator)

    def padded_batches(self, sizes: tuple[int, ...]) -> Iterator[tuple[int, Tensor]]:
        """Yield all samples in batches of few fixed shapes, the last one padded.

        Matrix products of arbitrary shapes differ in their last bits.

        Parameters
        ----------
        sizes : tuple of int
            Samples in a batch, increasing. All but the last batch have the largest,
            or less if samples are wide; the last one the smallest that suffices.

        Yields
        ------
        n_rows : int
            How many rows are samples; the others are zeros.
        x : Tensor of shape (batch_size, ...)
            The samples, float32.
        """
        size = largest_size(self.source.shape[1:], sizes[-1])
        for x in _consecutive(self, size):
            n_rows = x.shape[0]
            fits = (n for n in sizes if n_rows <= n < size)
            yield n_rows, pad(x, next(fits, size)).to(self.device)

    def map(self, fn: TensorMap, sizes: tuple[int, ...] = (1024,)) -> Iterator[Tensor]:
        """Yield what a function returns for each batch.

        Parameters
        ----------
        fn : callable
            Takes a batch and returns a tensor with a row for each sample.
        sizes : tuple of int, default=(1024,)
            Samples in a batch, as for `padded_batches`.

        Yields
        ------
        values : Tensor of shape (n_samples_of_the_batch, ...)
            In the order of the samples.
        """
        batches: Iterable[tuple[int, Tensor]] = self.padded_batches(sizes)
        if self.progress is not None:
            batches = self.progress(batches, len(self))
        yield from passes.map_batches(fn, batches)

    def mean(self, fn: TensorMap | None = None) -> Tensor:
        """Average what a function returns over the samples.

        Parameters
        ----------
        fn : callable or None, default=None
            As for `map`; None averages the samples themselves.

        Returns
        -------
        mean : Tensor
            In float64 on the CPU.
        """
        return passes.mean(self.map(fn or (lambda x: x)))

    def any(self, fn: TensorMap) -> Tensor:
        """Tell what a function returns as not zero for any of the samples.

        Parameters
        ----------
        fn : callable
            As for `map`.

        Returns
        -------
        found : Tensor, dtype bool
            On the CPU.
        """
        return passes.any_row(self.map(fn))


def _consecutive(data: Data, size: int) -> Iterator[Tensor]:
    """Yield samples in their order, where they are; the last part may be smaller."""
    if isinstance(data.source, BlockSource):
        blocks = BlockBatches(data.source, data.rows, size, torch.device("cpu"))
        yield from (x for x, _ in blocks)
        return
    for start in range(0, len(data), size):
        rows = slice(start, start + size)
        yield dense(data.source[rows if data.rows is None else data.rows[rows]])


def _draw_rows(
    n_rows: int, n_drawn: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw rows without replacement, in order."""
    if n_rows <= _LARGEST_PERMUTATION:
        return np.sort(random_state.permutation(n_rows)[:n_drawn])
    # In memory that doesn't grow with the number of rows.
    n_drawn = min(n_rows, n_drawn)
    rows = sample_without_replacement(n_rows, n_drawn, random_state=random_state)
    return np.sort(rows)


def _split_rows(
    train_split: Callable[..., Any], n_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are trained on, and those that are held out."""
    try:
        train, held_out = train_split(Dataset(np.arange(n_samples)), None)
    except ValueError as error:
        raise ValueError(
            f"{n_samples} samples can't be split into some to train on and some to "
            f"hold out: {error} Change validation_fraction or give more samples."
        ) from error
    if not isinstance(train, Subset) or not isinstance(held_out, Subset):
        raise ValueError(
            "net_params['train_split'] must split the samples in two, as "
            "skorch.dataset.ValidSplit does."
        )
    rows, held_rows = (np.asarray(part.indices) for part in (train, held_out))
    if not len(rows) or not len(held_rows):
        raise ValueError(
            f"Of {n_samples} samples {len(held_rows)} would be held out and "
            f"{len(rows)} trained on, and both need some. Change "
            "validation_fraction or give more samples."
        )
    return np.sort(rows), np.sort(held_rows)
