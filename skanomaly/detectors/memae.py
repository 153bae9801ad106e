"""MemAE: the decoder sees only what the memory holds of normal samples."""

import warnings
from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skanomaly.base import (
    BaseDetector,
    Interval,
    ReconstructionMixin,
    StrOptions,
    parameters,
)
from skanomaly.nn.functional import entropy, squared_error, sum_per_sample
from skanomaly.nn.memory import SIMILARITIES, Memory

from .autoencoder import AutoencoderModule

SLOTS_HOLD = ("code", "position")
MEMORY_INITS = ("data", "uniform")

# Above this share of unanswered training queries the memory is called dead.
_TOLERATED_UNANSWERED = 0.05
# Cosines compare directions, and a code of one number has only two of them. The memory
# keeps the network from copying, so the code may be longer than half a sample.
_SHORTEST_DEFAULT_CODE = 8
# So many codes are looked at to choose the slots from.
_CODES_PER_SLOT = 20
# A memory of more slots than this many times the samples can't be filled by them.
_SLOTS_PER_SAMPLE = 10


class MemAEModule(AutoencoderModule):
    """An autoencoder whose code is replaced by what a memory answers to it.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers.
    latent_size : int or None
        Length of the code, and so of a slot. None for images and clips: the code is the
        last feature map, and each of its positions asks the memory.
    activation : str, default="tanh"
        What follows a hidden layer.
    memory_size : int, default=100
        Number of slots.
    entropy_weight : float, default=0.0002
        Weight of the entropy of the weights in the loss.
    **memory : dict
        As for `Memory`: shrinkage, similarity and temperature.
    """

    def __init__(
        self,
        input_shape,
        hidden_sizes,
        latent_size,
        activation="tanh",
        *,
        memory_size=100,
        entropy_weight=0.0002,
        **memory,
    ):
        super().__init__(input_shape, hidden_sizes, latent_size, activation)
        with torch.no_grad():
            self.code_shape = self.encoder(torch.zeros(1, *input_shape)).shape[1:]
        self.memory = Memory(memory_size, self.code_shape[0], **memory)
        self.entropy_weight = entropy_weight
        self.is_bypassed = False

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error plus the entropy of the addressing.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            The mean over the samples of the one, over the queries of the other.
        """
        recalled, weights = self.recall(self.encoder(x))
        error = sum_per_sample(squared_error(x, self.decoder(recalled))).mean()
        yield error + self.entropy_weight * entropy(weights).mean()

    def queries(self, code: Tensor) -> Tensor:
        """List what asks the memory: the code, or each position of the feature map.

        Parameters
        ----------
        code : Tensor of shape (n_samples, slot_size, ...)
            From the encoder.

        Returns
        -------
        queries : Tensor of shape (n_queries, slot_size)
            All positions of the first sample, then of the second, and so on.
        """
        return code.movedim(1, -1).reshape(-1, code.shape[1])

    def recall(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Replace a code by what the memory answers.

        Parameters
        ----------
        code : Tensor of shape (n_samples, slot_size, ...)
            From the encoder.

        Returns
        -------
        recalled : Tensor of the shape of code
            Mixtures of slots.
        weights : Tensor of shape (n_queries, memory_size)
            Of which they are mixed.
        """
        if self.is_bypassed:
            return code, code.new_ones(1, 1)
        answers, weights = self.memory(self.queries(code))
        by_position = answers.reshape(len(code), *code.shape[2:], code.shape[1])
        return by_position.movedim(-1, 1), weights

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode, recall and decode.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        reconstruction : Tensor of the shape of x
            Made of what the memory holds.
        """
        return self.decoder(self.recall(self.encoder(x))[0])

    def prototype(self, slots: Tensor) -> Tensor:
        """Decode slots.

        Parameters
        ----------
        slots : Tensor of shape (n_slots, slot_size)
            Slots, or anything like them.

        Returns
        -------
        prototypes : Tensor of shape (n_slots, ...)
            Samples.
        """
        sides = self.code_shape[1:]
        code = slots.reshape(*slots.shape, *(1 for _ in sides))
        return self.decoder(code.expand(*slots.shape, *sides))

    def address(self, x: Tensor) -> Tensor:
        """Return the weights of the slots for each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        weights : Tensor of shape (n_samples, ..., memory_size)
            Between them the positions of the feature map, if these ask the memory.
        """
        code = self.encoder(x)
        weights = self.memory.address(self.queries(code))
        return weights.reshape(len(code), *code.shape[2:], -1)

    def favourites(self, x: Tensor) -> Tensor:
        """Say for each slot how many of a sample's queries it answers most of all.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        share : Tensor of shape (n_samples, memory_size)
            Shares of the sample's queries.
        """
        weights = self.address(x)
        first = weights.reshape(len(x), -1, weights.shape[-1]).argmax(-1)
        return F.one_hot(first, weights.shape[-1]).float().mean(dim=1)

    def use(self, x: Tensor) -> Tensor:
        """Say how each sample's queries were answered.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        use : Tensor of shape (n_samples, 2)
            Share of the queries that no slot answered, and the mean number of slots
            with a weight above zero.
        """
        weights, is_unanswered = self.memory.weigh(self.queries(self.encoder(x)))
        each = torch.stack([is_unanswered.float(), (weights > 0).float().sum(1)], 1)
        return each.reshape(len(x), -1, 2).mean(dim=1)


@parameters
class MemAE(ReconstructionMixin, BaseDetector):
    """Calls outliers what can't be put together from remembered normal samples.

    An autoencoder may learn to draw outliers, too. Here the code of a sample is only a
    *query*: the decoder gets a sparse mixture of `memory_size` learned slots, which
    hold what normal samples are made of. So an outlier is drawn as the normal sample
    next to it, and the squared error is large.

    Parameters
    ----------
    {shared_parameters}
    memory_size : int, default=100
        Number of slots, N. More than there are training samples is more than can be
        learned.
    shrinkage : float, default=1.0
        Weights up to this multiple of 1 / N become zero; the paper suggests 1 to 3.
        Zero keeps all: the paper's "non-sparse" variant.
    entropy_weight : float, default=0.0002
        Weight of the entropy of the weights in the loss, in units of the squared error,
        which is summed over features.
    similarity : {"cosine", "dot"}, default="cosine"
        How codes and slots are compared: as in the paper, or as in its authors' code.
    temperature : float, default=0.1
        What similarities are divided by before the softmax: the lower, the fewer slots
        answer. The paper has none, which is 1.
    slot : {"code", "position"}, default="code"
        What a slot holds: the code of a whole sample, or that of one position of the
        last feature map, as the paper has it for video. Rows have only the former.
    memory_init : {"data", "uniform"}, default="data"
        The slots at the start: codes of training samples that are unlike each other, or
        uniform random numbers, as in the paper.
    warm_up_fraction : float, default=0.3
        Share of `max_epochs` in which encoder and decoder are trained without the
        memory, before it is filled with codes. Only used with ``memory_init="data"``.

    Attributes
    ----------
    {shared_attributes}
    unanswered_share_ : float
        Share of the training queries for which no weight was above the threshold, and
        which kept all their weights.
    n_slots_used_ : int
        Slots that are the first choice of a training query at least once.
    mean_active_slots_ : float
        Mean number of slots in the answer to a training query.

    See Also
    --------
    Autoencoder : The same without the memory.

    Notes
    -----
    `latent_size` of None takes at least 8 numbers here: cosines compare directions, of
    which a short code has few.

    With the paper's cosine and no temperature, weights start almost equal, and a
    threshold of 1.5 / N or more leaves none of them for codes of 64 or more numbers.
    The formula then gives zeros and nothing is learned. Here such a query keeps its
    weights; how many did so is `unanswered_share_`, and a warning tells if they are too
    many.

    References
    ----------
    .. [1] D. Gong, L. Liu, V. Le, B. Saha, M. R. Mansour, S. Venkatesh, A. van den
       Hengel, "Memorizing Normality to Detect Anomaly: Memory-augmented Deep
       Autoencoder for Unsupervised Anomaly Detection", ICCV 2019, :arxiv:`1904.02639`.

    Examples
    --------
    >>> from skanomaly import MemAE
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=0)
    >>> zeros = digits.data[digits.target == 1]
    >>> detector = MemAE(memory_size=20, max_epochs=30, random_state=0).fit(zeros)
    >>> detector.prototypes().shape
    (20, 1, 8, 8)
    >>> detector.address(zeros[:3]).shape
    (3, 20)
    """

    memory_size: int = 100
    shrinkage: float = 1.0
    entropy_weight: float = 0.0002
    similarity: str = "cosine"
    temperature: float = 0.1
    slot: str = "code"
    memory_init: str = "data"
    warm_up_fraction: float = 0.3

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "memory_size": [Interval(Integral, 1, None, closed="left")],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "similarity": [StrOptions(set(SIMILARITIES))],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "slot": [StrOptions(set(SLOTS_HOLD))],
        "memory_init": [StrOptions(set(MEMORY_INITS))],
        "warm_up_fraction": [Interval(Real, 0, 1, closed="left")],
    }

    def _resolve_latent_size(self, input_shape):
        found = super()._resolve_latent_size(input_shape)
        return found if self.latent_size else max(found, _SHORTEST_DEFAULT_CODE)

    def _make_module(self, input_shape):
        asks_by_position = self.slot == "position" and len(input_shape) > 1
        latent_size = self._resolve_latent_size(input_shape)
        return MemAEModule(
            input_shape,
            self._resolve_hidden_sizes(input_shape),
            None if asks_by_position else latent_size,
            self.activation,
            memory_size=self.memory_size,
            entropy_weight=self.entropy_weight,
            shrinkage=self.shrinkage,
            similarity=self.similarity,
            temperature=self.temperature,
        )

    def _train(self, net, X):
        n_samples = X.shape[0]
        if self.shrinkage >= self.memory_size:
            raise ValueError(
                f"shrinkage={self.shrinkage} sets weights up to shrinkage / "
                f"memory_size = {self.shrinkage / self.memory_size:g} to zero, and no "
                f"weight is above 1. Keep it below memory_size={self.memory_size}; the "
                "paper suggests 1 to 3."
            )
        if self.memory_size > _SLOTS_PER_SAMPLE * n_samples:
            warnings.warn(
                f"memory_size={self.memory_size} is far above the number of samples, "
                f"{n_samples}: most slots will never be used.",
                stacklevel=4,
            )
        if self.memory_init == "data" and not self.history_:
            self._warm_up(net, X)
            self._fill_memory(net, X)
        if not net.history or not net.interrupted_:
            super()._train(net, X)
        unanswered, active = net.evaluate("use", X).mean(axis=0)
        favourites = net.evaluate("favourites", X).any(axis=0)
        self.unanswered_share_ = float(unanswered)
        self.mean_active_slots_ = float(active)
        self.n_slots_used_ = int(favourites.sum())
        self._warn_of_a_useless_memory()

    def _warm_up(self, net, X):
        """Train encoder and decoder without the memory."""
        n_epochs = round(self.warm_up_fraction * self.max_epochs)
        n_epochs = min(n_epochs, self.max_epochs - 1)  # one epoch at least is with it
        if not n_epochs:
            return
        net.module_.is_bypassed = True
        net.set_params(max_epochs=n_epochs)
        net.partial_fit(X)
        net.set_params(max_epochs=self.max_epochs - n_epochs)
        net.module_.is_bypassed = False

    def _fill_memory(self, net, X):
        """Put codes of samples, or of positions of them, into the slots.

        They are drawn as k-means++ draws its centres: far from each other, so that rare
        kinds of normal samples get slots, too.
        """
        random_state = np.random.RandomState(net.seed)
        n_drawn = min(X.shape[0], _CODES_PER_SLOT * self.memory_size)
        drawn = random_state.choice(X.shape[0], n_drawn, replace=False)
        codes = np.moveaxis(net.evaluate("encoder", X[drawn]), 1, -1)
        codes = codes.reshape(-1, codes.shape[-1])
        if len(codes) > _CODES_PER_SLOT * self.memory_size:
            kept = _CODES_PER_SLOT * self.memory_size
            codes = codes[random_state.choice(len(codes), kept, replace=False)]
        if len(codes) < self.memory_size:
            codes = codes[random_state.choice(len(codes), self.memory_size)]
        directions = normalize(codes) if self.similarity == "cosine" else codes
        _, chosen = kmeans_plusplus(
            directions, self.memory_size, random_state=random_state
        )
        with torch.no_grad():
            net.module_.memory.slots.copy_(torch.from_numpy(codes[chosen]))

    def _warn_of_a_useless_memory(self):
        if self.unanswered_share_ > _TOLERATED_UNANSWERED:
            warnings.warn(
                f"The memory is dead for {self.unanswered_share_:.0%} of the training "
                "queries: no slot's weight is above the threshold. Lower shrinkage "
                f"(now {self.shrinkage:g}) or temperature (now {self.temperature:g}).",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif self.n_slots_used_ == 1 < self.memory_size:
            warnings.warn(
                "The memory has collapsed: one slot is the first choice of all "
                "training queries. Take memory_init='data', or lower temperature (now "
                f"{self.temperature:g}), entropy_weight (now {self.entropy_weight:g}) "
                "or learning_rate.",
                ConvergenceWarning,
                stacklevel=5,
            )

    @property
    def memory_(self):
        """The slots, ndarray of shape (memory_size, slot_size), float32."""
        return self.net_.module_.memory.slots.detach().cpu().numpy().copy()

    def prototypes(self):
        """Draw what each slot holds.

        Returns
        -------
        prototypes : ndarray of shape (memory_size, ...)
            Each slot decoded into a sample, float64. Where slots hold positions of a
            feature map, all of its positions are filled with the same slot.
        """
        check_is_fitted(self)
        return self.net_.evaluate("prototype", self.memory_)

    def address(self, X):
        """Say which slots explain each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        weights : ndarray of shape (n_samples, ..., memory_size)
            Not negative, float64; they sum to one over the slots. Where slots hold
            positions of a feature map, its sides stand in between.
        """
        check_is_fitted(self)
        return self.net_.evaluate("address", self._validate(X, reset=False))
