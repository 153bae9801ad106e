"""Images, what a detector makes of them, and the error."""

from typing import Any, Self

import numpy as np

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._innermost import find_with

from ._images import Grid, add_colorbar, pick_frames, read_images, to_rgb


class ReconstructionDisplay:
    """Images, or frames of clips, above their reconstruction and its squared error.

    Use `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3)
        Images in [0, 1].
    reconstructions : ndarray of shape (n_samples, height, width, 3)
        Their reconstructions, on the same scale.
    errors : ndarray of shape (n_samples, height, width)
        Squared errors, in units of the detector's input, summed over channels.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        Images and reconstructions.
    error_ : matplotlib AxesImage
        The errors.
    colorbar_ : matplotlib Colorbar or None
        The scale of the errors.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    AnomalyMapDisplay : Anomaly maps, which detectors without a reconstruction have,
        too.
    ReasonsDisplay : Values and expected values of a row of a table.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.datasets import load_digits
    >>> from skanomaly.inspection import ReconstructionDisplay
    >>> zeros = load_digits(normal_class=0).data[:20]
    >>> detector = Autoencoder(max_epochs=5, random_state=0).fit(zeros)
    >>> display = ReconstructionDisplay.from_estimator(detector, zeros[:3])
    >>> display.errors.shape
    (3, 8, 8)
    """

    def __init__(self, images: Any, reconstructions: Any, errors: Any):
        self.images = images
        self.reconstructions = reconstructions
        self.errors = errors

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
        """Draw samples and their reconstructions.

        Parameters
        ----------
        estimator : estimator
            Fitted detector with `reconstruct`, or a Pipeline or meta-estimator around
            one.
        X : array-like of shape (n_samples, ...)
            The samples to be drawn: images or clips, or rows that are images to a
            detector with `sample_shape`. They are drawn as the detector is given them,
            after all preprocessing.
        frame : int, array-like of shape (n_samples,) or None, default=None
            The frame of clips that is drawn; None takes that with the largest error.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ReconstructionDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If the detector has no `reconstruct`.
        ValueError
            If samples are neither images nor clips.
        ImportError
            If matplotlib is not installed.
        """
        name = cls.__name__
        check_matplotlib(f"{name}.from_estimator")
        detector, X = find_with(name, "reconstruct", estimator, X)
        images = read_images(name, X, getattr(detector, "input_shape_", None))
        rec = np.reshape(detector.reconstruct(X), images.shape)
        return cls.from_predictions(images, rec, frame=frame, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        X_rec: Any,
        *,
        frame: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw reconstructions that have been computed.

        Parameters
        ----------
        X : array-like of shape (n_samples, channels, [time,] height, width)
            Images or clips.
        X_rec : array-like of the shape of X
            Their reconstructions.
        frame : int, array-like of shape (n_samples,) or None, default=None
            The frame of clips that is drawn; None takes that with the largest error.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ReconstructionDisplay
            It has been drawn.

        Raises
        ------
        ValueError
            If samples are neither images nor clips, if shapes differ, or if a clip
            does not have this frame.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        X = read_images(cls.__name__, X)
        X_rec = read_images(cls.__name__, X_rec, name="X_rec")
        if X.shape != X_rec.shape:
            raise ValueError(
                f"X_rec must have the shape of X, {X.shape}, got {X_rec.shape}."
            )
        errors = (X - X_rec) ** 2
        images, rec, errors = pick_frames(frame, errors, X, X_rec, errors)
        display = cls(to_rgb(images, like=X), to_rgb(rec, like=X), errors.sum(axis=1))
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "inferno",
        colorbar: bool = True,
        error_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw images, reconstructions and errors, a sample a column.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        cmap : str or matplotlib Colormap, default="inferno"
            Colors of the errors.
        colorbar : bool, default=True
            Whether to draw the scale of the errors.
        error_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.imshow` of the errors, such as
            `vmin` and `vmax`.

        Returns
        -------
        display : ReconstructionDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n, height, width = self.errors.shape
        grid = Grid((3 * n, height, width), n_columns=n)
        ax = find_axes(self, ax, grid.shape[0] / grid.shape[1])
        no_image = np.full_like(self.images, np.nan)
        no_error = np.full_like(self.errors, np.nan)
        images = np.concatenate([self.images, self.reconstructions, no_image])
        self.image_ = ax.imshow(grid.fill(images), interpolation="nearest")
        errors = np.concatenate([no_error, no_error, self.errors])
        style = {"cmap": cmap, "vmin": 0, "interpolation": "nearest"}
        self.error_ = ax.imshow(grid.fill(errors), **style | (error_kwargs or {}))
        ax.spines[:].set_visible(False)
        ax.set(xticks=[], yticks=grid.corners[::n, 0] + (height - 1) / 2)
        ax.set_yticklabels(["sample", "reconstruction", "error"])
        ax.tick_params(length=0)
        label = "squared error"
        self.colorbar_ = add_colorbar(ax, self.error_, label) if colorbar else None
        self.ax_, self.figure_ = ax, ax.figure
        return self
