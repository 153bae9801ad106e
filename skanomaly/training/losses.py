"""The losses of an epoch, and how they come into the history."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from .parallel import DataParallel

# Losses are written into tensors of so many rows: small ones that are kept would stand
# between what a step frees, and keep it from being used again for the next one.
_ROWS = 1024


class EpochLosses:
    """Collect losses on the device, and read them once when the epoch is over.

    Parameters
    ----------
    history : skorch.history.History
        Where they go.
    prefix : {"train", "valid"}
        For the names there.
    at_once : bool
        Whether each batch is written at once, for callbacks that look at it.
    parallel : DataParallel or None
        Knows the losses of the other parts of the batches; None for whole batches.
    """

    def __init__(
        self,
        history,
        prefix: str,
        at_once: bool,
        parallel: DataParallel | None,
    ):
        self.history = history
        self.parallel = parallel
        self.prefix = prefix
        self.at_once = at_once
        self.names: list[str] = []
        self.tables: list[Tensor] = []
        self.sizes: list[int] = []

    def add(self, step: dict, size: int) -> None:
        """Take the losses of a batch."""
        if not self.names:
            self.names = [name for name in step if name.endswith("loss")]
        losses = [step[name] for name in self.names]
        row = len(self.sizes) % _ROWS
        if not row:
            self.tables.append(losses[0].new_empty(_ROWS, len(losses)))
        self.tables[-1][row] = torch.stack(losses)
        if self.parallel is not None:
            size *= self.parallel.is_counted
        self.sizes.append(size)
        if self.at_once:
            self.history[-1]["batches"][-1].update(self._row(losses, size))

    def record(self) -> None:
        """Write means over samples, or raise if a loss is not finite."""
        values = torch.cat(self.tables)[: len(self.sizes)].double().cpu().numpy()
        sizes: Sequence[int] = self.sizes
        if self.parallel is not None:
            values, sizes = self.parallel.average_losses(values, sizes)
        if not np.isfinite(values).all():
            raise FloatingPointError(f"a {self.prefix} loss is not finite")
        batches = self.history[-1]["batches"]
        if not self.at_once:
            batches.extend({} for _ in sizes)
        rows = map(self._row, values.tolist(), sizes)
        for batch, row in zip(batches[-len(sizes) :], rows, strict=True):
            batch.update(row)
        # PassthroughScoring averages "loss"; only the networks' own losses are missing.
        means = np.average(values, 0, sizes)
        for name, value in zip(self.names, means, strict=True):
            if name != "loss":
                self.history.record(f"{self.prefix}_{name}", float(value))
        self.history.record(f"{self.prefix}_batch_count", len(sizes))

    def _row(self, losses: Iterable[Tensor | float], size: int) -> dict[str, float]:
        """Return what the history tells of a batch."""
        row = {
            f"{self.prefix}_{name}": float(loss)
            for name, loss in zip(self.names, losses, strict=True)
        }
        return {**row, f"{self.prefix}_batch_size": size}
