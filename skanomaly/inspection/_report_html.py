"""Pieces of a page of HTML. All text is escaped here, and nowhere else."""

import io
import re
from html import escape

# In inches; narrow, so that it can be read on a phone.
_WIDTH = 5.2
# Stands in the figures for the color of the text, which is that of the page.
TEXT_COLOR = "#010203"
# matplotlib's first color, which is another one on a dark page.
_BAR_COLOR = "#1f77b4"
_STYLE = {
    "axes.edgecolor": TEXT_COLOR,
    "axes.facecolor": "none",
    "axes.labelcolor": TEXT_COLOR,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "legend.framealpha": 0.0,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "skanomaly",
    "text.color": TEXT_COLOR,
    "xtick.color": TEXT_COLOR,
    "ytick.color": TEXT_COLOR,
}


class Html(str):
    """Text that is HTML already."""


def element(tag, content="", **attributes):
    """Return an element; content that isn't HTML is escaped."""
    given = "".join(
        f' {name.rstrip("_")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{tag}{given}>{_escaped(content)}</{tag}>")


def join(parts):
    """Return HTML, one part after the other."""
    return Html("\n".join(map(_escaped, parts)))


def section(title, *parts):
    """Return parts with a heading."""
    return element("section", join([element("h2", title), *parts]))


def table(header, rows, numbers=()):
    """Return a table; columns in `numbers` are aligned to the right."""
    kinds = ["number" if name in numbers else None for name in header]

    def line(tag, cells):
        pairs = zip(cells, kinds, strict=True)
        return element("tr", join(element(tag, c, class_=kind) for c, kind in pairs))

    head = element("thead", line("th", header))
    body = element("tbody", join(line("td", row) for row in rows))
    return element("table", join([head, body]))


def figure(draw, name, caption, height):
    """Return what `draw` draws on axes, as SVG in the colors of the page."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):  # whatever style the user has
        # A figure that pyplot does not know, whatever backend is in use.
        canvas = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(canvas.subplots())
        file = io.StringIO()
        canvas.savefig(file, format="svg", dpi=150, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT_COLOR, "currentColor")
    svg = svg.replace(_BAR_COLOR, "var(--bar)")
    # One page has several figures, and an id only once.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    return element("figure", Html(svg))


def _escaped(content):
    return content if isinstance(content, Html) else escape(str(content))
