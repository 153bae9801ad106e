"""What is raised about a file, whatever is wrong with it."""


class InvalidFileError(ValueError):
    """The file is not one that `skanomaly.load` can load: damaged, unsafe or newer.

    The message says what is wrong and what to do.

    Examples
    --------
    >>> import skanomaly, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "table.csv"
    >>> _ = path.write_text("size,kind")
    >>> skanomaly.load(path)
    Traceback (most recent call last):
        ...
    skanomaly.persistence._errors.InvalidFileError: ...table.csv can't be loaded: it was
    not written by skanomaly.save.
    """
