"""CSV to Parquet with Spark: one script for a laptop and for EMR, on Spark 3.5 and 4.

    spark-submit convert.py --job URI
    spark-submit convert.py --jobs FOLDER

The job, and what it means, is `SparkJob` of job.ts. One JSON is written, last, to the place that the job names
(`SparkResult`); the exit code is 0 only when it has parts. In a folder of this machine jobs come one after the other,
job-1.json, job-2.json: a line `{"begun": 1}` says that one is found, `{"done": 1}` that it has its parts. The first without
them is the last. Every value is read as text and cast by the schema's type:
whatever does not fit is an error, never a NULL.
"""

import argparse
import itertools
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

RESULT_FORMAT = "longhaul/spark-result/1"
# Files put in their places at once: in a bucket that is waiting.
MAX_MOVES = 64
PROGRESS_INTERVAL_SECONDS = 0.5
WAIT_INTERVAL_SECONDS = 0.05
# More than any input has; times any number of inputs it is still a long.
TASK_BYTES = 2**40
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
    # A task an input: none is cut, and no two are put together, since opening one counts as much as a task may read.
    "spark.sql.files.maxPartitionBytes": str(TASK_BYTES),
    "spark.sql.files.openCostInBytes": str(TASK_BYTES),
    "spark.sql.files.maxPartitionNum": str(2**31 - 1),
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
WRITE_OPTIONS = {
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    # A finished task puts its file in its place itself: in a bucket that is a copy, and the driver would make them all, one
    # after the other. What a failed job leaves goes with the staging folder.
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--job", help="URI of a SparkJob's JSON")
    what.add_argument("--jobs", help="folder to which SparkJobs come")
    given = parser.parse_args()
    spark = SparkSession.builder.appName("longhaul-convert").getOrCreate()
    try:
        done = run(spark, given.job) if given.job else run_all(spark, given.jobs)
        return 0 if done else 1
    finally:
        spark.stop()


def run_all(spark, folder):
    """Until one fails, or the worker ends this process."""
    for number in itertools.count(1):
        path = os.path.join(folder, f"job-{number}.json")
        while not os.path.exists(path):
            time.sleep(WAIT_INTERVAL_SECONDS)
        print(json.dumps({"begun": number}), flush=True)
        if not run(spark, f"file://{path}"):
            return False
        print(json.dumps({"done": number}), flush=True)


def run(spark, uri):
    """Does the job and writes its result. Returns whether it has parts."""
    files = Files(spark)
    job = json.loads(files.read(uri))
    try:
        result = {"parts": convert(spark, files, job)}
    except Exception as error:  # Of any kind: the worker gets it as the job's result.
        result = {"error": cause_of(error)}
    files.write(job["result"], json.dumps({"format": RESULT_FORMAT, **result}))
    return "parts" in result


def convert(spark, files, job):
    if job.get("progress"):
        # The line is for the worker, which waits for it.
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
    """One task an input, all of one Spark job. Returns the Parquet files in the inputs' order."""
    folder = job["staging"] + "shards"
    inputs = job["inputs"]
    text = frame(spark, job) if inputs else empty(spark, job)
    order = files.order_of_tasks(text, inputs) if len(inputs) > 1 else [0]
    text.select(*values_of(job)).write.options(**WRITE_OPTIONS).parquet(folder)
    progress.finish()
    # A task that found no record writes no file: the ledger says what is missing.
    return [file for _, file in sorted((order[task], file) for task, file in files.of_tasks(folder))]


def frame(spark, job):
    """The inputs, all of whose values are text."""
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
    return reader.csv([source["uri"] for source in job["inputs"]])


def empty(spark, job):
    fields = [StructField(name, StringType()) for name in names_of(job)]
    return spark.createDataFrame([], StructType(fields)).coalesce(1)


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
        name = f"{job['partPrefix']}{index:05d}.parquet"
        source = groups[index][0]
        if len(groups[index]) > 1:
            source = job["staging"] + name
            files.concatenate(groups[index], source)
        files.move(source, job["output"] + name)
        return files.part(job["output"], name)

    with ThreadPoolExecutor(max_workers=MAX_MOVES) as pool:
        return list(pool.map(finish, range(len(groups))))


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

    def order_of_tasks(self, data, inputs):
        """For each task, which input it reads: Spark begins with the longest."""
        indices = {self._local(self._path(source["uri"])): index for index, source in enumerate(inputs)}
        order = []
        for partition in data._jdf.queryExecution().toRdd().partitions():
            (file,) = partition.files()
            order.append(indices.pop(self._local(file.toPath())))
        if indices:
            raise OSError(f"no task reads {', '.join(indices)}")
        return order

    def of_tasks(self, folder):
        """The Parquet files there, each with the number of the task that wrote it."""
        path = self._path(folder)
        for status in path.getFileSystem(self.configuration).listStatus(path):
            name = status.getPath().getName()
            if name.endswith(".parquet"):
                yield int(name.split("-")[1]), {"uri": f"{folder}/{name}", "bytes": status.getLen()}

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

    @staticmethod
    def _local(path):
        """Without what one of two names of a file may leave out."""
        return path.toUri().getPath()

    def _path(self, uri):
        return self.jvm.org.apache.hadoop.fs.Path(uri)


class Progress:
    """Bytes of the inputs read so far, where the job asks for them."""

    def __init__(self, spark, job):
        self.store = spark.sparkContext._jsc.sc().statusStore() if job.get("progress") else None
        self.systems = spark.sparkContext._jvm.org.apache.hadoop.fs.FileSystem
        self.before = self._read_here()
        self.total = sum(source["bytes"] for source in job["inputs"])
        self.shown = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def __enter__(self):
        if self.store:
            threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()

    def finish(self):
        self._show(self.total)

    def _follow(self):
        while not self.over.wait(PROGRESS_INTERVAL_SECONDS):
            try:
                read = max(self._read_here() - self.before, self._read_by_tasks())
            except Exception:  # A stage that is over just now; the next look says more.
                continue
            self._show(min(read, self.total))

    def _read_here(self):
        """Counted by this JVM: where tasks run in it, Spark's stages report what they read only at their ends."""
        return sum(each.getBytesRead() for each in self.systems.getAllStatistics())

    def _read_by_tasks(self):
        stages = self.store.activeStages()
        return sum(stages.apply(index).inputBytes() for index in range(stages.size()))

    def _show(self, read):
        with self.lock:
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
