"""Metrics around a detector."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skanomaly.metrics import (
    is_outlier,
    outlier_scorer,
    per_region_overlap,
    precision_recall_f1_at,
)

# -- metrics ---------------------------------------------------------------------------


def test_precision_recall_f1_at():
    y = [1, 1, 1, 1, -1, -1, 1, 1, 1, 1]
    scores = [9, 8, 7, 1, 2, 3, 6, 5, 4, 10]
    assert precision_recall_f1_at(y, scores, 0.2) == (0.5, 0.5, 0.5)
    precision, recall, f1 = precision_recall_f1_at(y, scores, 0.3)
    assert (precision, recall) == (pytest.approx(2 / 3), 1)
    assert f1 == pytest.approx(0.8)
    coded = [1 if label == -1 else 0 for label in y]
    assert precision_recall_f1_at(coded, scores, 0.3) == (precision, recall, f1)
    words = ["bad" if label == -1 else "ok" for label in y]
    named = precision_recall_f1_at(words, scores, 0.3, outlier_label="bad")
    assert named == (precision, recall, f1)
    assert precision_recall_f1_at([1, 1, -1], [5, 5, 5], 0.1)[1] == 1


@pytest.mark.parametrize("contamination", [0.1, 0.2, 0.25, 0.3, 0.7])
@pytest.mark.parametrize("n_samples", [10, 57, 1000])
def test_share_called_outliers(contamination, n_samples):
    scores = np.random.default_rng(0).permutation(n_samples).astype(float)
    y = np.where(scores < 5, -1, 1)
    precision, recall, _ = precision_recall_f1_at(y, scores, contamination)
    n_called = recall * 5 / precision
    assert n_called == pytest.approx(np.ceil(n_samples * contamination), abs=1e-6)


def test_metrics_say_what_is_wrong():
    with pytest.raises(ValueError, match="contamination"):
        precision_recall_f1_at([1, -1], [1, 2], 0)
    with pytest.raises(ValueError, match="inconsistent"):
        precision_recall_f1_at([1, -1], [1, 2, 3], 0.5)
    for unknown in ([0, 2], [-1, 0, 1], ["a", "b"]):
        with pytest.raises(ValueError, match=r"Labels must be .* outlier_label="):
            is_outlier(unknown)
    with pytest.raises(ValueError, match="response_method must be one of"):
        outlier_scorer(roc_auc_score, response_method="predict_proba")


def test_labels_that_are_all_equal():
    assert is_outlier([-1, -1]).all()
    assert not is_outlier([0, 0]).any()
    with pytest.raises(ValueError, match=r"All labels are 1, .* outlier_label="):
        is_outlier([1, 1])
    assert is_outlier([1, 1], outlier_label=1).all()
    assert not is_outlier([1, 1], outlier_label=-1).any()


def test_per_region_overlap_by_hand():
    """Regions of two pixels and one; four normal pixels."""
    masks = [[[1, 1, 0, 0], [0, 0, 0, 1]]]
    maps = [[[9, 6, 8, 3], [2, 1, 0, 7]]]
    # In the order of the maps: half of the large region, a false alarm, the small
    # region, the other half, then three more normal pixels (a normal one is 1 / 5).
    # Overlap 1/4 before the first false alarm, then 1/4, 3/4, 1 at the same share.
    first = 0.2 * 1 / 4
    assert per_region_overlap(masks, maps, max_fpr=0.2) == pytest.approx(first / 0.2)
    assert per_region_overlap(masks, maps, max_fpr=1.0) == pytest.approx(first + 0.8)
    between = (first + 0.1) / 0.3
    assert per_region_overlap(masks, maps) == pytest.approx(between)
    assert per_region_overlap(masks, maps, max_fpr=0.1) == pytest.approx(0.25)


def test_per_region_overlap_counts_regions_and_not_pixels():
    masks = np.zeros((2, 8, 8))
    masks[0, :4, :4] = masks[1, 7, 7] = 1
    large, small = np.zeros((2, 2, 8, 8))
    large[0, :4, :4] = small[1, 7, 7] = 1
    # What is not found rises with the false alarms, from one half on.
    assert per_region_overlap(masks, large) == pytest.approx(
        per_region_overlap(masks, small)
    )
    assert per_region_overlap(masks, masks) == 1
    assert per_region_overlap(masks, -masks) == 0


def test_per_region_overlap_joins_pixels_within_an_image_only():
    corner = [[[1, 0], [0, 1]]] * 2
    # Two regions across corners, one an image: the first half of the first one only.
    maps = [[[9, 5], [5, 1]], [[1, 5], [5, 1]]]
    assert per_region_overlap(corner, maps, max_fpr=1.0) == pytest.approx(
        (0.25 + 0.25) / 2
    )


def test_per_region_overlap_of_ties_is_a_straight_line():
    masks = [[[1, 0, 0]]]
    assert per_region_overlap(masks, np.ones((1, 1, 3)), max_fpr=1) == 0.5
    assert per_region_overlap(masks, np.ones((1, 1, 3))) == pytest.approx(0.15)
    noise = np.random.default_rng(0).normal(size=(50, 16, 16))
    some = np.random.default_rng(1).random((50, 16, 16)) < 0.1
    assert per_region_overlap(some, noise) == pytest.approx(0.15, abs=0.02)


def test_per_region_overlap_says_what_is_wrong():
    masks = np.eye(4)[np.newaxis]
    for wrong in (np.ones((1, 1, 4, 4)), np.ones((1, 4, 3))):
        with pytest.raises(ValueError, match="must have one shape"):
            per_region_overlap(masks, wrong)
    with pytest.raises(ValueError, match="must have one shape"):
        per_region_overlap(masks[0], masks[0])
    with pytest.raises(ValueError, match="No pixel of the masks is abnormal"):
        per_region_overlap(0 * masks, masks)
    with pytest.raises(ValueError, match="No pixel of the masks is normal"):
        per_region_overlap(0 * masks + 1, masks)
    with pytest.raises(ValueError, match="NaN"):
        per_region_overlap(masks, np.full((1, 4, 4), np.nan))
    for limit in (0, 1.5):
        with pytest.raises(ValueError, match="max_fpr"):
            per_region_overlap(masks, masks, max_fpr=limit)
