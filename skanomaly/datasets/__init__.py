"""Data sets and the published protocols for splitting them.

The small sets come with scikit-learn. `load_kddcup99` downloads its data through
scikit-learn if there is no local copy. The other loaders read local files; `find_data`
documents where.
"""

from ._files import find_data
from ._images import (
    load_cifar10,
    load_digits,
    load_mnist,
    load_ped2,
    one_class_split,
)
from ._kddcup99 import load_kddcup99, split_kddcup99
from ._mvtec import load_mvtec_ad
from ._tables import load_adbench, load_breast_cancer
from ._videos import load_avenue, load_shanghaitech

__all__ = [
    "find_data",
    "load_adbench",
    "load_avenue",
    "load_breast_cancer",
    "load_cifar10",
    "load_digits",
    "load_kddcup99",
    "load_mnist",
    "load_mvtec_ad",
    "load_ped2",
    "load_shanghaitech",
    "one_class_split",
    "split_kddcup99",
]
