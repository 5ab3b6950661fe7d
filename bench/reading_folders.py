"""
Reads a dataset's folder as one writes it first: reading_folders.py <reader> <folder>, or a job of spark_session.py.
Says how many rows the newest day has, and all days together.
"""

import json
import sys


def duckdb(folder):
    import duckdb

    files = f"{folder}/**/*.parquet".replace("'", "''")
    found = duckdb.sql(
        f"FROM read_parquet('{files}', hive_partitioning = true, union_by_name = true)"
    )
    return found.to_arrow_table()["ingest_date"].to_pylist()


def polars(folder):
    import polars

    files = f"{folder}/**/*.parquet"
    found = polars.scan_parquet(files, hive_partitioning=True, missing_columns="insert")
    return found.collect()["ingest_date"].to_list()


def pyarrow(folder):
    import pyarrow.dataset

    found = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive")
    return found.to_table()["ingest_date"].to_pylist()


def pandas(folder):
    import pandas

    return pandas.read_parquet(folder)["ingest_date"].to_list()


def spark(session, folder):
    found = session.read.option("mergeSchema", True).parquet(folder)
    return [row.ingest_date for row in found.collect()]


def counts(read):
    try:
        days = [str(day) for day in read()]
        return {"latest": days.count(max(days)), "all": len(days)}
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}".strip()}


def run(session, job):
    request = json.loads(job)
    with open(request["answer"], "w", encoding="utf-8") as file:
        json.dump(counts(lambda: spark(session, request["folder"])), file)


if __name__ == "__main__":
    _, reader, folder = sys.argv
    print(json.dumps(counts(lambda: globals()[reader](folder))))
