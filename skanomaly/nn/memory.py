"""The memory of MemAE: a query reads a sparse combination of learned items."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skanomaly._warnings import warn_unconverged, warn_user

from .linear import exact_linear
from .losses import hard_shrinkage
from .samples import TrainingSamples

# A fraction of unaddressed training queries above this makes the memory dead.
_TOLERATED_UNADDRESSED = 0.05
# A memory of more items than this many times the samples can't be filled by them.
_ITEMS_PER_SAMPLE = 10


class Memory(nn.Module):
    r"""Memory items, read by attention with hard shrinkage.

    .. math::
        w = \operatorname{softmax}(d(z, m_i) / \tau), \quad
        \hat w_i = w_i \text{ if } w_i > \lambda \text{ else } 0, \quad
        \hat z = \frac{\hat w}{\lVert \hat w \rVert_1} M

    Where no weight is above the threshold the formula gives zeros, and nothing would be
    learned from that query again. Such a query is *unaddressed*: it keeps its weights
    as they were before the shrinkage.

    Parameters
    ----------
    n_items : int
        Number of items, N.
    item_size : int
        Length of an item.
    shrinkage : float
        The threshold in multiples of 1 / N. Zero leaves the weights as they are.
    similarity : {"cosine", "dot"}
        What d is.
    temperature : float
        Divides the similarities: the lower, the sparser the addressing.

    References
    ----------
    .. [1] D. Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019,
       arXiv:1904.02639, section 3.3, equations 3 to 7.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.memory import Memory
    >>> memory = Memory(2, 2, shrinkage=1, similarity="cosine", temperature=0.1)
    >>> _ = memory.items.data.copy_(torch.eye(2))
    >>> memory.address(torch.tensor([[5.0, 0.0]])).round(decimals=3).tolist()
    [[1.0, 0.0]]
    """

    def __init__(
        self,
        n_items: int,
        item_size: int,
        *,
        shrinkage: float,
        similarity: str,
        temperature: float,
    ):
        super().__init__()
        if shrinkage >= n_items:
            raise ValueError(
                f"shrinkage={shrinkage} sets weights up to shrinkage / memory_size = "
                f"{shrinkage / n_items:g} to zero, and no weight is above 1. Keep it "
                f"below memory_size={n_items}; the paper suggests 1 to 3."
            )
        bound = item_size**-0.5
        self.items = nn.Parameter(torch.empty(n_items, item_size))
        nn.init.uniform_(self.items, -bound, bound)
        self.threshold = shrinkage / n_items
        self.similarity = similarity
        self.temperature = temperature

    def similarities(self, queries: Tensor) -> Tensor:
        """Compare each query with each item.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, item_size)
            Codes.

        Returns
        -------
        similarities : Tensor of shape (n_queries, n_items)
            In [-1, 1] for ``"cosine"``.
        """
        if self.similarity == "cosine":
            return exact_linear(F.normalize(queries), F.normalize(self.items))
        return exact_linear(queries, self.items)

    def weights_and_unaddressed(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the addressing weights, and which queries are unaddressed.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, item_size)
            Codes.

        Returns
        -------
        weights : Tensor of shape (n_queries, n_items)
            Not negative; each row sums to one.
        is_unaddressed : Tensor of shape (n_queries,), dtype bool
            Where no weight is above the threshold.
        """
        dense = (self.similarities(queries) / self.temperature).softmax(dim=1)
        if not self.threshold:
            return dense, torch.zeros_like(dense[:, 0], dtype=torch.bool)
        is_unaddressed = dense.amax(dim=1) <= self.threshold
        shrunk = hard_shrinkage(dense, self.threshold)
        weights = torch.where(is_unaddressed[:, None], dense, shrunk)
        return weights / weights.sum(dim=1, keepdim=True), is_unaddressed

    def address(self, queries: Tensor) -> Tensor:
        """Return the addressing weights.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, item_size)
            Codes.

        Returns
        -------
        weights : Tensor of shape (n_queries, n_items)
            Not negative; each row sums to one.
        """
        return self.weights_and_unaddressed(queries)[0]

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Read the memory.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, item_size)
            Codes.

        Returns
        -------
        read : Tensor of shape (n_queries, item_size)
            Combinations of items.
        weights : Tensor of shape (n_queries, n_items)
            The addressing weights.
        """
        weights = self.address(queries)
        return exact_linear(weights, self.items.t().contiguous()), weights

    def measure_usage(
        self, data: TrainingSamples, queries: Callable[[Tensor], Tensor]
    ) -> dict:
        """Measure how training samples address the memory, and warn if they hardly do.

        Parameters
        ----------
        data : TrainingSamples
            The training samples.
        queries : callable
            Takes a batch and returns its queries, one or more for each sample.

        Returns
        -------
        usage : dict
            ``"unaddressed_fraction"`` of the queries, ``"mean_active_items"`` of a
            query, and ``"n_items_used"``, that have the most weight for one at least.
        """

        def addressing(x):
            weights, is_unaddressed = self.weights_and_unaddressed(queries(x))
            n_active = (weights > 0).float().sum(dim=1)
            both = torch.stack([is_unaddressed.float(), n_active], dim=1)
            return both.unflatten(0, (x.shape[0], -1)).mean(dim=1)

        def argmax_items(x):
            argmax = self.address(queries(x)).argmax(dim=1)
            one_hot = F.one_hot(argmax, self.items.shape[0])
            return one_hot.unflatten(0, (x.shape[0], -1)).amax(dim=1)

        n_items = self.items.shape[0]
        if n_items > _ITEMS_PER_SAMPLE * len(data):
            warn_user(
                f"memory_size={n_items} is far above the number of samples, "
                f"{len(data)}: most items will never be used."
            )
        unaddressed, n_active = data.mean(addressing).tolist()
        n_used = int(data.any(argmax_items).sum())
        if unaddressed > _TOLERATED_UNADDRESSED:
            warn_unconverged(
                f"The memory is dead for {unaddressed:.0%} of the training queries: no "
                "item's weight is above the threshold. Lower shrinkage or temperature."
            )
        elif n_used == 1 < n_items:
            warn_unconverged(
                "The memory has collapsed: all training queries give one item the most "
                "weight. Take memory_init='data', or lower temperature, entropy_weight "
                "or learning_rate."
            )
        return {
            "unaddressed_fraction": unaddressed,
            "mean_active_items": n_active,
            "n_items_used": n_used,
        }
