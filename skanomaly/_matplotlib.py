"""matplotlib, which is imported when something is drawn."""

from importlib import import_module


def check_matplotlib(caller):
    """Name the extra that installs matplotlib if it isn't there."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib: pip install 'skanomaly[plots]'."
        ) from error


def find_axes(display, ax, aspect=None):
    """Return the axes that a display draws on, new ones if it is given none.

    The figure of new ones is as high as an image of this ratio of height to width.
    """
    check_matplotlib(f"{type(display).__name__}.plot")
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    figsize = plt.rcParams["figure.figsize"]
    if aspect is not None:
        figsize = figsize[0], min(max(figsize[0] * aspect, 1.2), 1.5 * figsize[0])
    return plt.subplots(figsize=figsize, layout="constrained")[1]
