"""A network that is scored by the squared error of its reconstruction."""

from abc import abstractmethod

from torch import Tensor

from .losses import squared_error, sum_per_sample
from .module import DetectorModule


class ReconstructionModule(DetectorModule):
    """A network whose score is the squared error of its reconstruction.

    A subclass has `reconstruct` and `losses`.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    **parameters : dict
        The detector's own parameters; each becomes an attribute.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn import ReconstructionModule
    >>> class Zeros(ReconstructionModule):
    ...     def reconstruct(self, x):
    ...         return torch.zeros_like(x)
    ...     def losses(self, x):
    ...         yield self.score(x).mean()
    >>> Zeros((2,)).score(torch.tensor([[3.0, 4.0]])).tolist()
    [25.0]
    """

    @abstractmethod
    def reconstruct(self, x: Tensor) -> Tensor:
        """Reconstruct samples.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        x_rec : Tensor of the shape of x
            What the network makes of them.
        """

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Return the squared error of each feature; it sums to the score.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            The higher, the more abnormal.
        """
        return squared_error(x, self.reconstruct(x))

    def score(self, x: Tensor) -> Tensor:
        """Return the squared error of each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            Summed over features.
        """
        return sum_per_sample(self.anomaly_map(x))
