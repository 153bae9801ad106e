"""What a network must know to be trained and scored as an anomaly detector."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from .attribution import integrated_gradients
from .phase import Phase
from .samples import TrainingSamples


class DetectorModule(nn.Module, ABC):
    """A network that states its own losses, its phases and its score.

    Training and scoring know nothing else of a method. A subclass writes the paper's
    equations as `losses` and `score`; its layers are ordinary children.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    **parameters : dict
        The detector's own parameters; each becomes an attribute.

    Attributes
    ----------
    networks : tuple of str
        Names of the children that are updated one after the other, each by an optimizer
        of its own. Empty: one optimizer updates the whole module.
    adam_betas : tuple of float
        Of the default optimizer.
    reset_below : mapping of str to float
        Networks that are reinitialized after an epoch whose mean loss is lower.
    needs_held_out : bool
        Whether rows are held out of training even without early stopping.
    default_steps : int
        Training steps that suffice for rows of a table, for detectors whose
        `max_epochs` is None.
    min_epochs : int
        The fewest epochs that such a training has: one for each required phase.
    batch_sizes : tuple of int
        How many samples are scored at once. The largest, unless there are fewer or they
        are wide; fewer are padded to the next size that rounds a sample alike.
    max_threshold_samples : int or None
        On how many training samples the threshold is set, where scoring is slow.
    ema_decay : float
        Decay of the exponential moving average of the weights that score; zero takes
        the last weights.
    random_generator : torch.Generator or None
        The source of every random number that is drawn in training. It belongs to one
        fit; None draws from torch's global generator.
    center : Tensor of shape input_shape
        Mean of the training samples.
    diagnostics : dict
        What training found out; the detector shows each value as a fitted attribute
        with an underscore after its name.

    See Also
    --------
    skanomaly.base.BaseDetector : The estimator around such a module.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn import DetectorModule
    >>> class DistanceToCenter(DetectorModule):
    ...     def __init__(self, input_shape):
    ...         super().__init__(input_shape)
    ...         self.point = torch.nn.Parameter(torch.zeros(input_shape))
    ...     def losses(self, x):
    ...         yield self.score(x).mean()
    ...     def score(self, x):
    ...         return (x - self.point).square().flatten(1).sum(1)
    >>> module = DistanceToCenter((2,))
    >>> module.score(torch.tensor([[3.0, 4.0]])).tolist()
    [25.0]
    >>> module.anomaly_map(torch.tensor([[3.0, 4.0]])).tolist()
    [[9.0, 16.0]]
    """

    networks: ClassVar[tuple[str, ...]] = ()
    adam_betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    reset_below: ClassVar[Mapping[str, float]] = {}
    needs_held_out: ClassVar[bool] = False
    default_steps: ClassVar[int] = 1000
    min_epochs: ClassVar[int] = 1
    max_threshold_samples: ClassVar[int | None] = None
    batch_sizes: tuple[int, ...] = (16, 32, 128, 512, 1024, 2048)
    ema_decay: float = 0.0
    random_generator: torch.Generator | None = None
    center: Tensor

    def __init__(self, input_shape: tuple[int, ...], **parameters: Any):
        super().__init__()
        self.register_buffer("center", torch.zeros(input_shape))
        self.diagnostics: dict[str, Any] = {}
        if len(input_shape) > 1:  # convolutions gain nothing from more
            self.batch_sizes = (16, 128)
        # What training.rounding finds out about this processor; not part of the state.
        self.sizes_alike: dict[tuple[str, int], tuple[int, ...]] = {}
        for name, value in parameters.items():
            setattr(self, name, value)

    if TYPE_CHECKING:  # torch declares that every attribute is a tensor or a module

        def __getattr__(self, name: str) -> Any: ...

    @abstractmethod
    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield one loss for each network update.

        Each loss is computed after the network before has been updated, as the
        generator is resumed only then.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            The loss of the next network.
        """

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """Score how abnormal each sample is, by that sample and the weights alone.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            The higher, the more abnormal.
        """

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Attribute the score to features: integrated gradients from the `center`.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            The higher, the more abnormal; sums to the score less that of `center`.
        """
        return integrated_gradients(self.score, x, self.center)

    def phases(self, data: TrainingSamples) -> Iterator[Phase]:
        """Yield the phases of training; between two yields weights may be set.

        Parameters
        ----------
        data : TrainingSamples
            The training samples: ``data.mean(fn)``, ``data.map(fn)``, ``data.any(fn)``,
            ``data.sample(n)``, and ``data.held_out`` for those that are not trained on.

        Yields
        ------
        phase : Phase
            The next one; it is over when the generator is resumed.
        """
        yield Phase(self.losses)

    def warm_start_phases(self, data: TrainingSamples) -> Iterator[Phase]:
        """Yield the phases of a training that continues from fitted weights.

        Parameters
        ----------
        data : TrainingSamples
            The training samples.

        Yields
        ------
        phase : Phase
            By default all `phases`.
        """
        yield from self.phases(data)

    def validation_loss(self, x: Tensor) -> Tensor:
        """Measure how well held-out samples are fitted; early stopping watches it.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch of samples that were not trained on.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            The lower, the better; by default the score.
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
