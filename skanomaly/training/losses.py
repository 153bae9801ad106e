"""The losses of an epoch, and how they come into the history."""

import numpy as np
import torch
from torch import Tensor

# Many small tensors would keep the heap from being used again.
_LARGEST_PENDING = 64


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
    """

    def __init__(self, history, prefix: str, at_once: bool):
        self.history = history
        self.prefix = prefix
        self.at_once = at_once
        self.names: list[str] = []
        self.pending: list[Tensor] = []
        self.joined: list[Tensor] = []
        self.sizes: list[int] = []

    def add(self, step: dict, size: int) -> None:
        """Take the losses of a batch."""
        losses = {name: v for name, v in step.items() if name.endswith("loss")}
        self.names = list(losses)
        self.pending += losses.values()
        if len(self.pending) >= _LARGEST_PENDING:
            self._join()
        self.sizes.append(size)
        if self.at_once:
            self._write(losses, size)

    def record(self) -> None:
        """Write means over samples, or raise if a loss is not finite."""
        self._join()
        values = torch.cat(self.joined).double().cpu().numpy()
        values = values.reshape(-1, len(self.names))
        if not np.isfinite(values).all():
            raise FloatingPointError(f"a {self.prefix} loss is not finite")
        if not self.at_once:
            for row, size in zip(values, self.sizes, strict=True):
                self.history[-1]["batches"].append({})
                self._write(dict(zip(self.names, row, strict=True)), size)
        # PassthroughScoring averages "loss"; only the networks' own losses are missing.
        means = np.average(values, 0, self.sizes)
        for name, value in zip(self.names, means, strict=True):
            if name != "loss":
                self.history.record(f"{self.prefix}_{name}", float(value))
        self.history.record(f"{self.prefix}_batch_count", len(self.sizes))

    def _join(self) -> None:
        """Make one tensor of those that came in."""
        if self.pending:
            self.joined.append(torch.stack(self.pending))
            self.pending = []

    def _write(self, losses: dict[str, Tensor | float], size: int) -> None:
        """Write what is known of a batch."""
        for name, loss in losses.items():
            self.history.record_batch(f"{self.prefix}_{name}", float(loss))
        self.history.record_batch(f"{self.prefix}_batch_size", size)
