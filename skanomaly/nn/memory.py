"""The memory of MemAE: a code becomes a sparse mixture of learned ones."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .functional import hard_shrinkage

SIMILARITIES = ("cosine", "dot")


class Memory(nn.Module):
    r"""Answer each query with a mixture of the slots that are most like it.

    .. math::
        w = \operatorname{softmax}(d(z, m_i) / \tau), \quad
        \hat w_i = w_i \text{ if } w_i > \lambda \text{ else } 0, \quad
        \hat z = \frac{\hat w}{\lVert \hat w \rVert_1} M

    Where no weight is above the threshold the formula gives zeros, and nothing would be
    learned from that query again. Such a query keeps its weights as they were before
    the shrinkage.

    Parameters
    ----------
    n_slots : int
        Number of slots, N.
    slot_size : int
        Length of a slot.
    shrinkage : float, default=1.0
        The threshold in multiples of 1 / N. Zero leaves the weights as they are.
    similarity : {"cosine", "dot"}, default="cosine"
        What d is.
    temperature : float, default=1.0
        What similarities are divided by: the lower, the fewer slots answer.

    References
    ----------
    .. [1] D. Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019,
       arXiv:1904.02639, section 3.3, equations 3 to 7.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.nn.memory import Memory
    >>> memory = Memory(2, 2, temperature=0.1)
    >>> _ = memory.slots.data.copy_(torch.eye(2))
    >>> memory.address(torch.tensor([[5.0, 0.0]])).round(decimals=3).tolist()
    [[1.0, 0.0]]
    """

    def __init__(
        self, n_slots, slot_size, *, shrinkage=1.0, similarity="cosine", temperature=1.0
    ):
        super().__init__()
        bound = slot_size**-0.5
        self.slots = nn.Parameter(torch.empty(n_slots, slot_size))
        nn.init.uniform_(self.slots, -bound, bound)
        self.threshold = shrinkage / n_slots
        self.similarity = similarity
        self.temperature = temperature

    def similarities(self, queries: Tensor) -> Tensor:
        """Compare each query with each slot.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, slot_size)
            Codes.

        Returns
        -------
        similarities : Tensor of shape (n_queries, n_slots)
            In [-1, 1] for ``"cosine"``.
        """
        if self.similarity == "cosine":
            return F.normalize(queries) @ F.normalize(self.slots).T
        return queries @ self.slots.T

    def weigh(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of the slots, and which queries none of them answers.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, slot_size)
            Codes.

        Returns
        -------
        weights : Tensor of shape (n_queries, n_slots)
            Not negative; each row sums to one.
        is_unanswered : Tensor of shape (n_queries,), dtype bool
            Where no weight is above the threshold, and so none was shrunk.
        """
        dense = (self.similarities(queries) / self.temperature).softmax(dim=1)
        if not self.threshold:
            return dense, torch.zeros_like(dense[:, 0], dtype=torch.bool)
        is_unanswered = dense.amax(dim=1) <= self.threshold
        shrunk = hard_shrinkage(dense, self.threshold)
        weights = torch.where(is_unanswered[:, None], dense, shrunk)
        return weights / weights.sum(dim=1, keepdim=True), is_unanswered

    def address(self, queries: Tensor) -> Tensor:
        """Return the weights alone.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, slot_size)
            Codes.

        Returns
        -------
        weights : Tensor of shape (n_queries, n_slots)
            Not negative; each row sums to one.
        """
        return self.weigh(queries)[0]

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Answer queries.

        Parameters
        ----------
        queries : Tensor of shape (n_queries, slot_size)
            Codes.

        Returns
        -------
        answers : Tensor of shape (n_queries, slot_size)
            Mixtures of slots.
        weights : Tensor of shape (n_queries, n_slots)
            Of which they are mixed.
        """
        weights = self.address(queries)
        return weights @ self.slots, weights
