"""Damaged and hostile files: what `skanomaly.load` must refuse.

    python tests/hostile.py --files 2000

damages files at random, and changes their content under a right checksum, and prints
what became of them. The tests take a few of each.
"""

import argparse
import collections
import io
import json
import pickle
import resource
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, save_npz

from skanomaly.persistence import InvalidFileError, load
from skanomaly.persistence._archive import digest, write_archive
from skanomaly.persistence._document import DOCUMENT, MANIFEST

HUGE = 10**9


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


# -- damage ----------------------------------------------------------------------------


def flip_bits(data, rng):
    """Flip up to eight bits."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def overwrite(data, rng):
    """Write random bytes, or zeros, over a part."""
    start, n = rng.integers(len(data)), rng.integers(1, 200)
    new = rng.bytes(n) if rng.random() < 0.5 else bytes(n)
    return data[:start] + new + data[start + n :]


def truncate(data, rng):
    """Keep a beginning, or an end."""
    place = rng.integers(len(data))
    return data[:place] if rng.random() < 0.5 else data[place:]


def cut_out(data, rng):
    """Remove a part."""
    start, n = rng.integers(len(data)), rng.integers(1, 2000)
    return data[:start] + data[start + n :]


def repeat(data, rng):
    """Have a part twice."""
    start, n = rng.integers(len(data)), rng.integers(1, 2000)
    return data[: start + n] + data[start:]


def swap_members(data, rng):
    """Give two members each other's content."""
    members = members_of(data)
    first, second = rng.choice(list(members), 2, replace=False)
    members[first], members[second] = members[second], members[first]
    return archive_of(members)


def damage_header(data, rng):
    """Change a number of a header of the zip file: a size, a place, a method."""
    marks = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"]
    places = [n for n in range(len(data) - 4) if data[n : n + 4] in marks]
    place = rng.choice(places) + rng.integers(4, 46)
    new = rng.choice([b"\xff\xff\xff\x7f", b"\x08\x00", b"\x00\x00\x00\x00"])
    return (data[:place] + new + data[place + len(new) :])[: max(len(data), 1)]


DAMAGES = (
    flip_bits,
    overwrite,
    truncate,
    cut_out,
    repeat,
    swap_members,
    damage_header,
)


# -- lies ------------------------------------------------------------------------------


def members_of(data):
    """Return the members of a file by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members):
    """Return a file of members."""
    written = io.BytesIO()
    write_archive(written, members.items())
    return written.getvalue()


def signed(members):
    """Return a file of members with the checksum that they have."""
    manifest = json.loads(members[MANIFEST])
    others = {n: content for n, content in members.items() if n != MANIFEST}
    manifest["sha256"] = digest(others.items())
    return archive_of({MANIFEST: json.dumps(manifest).encode(), **others})


def with_document(data, change):
    """Return a signed file whose document was changed."""
    members = members_of(data)
    document = json.loads(members[DOCUMENT])
    changed = change(document) or document
    members[DOCUMENT] = json.dumps(changed).encode()
    return signed(members)


def with_attribute(data, name, node, **members):
    """Return a signed file whose estimator has an attribute more, or another one."""

    def change(document):
        attributes = document["content"]
        attributes["content"][name] = node
        # skops reads as many items of a dictionary as there are types of keys.
        key_types = attributes["key_types"]["content"]
        key_types.append(key_types[0])

    changed = members_of(with_document(data, change))
    return signed({**changed, **{n.replace("_", "."): m for n, m in members.items()}})


def nodes_of(value):
    """List the nodes of a document."""
    found = [value] if isinstance(value, dict) and "__loader__" in value else []
    parts = value.values() if isinstance(value, dict) else value
    for part in parts if isinstance(value, dict | list) else ():
        found += nodes_of(part)
    return found


def lie(data, rng):
    """Change something in the document, or in an array, under a right checksum."""
    members = members_of(data)
    if rng.random() < 0.3:
        name = rng.choice([n for n in members if n not in (MANIFEST, DOCUMENT)])
        members[name] = DAMAGES[rng.integers(5)](members[name], rng)
        return signed(members)
    document = json.loads(members[DOCUMENT])
    nodes = nodes_of(document)
    for _ in range(rng.integers(1, 4)):
        node, other = (nodes[n] for n in rng.integers(len(nodes), size=2))
        key = rng.choice(list(node))
        kind = rng.integers(4)
        if kind == 0:
            node.pop(key, None)
        elif kind == 1:
            node[key] = other.get(key, other)
        elif kind == 2:
            node[key] = [None, -1, HUGE, "x" * 50, str(HUGE), [], {}][rng.integers(7)]
        else:
            node["content"] = json.dumps([HUGE, -1, "", None, 1e308][rng.integers(5)])
    try:
        members[DOCUMENT] = json.dumps(document).encode()
    except ValueError:  # a node was put into itself
        return truncate(data, rng)
    return signed(members)


def node(class_name, loader, **content):
    """Return a node of the document."""
    module, _, name = class_name.rpartition(".")
    return {"__module__": module, "__class__": name, "__loader__": loader, **content}


def number(value):
    """Return the node of a value of JSON."""
    return node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def listed(nodes):
    """Return the node of a list."""
    return node("builtins.list", "ListNode", content=nodes)


def npy(shape, dtype="<f8", content=b"", padding=0):
    """Return an array with a header that need not be true."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape})
    text = header.encode() + b" " * padding + b"\n"
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text + content


def array_of(file, class_name="numpy.ndarray"):
    """Return the node of an array in a file."""
    return node(class_name, "NdArrayNode", type="numpy", file=file)


def _arguments_of(document):
    """Return the arguments of the network."""
    return document["content"]["content"]["_arguments"]["content"]


def _network(data, **arguments):
    """Return a file that says other arguments of the network than its weights'."""

    def change(document):
        for name, value in arguments.items():
            many = isinstance(value, list)
            new = listed([number(n) for n in value]) if many else number(value)
            _arguments_of(document)[name] = new

    return with_document(data, change)


def _bomb(data):
    """A member that is a thousand times as large as the file."""
    members, written = members_of(data), io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("0.bin", bytes(20_000_000))
    return written.getvalue()


def _twice(data):
    """Two members of one name."""
    written = io.BytesIO(data)
    with warnings.catch_warnings(), zipfile.ZipFile(written, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(zipfile.ZipInfo(DOCUMENT), b"{}")
    return written.getvalue()


def _many_members(data):
    """A directory of many members that all are the first one."""
    start = data.rindex(b"PK\x05\x06")
    place = int.from_bytes(data[start + 16 :][:4], "little")
    entry = data[place : data.index(b"PK\x01\x02", place + 4)]
    directory = entry * 20_000
    end = bytearray(data[start:])
    end[12:16] = len(directory).to_bytes(4, "little")
    return data[:place] + directory + bytes(end)


def _sparse(data):
    """A sparse matrix whose indices are outside."""
    matrix = csr_array(np.eye(3))
    matrix.indices = np.array([0, 1, HUGE], dtype=np.int32)
    packed, unpacked = io.BytesIO(), io.BytesIO()
    save_npz(packed, matrix)
    write_archive(unpacked, members_of(packed.getvalue()).items())
    name = "scipy.sparse._csr.csr_array"
    found = node(name, "SparseMatrixNode", type="scipy", file="x.npz")
    return with_attribute(data, "x_", found, x_npz=unpacked.getvalue())


def _packed_sparse(data):
    """A sparse matrix that is small as long as it is compressed."""
    packed = io.BytesIO()
    save_npz(packed, csr_array((np.zeros(10**7), np.zeros(10**7), [0, 10**7])))
    found = node(
        "scipy.sparse._csr.csr_array", "SparseMatrixNode", type="scipy", file="x.npz"
    )
    return with_attribute(data, "x_", found, x_npz=packed.getvalue())


def _random_state(data):
    """A generator that reads beyond its state."""
    state = {"pos": number(HUGE), "key": array_of("x.npy")}
    types = listed([node("builtins.str", "TypeNode")] * 2)
    inner = node("builtins.dict", "DictNode", content=state, key_types=types)
    content = {"bit_generator": number("MT19937"), "state": inner}
    outer = node("builtins.dict", "DictNode", content=content, key_types=types)
    found = node("numpy.random.mtrand.RandomState", "RandomStateNode", content=outer)
    key = io.BytesIO()
    np.save(key, np.zeros(624, dtype=np.uint32))
    return with_attribute(data, "random_state", found, x_npy=key.getvalue())


def _doubled(data):
    """Lists that hold the one before twice, by its number."""
    found = listed([])
    for n in range(16):
        stub = {**listed([]), "__id__": n}
        found = {**listed([{**found, "__id__": n}, stub]), "__id__": n + 1}
    return with_attribute(data, "x_", found)


def _nested(data):
    """Brackets within brackets."""
    members = members_of(data)
    members[DOCUMENT] = b"[" * 1_000_000
    return signed(members)


def _nested_nodes(data):
    """Lists within lists."""
    found = listed([])
    for _ in range(150):
        found = listed([found])
    return with_attribute(data, "x_", found)


def _many_nodes(data):
    """A document of very many parts."""
    return with_attribute(data, "x_", listed([number(1)] * 100_000))


def _newer(data):
    """A file of a format to come."""
    members = members_of(data)
    manifest = json.loads(members[MANIFEST]) | {"format": 99, "skanomaly": "9.0"}
    return archive_of({**members, MANIFEST: json.dumps(manifest).encode()})


def lies(data, mark):
    """Return hostile files by what they do; code in them would create a file `mark`."""
    code = pickle.dumps(Payload(str(mark)))
    script = listed([number(f"open({str(mark)!r}, 'w')")])
    system = node("os.system", "FunctionNode")
    objects = npy((1,), "|O", code)
    return {
        "a packed member": _bomb(data),
        "a member twice": _twice(data),
        "many members": _many_members(data),
        "a path out of the folder": signed({**members_of(data), "../../x": b"x"}),
        "an array of objects": with_attribute(
            data, "x_", array_of("x.npy"), x_npy=objects
        ),
        "a pickle as an array": with_attribute(
            data, "x_", array_of("x.npy"), x_npy=code
        ),
        "a pickle in bytes": with_attribute(
            data, "x_", node("builtins.bytes", "BytesNode", file="x.bin"), x_bin=code
        ),
        "a function": with_attribute(data, "x_", system),
        "a builtin": with_attribute(data, "x_", node("builtins.exec", "TypeNode")),
        "a call": with_attribute(
            data,
            "x_",
            node("builtins.exec", "ConstructorFromReduceNode", content=script),
        ),
        "a method": with_attribute(
            data,
            "x_",
            node(
                "builtins.list", "MethodNode", content={"obj": script, "func": "append"}
            ),
        ),
        "a partial": with_attribute(
            data,
            "x_",
            node(
                "functools.partial",
                "PartialNode",
                content={
                    "func": system,
                    "args": script,
                    "kwds": script,
                    "namespace": script,
                },
            ),
        ),
        "an operator": with_attribute(
            data, "x_", node("operator.methodcaller", "OperatorFuncNode", attrs=script)
        ),
        "the net of skorch": with_attribute(
            data, "net_", node("skorch.net.NeuralNet", "ObjectNode", content=script)
        ),
        "another class": with_document(
            data, lambda d: d.update(__module__="subprocess", __class__="Popen")
        ),
        "an older protocol": with_document(data, lambda d: d.update(protocol=0)),
        "an absurd array": with_attribute(
            data, "x_", array_of("x.npy"), x_npy=npy((HUGE, HUGE))
        ),
        "an array of nothing": with_attribute(
            data, "x_", array_of("x.npy"), x_npy=npy((HUGE,), "|V0")
        ),
        "a negative shape": with_attribute(
            data, "x_", array_of("x.npy"), x_npy=npy((-1, -1), content=bytes(8))
        ),
        "an oversized header": with_attribute(
            data,
            "x_",
            array_of("x.npy"),
            x_npy=npy((1,), content=bytes(8), padding=10**6),
        ),
        "a number that is a size": with_attribute(
            data,
            "x_",
            array_of("x.npy", "numpy.void"),
            x_npy=npy((), "<i8", HUGE.to_bytes(8, "little")),
        ),
        "one array twice": with_attribute(data, "x_", array_of("0.npy")),
        "a document in the document": with_attribute(
            data, "x_", node("builtins.str", "JsonNode", content="[" * 10_000)
        ),
        "absurd hidden sizes": _network(data, hidden_sizes=[HUGE, HUGE]),
        "beyond all sizes": _network(data, hidden_sizes=[HUGE**2, HUGE**2]),
        "an absurd latent size": _network(data, latent_size=HUGE),
        "an absurd shape": _network(data, input_shape=[HUGE]),
        "an image of 10^18 pixels": _network(data, input_shape=[1, HUGE, HUGE]),
        "another module": with_attribute(
            data, "module_class", node("builtins.list", "TypeNode")
        ),
        "indices out of a matrix": _sparse(data),
        "a packed matrix": _packed_sparse(data),
        "a generator out of its state": _random_state(data),
        "lists that double": _doubled(data),
        "a hundred thousand parts": _many_nodes(data),
        "deep brackets": _nested(data),
        "deep lists": _nested_nodes(data),
        "a newer format": _newer(data),
    }


# -- what becomes of them --------------------------------------------------------------


class Watch:
    """Remembers what code is run: what pickle finds, what the system executes."""

    events = ("pickle.find_class", "os.system", "subprocess.Popen", "os.exec")

    def __init__(self):
        self.seen = []
        self.is_on = False
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.is_on and event in self.events:
            self.seen.append((event, arguments))


WATCH = Watch()


def outcome(data, path, X=None, scores=None):
    """Load a file: tell what became of it, and how many bytes that has allocated.

    Code that was run, and scores other than the given ones, are an AssertionError.
    """
    path.write_bytes(data)
    WATCH.is_on = True
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = load(path)
        found = "loaded"
    except InvalidFileError:
        found = "refused"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        WATCH.is_on = False
    assert not WATCH.seen, WATCH.seen
    if scores is not None and found == "loaded":
        assert np.array_equal(estimator.score_samples(X), scores)
    return found, peak


def make_files(folder):
    """Save a detector and a pipeline; return name, file, samples and scores of each."""
    import pandas as pd
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skanomaly import MemAE, make_tabular_pipeline, save
    from skanomaly.calibration import ConformalDetector

    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 1, 8, 8)).astype(np.float32)
    rows = rng.normal(size=(60, 6)).astype(np.float32)
    table = pd.DataFrame(rows[:, :2], columns=["a", "b"])
    table["kind"] = rng.choice(["x", "y", "z"], 60)
    quick = MemAE(max_epochs=2, memory_size=20, hidden_sizes=(32,), random_state=0)
    conformal = ConformalDetector(
        make_tabular_pipeline(quick), alpha=0.1, random_state=0
    )
    for name, estimator, X in (
        ("rows", make_pipeline(StandardScaler(), quick), rows),
        ("images", quick, images),
        ("table", conformal, table),
    ):
        path = folder / f"{name}.skops"
        save(estimator.fit(X), path)
        yield name, path.read_bytes(), X, estimator.score_samples(X)


def _print_counts(title, counts, worst):
    shown = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
    print(f"{title:<32} {shown:<28} {worst:5.2f} x the file, or less")


def main():
    """Damage files at random, lie in others, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="of each sort")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, mark = folder / "file.skops", folder / "mark"
        files = list(make_files(folder))
        for kind, data, X, scores in files:
            peak = max(outcome(data, path, X, scores)[1] for _ in range(2))
            print(f"{kind}: {len(data):,} bytes, loaded with {peak / len(data):.2f} x")
        hostile = lies(files[1][1], mark)
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for make in (*DAMAGES, lie):
            counts, worst = collections.Counter(), 0.0
            n_files = args.files if make is lie else args.files // len(DAMAGES) + 1
            for n in range(n_files):
                _, data, X, scores = files[n % len(files)]
                known = (None, None) if make is lie else (X, scores)
                damaged = make(data, rng)
                found, peak = outcome(damaged, path, *known)
                counts[found] += 1
                if found == "refused":
                    worst = max(worst, peak / max(len(damaged), len(data)))
            _print_counts(make.__name__.replace("_", " "), counts, worst)
        for kind, data in hostile.items():
            found, peak = outcome(data, path)
            _print_counts(kind, {found: 1}, peak / len(data))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - highest
        print(f"The process has grown by {grown / 1024:.1f} MB. Code was run:", end=" ")
        print("yes" if mark.exists() or WATCH.seen else "never")


if __name__ == "__main__":
    main()
