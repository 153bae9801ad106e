"""What a network must know to be trained and read as an anomaly detector."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn


class DetectorModule(nn.Module, ABC):
    """A network that states its own losses and its own score.

    Training and scoring know nothing else of a method. A subclass writes the paper's
    equations as `losses`, `score` and `anomaly_map`; the layers are ordinary
    children.

    Attributes
    ----------
    players : tuple of str
        Names of the children that are trained in turn, each by an optimiser of its
        own. Empty: the whole module is trained by one optimiser.
    max_scored_rows : int
        How many samples are scored at once, at the most. Fewer are padded to one fixed
        number, so it is less where a sample takes long.
    random_generator : torch.Generator or None
        The source of every random number that the module draws while it trains. It
        belongs to one fit; None draws from torch's global generator.

    See Also
    --------
    skanomaly.base.BaseDetector : The estimator around such a module.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn import DetectorModule
    >>> class DistanceToMean(DetectorModule):
    ...     def __init__(self, n_features):
    ...         super().__init__()
    ...         self.mean = torch.nn.Parameter(torch.zeros(n_features))
    ...     def losses(self, x):
    ...         yield self.score(x).mean()
    ...     def anomaly_map(self, x):
    ...         return (x - self.mean).square()
    ...     def score(self, x):
    ...         return self.anomaly_map(x).sum(dim=1)
    >>> DistanceToMean(2).score(torch.tensor([[3.0, 4.0]])).tolist()
    [25.0]
    """

    players: ClassVar[tuple[str, ...]] = ()
    max_scored_rows: int = 1024
    random_generator: torch.Generator | None = None

    def __init__(self) -> None:
        super().__init__()

    @property
    def turns(self) -> tuple[str, ...]:
        """Who makes a step with a batch, and in which order; asked before each epoch.

        A player who makes several steps is named several times, and one whose phase of
        the training it is not is left out. By default each of `players` makes one.
        """
        return self.players

    @abstractmethod
    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield one loss a turn, in the order of `turns`.

        Each loss is computed after the player before has made its step, as the
        generator is resumed only then.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            The loss of the next player.
        """

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """Say how abnormal each sample is.

        A sample's score depends on nothing but that sample and the weights.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The higher, the more abnormal.
        """

    @abstractmethod
    def anomaly_map(self, x: Tensor) -> Tensor:
        """Say how much each feature, pixel or voxel adds to the score.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of shape (n_samples, ...)
            The higher, the more abnormal.
        """

    def unchanged(self, x: Tensor) -> Tensor:
        """Return samples as they are, so that a net can be asked for their mean.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        x : Tensor of shape (n_samples, ...)
            The same.
        """
        return x

    def validation_loss(self, x: Tensor) -> Tensor:
        """Say how well held-out samples are fitted; early stopping watches it.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch of samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The lower, the better; here the score.
        """
        return self.score(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the score, so that the module can be called and exported.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The higher, the more abnormal.
        """
        return self.score(x)

    def randn_like(self, x: Tensor) -> Tensor:
        """Draw standard normal numbers from the module's own generator.

        Parameters
        ----------
        x : Tensor
            Gives the shape, the dtype and the device.

        Returns
        -------
        noise : Tensor
            Of the shape, dtype and device of `x`.
        """
        return torch.randn(
            x.shape, generator=self.random_generator, dtype=x.dtype, device=x.device
        )
