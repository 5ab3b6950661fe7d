"""CSV to Parquet with Spark: one script for a laptop and for EMR, on Spark 3.5 and 4.

    spark-submit convert.py --job URI

The job, and what it means, is `SparkJob` of job.ts. One JSON is written, last, to the place that the job names
(`SparkResult`); the exit code is 0 only when it has parts. Every value is read as text and cast by the schema's type:
whatever does not fit is an error, never a NULL.
"""

import argparse
import json
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

RESULT_FORMAT = "longhaul/spark-result/1"
# Jobs that are handed to Spark at once: it works on as many as it has cores, the others wait without cost.
MAX_JOBS = 64
PROGRESS_INTERVAL_SECONDS = 0.5
# More columns than a table of people has; Spark's own limit where there are fewer.
MIN_MAX_COLUMNS = 20480

SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # Spark 4 knows windows-1252 only so.
    "spark.sql.legacy.javaCharsets": "true",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.writeLegacyFormat": "false",
    "spark.sql.files.maxRecordsPerFile": "0",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
WRITE_OPTIONS = {"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--job", required=True, help="URI of a SparkJob's JSON")
    uri = parser.parse_args().job
    spark = SparkSession.builder.appName("longhaul-convert").getOrCreate()
    try:
        return 0 if run(spark, uri) else 1
    finally:
        spark.stop()


def run(spark, uri):
    """Does the job and writes its result. Returns whether it has parts."""
    files = Files(spark)
    job = json.loads(files.read(uri))
    try:
        result = {"parts": convert(spark, files, job)}
    except Exception as error:  # Whatever it is, the job's owner is told.
        result = {"error": cause_of(error)}
    files.write(job["result"], json.dumps({"format": RESULT_FORMAT, **result}))
    return "parts" in result


def convert(spark, files, job):
    if job.get("progress"):
        # What is printed is for the job's owner, who knows that it waits.
        spark.sparkContext.setLogLevel("WARN")
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    if "unless" in job:
        if files.exists(job["unless"]):
            raise FileExistsError(f"published already: {job['unless']}")
        files.delete(job["output"])
    try:
        with Progress(spark, job) as progress:
            shards = write_shards(spark, files, job, progress)
        return join_shards(files, job, shards)
    finally:
        files.delete(job["staging"])


def write_shards(spark, files, job, progress):
    """One Spark job an input, side by side. Returns the Parquet files in the inputs' order."""
    if not job["inputs"]:
        return [write(empty(spark, job), files, job["staging"] + "shard-00000")]

    # Here, where the session is: Spark 3.5 asks its thread's for its settings, and a pool's thread has none. Without
    # them it would make NULL of what does not fit.
    values = values_of(job)

    def convert_input(index):
        source = job["inputs"][index]
        target = f"{job['staging']}shard-{index:05d}"
        written = write(frame(spark, job, source["uri"]).select(*values), files, target)
        progress.finished(source["bytes"])
        return written

    indices = range(len(job["inputs"]))
    return in_parallel(convert_input, indices, MAX_JOBS, spark.sparkContext.cancelAllJobs)


def in_parallel(act, items, limit, cancel):
    with ThreadPoolExecutor(max_workers=min(limit, len(items))) as pool:
        futures = [pool.submit(act, item) for item in items]
        failed = [each for each in wait(futures, return_when=FIRST_EXCEPTION).done if each.exception()]
        if failed:
            for future in futures:
                future.cancel()
            cancel()
            raise failed[0].exception()
        return [future.result() for future in futures]


def write(data, files, folder):
    data.coalesce(1).write.options(**WRITE_OPTIONS).parquet(folder)
    return files.only_file(folder)


def frame(spark, job, uri):
    """One CSV file, all of whose values are text."""
    names = names_of(job)
    reader = (
        spark.read.schema(StructType([StructField(name, StringType()) for name in names]))
        .option("multiLine", "true")
        .option("header", str(job["header"]).lower())
        .option("sep", job["delimiter"])
        .option("quote", '"')
        .option("escape", '"')
        # Given, it also keeps line breaks in quotes as they are.
        .option("lineSep", job["lineEnd"])
        .option("encoding", job["encoding"])
        .option("mode", "FAILFAST")
        .option("unescapedQuoteHandling", "RAISE_ERROR")
        .option("ignoreLeadingWhiteSpace", "false")
        .option("ignoreTrailingWhiteSpace", "false")
        .option("maxColumns", max(MIN_MAX_COLUMNS, len(names)))
        .option("maxCharsPerColumn", "-1")
        # A path is a path, whatever characters are in it.
        .option("__globPaths__", "false")
    )
    return reader.csv(uri)


def empty(spark, job):
    fields = [StructField(name, StringType()) for name in names_of(job)]
    return spark.createDataFrame([], StructType(fields)).select(*values_of(job))


def names_of(job):
    return [f"c{index}" for index in range(len(job["columns"]))]


def values_of(job):
    """All values as the schema says."""
    return [value_of(name, column) for name, column in zip(names_of(job), job["columns"])]


def value_of(name, column):
    """An empty field is NULL, quoted or not; nothing else is."""
    text = F.when(F.col(name) != "", F.col(name))
    return typed(text, column["type"], column.get("format")).alias(column["name"])


def typed(text, kind, pattern):
    if kind == "VARCHAR":
        return text
    if kind == "BIGINT":
        return text.cast("bigint")
    if kind == "DOUBLE":
        return text.cast("double")
    if kind == "DATE":
        return F.to_date(text, java_pattern(pattern)) if pattern else text.cast("date")
    # Without a zone: it is what the publisher's clock showed.
    if pattern is None:
        return text.cast("timestamp_ntz")
    return F.to_timestamp_ntz(text, F.lit(java_pattern(pattern)))


# Letters of DATE_FORMATS and TIMESTAMP_FORMATS in Java's: one or two digits, four of a year, an optional fraction.
JAVA_LETTERS = {
    "%Y": "yyyy",
    "%m": "M",
    "%d": "d",
    "%H": "H",
    "%I": "h",
    "%M": "mm",
    "%S": "ss",
    "%p": "a",
    "%f": "[.SSSSSS]",
    "T": "'T'",
}


def java_pattern(pattern):
    for letter, java in JAVA_LETTERS.items():
        pattern = pattern.replace(letter, java)
    return pattern


def join_shards(files, job, shards):
    """Finished Parquet files in their places, small neighbours as one, without decoding them."""
    groups = grouped(shards, job["partBytes"], job["maxPartBytes"])
    files.make_folder(job["output"])

    def finish(index):
        name = f"part-{index:05d}.parquet"
        source = groups[index][0]
        if len(groups[index]) > 1:
            source = job["staging"] + name
            files.concatenate(groups[index], source)
        files.move(source, job["output"] + name)
        return files.part(job["output"], name)

    return in_parallel(finish, range(len(groups)), MAX_JOBS, lambda: None)


def grouped(shards, wanted, most):
    """Neighbours that are about `wanted` bytes together, and never more than `most`."""
    left = sum(shard["bytes"] for shard in shards)
    groups = []
    for shard in shards:
        group = groups[-1] if groups else None
        size = sum(each["bytes"] for each in group) if group else 0
        # As near to its share of what is left as it gets.
        share = (left + size) / max(1, round((left + size) / wanted))
        fits = group and size + shard["bytes"] <= most and size + shard["bytes"] / 2 <= share
        if fits:
            group.append(shard)
        else:
            groups.append([shard])
        left -= shard["bytes"]
    return groups


class Files:
    """Hadoop's file systems and Parquet's own footers, by way of the JVM: nothing of Spark counts here."""

    def __init__(self, spark):
        self.jvm = spark.sparkContext._jvm
        self.configuration = spark.sparkContext._jsc.hadoopConfiguration()

    def read(self, uri):
        path = self._path(uri)
        stream = path.getFileSystem(self.configuration).open(path)
        try:
            return self.jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def write(self, uri, text):
        path = self._path(uri)
        stream = path.getFileSystem(self.configuration).create(path, True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def make_folder(self, uri):
        path = self._path(uri)
        path.getFileSystem(self.configuration).mkdirs(path)

    def exists(self, uri):
        path = self._path(uri)
        return path.getFileSystem(self.configuration).exists(path)

    def delete(self, uri):
        path = self._path(uri)
        path.getFileSystem(self.configuration).delete(path, True)

    def move(self, source, target):
        """Never overwrites."""
        to = self._path(target)
        system = to.getFileSystem(self.configuration)
        if system.exists(to) or not system.rename(self._path(source["uri"] if isinstance(source, dict) else source), to):
            raise OSError(f"cannot put a file in its place: {target}")

    def only_file(self, folder):
        """The one Parquet file that a task wrote into its folder."""
        path = self._path(folder)
        found = [
            status
            for status in path.getFileSystem(self.configuration).listStatus(path)
            if status.getPath().getName().endswith(".parquet")
        ]
        if len(found) != 1:
            raise OSError(f"{len(found)} Parquet files in {folder}, not one")
        return {"uri": f"{folder}/{found[0].getPath().getName()}", "bytes": found[0].getLen()}

    def part(self, folder, name):
        path = self._path(folder + name)
        size = path.getFileSystem(self.configuration).getFileStatus(path).getLen()
        return {"name": name, "rows": self._rows(path), "bytes": size}

    def concatenate(self, sources, target):
        """Row groups as they are, one file behind the other."""
        hadoop = self.jvm.org.apache.parquet.hadoop
        inputs = [self._input(self._path(source["uri"])) for source in sources]
        described = self._footer(inputs[0]).getFileMetaData()
        output = hadoop.util.HadoopOutputFile.fromPath(self._path(target), self.configuration)
        writer = hadoop.ParquetFileWriter(
            output,
            described.getSchema(),
            getattr(hadoop.ParquetFileWriter, "Mode").CREATE,
            hadoop.ParquetWriter.DEFAULT_BLOCK_SIZE,
            hadoop.ParquetWriter.MAX_PADDING_SIZE_DEFAULT,
        )
        writer.start()
        for each in inputs:
            writer.appendFile(each)
        writer.end(described.getKeyValueMetaData())

    def _rows(self, path):
        return sum(block.getRowCount() for block in self._footer(self._input(path)).getBlocks())

    def _input(self, path):
        return self.jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, self.configuration)

    def _footer(self, file):
        reader = self.jvm.org.apache.parquet.hadoop.ParquetFileReader.open(file)
        try:
            return reader.getFooter()
        finally:
            reader.close()

    def _path(self, uri):
        return self.jvm.org.apache.hadoop.fs.Path(uri)


class Progress:
    """Bytes of the inputs done so far, from Spark's own stages, where the job wants to be told."""

    def __init__(self, spark, job):
        self.store = spark.sparkContext._jsc.sc().statusStore() if job.get("progress") else None
        self.total = sum(source["bytes"] for source in job["inputs"])
        self.done = 0
        self.shown = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def __enter__(self):
        if self.store:
            threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()

    def finished(self, size):
        with self.lock:
            self.done += size
            self._show(self.done)

    def _follow(self):
        while not self.over.wait(PROGRESS_INTERVAL_SECONDS):
            try:
                stages = self.store.activeStages()
                active = sum(stages.apply(index).inputBytes() for index in range(stages.size()))
            except Exception:  # A stage that is over just now; the next look says more.
                continue
            with self.lock:
                self._show(min(self.done + active, self.total))

    def _show(self, read):
        if self.store and read > self.shown:
            self.shown = read
            print(json.dumps({"bytes": read}), flush=True)


def cause_of(error):
    """Class and words of the last cause: of the JVM's exception where there is one."""
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        return {"kind": type(error).__name__, "message": str(error)}
    while java.getCause() is not None:
        java = java.getCause()
    return {"kind": java.getClass().getName(), "message": str(java.getMessage())}


if __name__ == "__main__":
    sys.exit(main())
