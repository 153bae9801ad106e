"""Sums over boxes of an image."""

import numpy as np


def box_sums(maps, height, width):
    """Sum maps (..., rows, columns) over each box of a size that lies inside."""
    # A summed-area table: the sum over each box is a difference of four entries.
    table = np.zeros((*maps.shape[:-2], maps.shape[-2] + 1, maps.shape[-1] + 1))
    table[..., 1:, 1:] = maps.cumsum(axis=-2, dtype=float).cumsum(axis=-1)
    strips = table[..., height:, :] - table[..., :-height, :]
    return strips[..., width:] - strips[..., :-width]
