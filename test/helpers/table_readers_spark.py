"""A job of spark_session.py: reads an Iceberg table with Iceberg's own library, into a file."""

import json
import sys
import traceback

sys.path.append(__file__.rpartition("/")[0])

from neutral_rows import answer
from pyspark.sql import functions

SPARK_TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp_ntz": "TIMESTAMP",
    "string": "VARCHAR",
}


def run(spark, job):
    request = json.loads(job)
    try:
        result = {"table": read(spark, request)}
    except Exception:
        result = {"error": traceback.format_exc()}
    with open(request["answer"], "w", encoding="utf-8") as file:
        json.dump(result, file, allow_nan=False)


def read(spark, request):
    reader = spark.read.format("iceberg")
    if request.get("tag") is not None:
        reader = reader.option("tag", request["tag"])
    frame = reader.load(request["table"])
    where = request.get("where")
    if where:
        column, type = functions.col(where["column"]), dict(frame.dtypes)[where["column"]]
        value = functions.lit(where["value"]).cast(type)
        frame = frame.filter(column.isNull() if where["value"] is None else column == value)
    types = [SPARK_TYPES.get(type, type) for _, type in frame.dtypes]
    return answer(frame.columns, types, frame.collect())
