"""Writes Parquet as other people's programs do, and reads it again before and after a rewrite.

    parquet_files.py write FOLDER      writes files and says what they are, in JSON
    parquet_files.py judge FOLDER      reads each NAME and left-NAME, in JSON: what differs in the rows that are
                                       not Ann's, in the schema, and in what the file says of itself
"""

import datetime
import decimal
import json
import math
import pathlib
import sys
import uuid

import duckdb
import polars
import pyarrow
import pyarrow.parquet

ANN = "ann@example.test"
WHO = [ANN, "bob@example.test", "Ann@Example.TEST", None, "x@example.test", "", "y@example.test"]
COUNT = 2_100


def is_ann(mail):
    return mail is not None and mail.lower() == ANN


def who(n, dense):
    """In sparse files only the rows from 1,200 to 1,299 may be Ann's."""
    mail = WHO[n % len(WHO)]
    return mail if dense or 1200 <= n < 1300 or not is_ann(mail) else "z@example.test"


def columns(dense, nested=True):
    rows = range(COUNT)
    utc = datetime.timezone.utc
    start = datetime.datetime(2020, 2, 29, 23, 59, 59, 123456)
    mails = [who(n, dense) for n in rows]
    own = ["of Ann, number %d" % n if is_ann(mail) else "note %d" % (n % 50) for n, mail in zip(rows, mails)]
    made = {
        "id": pyarrow.array(rows, pyarrow.int64()),
        "mail": pyarrow.array(mails, pyarrow.string()),
        "note": pyarrow.array([None if n % 11 == 0 else text for n, text in zip(rows, own)], pyarrow.string()),
        "unique": pyarrow.array([f"{text} {n}" for n, text in zip(rows, own)], pyarrow.string()),
        "small": pyarrow.array([n % 100 for n in rows], pyarrow.int8()),
        "large": pyarrow.array([2**64 - 1 - n for n in rows], pyarrow.uint64()),
        "real": pyarrow.array([math.nan if n % 13 == 0 else -0.0 if n % 17 == 0 else n / 3 for n in rows], pyarrow.float64()),
        "single": pyarrow.array([n / 4 for n in rows], pyarrow.float32()),
        "true": pyarrow.array([None if n % 5 == 0 else n % 2 == 0 for n in rows], pyarrow.bool_()),
        "price": pyarrow.array([decimal.Decimal(n) / 8 for n in rows], pyarrow.decimal128(38, 10)),
        "little": pyarrow.array([decimal.Decimal(n) / 4 for n in rows], pyarrow.decimal128(9, 2)),
        "day": pyarrow.array([start.date() + datetime.timedelta(days=n) for n in rows], pyarrow.date32()),
        "at": pyarrow.array([start + datetime.timedelta(seconds=n) for n in rows], pyarrow.timestamp("us")),
        "zoned": pyarrow.array([start.replace(tzinfo=utc) + datetime.timedelta(hours=n) for n in rows], pyarrow.timestamp("ms", "UTC")),
        "clock": pyarrow.array([datetime.time(n % 24, n % 60) for n in rows], pyarrow.time64("us")),
        "bytes": pyarrow.array([bytes([n % 256, 255]) for n in rows], pyarrow.binary()),
    }
    if nested:
        made |= {
            "tags": pyarrow.array([None if n % 7 == 0 else [own[n], None, "t"][: n % 4] for n in rows], pyarrow.list_(pyarrow.string())),
            "user": pyarrow.array(
                [None if n % 9 == 0 else {"mail": mails[n], "ids": [n, n + 1][: n % 3]} for n in rows],
                pyarrow.struct([("mail", pyarrow.string()), ("ids", pyarrow.list_(pyarrow.int64()))]),
            ),
            "props": pyarrow.array(
                [None if n % 8 == 0 else [("k%d" % k, own[n]) for k in range(n % 3)] for n in rows],
                pyarrow.map_(pyarrow.string(), pyarrow.string()),
            ),
            "deep": pyarrow.array(
                [[[{"a": n, "b": own[n]}] * (n % 2)] * (n % 3) for n in rows],
                pyarrow.list_(pyarrow.list_(pyarrow.struct([("a", pyarrow.int32()), ("b", pyarrow.string())]))),
            ),
        }
    return made


def table(dense=False, nested=True, **more):
    return pyarrow.table(columns(dense, nested) | more)


def write(folder):
    files = []

    def add(name, dense=False):
        files.append({"name": name, "dense": dense})
        return str(folder / name)

    def arrow(name, data, dense=False, **options):
        options.setdefault("row_group_size", 250)
        pyarrow.parquet.write_table(data, add(name, dense), **options)

    here, dense = table(), table(True)
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        arrow(f"pyarrow-{codec}", here, compression=codec)
    arrow("pyarrow-dense", dense, True)
    arrow("pyarrow-dense-v2", dense, True, data_page_version="2.0", version="2.6")
    arrow("pyarrow-v1", here, version="1.0")
    arrow("pyarrow-pages", here, write_page_index=True, data_page_size=512, store_schema=False)
    arrow("pyarrow-pages-dense", dense, True, write_page_index=True, data_page_size=512, data_page_version="2.0")
    arrow("pyarrow-plain", here, use_dictionary=False, write_statistics=False)
    arrow("pyarrow-int96", table(nested=False), use_deprecated_int96_timestamps=True)
    arrow("pyarrow-one-group", here, row_group_size=COUNT)
    arrow("pyarrow-checksums", here, write_page_checksum=True)
    arrow("pyarrow-sorted", here, sorting_columns=[pyarrow.parquet.SortingColumn(0)])
    flat = table(nested=False)
    arrow(
        "pyarrow-encodings",
        flat,
        use_dictionary=["mail"],
        column_encoding={"id": "DELTA_BINARY_PACKED", "unique": "DELTA_BYTE_ARRAY", "note": "DELTA_LENGTH_BYTE_ARRAY", "real": "BYTE_STREAM_SPLIT"},
    )
    with_metadata = here.replace_schema_metadata({"pandas": "{}", "of": "somebody", "\u00e4": "\u4e16"})
    arrow("pyarrow-metadata", with_metadata)
    blooms = {"mail": {"ndv": 300, "fpp": 0.01}, "unique": True}
    arrow("pyarrow-blooms", flat, bloom_filter_options=blooms)
    more = {
        "kind": pyarrow.array(["a", "b", None] * (COUNT // 3)).dictionary_encode(),
        "half": pyarrow.array([float(n % 7) for n in range(COUNT)], pyarrow.float16()),
        "fixed": pyarrow.array([uuid.UUID(int=n).bytes for n in range(COUNT)], pyarrow.binary(16)),
        "nothing": pyarrow.nulls(COUNT),
        "nanos": pyarrow.array(range(COUNT), pyarrow.timestamp("ns")),
        "large_text": pyarrow.array([f"l{n % 3}" for n in range(COUNT)], pyarrow.large_string()),
    }
    arrow("pyarrow-types", table(**more))
    required = pyarrow.schema([field.with_nullable(field.name != "id") for field in flat.schema])
    arrow("pyarrow-required", flat.cast(required))

    for name, options in [
        ("snappy", "codec snappy"),
        ("zstd", "codec zstd"),
        ("gzip", "codec gzip"),
        ("brotli", "codec brotli"),
        ("lz4", "codec lz4_raw"),
        ("none", "codec uncompressed"),
        ("v2", "parquet_version v2"),
    ]:
        path = add(f"duckdb-{name}")
        duckdb.sql(f"copy here to '{path}' (format parquet, row_group_size 2048, {options})")
    for codec in ["uncompressed", "snappy", "zstd", "lz4", "gzip", "brotli"]:
        frame = polars.from_arrow(here.drop(["props"]))
        frame.write_parquet(add(f"polars-{codec}"), compression=codec, row_group_size=500)
    print(json.dumps(files))


def plain(value):
    """A value that equals itself, NaN too."""
    if isinstance(value, float):
        return ("nan",) if math.isnan(value) else (value, math.copysign(1, value))
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def by_pyarrow(path):
    read = pyarrow.parquet.read_table(path)
    about = str(read.schema), read.schema.metadata
    # Python knows no nanoseconds.
    for at, field in enumerate(read.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            read = read.set_column(at, field.name, read.column(at).cast(pyarrow.int64()))
    return *about, [plain(row) for row in read.to_pylist()]


def by_duckdb(path):
    read = duckdb.sql(f"from read_parquet('{path}')")
    names = read.columns
    rows = [dict(zip(names, plain(list(row)))) for row in read.fetchall()]
    return str(read.types), None, rows


def by_polars(path):
    read = polars.read_parquet(path)
    return str(read.schema), None, [plain(row) for row in read.to_dicts()]


def limits(statistics):
    if statistics is None or not statistics.has_min_max:
        return None
    return str((statistics.min_raw, statistics.max_raw, statistics.null_count))


def about(path):
    """What a file says of itself that a rewrite must keep."""
    file = pyarrow.parquet.ParquetFile(path)
    meta = file.metadata
    groups = []
    for at in range(meta.num_row_groups):
        group = meta.row_group(at)
        of = []
        for n in range(group.num_columns):
            column = group.column(n)
            of.append(
                {
                    "path": column.path_in_schema,
                    "type": column.physical_type,
                    "codec": column.compression,
                    "dictionary": column.has_dictionary_page,
                    "statistics": column.is_stats_set,
                    "column_index": column.has_column_index,
                    "offset_index": column.has_offset_index,
                    "range": limits(column.statistics),
                    "encodings": sorted(set(column.encodings)),
                    "bytes": column.total_compressed_size,
                }
            )
        groups.append({"rows": group.num_rows, "sorted": str(group.sorting_columns), "columns": of})
    return {
        "schema": str(file.schema).partition("\n")[2],
        "by": meta.created_by,
        "version": meta.format_version,
        "metadata": str(meta.metadata),
        "groups": groups,
    }


def chunk_bytes(path):
    """The bytes of each row group, from its first column to its last."""
    meta = pyarrow.parquet.ParquetFile(path).metadata
    whole = pathlib.Path(path).read_bytes()
    groups = []
    for at in range(meta.num_row_groups):
        group = meta.row_group(at)
        places = []
        for n in range(group.num_columns):
            column = group.column(n)
            start = min(o for o in [column.dictionary_page_offset, column.data_page_offset] if o)
            places.append(whole[start : start + column.total_compressed_size])
        groups.append(places)
    return groups


def judge(folder):
    verdicts = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("left-"):
            continue
        left = folder / f"left-{path.name}"
        differ = []
        for reader in [by_pyarrow, by_duckdb, by_polars]:
            # Polars keeps no map, and reads none.
            try:
                schema, metadata, rows = reader(path)
            except Exception as error:
                if reader is by_polars:
                    continue
                raise error
            after = reader(left)
            expected = [row for row in rows if not is_ann(row["mail"])]
            if (schema, metadata) != after[:2]:
                differ.append(f"{reader.__name__}: schema")
            if expected != after[2] or len(expected) == len(rows):
                differ.append(f"{reader.__name__}: rows")
        before, after = about(path), about(left)
        for key in ["schema", "by", "version", "metadata"]:
            if before[key] != after[key]:
                differ.append(f"{key}: {before[key]} became {after[key]}")
        rows = by_pyarrow(path)[2]
        first, number, kept = 0, 0, 0
        for group, old in zip(before["groups"], chunk_bytes(path)):
            of_group = rows[first : first + group["rows"]]
            first += group["rows"]
            stay = sum(not is_ann(row["mail"]) for row in of_group)
            if stay == 0:
                continue
            now = after["groups"][number]
            if stay == group["rows"]:
                kept += 1
                if chunk_bytes(left)[number] != old:
                    differ.append(f"group {number}: other bytes")
                if now != group:
                    of = [pair for pair in zip(group["columns"], now["columns"]) if pair[0] != pair[1]]
                    differ.append(f"group {number}: {of[:1]}")
            else:
                same = ["path", "type", "codec", "dictionary", "statistics", "column_index", "offset_index"]
                of = lambda group: [[column[key] for key in same] for column in group["columns"]]
                if of(now) != of(group) or now["rows"] != stay or now["sorted"] != group["sorted"]:
                    differ.append(f"group {number}: {of(group)} became {of(now)}")
            number += 1
        if number != len(after["groups"]):
            differ.append("groups")
        verdicts.append({"name": path.name, "differ": differ, "groups": number, "kept": kept})
    print(json.dumps(verdicts))


{"write": write, "judge": judge}[sys.argv[1]](pathlib.Path(sys.argv[2]))
