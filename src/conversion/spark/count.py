"""Rows of Parquet files on HDFS, by Parquet's own reader of footers: it has no part in writing them.

    spark-submit count.py --job URI

The job is one JSON: {"sources": [{"id", "folder", "records", "parts": [{"name", "bytes"}]}], "results": URI,
"manifest": {"from": URI, "to": URI}}, the last not for a day that is not whole. Of each source, {"format": "longhaul/hdfs-rows/1", "parts": [{"name", "rows", "bytes"}]}
is written to <results><id>.json. Where every folder holds the files that were written, with as many rows as the source has
records, the manifest is copied to its place, last. The exit code is 0 only where all is so.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession

# Sources at once: a footer is a few small reads of HDFS.
SOURCES_AT_ONCE = 16


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--job", required=True, help="URI of the job's JSON")
    given = parser.parse_args()
    spark = SparkSession.builder.appName("longhaul-count").getOrCreate()
    try:
        return 0 if run(Files(spark), given.job) else 1
    finally:
        spark.stop()


def run(files, uri):
    job = json.loads(files.read(uri))

    def count(source):
        parts = files.parts(source["folder"])
        result = {"format": "longhaul/hdfs-rows/1", "parts": parts}
        files.write(f"{job['results']}{source['id']}.json", json.dumps(result))
        return differences(source, parts)

    with ThreadPoolExecutor(max_workers=SOURCES_AT_ONCE) as pool:
        wrong = [each for each in pool.map(count, job["sources"]) if each]
    for each in wrong:
        print(f"ValueError: {each}", file=sys.stderr)
    if not wrong and "manifest" in job:
        files.write(job["manifest"]["to"], files.read(job["manifest"]["from"]))
    return not wrong


def differences(source, parts):
    """None where all is as it was written, and as many rows as records."""
    found = sorted((part["name"], part["bytes"]) for part in parts)
    written = sorted((part["name"], part["bytes"]) for part in source["parts"])
    if found != written:
        return f"{source['folder']} holds {found}, where the job wrote {written}"
    rows = sum(part["rows"] for part in parts)
    if rows != source["records"]:
        return f"{source['id']} has {rows} rows on HDFS, and {source['records']} records"
    return None


class Files:
    def __init__(self, spark):
        self.jvm = spark.sparkContext._jvm
        self.configuration = spark.sparkContext._jsc.hadoopConfiguration()

    def read(self, uri):
        stream = self._system(uri).open(self._path(uri))
        try:
            return self.jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def write(self, uri, text):
        stream = self._system(uri).create(self._path(uri), True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def parts(self, folder):
        statuses = self._system(folder).listStatus(self._path(folder))
        files = [each for each in statuses if each.isFile()]
        return [{"name": each.getPath().getName(), "rows": self._rows(each), "bytes": each.getLen()} for each in files]

    def _rows(self, status):
        hadoop = self.jvm.org.apache.parquet.hadoop
        file = hadoop.util.HadoopInputFile.fromStatus(status, self.configuration)
        reader = hadoop.ParquetFileReader.open(file)
        try:
            return sum(block.getRowCount() for block in reader.getFooter().getBlocks())
        finally:
            reader.close()

    def _path(self, uri):
        return self.jvm.org.apache.hadoop.fs.Path(uri)

    def _system(self, uri):
        return self._path(uri).getFileSystem(self.configuration)


if __name__ == "__main__":
    sys.exit(main())
