"""Per-region overlap: a metric of anomaly maps."""

from numbers import Real
from typing import Any

import numpy as np
from scipy import ndimage
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params


@validate_params(
    {
        "masks": ["array-like"],
        "maps": ["array-like"],
        "max_fpr": [Interval(Real, 0, 1, closed="right")],
    },
    prefer_skip_nested_validation=True,
)
def per_region_overlap(masks: Any, maps: Any, *, max_fpr: float = 0.3) -> float:
    """Compute the area under the per-region overlap curve of anomaly maps (PRO).

    At each threshold, the overlap of a region is the fraction of its pixels above the
    threshold. The curve is the mean overlap over all regions of all images, whatever
    their size, against the false-positive rate: the fraction of normal pixels above the
    threshold. The area under it up to `max_fpr` is returned, divided by `max_fpr`.

    Parameters
    ----------
    masks : array-like of shape (n_images, height, width)
        True, or anything but zero, for abnormal pixels. A region is a connected
        component, neighbours across a corner included.
    maps : array-like of shape (n_images, height, width)
        The higher, the more abnormal. Those of a detector have an axis of channels:
        ``detector.anomaly_map(X).sum(axis=1)``.
    max_fpr : float, default=0.3
        Upper limit of the false-positive rate, in (0, 1].

    Returns
    -------
    pro : float
        In [0, 1]: 1 if every abnormal pixel is above every normal one, and
        ``max_fpr / 2`` in expectation if maps are noise.

    Raises
    ------
    ValueError
        If the shapes differ or are not those of images, if a value of a map is not
        finite, or if no pixel is abnormal, or none normal.

    References
    ----------
    .. [1] P. Bergmann, M. Fauser, D. Sattlegger, C. Steger, "Uninformed Students:
       Student-Teacher Anomaly Detection with Discriminative Latent Embeddings", CVPR
       2020, arXiv:1911.02357, section 4.

    Examples
    --------
    One of two regions is above all normal pixels, the other one below all of them:

    >>> from skanomaly.metrics import per_region_overlap
    >>> masks = [[[1, 1, 0, 0, 1]]]
    >>> per_region_overlap(masks, [[[5, 4, 3, 2, 1]]])
    0.5
    """
    masks = check_array(masks, allow_nd=True, ensure_2d=False, input_name="masks") != 0
    maps = check_array(maps, allow_nd=True, ensure_2d=False, input_name="maps")
    if masks.ndim != 3 or masks.shape != maps.shape:
        raise ValueError(
            "masks and maps must have one shape, (n_images, height, width), got "
            f"{masks.shape} and {maps.shape}. Resize the masks to the maps first, by "
            "nearest neighbor."
        )
    if masks.all() or not masks.any():
        kind = "normal" if masks.all() else "abnormal"
        raise ValueError(f"No pixel of the masks is {kind}.")
    neighbours = np.zeros((3, 3, 3), dtype=int)
    neighbours[1] = 1  # pixels are connected within an image only
    regions, n_regions = ndimage.label(masks, structure=neighbours)
    region_sizes = np.bincount(regions.ravel())
    order = np.argsort(-maps, axis=None, kind="stable")
    regions, scores = regions.ravel()[order], maps.ravel()[order]
    # Increments of the curve's two coordinates, pixel by pixel.
    overlap_steps = np.where(regions > 0, 1 / (n_regions * region_sizes[regions]), 0.0)
    fpr_steps = np.where(regions > 0, 0.0, 1 / region_sizes[0])
    # Pixels of one score pass the threshold together.
    is_last = np.append(scores[1:] != scores[:-1], True)
    overlap = np.append(0.0, np.cumsum(overlap_steps)[is_last])
    false_rate = np.append(0.0, np.cumsum(fpr_steps)[is_last])
    end = np.searchsorted(false_rate, max_fpr, side="right")
    false_rate, overlap = (
        np.append(false_rate[:end], max_fpr),
        np.append(overlap[:end], np.interp(max_fpr, false_rate, overlap)),
    )
    area = np.sum(np.diff(false_rate) * (overlap[1:] + overlap[:-1]) / 2)
    return float(min(area / max_fpr, 1.0))
