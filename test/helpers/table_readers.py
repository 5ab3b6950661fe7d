"""
Reads Iceberg tables as other programs do. Requests are lines of standard input:
{"reader": "duckdb" | "pyiceberg" | "polars", "table": …, "tag": …, "where": {"column", "type", "value"}}. A table is a folder, a
metadata file, or <address of a REST catalog>/<namespace>.<name>.
S3's address and credentials are in the environment, as for any AWS SDK.
"""

import importlib.util
import json
import os
import sys
import traceback

import duckdb
import polars
import pyarrow
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.expressions import AlwaysTrue, EqualTo, IsNull
from pyiceberg.table import StaticTable

from neutral_rows import answer, typed

ARROW_TYPES = {
    pyarrow.int64(): "BIGINT",
    pyarrow.float64(): "DOUBLE",
    pyarrow.date32(): "DATE",
    pyarrow.timestamp("us"): "TIMESTAMP",
    pyarrow.string(): "VARCHAR",
    pyarrow.large_string(): "VARCHAR",
    pyarrow.string_view(): "VARCHAR",
}

S3 = {
    "endpoint": os.environ.get("AWS_ENDPOINT_URL_S3", ""),
    "region": os.environ.get("AWS_REGION", ""),
    "key": os.environ.get("AWS_ACCESS_KEY_ID", ""),
    "secret": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
}


def extension(name):
    [package] = importlib.util.find_spec(f"duckdb_extension_{name}").submodule_search_locations
    return f"{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension"


def connect():
    connection = duckdb.connect(config={"threads": "2"})
    for path in [extension("avro"), extension("iceberg"), os.environ["DUCKDB_HTTPFS"]]:
        connection.execute(f"LOAD '{path}'")
    if S3["endpoint"]:
        scheme, _, host = S3["endpoint"].partition("://")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{S3['key']}', SECRET '{S3['secret']}', REGION '{S3['region']}', "
            f"ENDPOINT '{host}', USE_SSL {scheme == 'https'}, URL_STYLE 'path')"
        )
    return connection


CONNECTION = connect()


def table_of(path):
    keys = {"s3.access-key-id": S3["key"], "s3.secret-access-key": S3["secret"]}
    if path.startswith("http:"):
        # The catalog gives the address of S3.
        uri, _, name = path.rpartition("/")
        return RestCatalog("lake", uri=uri, **(keys if S3["endpoint"] else {})).load_table(name)
    properties = {"s3.endpoint": S3["endpoint"], "s3.region": S3["region"], **keys}
    return StaticTable.from_metadata(path, properties if S3["endpoint"] else {})


def snapshot_of(table, tag):
    return None if tag is None else table.snapshot_by_name(tag).snapshot_id


def read_duckdb(path, tag, where):
    snapshot = snapshot_of(table_of(path), tag) if tag is not None else None
    values = {}
    if path.startswith("http:"):
        # The catalog stays attached, as in a user's session.
        uri, _, name = path.rpartition("/")
        CONNECTION.execute(
            f"ATTACH IF NOT EXISTS '' AS \"{uri}\" (TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE 'none')"
        )
        version = "" if snapshot is None else f" AT (VERSION => {snapshot})"
        sql = f'SELECT * FROM "{uri}".{name}{version}'
    else:
        version = "" if snapshot is None else f", snapshot_from_id => {snapshot}"
        sql = f"SELECT * FROM iceberg_scan($path{version})"
        values["path"] = path
    if where:
        column = '"' + where["column"].replace('"', '""') + '"'
        if where["value"] is None:
            sql += f" WHERE {column} IS NULL"
        else:
            sql += f" WHERE {column} = $value"
            values["value"] = typed(where["value"], where["type"])
    return CONNECTION.execute(sql, values).to_arrow_table()


def read_pyiceberg(path, tag, where):
    table = table_of(path)
    matches = AlwaysTrue()
    if where:
        column, value = where["column"], where["value"]
        if where["type"] == "BIGINT" and value is not None:
            value = int(value)
        if where["type"] == "TIMESTAMP" and value is not None:
            value = value.replace(" ", "T")
        matches = IsNull(column) if value is None else EqualTo(column, value)
    return table.scan(row_filter=matches, snapshot_id=snapshot_of(table, tag)).to_arrow()


def read_polars(path, tag, where):
    table = table_of(path)
    options = {
        "aws_endpoint_url": S3["endpoint"],
        "aws_region": S3["region"],
        "aws_access_key_id": S3["key"],
        "aws_secret_access_key": S3["secret"],
        "aws_allow_http": "true",
    }
    frame = polars.scan_iceberg(
        table,
        snapshot_id=snapshot_of(table, tag),
        storage_options=options if S3["endpoint"] else None,
        reader_override="native",
    )
    if where:
        column, value = polars.col(where["column"]), where["value"]
        frame = frame.filter(
            column.is_null() if value is None else column == typed(value, where["type"])
        )
    return frame.collect().to_arrow()


READERS = {"duckdb": read_duckdb, "pyiceberg": read_pyiceberg, "polars": read_polars}


def read(request):
    table = READERS[request["reader"]](
        request["table"], request.get("tag"), request.get("where")
    )
    types = [ARROW_TYPES.get(field.type, str(field.type)) for field in table.schema]
    columns = [column.to_pylist() for column in table.columns]
    return answer(table.schema.names, types, zip(*columns))


for line in sys.stdin:
    try:
        result = {"table": read(json.loads(line))}
    except BaseException:
        result = {"error": traceback.format_exc()}
    print(json.dumps(result, allow_nan=False), flush=True)
