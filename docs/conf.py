"""How the documentation is built: ``make docs``."""

import os
import sys
from pathlib import Path

import skanomaly

# The gallery runs on the CPU, in one process, with the data that it finds there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from changelog import write_changelog  # noqa: E402 # found by the path above
from links import write_inventories  # noqa: E402 # found by that path
from methods import methods_of  # noqa: E402 # found by that path, too

project = "skanomaly"
author = "The skanomaly developers"
copyright = "2026, the skanomaly developers"
release = version = skanomaly.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "mathml",
    "spaces",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/**/*.ipynb", "_list_of_*.rst"]
templates_path = ["_templates"]
default_role = "obj"
html_math_renderer = "mathml"
intersphinx_mapping = write_inventories(
    HERE / "links.toml", HERE / "_build" / "inventories"
)
nitpicky = True
# Parameters and attributes of what a page is about, such as `early_stopping`.
nitpick_ignore_regex = [
    ("py:obj", r"[Xa-z_'\"\[][^.]*"),
    ("py:obj", r'\["x0".*'),  # in a docstring of scikit-learn
]

# api.rst includes this list, so that a new detector needs no line there.
_detectors = "".join(
    f"   {name}\n"
    for name in sorted(skanomaly.__all__, key=str.casefold)
    if name[0].isupper()
)
(HERE / "_list_of_classes.rst").write_text(
    ".. currentmodule:: skanomaly\n\n"
    ".. autosummary::\n   :toctree: generated/\n   :nosignatures:\n\n"
    f"{_detectors}"
)
write_changelog(HERE.parent / "CHANGELOG.md", HERE / "_list_of_changes.rst")
autosummary_generate = ["api.rst", "_list_of_classes.rst"]
# A function in a setting keeps Sphinx from caching the settings, and nothing else.
suppress_warnings = ["config.cache"]
autosummary_context = {"methods_of": methods_of}
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"(benchmarks|reproduce|kddcup99|serve|tracking|onnx_browser)",
    "subsection_order": [
        "../examples/tables",
        "../examples/thresholds",
        "../examples/reasons",
        "../examples/images",
        "../examples/production",
    ],
    "within_subsection_order": "gallery.PageOrder",
    "doc_module": "skanomaly",
    "reference_url": {"skanomaly": None},
    "backreferences_dir": "generated",
    "show_memory": False,
    "write_computation_times": False,  # a page that loads scripts from elsewhere
    "remove_config_comments": True,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "skanomaly"
html_show_sourcelink = False
# Pages with no others below them have nothing to list beside them.
_single = ["install", "choose", "results", "adbench", "benchmarks", "developing"]
html_sidebars = {page: [] for page in [*_single, "changelog", "search", "genindex"]}
html_static_path = ["_static"]
html_css_files = ["skanomaly.css"]
html_theme_options = {
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
