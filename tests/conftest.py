"""What every test runs under."""

import os

# Without it scikit-learn skips its check of array API input; it is read at import.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest
import torch

from skanomaly.nn import DetectorModule

# A script that hides packages when it is imported; test_extras.py runs it.
collect_ignore = ["core_only.py"]

# The networks here are small: a second thread only waits, and workers run side by side.
torch.set_num_threads(1)

PACKAGE_BATCH_SIZES = DetectorModule.batch_sizes


@pytest.fixture(autouse=True, scope="module")
def small_batches():
    """Score in batches of at most 512 rows, where the package has 4096.

    Each new network tries out on hundreds of samples which sizes round them alike. At
    full size that is a third of a small network's fit, and seconds for a map by
    gradients.
    """
    with pytest.MonkeyPatch.context() as patch:
        sizes = tuple(size for size in PACKAGE_BATCH_SIZES if size <= 512)
        patch.setattr(DetectorModule, "batch_sizes", sizes)
        yield


@pytest.fixture
def package_batches(monkeypatch):
    """Score in the batches of the package, for tests of how they round."""
    monkeypatch.setattr(DetectorModule, "batch_sizes", PACKAGE_BATCH_SIZES)


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
