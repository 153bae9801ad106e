"""Images and frames of clips, side by side on one plane."""

import numpy as np
from sklearn.utils import check_array

# Of the height of an image: what is left between rows, and what a title needs.
_GAP, _TITLE = 0.06, 0.24


def read_images(display, X, shape=None, name="X"):
    """Return images or clips as an array of floats; flat samples get this shape."""
    X = check_array(X, dtype=float, ensure_2d=False, allow_nd=True, input_name=name)
    if shape is not None and X.ndim == 2:
        X = X.reshape(len(X), *shape)
    if X.ndim not in (4, 5):
        raise ValueError(
            f"{display} draws images (n_samples, channels, height, width), or clips "
            f"with time before height; {name} has the shape {X.shape}."
        )
    return X


def pick_frames(frame, maps, *clips):
    """Return one frame of each clip, that with the largest map if none is given.

    Images are returned as they are.
    """
    if maps.ndim == 4:
        return clips
    if frame is None:
        frame = maps.sum(axis=(1, 3, 4)).argmax(axis=1)
    n_clips, _, n_frames = maps.shape[:3]
    frames = np.asarray(frame)
    if frames.dtype.kind not in "iu" or frames.shape not in ((), (n_clips,)):
        raise ValueError(
            f"frame must be a whole number, or one for each of {n_clips} clips, got "
            f"{frame!r}."
        )
    if (frames < -n_frames).any() or (frames >= n_frames).any():
        raise ValueError(f"frame={frame} is not in clips of {n_frames} frames.")
    at = np.arange(n_clips), slice(None), np.broadcast_to(frames, n_clips)
    return [each[at] for each in clips]


def to_rgb(images, like=None):
    """Return images (n, channels, height, width) as (n, height, width, 3) in [0, 1].

    Where the values of the others, `like`, are not in [0, 1], their range becomes that.
    """
    like = images if like is None else like
    low, high = min(like.min(), 0), max(like.max(), 1)
    if (low, high) != (0, 1):
        low, high = like.min(), like.max()
    images = (images - low) / max(high - low, np.finfo(float).tiny)
    if images.shape[1] != 3:
        images = images.mean(axis=1, keepdims=True).repeat(3, axis=1)
    return np.moveaxis(images, 1, -1).clip(0, 1)


class Grid:
    """Places of images on one plane, row by row."""

    def __init__(self, shape, n_columns, has_titles=False):
        """Take the number of images, and the height and width of each."""
        if n_columns < 1:
            raise ValueError(f"n_columns must be at least 1, got {n_columns}.")
        n_images, self.height, self.width = shape
        gap = max(1, round(_GAP * self.height))
        title = round(_TITLE * self.height) if has_titles else 0
        step = np.array([self.height + max(gap, title), self.width + gap])
        row_and_column = np.divmod(np.arange(n_images), min(n_columns, n_images))
        # The top and the left of each image.
        self.corners = np.stack(row_and_column, axis=1) * step
        top, left = self.corners.max(axis=0)
        self.shape = top + self.height, left + self.width

    def fill(self, images):
        """Return the plane; nothing is seen between images, and where they are NaN."""
        plane = np.full((*self.shape, *images.shape[3:]), np.nan)
        for image, (top, left) in zip(images, self.corners, strict=True):
            plane[top : top + self.height, left : left + self.width] = image
        if plane.ndim == 2:
            return plane
        is_seen = np.isfinite(plane[..., :1])
        return np.concatenate([np.nan_to_num(plane), is_seen], axis=2)

    def write_titles(self, ax, titles):
        """Write a title above each image."""
        for title, (top, left) in zip(titles, self.corners, strict=True):
            ax.annotate(
                title,
                (left + (self.width - 1) / 2, top - 0.5),
                xytext=(0, 1),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize="small",
                annotation_clip=False,
            )


def add_colorbar(ax, image, label):
    """Add a color bar that is as high as the axes."""
    height, width = image.get_array().shape[:2]
    share = min(0.05 * height / width, 0.05)
    cax = ax.inset_axes([1 + share, 0, share, 1])
    return ax.figure.colorbar(image, cax=cax, label=label)


def fade_in(cmap, alpha):
    """Return colors of which the first is transparent and the last has this opacity."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    cmap = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    colors = cmap(np.linspace(0, 1, 256))
    colors[:, 3] = np.linspace(0, alpha, 256)
    return ListedColormap(colors)
