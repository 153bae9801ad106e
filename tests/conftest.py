"""What every test runs under."""

import os

# Without it scikit-learn skips its check of array API input; it is read at import.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest
import torch

# A script that hides packages when it is imported; test_extras.py runs it.
collect_ignore = ["core_only.py"]

# The networks here are small: a second thread only waits, and workers run side by side.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Skip what this machine has not: a GPU, or the published data sets.

    Both are rare on machines that run the tests, and the data can't be shipped; all
    that these tests look at is tested on the CPU and on made data, too.
    """
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                reason = "no CUDA device; what it tests runs on the CPU, too"
                item.add_marker(pytest.mark.skip(reason=reason))
    if "SKANOMALY_DATA" not in os.environ:
        for item in items:
            if "data" in item.keywords:
                reason = "SKANOMALY_DATA is not set, and the data can't be shipped"
                item.add_marker(pytest.mark.skip(reason=reason))
