"""The code blocks of the documentation are tests, each page in its own namespace."""

from contextlib import ExitStack, chdir
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from tempfile import TemporaryDirectory

import pytest
import torch
from sybil import Sybil
from sybil.parsers import markdown, rest

# The networks here are small: a second thread only waits, and workers run side by side.
torch.set_num_threads(1)

# Scripts beside the pages are no modules with doctests.
collect_ignore_glob = ["docs/*.py"]


def enter_folder(namespace):
    """Let a page write its files where no others are."""
    stack = namespace["_folder"] = ExitStack()
    stack.enter_context(chdir(stack.enter_context(TemporaryDirectory())))


def leave_folder(namespace):
    """Remove the files of a page."""
    namespace["_folder"].close()


def is_plain_doctest(item):
    """Tell a doctest that pytest has found in a page."""
    return isinstance(item, pytest.DoctestItem) and item.path.suffix == ".rst"


def pytest_collection_modifyitems(items):
    """Leave out what pytest by itself would run of a page that is named."""
    items[:] = [item for item in items if not is_plain_doctest(item)]


pages = Sybil(
    parsers=[
        rest.DocTestParser(NORMALIZE_WHITESPACE | ELLIPSIS),
        rest.PythonCodeBlockParser(),
        rest.SkipParser(),
    ],
    path="docs",
    setup=enter_folder,
    teardown=leave_folder,
    patterns=["*.rst", "**/*.rst"],
    # tests/test_developing.py makes a module of the listing on that page.
    excludes=["developing.rst", "auto_examples/**", "generated/**", "_build/**"],
)
readme = Sybil(parsers=[markdown.PythonCodeBlockParser()], pattern="README.md")
pytest_collect_file = (pages + readme).pytest()
