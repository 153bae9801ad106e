"""Formulas as MathML, which browsers draw by themselves: no script and no network."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

# The invisible operator between a function and its argument.
APPLICATION = "<mo>&ApplyFunction;</mo>"


def to_mathml(tex, **options):
    """Translate a formula, with the space after log that browsers leave out."""
    return tex2mathml(tex, **options).replace(
        APPLICATION, APPLICATION + '<mspace width="0.17em"/>'
    )


def visit_math(translator, node):
    """Write a formula within a line."""
    translator.body.append(to_mathml(node.astext()))
    raise nodes.SkipNode


def visit_displaymath(translator, node):
    """Write a formula that stands by itself."""
    formula = to_mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="math">{formula}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer for ``html_math_renderer``."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(visit_math, None),
        block_renderers=(visit_displaymath, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
