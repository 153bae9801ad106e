"""The samples of several members: the same rows, in an order of its own for each."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from skanomaly.training.batches import Batches
from skanomaly.training.data import Data, TensorMap


class StackedData(Data):
    """The training samples of several members, one batch for each at a time.

    Parameters
    ----------
    members : sequence of Data
        Views of one array, of as many samples each.
    """

    def __init__(self, members: Sequence[Data]):
        first = members[0]
        held_out = [each.held_out for each in members if each.held_out is not None]
        super().__init__(
            first.source,
            first.rows,
            device=first.device,
            held_out=StackedData(held_out) if held_out else None,
        )
        self.members = tuple(members)
        # As each net has one for all phases.
        self.generators = [each.streams.torch_generator("order") for each in members]

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> "StackedBatches":
        """Return batches of shape (n_samples, n_members, ...).

        Parameters
        ----------
        batch_size : int
            Samples in a batch, for each member.
        generator : torch.Generator or None, default=None
            None keeps the order; otherwise each member has its own generator.

        Returns
        -------
        batches : StackedBatches
            Can be iterated over again and again.
        """
        rows = [each.rows for each in self.members]
        generators = None if generator is None else self.generators
        return StackedBatches(self, rows, batch_size, generators)

    def mean(self, fn: TensorMap | None = None) -> Tensor:
        """Average the samples of each member.

        Parameters
        ----------
        fn : callable or None, default=None
            As for `Data.mean`.

        Returns
        -------
        mean : Tensor of shape (n_members, ...)
            In float64 on the CPU.
        """
        if all(each.rows is None for each in self.members):
            mean = self.members[0].mean(fn)
            return mean.expand(len(self.members), *mean.shape)
        return torch.stack([each.mean(fn) for each in self.members])


class StackedBatches(Batches):
    """All samples in batches for several members, gathered at once.

    Parameters
    ----------
    data : StackedData
        Where the samples are.
    rows : list of (ndarray of int or None)
        Which of them are meant, for each member; None means all.
    batch_size : int
        Samples in a batch, for each member.
    generators : list of torch.Generator or None
        Shuffle the samples of each member; None keeps their order.
    """

    def __init__(
        self,
        data: StackedData,
        rows: list[np.ndarray | None],
        batch_size: int,
        generators: list[torch.Generator] | None,
    ):
        super().__init__(data.source, rows[0], batch_size, data.device)
        self.member_rows = rows
        self.generators = generators

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        own = [self._order(nth) for nth in range(len(self.member_rows))]
        orders = self.place(np.stack(own))
        for start in range(0, self.n_rows, self.batch_size):
            rows = orders[:, start : start + self.batch_size]
            x = self.gather(rows.ravel()).unflatten(0, rows.shape)
            yield x.transpose(0, 1), None

    def _order(self, nth: int) -> np.ndarray:
        """Return the rows of a member in the order of an epoch."""
        rows = self.member_rows[nth]
        if self.generators is None:
            return np.arange(self.n_rows) if rows is None else rows
        order = torch.randperm(self.n_rows, generator=self.generators[nth]).numpy()
        return order if rows is None else rows[order]
