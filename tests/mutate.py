"""Change the code in one place at a time, and see whether a test notices.

``python tests/mutate.py`` applies each mutation of ``mutations.toml`` to a copy of the
package, runs the tests named beside it, and prints the mutations that survive. The list
is curated, one fault of meaning each, as mutmut and cosmic-ray would change every
operator and run for hours on a suite that trains networks.
"""

import argparse
import fnmatch
import multiprocessing
import os
import shlex
import shutil
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("skanomaly", "tests", "pyproject.toml")
LIST = Path(__file__).with_name("mutations.toml")
# A mutation may make a loop endless: a test notices that, too.
TIMEOUT = 300
PASSED, FAILED, TIMED_OUT = 0, 1, 124
# Imported once, in the process that all others are forked from.
FORKED = multiprocessing.get_context("forkserver")
PRELOADED = ["pytest", "pandas", "polars", "torch", "skorch", "sklearn.ensemble"]


@dataclass(frozen=True)
class Mutation:
    """A textual replacement, and the arguments of pytest that should notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: str


def mutated(mutation: Mutation, text: str) -> str:
    """Return a file's text after the mutation, or say that the list is stale."""
    n_found = text.count(mutation.old)
    if n_found != 1 or mutation.old == mutation.new:
        raise ValueError(
            f"The list of mutations is stale: {mutation.name!r} wants to replace\n"
            f"{mutation.old}\nin {mutation.file}, where it occurs {n_found} times "
            "instead of once. Change its entry in tests/mutations.toml."
        )
    return text.replace(mutation.old, mutation.new)


def read_list(path: Path = LIST) -> list[Mutation]:
    """Read all mutations; one without tests takes those of its file."""
    content = tomllib.loads(path.read_text())
    tests = content["tests"]
    return [
        Mutation(**each | {"tests": each.get("tests") or tests[each["file"]]})
        for each in content["mutation"]
    ]


def find_stale(mutations: list[Mutation]) -> list[str]:
    """List what can't be applied to the code as it is."""
    stale = []
    for mutation in mutations:
        path = ROOT / "skanomaly" / mutation.file
        try:
            mutated(mutation, path.read_text())
        except (OSError, ValueError) as error:
            stale.append(str(error))
    return stale


def copy_project(folder: Path) -> Path:
    """Copy what the tests need, without compiled files, which could be stale."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignore)
        else:
            shutil.copy(source, target)
    return folder


def run_tests(root: Path, tests: str) -> int | None:
    """Run pytest in a copy of the project; return its exit status."""
    process = FORKED.Process(target=run_pytest, args=(root, tests))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
        return TIMED_OUT
    return process.exitcode


def run_pytest(root: Path, tests: str) -> None:
    """Run pytest in a process of its own, silently, and exit with its status."""
    import pytest

    os.chdir(root / "tests")
    os.environ["PYTHONPATH"] = str(root)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    with open(os.devnull, "w") as nothing:
        for output in (1, 2):
            os.dup2(nothing.fileno(), output)
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    status = pytest.main([*options, *shlex.split(tests)])
    # joblib's workers stay for minutes, and the exit would wait for them.
    for worker in multiprocessing.active_children():
        worker.kill()
    sys.exit(status)


def run_group(tests: str, mutations: list[Mutation]) -> list[tuple[str, str]]:
    """Apply mutations one after the other; return each one's outcome and name."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        root = copy_project(Path(folder))
        # Without any mutation first: tests that fail then prove nothing.
        is_usable = run_tests(root, tests) == PASSED
        for mutation in mutations:
            outcome = try_out(mutation, root) if is_usable else "broken"
            print(f"{outcome:9}{mutation.name}", flush=True)
            results.append((outcome, mutation.name))
    return results


def try_out(mutation: Mutation, root: Path) -> str:
    """Run the tests under a mutation, and take it back."""
    path = root / "skanomaly" / mutation.file
    original = path.read_text()
    path.write_text(mutated(mutation, original))
    status = run_tests(root, mutation.tests)
    path.write_text(original)
    if status in (FAILED, TIMED_OUT):
        return "killed"
    return "survived" if status == PASSED else "broken"


def run_all(mutations: list[Mutation], n_jobs: int) -> list[tuple[str, str]]:
    """Run the mutations of the same tests in one process, several such at a time."""
    os.environ |= {"OMP_NUM_THREADS": "1", "SCIPY_ARRAY_API": "1"}
    FORKED.set_forkserver_preload(PRELOADED)
    groups: dict[str, list[Mutation]] = {}
    for mutation in mutations:
        groups.setdefault(mutation.tests, []).append(mutation)
    with ThreadPoolExecutor(n_jobs) as pool:
        results = pool.map(run_group, groups, groups.values())
        return [pair for group in results for pair in group]


def main() -> int:
    """Run from the command line; return 0 if no mutation survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=["*"], nargs="+", help="patterns of names")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="print names, run nothing")
    arguments = parser.parse_args()
    mutations = [
        mutation
        for mutation in read_list()
        if any(fnmatch.fnmatch(mutation.name, each) for each in arguments.only)
    ]
    if stale := find_stale(mutations):
        print("\n".join(stale), file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(mutation.name for mutation in mutations))
        return 0
    results = run_all(mutations, arguments.jobs)
    for outcome in ("survived", "broken"):
        for name in (name for found, name in results if found == outcome):
            print(f"{outcome}: {name}")
    n_killed = sum(outcome == "killed" for outcome, _ in results)
    print(f"{n_killed} of {len(results)} mutations are killed")
    return int(n_killed < len(results))


if __name__ == "__main__":
    sys.exit(main())
