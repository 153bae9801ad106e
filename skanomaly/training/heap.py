"""What the C library does with the memory of tensors that are gone."""

import torch

# The most that glibc lets its threshold rise to is 32 MiB.
_BYTES = 2**24


def keep_freed_memory() -> None:
    """Let glibc keep the memory that a training step frees for the next one.

    At first it returns what is free at the end of the heap as soon as it is 128 KiB, so
    that a step of large batches asks the system for the same pages again and again. It
    returns twice as much as the largest block at the most that was freed, see
    ``M_MMAP_THRESHOLD`` in mallopt(3): here is one, which is never written to.
    """
    torch.empty(_BYTES, dtype=torch.uint8)
