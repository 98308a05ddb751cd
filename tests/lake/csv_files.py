"""Writes CSV as other people's programs do, and reads it again before and after a rewrite.

    csv_files.py write FOLDER      writes files and says what they are, in JSON
    csv_files.py judge FOLDER      reads each NAME and left-NAME, in JSON: which readers see a difference
                                   in the rows that are not Ann's
    csv_files.py write_odd FOLDER  writes what RFC 4180 does not know
"""

import csv
import gzip
import io
import json
import pathlib
import sys

import cramjam
import duckdb
import polars
import pyarrow
import pyarrow.csv

ANN = "ann@example.test"
NAMES = ["id", "mail", "note", "amount"]
NOTES = [
    "plain", "", "with, comma", "with; semicolon", "with | pipe", "with\ttab", 'a "quoted" word', '"', '""',
    "two\nlines", "two\r\nlines", "ends with \\", "\u00e4\u00f6 \u4e16\u754c \U0001f600", " blanks ", "0", "NULL", "'",
]
WHO = [ANN, "bob@example.test", "Ann@Example.TEST", "", "x@example.test", '"odd"@example.test']


def rows(count):
    for n in range(count):
        yield [n, WHO[n % len(WHO)], NOTES[n % len(NOTES)] + str(n % 7 or ""), n / 4]


def python_file(path, header, **dialect):
    with open(path, "w", newline="", encoding=dialect.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **dialect)
        if header:
            writer.writerow(NAMES)
        writer.writerows(rows(500))


def table(count=500):
    columns = list(zip(*rows(count)))
    return pyarrow.table(dict(zip(NAMES, map(list, columns))))


def write(folder):
    files = []

    def add(name, delimiter=",", header=True, compression="none", count=500):
        files.append({"name": name, "delimiter": delimiter, "header": header, "compression": compression, "rows": count})
        return folder / name

    for dialect in csv.list_dialects():
        delimiter = csv.get_dialect(dialect).delimiter
        python_file(add(f"python-{dialect}", delimiter), True, dialect=dialect)
        python_file(add(f"python-{dialect}-headless", delimiter, False), False, dialect=dialect)
    python_file(add("python-all-semicolon", ";"), True, delimiter=";", quoting=csv.QUOTE_ALL)
    python_file(add("python-nonnumeric-pipe", "|"), True, delimiter="|", quoting=csv.QUOTE_NONNUMERIC)
    python_file(add("python-lf"), True, lineterminator="\n")
    python_file(add("python-mark"), True, encoding="utf-8-sig")

    for style in ["needed", "all_valid"]:
        options = pyarrow.csv.WriteOptions(quoting_style=style)
        pyarrow.csv.write_csv(table(), add(f"pyarrow-{style}"), options)
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t")
    pyarrow.csv.write_csv(table(), add("pyarrow-tab-headless", "\t", False), options)
    for compression in ["gzip", "zstd"]:
        path = add(f"pyarrow-{compression}", compression=compression)
        with pyarrow.CompressedOutputStream(str(path), compression) as stream:
            pyarrow.csv.write_csv(table(20_000), stream)
        files[-1]["rows"] = 20_000

    here = table()
    for name, options in [
        ("duckdb", "header true"),
        ("duckdb-all", "header true, force_quote *"),
        ("duckdb-pipe", "header true, delimiter '|'"),
        ("duckdb-headless", "header false"),
    ]:
        path = add(name, "|" if "|" in options else ",", "header true" in options)
        duckdb.sql("from here").query("t", f"copy (from t) to '{path}' (format csv, {options})")
    for compression in ["gzip", "zstd"]:
        path = add(f"duckdb-{compression}", compression=compression)
        duckdb.sql("from here").query("t", f"copy (from t) to '{path}' (format csv, header true, compression {compression})")

    frame = polars.from_arrow(here)
    frame.write_csv(add("polars"))
    frame.write_csv(add("polars-always", ";"), separator=";", quote_style="always")
    frame.write_csv(add("polars-crlf-headless", ",", False), include_header=False, line_terminator="\r\n")
    frame.write_csv(add("polars-mark"), include_bom=True)

    text = (folder / "polars").read_bytes()
    add("cramjam-snappy", compression="snappy").write_bytes(bytes(cramjam.snappy.compress(text)))
    # Several members, cut in the middle of a row and of the header.
    cuts = [0, 4, 1000, 5001, len(text)]
    parts = [text[one:other] for one, other in zip(cuts, cuts[1:])]
    add("members-gzip", compression="gzip").write_bytes(b"".join(map(gzip.compress, parts)))
    (folder / "files.json").write_text(json.dumps(files))
    print(json.dumps(files))


def unpacked(path, compression):
    data = path.read_bytes()
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        return bytes(cramjam.zstd.decompress(data))
    if compression == "snappy":
        return bytes(cramjam.snappy.decompress(data))
    return data


def by_python(data, file):
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    found = list(csv.reader(text, delimiter=file["delimiter"]))
    return found[1:] if file["header"] else found


def by_pyarrow(data, file):
    read = pyarrow.csv.ReadOptions(column_names=None if file["header"] else NAMES)
    parse = pyarrow.csv.ParseOptions(delimiter=file["delimiter"], newlines_in_values=True)
    types = dict.fromkeys(NAMES, pyarrow.string())
    convert = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    found = pyarrow.csv.read_csv(io.BytesIO(data), read, parse, convert)
    return [list(row.values()) for row in found.to_pylist()]


def by_duckdb(data, file):
    path = pathlib.Path(sys.argv[2]) / "for-duckdb"
    path.write_bytes(data)
    header, delimiter = str(file["header"]).lower(), file["delimiter"]
    columns = "{" + ", ".join(f"'{name}': 'varchar'" for name in NAMES) + "}"
    query = (
        f"select * from read_csv('{path}', delim='{delimiter}', header={header}, quote='\"', escape='\"', "
        f"columns={columns}, auto_detect=false, new_line='{new_line(data)}', nullstr='no such text', "
        "parallel=false)"
    )
    return [list(row) for row in duckdb.sql(query).fetchall()]


def new_line(data):
    return "\\r\\n" if data.split(b"\n", 1)[0].endswith(b"\r") else "\\n"


def by_polars(data, file):
    found = polars.read_csv(
        io.BytesIO(data), separator=file["delimiter"], has_header=file["header"], infer_schema=False,
    )
    return [list(row) for row in found.rows()]


READERS = {"python": by_python, "pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars}


def judge(folder):
    verdicts = []
    for file in json.loads((folder / "files.json").read_text()):
        before = unpacked(folder / file["name"], file["compression"])
        after = unpacked(folder / f"left-{file['name']}", file["compression"])
        verdict = {"name": file["name"], "readers": list(READERS), "differ": []}
        for name, read in READERS.items():
            read_before = read(before, file)
            assert len(read_before) == file["rows"], (name, file["name"], len(read_before))
            expected = [row for row in read_before if (row[1] or "").strip().lower() != ANN]
            if read(after, file) != expected or len(expected) == len(read_before):
                verdict["differ"].append(name)
        verdicts.append(verdict)
    print(json.dumps(verdicts))


def write_odd(folder):
    files = []

    def add(name, says, **dialect):
        python_file(folder / name, True, **dialect)
        known = {"name": name, "delimiter": ",", "header": True, "compression": "none", "says": says}
        files.append(known)

    quote = "a quote that opens or closes no field"
    add("backslash", quote, doublequote=False, escapechar="\\")
    add("apostrophes", "fields, the header has 4", quotechar="'")
    add("return", "a carriage return outside quotes", lineterminator="\r")
    add("utf-16", "a NUL byte", encoding="utf-16")
    print(json.dumps(files))


if __name__ == "__main__":
    {"write": write, "judge": judge, "write_odd": write_odd}[sys.argv[1]](pathlib.Path(sys.argv[2]))
