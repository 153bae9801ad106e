"""Exponential moving average of a network's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    r"""Keep :math:`\bar\theta \leftarrow d \bar\theta + (1 - d) \theta` of a module.

    Adversarial networks oscillate around an equilibrium, and the average of their
    weights is nearer to it than the last ones [1]_. The module holds the average, and
    the weights themselves only while they are trained: so callbacks, validation, scores
    and copies see the average.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters are averaged; its buffers are not.

    References
    ----------
    .. [1] Y. Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training",
       ICLR 2019, arXiv:1806.04498.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.ema import WeightAverage
    >>> module = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> average = WeightAverage(module)
    >>> with average.swapped():
    ...     for weight in (0.0, 1.0):
    ...         _ = torch.nn.init.constant_(module.weight, weight)
    ...         average.update(decay=0.1)
    >>> round(module.weight.item(), 2)
    0.9
    """

    def __init__(self, module: nn.Module):
        self.module = module
        self.reset()

    def reset(self) -> None:
        """Begin anew from the weights that the module has."""
        self.weights = [p.detach() for p in self.module.parameters()]
        self.averaged: list[Tensor] = []
        self.n_updates = 0

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Put the weights themselves into the module, and at the end their average.

        Yields
        ------
        None
            While the module is trained.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def update(self, decay: float) -> None:
        """Take the module's weights into the average.

        Parameters
        ----------
        decay : float
            Weight of the past. It is less in the first steps, which start far from
            anything good: (1 + n) / (10 + n) at most after n of them. Zero keeps no
            average.
        """
        if not decay:
            return
        if self.averaged:
            decay = min(decay, (1 + self.n_updates) / (10 + self.n_updates))
            get_ema_multi_avg_fn(decay)(self.averaged, self.weights, self.n_updates)
        else:
            self.averaged = [weight.clone() for weight in self.weights]
        self.n_updates += 1

    @torch.no_grad()
    def _swap(self) -> None:
        for average, weight in zip(self.averaged, self.weights, strict=False):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)
