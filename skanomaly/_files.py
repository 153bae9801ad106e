"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write, which takes the place of another when it is complete."""
    # In the same folder: only within a file system a file is replaced at once. The
    # suffix stays, as some writers go by it.
    draft = path.with_name(f".{path.stem}.{uuid4().hex}{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
