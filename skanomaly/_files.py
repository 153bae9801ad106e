"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


def check_path(path: Any, name: str = "path") -> Path:
    """Return the path of a file that can be written, before the work for it."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be a str or a path, got {path!r}.")
    found = Path(path)
    if found.is_dir():
        raise IsADirectoryError(f"{name} must be that of a file; {found} is a folder.")
    if not found.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"{name} must be in a folder that exists, got {found}. Make it first."
        )
    return found


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
