"""The code blocks of the documentation are tests, each page in its own namespace."""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

from sybil import Sybil
from sybil.parsers import markdown, rest

# Scripts beside the pages are no modules with doctests.
collect_ignore_glob = ["docs/*.py"]

pages = Sybil(
    parsers=[
        rest.DocTestParser(NORMALIZE_WHITESPACE | ELLIPSIS),
        rest.PythonCodeBlockParser(),
        rest.SkipParser(),
    ],
    path="docs",
    patterns=["*.rst", "**/*.rst"],
    # tests/test_developing.py makes a module of the listing on that page.
    excludes=["developing.rst", "auto_examples/**", "generated/**", "_build/**"],
)
readme = Sybil(parsers=[markdown.PythonCodeBlockParser()], pattern="README.md")
pytest_collect_file = (pages + readme).pytest()
