"""Anomaly maps over the images that they are of."""

from typing import Any, Self

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._innermost import find_with, shape_of

from ._images import Grid, add_colorbar, fade_in, pick_frames, read_images, to_rgb


class AnomalyMapDisplay:
    """Anomaly maps over the images, or frames of clips, that they are of.

    Use `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3)
        Images in [0, 1].
    maps : ndarray of shape (n_samples, height, width)
        The higher, the more abnormal.
    scores : ndarray of shape (n_samples,) or None, default=None
        Scores, which become titles.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The images, side by side.
    map_ : matplotlib AxesImage
        The maps over them.
    colorbar_ : matplotlib Colorbar or None
        The scale of the maps, which all of them have in common.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    ReconstructionDisplay : Images, their reconstruction and its error.
    skanomaly.video.window_maps : Maps of frames from scores of windows.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.datasets import load_digits
    >>> from skanomaly.inspection import AnomalyMapDisplay
    >>> zeros = load_digits(normal_class=0).data[:20]
    >>> detector = Autoencoder(max_epochs=5, random_state=0).fit(zeros)
    >>> display = AnomalyMapDisplay.from_estimator(detector, zeros[:3])
    >>> display.maps.shape
    (3, 8, 8)
    """

    def __init__(self, images: Any, maps: Any, *, scores: Any = None):
        self.images = images
        self.maps = maps
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        frame: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the anomaly maps of samples.

        Parameters
        ----------
        estimator : estimator
            Fitted detector with `anomaly_map`, or a Pipeline or meta-estimator around
            one.
        X : array-like of shape (n_samples, ...)
            The samples to be drawn: images or clips, or rows that are images to a
            detector with `sample_shape`.
        frame : int, array-like of shape (n_samples,) or None, default=None
            The frame of clips that is drawn; None takes that with the largest sum of
            its map.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : AnomalyMapDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If the detector has no `anomaly_map`.
        ValueError
            If samples are neither images nor clips.
        ImportError
            If matplotlib is not installed.
        """
        name = cls.__name__
        check_matplotlib(f"{name}.from_estimator")
        detector, inside = find_with(name, "anomaly_map", estimator, X)
        shape = getattr(detector, "input_shape_", None)
        # The images as the user knows them, unless a step changes their size.
        shown = X if shape_of(X) == shape_of(inside) else inside
        shown = read_images(name, shown, shape)
        return cls.from_predictions(
            shown,
            np.reshape(detector.anomaly_map(inside), shown.shape),
            scores=estimator.score_samples(X),
            frame=frame,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        maps: Any,
        *,
        scores: Any = None,
        frame: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw maps that have been computed.

        Parameters
        ----------
        X : array-like of shape (n_samples, channels, [time,] height, width)
            Images or clips.
        maps : array-like of the shape of X, or the same without channels
            The higher, the more abnormal. Channels are summed.
        scores : array-like of shape (n_samples,) or None, default=None
            Scores, which become titles.
        frame : int, array-like of shape (n_samples,) or None, default=None
            The frame of clips that is drawn; None takes that with the largest sum of
            its map.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : AnomalyMapDisplay
            It has been drawn.

        Raises
        ------
        ValueError
            If samples are neither images nor clips, if shapes don't go together, or if
            a clip does not have this frame.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        X = read_images(cls.__name__, X)
        maps = check_array(
            maps, dtype=float, ensure_2d=False, allow_nd=True, input_name="maps"
        )
        per_channel = maps if maps.ndim == X.ndim else maps[:, np.newaxis]
        if per_channel[:, 0].shape != X[:, 0].shape:
            raise ValueError(
                f"maps must have the shape of X, {X.shape}, with or without channels; "
                f"got {maps.shape}."
            )
        if scores is not None:
            check_consistent_length(X, scores)
            scores = np.asarray(scores, dtype=float)
        images, per_channel = pick_frames(frame, per_channel, X, per_channel)
        display = cls(to_rgb(images, like=X), per_channel.sum(axis=1), scores=scores)
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        n_columns: int = 7,
        cmap: Any = "autumn_r",
        alpha: float = 0.9,
        colorbar: bool = True,
        map_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the images and the maps over them.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        n_columns : int, default=7
            Number of images side by side.
        cmap : str or matplotlib Colormap, default="autumn_r"
            Colors of the maps.
        alpha : float, default=0.9
            Opacity of the largest value. The smallest is transparent, so that the image
            is seen where it is normal.
        colorbar : bool, default=True
            Whether to draw the scale of the maps.
        map_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.imshow`, such as `vmin` and `vmax`.

        Returns
        -------
        display : AnomalyMapDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        has_titles = self.scores is not None
        grid = Grid(self.maps.shape, n_columns, has_titles)
        ax = find_axes(self, ax, grid.shape[0] / grid.shape[1])
        self.image_ = ax.imshow(grid.fill(self.images))
        style = {"cmap": fade_in(cmap, alpha), "interpolation": "nearest"}
        self.map_ = ax.imshow(grid.fill(self.maps), **style | (map_kwargs or {}))
        ax.set_axis_off()
        if has_titles:
            grid.write_titles(ax, [f"{score:.3g}" for score in self.scores])
        self.colorbar_ = add_colorbar(ax, self.map_, "map") if colorbar else None
        self.ax_, self.figure_ = ax, ax.figure
        return self
