"""A mean and its standard deviation stay on one line of a table."""

from docutils import nodes

NO_BREAK = "\N{NO-BREAK SPACE}"


def join_figures(app, doctree):
    """Put spaces that don't break around each plus-minus sign."""
    for text in list(doctree.findall(nodes.Text)):
        if " ± " in text and not isinstance(text.parent, nodes.literal_block):
            joined = text.replace(" ± ", f"{NO_BREAK}±{NO_BREAK}")
            text.parent.replace(text, nodes.Text(joined))


def setup(app):
    """Register what is done to each page once it is read."""
    app.connect("doctree-read", join_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
