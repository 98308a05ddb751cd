"""Packs JSON Lines with Snappy, and unpacks what a rewrite left of them.

    snappy_files.py write FOLDER
    snappy_files.py judge FOLDER   says `equal` when all rows but Ann's are there as they were
"""

import json
import pathlib
import sys

import cramjam
import pyarrow

WHO = ["ann@example.test", "b@example.test", "c@example.test", "d@example.test", "e@example.test"]


def rows():
    return [json.dumps({"n": n, "mail": WHO[n % 5], "x": n * n}).encode() + b"\n" for n in range(50_000)]


def write(folder):
    text = b"".join(rows())
    pack = cramjam.snappy.compress
    (folder / "one").write_bytes(bytes(pack(text)))
    parts = [text[:70_001], text[70_001:1_000_000], b"", text[1_000_000:]]
    (folder / "several").write_bytes(b"".join(bytes(pack(part)) for part in parts))
    (folder / "raw").write_bytes(bytes(cramjam.snappy.compress_raw(text)))
    (folder / "pyarrow").write_bytes(pyarrow.compress(text, codec="snappy", asbytes=True))


def judge(folder):
    expected = b"".join(row for row in rows() if b"ann@" not in row)
    for name in ["one", "several"]:
        left = bytes(cramjam.snappy.decompress((folder / f"left-{name}").read_bytes()))
        assert left == expected, name
    print("equal")


if __name__ == "__main__":
    {"write": write, "judge": judge}[sys.argv[1]](pathlib.Path(sys.argv[2]))
