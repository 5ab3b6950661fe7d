"""Rows of Parquet files, by Parquet's own reader of footers: it has no part in writing them.

    spark-submit count.py --folder URI --result URI

For a cluster whose HDFS the worker cannot reach. One JSON is written to the result:
{"format": "longhaul/hdfs-rows/1", "parts": [{"name", "rows", "bytes"}]}.
"""

import argparse
import json
import sys

from pyspark.sql import SparkSession


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", required=True, help="URI of a folder of Parquet files")
    parser.add_argument("--result", required=True, help="URI of the JSON that is written")
    asked = parser.parse_args()
    spark = SparkSession.builder.appName("longhaul-count").getOrCreate()
    try:
        jvm = spark.sparkContext._jvm
        configuration = spark.sparkContext._jsc.hadoopConfiguration()
        parts = count(jvm, configuration, asked.folder)
        write(jvm, configuration, asked.result, {"format": "longhaul/hdfs-rows/1", "parts": parts})
    finally:
        spark.stop()


def count(jvm, configuration, folder):
    path = jvm.org.apache.hadoop.fs.Path(folder)
    files = [each for each in path.getFileSystem(configuration).listStatus(path) if each.isFile()]
    parts = [
        {"name": each.getPath().getName(), "rows": rows(jvm, configuration, each), "bytes": each.getLen()}
        for each in files
    ]
    return sorted(parts, key=lambda part: part["name"])


def rows(jvm, configuration, status):
    hadoop = jvm.org.apache.parquet.hadoop
    reader = hadoop.ParquetFileReader.open(
        hadoop.util.HadoopInputFile.fromStatus(status, configuration)
    )
    try:
        return sum(block.getRowCount() for block in reader.getFooter().getBlocks())
    finally:
        reader.close()


def write(jvm, configuration, uri, value):
    path = jvm.org.apache.hadoop.fs.Path(uri)
    stream = path.getFileSystem(configuration).create(path, True)
    try:
        stream.write(bytearray(json.dumps(value).encode()))
    finally:
        stream.close()


if __name__ == "__main__":
    sys.exit(main())
