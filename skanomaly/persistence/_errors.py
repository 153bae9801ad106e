"""What is raised about a file, whatever is wrong with it."""


class InvalidFileError(ValueError):
    """The file is not one that `skanomaly.load` can load: damaged, unsafe or newer.

    The message says what is wrong and what to do.
    """
