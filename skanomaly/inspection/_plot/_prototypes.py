"""The prototypes that a detector has learned."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._innermost import find_feature_names, find_with

from ._images import Grid, pick_frames, read_images, to_rgb

# More names below a matrix would overlap.
_MOST_NAMES_SHOWN = 50


class PrototypesDisplay:
    """Prototypes of normal samples: the decoded memory items of `~skanomaly.MemAE`.

    Images, and a frame of clips, are drawn side by side; prototypes of rows are the
    rows of a matrix. Use `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    prototypes : ndarray of shape (n_prototypes, n_features) or \
            (n_prototypes, height, width, 3)
        Rows, or images in [0, 1].
    feature_names : ndarray of shape (n_features,) or None, default=None
        Names of the features of rows.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The prototypes.
    colorbar_ : matplotlib Colorbar or None
        The scale of rows; None for images.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    skanomaly.MemAE : The detector that has them.

    Examples
    --------
    >>> from skanomaly import MemAE
    >>> from skanomaly.datasets import load_digits
    >>> from skanomaly.inspection import PrototypesDisplay
    >>> zeros = load_digits(normal_class=0).data[:150]
    >>> detector = MemAE(memory_size=20, max_epochs=20, random_state=0).fit(zeros)
    >>> display = PrototypesDisplay.from_estimator(detector)
    >>> display.prototypes.shape
    (20, 8, 8, 3)
    """

    def __init__(self, prototypes: Any, *, feature_names: Sequence[str] | None = None):
        self.prototypes = prototypes
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, frame: int = 0, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the prototypes of a fitted detector.

        Parameters
        ----------
        estimator : estimator
            Fitted detector with `prototypes`, or a Pipeline or meta-estimator around
            one. Prototypes are drawn as the detector would be given them, after all
            preprocessing.
        frame : int, default=0
            The frame of clips that is drawn.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : PrototypesDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If the detector has no `prototypes`.
        ValueError
            If clips do not have this frame.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        detector, _ = find_with(cls.__name__, "prototypes", estimator)
        found = detector.prototypes()
        if found.ndim == 2:
            names = find_feature_names(estimator, found.shape[1])
            return cls(check_array(found), feature_names=names).plot(ax, **kwargs)
        found = read_images(cls.__name__, found, name="prototypes")
        (images,) = pick_frames(frame, found, found)
        return cls(to_rgb(images, like=found)).plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        n_columns: int = 10,
        cmap: Any = "viridis",
        image_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the prototypes.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        n_columns : int, default=10
            Number of images side by side.
        cmap : str or matplotlib Colormap, default="viridis"
            Colors of the values of rows.
        image_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : PrototypesDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        more = {"interpolation": "nearest", **(image_kwargs or {})}
        self.colorbar_ = None
        if self.feature_names is None:
            grid = Grid(self.prototypes.shape[:3], n_columns)
            ax = find_axes(self, ax, grid.shape[0] / grid.shape[1])
            self.image_ = ax.imshow(grid.fill(self.prototypes), **more)
            ax.set_axis_off()
        else:
            ax = find_axes(self, ax)
            more = {"cmap": cmap, "aspect": "auto", **more}
            self.image_ = ax.imshow(self.prototypes, **more)
            self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label="value")
            if len(self.feature_names) <= _MOST_NAMES_SHOWN:
                ax.set_xticks(np.arange(len(self.feature_names)), self.feature_names)
                ax.tick_params(axis="x", rotation=90)
            ax.set(ylabel="prototype")
        self.ax_, self.figure_ = ax, ax.figure
        return self
