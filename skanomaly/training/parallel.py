"""Data-parallel training: several processes train one network, each on a part."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn


class DataParallel:
    """The processes that train one network together, as one of them sees them.

    All have the same samples, seed and settings, and take the same batches in the same
    order; each computes the losses of its own part, and gradients are averaged over the
    batch before every step. So the weights stay the same in all of them. They are those
    of one process that trains on whole batches, if losses are means over samples and
    draw no noise.

    `torch.nn.parallel.DistributedDataParallel` averages by hooks of one wrapped module
    and one backward pass; here sub-networks are called, one after the other.

    Parameters
    ----------
    device : str or torch.device
        Where tensors must be for the process group's backend.
    is_asked_for : bool
        Whether all processes of the group train together; otherwise this one trains
        alone, whatever group there is.

    Raises
    ------
    ValueError
        If it is asked for and there is no process group.
    """

    def __init__(self, device: str | torch.device, is_asked_for: bool):
        self.device = device
        self.rank, self.n_processes = 0, 1
        self.is_counted = True
        if not is_asked_for:
            return
        if not (dist.is_available() and dist.is_initialized()):
            raise ValueError(
                "net_params['data_parallel'] needs a process group. Start the script "
                "by torchrun, and call torch.distributed.init_process_group(timeout="
                "timedelta(minutes=1)) before fit."
            )
        self.rank, self.n_processes = dist.get_rank(), dist.get_world_size()

    def draw_other_noise(self, generator: torch.Generator) -> None:
        """Let each process draw numbers of its own, as it has samples of its own."""
        generator.manual_seed(generator.initial_seed() + self.rank)

    def part(self, x: Tensor) -> Tensor:
        """Return its own part of a batch; if there is none, one that isn't counted."""
        if self.n_processes == 1:
            return x
        self.is_counted = self.rank < len(x)
        parts = x.tensor_split(self.n_processes)
        return parts[self.rank if self.is_counted else 0]

    def check_agreement(self, module: nn.Module, *numbers: float) -> None:
        """Raise if the processes differ in numbers, weights or buffers."""
        if self.n_processes == 1:
            return
        totals = [float(each.double().sum()) for each in module.state_dict().values()]
        own = torch.tensor([*numbers, *totals], dtype=torch.float64).to(self.device)
        largest = self._reduce(torch.stack([own, -own]), "MAX")
        if not torch.equal(largest[0], -largest[1]):
            raise ValueError(
                "The processes of data-parallel training differ in their samples, "
                "their seeds or their settings. Give all of them the same X, the same "
                "integer as random_state, and the same parameters."
            )

    def average_gradients(self, parameters: Sequence[Tensor], n_samples: int) -> None:
        """Replace gradients by those of the whole batch, of which parts may differ."""
        if self.n_processes == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(each.flatten() for each in grads), grads[0].new_ones(1)])
        summed = self._reduce(flat * (n_samples * self.is_counted))
        means = (summed[:-1] / summed[-1]).split([each.numel() for each in grads])
        for grad, mean in zip(grads, means, strict=True):
            grad.copy_(mean.view_as(grad))

    def average_losses(
        self, losses: np.ndarray, sizes: Sequence[int]
    ) -> tuple[np.ndarray, Sequence[int]]:
        """Return the losses of whole batches, and their numbers of samples."""
        if self.n_processes == 1:
            return losses, sizes
        n = np.asarray(sizes, dtype=float)[:, None]
        own = torch.from_numpy(np.hstack([losses * n, n])).to(self.device)
        total = self._reduce(own).cpu().numpy()
        return total[:, :-1] / total[:, -1:], [int(size) for size in total[:, -1]]

    def _reduce(self, x: Tensor, operation: str = "SUM") -> Tensor:
        """Combine a tensor with those of the other processes, in place."""
        try:
            dist.all_reduce(x, getattr(dist.ReduceOp, operation))
        except RuntimeError as error:
            raise RuntimeError(
                "Another process of data-parallel training has failed, or doesn't "
                f"answer within the process group's timeout: {error}"
            ) from error
        return x


class Parts:
    """A process's own parts of batches.

    Parameters
    ----------
    batches : iterable of (Tensor, None)
        Whole batches.
    parallel : DataParallel
        Which part is meant.
    """

    def __init__(self, batches: Iterable[Any], parallel: DataParallel):
        self.batches, self.parallel = batches, parallel

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        for x, y in self.batches:
            yield self.parallel.part(x), y
