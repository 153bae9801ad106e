"""Without the extras the core works, and what needs one says how to install it."""

import os
import subprocess
import sys
from pathlib import Path

import skanomaly

SCRIPT = Path(__file__).with_name("core_only.py")


def test_core_works_and_extras_are_named():
    path = str(Path(skanomaly.__file__).parents[1])
    shown = subprocess.run(
        [sys.executable, SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == "core works; 24 calls name the extra that they need\n"
