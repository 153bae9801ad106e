"""The losses of a training, by network and phase."""

from itertools import groupby, pairwise
from typing import Any, Self

import numpy as np

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._innermost import find_with

# Losses that differ by more than this factor are drawn on a logarithmic axis.
_WIDE_RANGE = 20.0


class HistoryDisplay:
    """Losses of each epoch of a training, by network and phase.

    Use `from_estimator` or `from_history`. All parameters are stored as attributes.

    Parameters
    ----------
    epoch : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    phase : ndarray of shape (n_epochs,)
        Name of the phase that each epoch belongs to.
    losses : dict of str to ndarray of shape (n_epochs,)
        The losses by their names in the history, NaN where there was none. Those that
        begin with ``"valid"`` are of held-out samples.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The losses, in the order of `losses`.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.inspection import HistoryDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> detector = Autoencoder(max_epochs=5, random_state=0).fit(X)
    >>> display = HistoryDisplay.from_estimator(detector)
    >>> list(display.losses), display.epoch.tolist()
    (['train_loss'], [1, 2, 3, 4, 5])
    """

    def __init__(self, *, epoch: Any, phase: Any, losses: Any):
        self.epoch = epoch
        self.phase = phase
        self.losses = losses

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the training of a fitted detector.

        Parameters
        ----------
        estimator : estimator
            Fitted detector that has `history_`, or a Pipeline or meta-estimator around
            one.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : HistoryDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If the detector has no `history_`.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        detector, _ = find_with(cls.__name__, "history_", estimator)
        return cls.from_history(detector.history_, ax=ax, **kwargs)

    @classmethod
    def from_history(
        cls, history: list[dict[str, Any]], *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw a history.

        Parameters
        ----------
        history : list of dict
            The attribute `history_` of a detector: for each epoch its number, the name
            of its phase, and its losses, whose names end with ``"loss"``. The sum over
            networks is left out where each has its own.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : HistoryDisplay
            It has been drawn.

        Raises
        ------
        ValueError
            If there is no epoch with a loss.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_history")
        is_list = isinstance(history, list | tuple)
        rows = list(history) if is_list else []
        are_dicts = all(isinstance(row, dict) for row in rows)
        names = dict.fromkeys(
            name for row in rows if are_dicts for name in row if name.endswith("loss")
        )
        if not names:
            raise ValueError(
                "The history has no losses: it must be a list of dicts, one an epoch, "
                'with keys such as "train_loss", as the attribute history_ is.'
            )
        if any(map(_network, names)):
            names.pop("train_loss", None)
        losses = {
            name: np.array([row.get(name, np.nan) for row in rows], dtype=float)
            for name in names
        }
        display = cls(
            epoch=np.array([row.get("epoch", i) for i, row in enumerate(rows, 1)]),
            phase=np.array([row.get("phase", "training") for row in rows]),
            losses=losses,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        yscale: str | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        yscale : {"linear", "log"} or None, default=None
            Scale of the losses; None takes a logarithmic one if all are positive and
            they differ much.
        line_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : HistoryDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = find_axes(self, ax)
        if yscale is None:
            values = np.concatenate(list(self.losses.values()))
            low, high = np.nanmin(values), np.nanmax(values)
            yscale = "log" if 0 < low * _WIDE_RANGE < high else "linear"
        networks = list(dict.fromkeys(map(_network, self.losses)))
        # A line through one point can't be seen.
        marker = "." if len(self.epoch) < 10 else None
        self.lines_ = []
        for name, loss in self.losses.items():
            style = {
                "color": f"C{networks.index(_network(name))}",
                "linestyle": "--" if name.startswith("valid") else "-",
                "marker": marker,
                "label": _label(name),
                **(line_kwargs or {}),
            }
            self.lines_ += ax.plot(self.epoch, loss, **style)
        self._mark_phases(ax)
        ax.set(xlabel="epoch", ylabel="loss", yscale=yscale)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(self.lines_) > 1:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _mark_phases(self, ax):
        """Name the phases, and draw a line where one ends, if there are several."""
        indices = range(len(self.phase))
        spans = [list(group) for _, group in groupby(indices, self.phase.__getitem__)]
        if len(spans) == 1:
            return
        for before, after in pairwise(spans):
            boundary = (self.epoch[before[-1]] + self.epoch[after[0]]) / 2
            ax.axvline(boundary, color="gray", linewidth=0.8, linestyle=":")
        for span in spans:
            ax.annotate(
                str(self.phase[span[0]]),
                (self.epoch[span[0]], 1),
                xycoords=("data", "axes fraction"),
                xytext=(2, 3),
                textcoords="offset points",
                fontsize="small",
            )


def _network(name):
    """Return the network that a loss belongs to, "" for one loss of all networks."""
    return name.removeprefix("train_").removeprefix("valid_").removesuffix("loss")


def _label(name):
    """Return the name of a loss in the legend."""
    part = "held-out" if name.startswith("valid") else "training"
    network = _network(name).strip("_").replace("_", " ")
    return f"{network} ({part})" if network else f"{part} loss"
