"""The most abnormal samples of a report: with reasons, or with maps of images."""

import narwhals.stable.v2 as nw
import numpy as np

from ._explain import explain_some
from ._innermost import innermost
from ._plot._maps import AnomalyMapDisplay
from ._plot._reasons import read_reasons
from ._report_html import element, figure, join, section, table
from ._text import show

_MOST_REASONS, _SMALLEST_SHARE = 5, 0.01
_IMAGES_PER_ROW = 5


def anomaly_section(estimator, X, samples, scores, top, reference):
    """Return the samples with the lowest scores."""
    positions = np.argsort(scores, kind="stable")[:top]
    title = f"The {len(positions)} most abnormal samples"
    if samples is not None:
        content = _list_reasons(estimator, X, samples, scores, positions, reference)
    elif hasattr(innermost(estimator), "anomaly_map"):
        content = _draw_maps(estimator, np.asarray(X)[positions], positions)
    else:
        rows = [(position, show(float(scores[position]))) for position in positions]
        content = table(["sample", "score"], rows, numbers=("sample", "score"))
    return section(title, content)


def _list_reasons(estimator, X, samples, scores, positions, reference):
    """Return the samples with the reasons for each."""
    reasons = explain_some(estimator, X, positions.tolist(), _MOST_REASONS, reference)
    reasons = read_reasons(reasons)
    p_values = None
    if hasattr(estimator, "p_values"):
        p_values = estimator.p_values(samples[positions])
    index = _index(samples)
    items = []
    for rank, position in enumerate(positions):
        facts = [f"score {show(float(scores[position]))}"]
        if p_values is not None:
            facts.append(f"p-value {p_values[rank]:.2g}")
        if index is not None:
            facts.append(f"index {index[position]}")
        heading = element("h3", f"{rank + 1}. sample {position}")
        told = element("span", ", ".join(facts), class_="muted")
        header = element("header", join([heading, told]))
        is_shown = (reasons["sample"] == rank) & (reasons["share"] >= _SMALLEST_SHARE)
        own = {name: values[is_shown] for name, values in reasons.items()}
        items.append(element("li", join([header, _reason_table(own)])))
    return element("ol", join(items), class_="anomalies")


def _reason_table(reasons):
    """Return the reasons for one sample, with bars of their shares."""
    names = ("column", "value", "expected", "share")
    rows = []
    for column, value, expected, share in zip(
        *(reasons[name] for name in names), strict=True
    ):
        seen = "missing" if value is None else show(value)
        normal = "" if expected is None else show(expected)
        bar = element("span", class_="bar", style=f"width: {share:.1%}")
        rows.append([column, seen, normal, join([f"{share:.0%}", bar])])
    return table(names, rows)


def _draw_maps(estimator, images, positions):
    """Return the images with their anomaly maps over them."""

    def draw(ax):
        AnomalyMapDisplay.from_estimator(
            estimator, images, ax=ax, n_columns=_IMAGES_PER_ROW
        )
        for text, position in zip(ax.texts, positions, strict=True):
            text.set_text(f"{position}: {text.get_text()}")

    n_rows = -(-len(images) // _IMAGES_PER_ROW)
    caption = "anomaly maps of the most abnormal samples"
    note = "The position and the score of a sample are above its image."
    drawn = figure(draw, "maps", caption, 0.3 + 1.1 * n_rows)
    return join([element("p", note, class_="muted"), drawn])


def _index(samples):
    """Return the labels of the rows, or None if they are positions."""
    found = None if samples.frame is None else nw.maybe_get_index(samples.frame)
    labels = [*range(len(samples))] if found is None else list(found)
    return None if labels == [*range(len(samples))] else labels
