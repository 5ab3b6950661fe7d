"""CSV to Parquet with Spark: one script for a laptop and for EMR, on Spark 3.5 and 4.

    spark-submit convert.py --job URI
    spark-submit convert.py --count --job URI

The job is a list of sources, `SparkBatch` of job.ts, which are converted side by side in this one session. Each source
gets one JSON, last, in the place that the list names (`SparkResult`): its parts, or why there are none. A repeated job
goes on with the sources that have no result. The exit code is 0 only when all sources have parts.

Before a source is begun, an empty file says so; it goes with the result. So a repeated job knows which sources were in
work when the session died: one of which that is true twice runs alone, after all others, and is given up if that fails too.

Every value is read as text and cast by the schema's type: whatever does not fit is an error, never a NULL.

With --count the script counts rows of Parquet files on HDFS, by Parquet's own reader of footers, which has no part in
writing them. That job is {"sources": [{"id", "folder", "records", "parts": [{"name", "bytes"}]}], "results": URI,
"manifest": {"from": URI, "to": URI}}, the last only for a day that is whole. Of each source, {"format": …, "parts":
[{"name", "rows", "bytes"}]} is written to <results><id>.json. Where every folder holds the files that were written, with as
many rows as the source has records, the manifest is copied to its place, last. The exit code is 0 only where all is so.
"""

import argparse
import json
import os
import re
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

RESULT_FORMAT = "longhaul/spark-result/1"
ROWS_FORMAT = "longhaul/hdfs-rows/1"
# If the session dies this many times with a source, the script converts the source alone, or gives it up.
DEATHS_TO_BE_ALONE = 2
DEATHS_TO_FAIL = 3
# Smallest number of sources at once if tasks run on other machines.
CLUSTER_SOURCES = 32
# Files moved at once. In a bucket a move mostly waits for S3.
MAX_MOVES = 64
# Sources whose footers are read at once. Each needs a few small reads of HDFS.
MAX_COUNTS = 16
PROGRESS_INTERVAL_SECONDS = 0.5
# No input has so many bytes. Multiplied by the number of inputs, the value still fits into a Java long.
TASK_BYTES = 2**40
# Spark's default limit of columns. Wider tables raise it.
MIN_MAX_COLUMNS = 20480

SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # Spark 4 accepts windows-1252 only with this setting.
    "spark.sql.legacy.javaCharsets": "true",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.writeLegacyFormat": "false",
    "spark.sql.files.maxRecordsPerFile": "0",
    # Each input gets one task. No input is cut, and no task gets two, because opening one counts as a whole task.
    "spark.sql.files.maxPartitionBytes": str(TASK_BYTES),
    "spark.sql.files.openCostInBytes": str(TASK_BYTES),
    "spark.sql.files.maxPartitionNum": str(2**31 - 1),
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
WRITE_OPTIONS = {
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    # A finished task moves its own file into place. In a bucket a move is a copy, and the driver would make all copies
    # one after the other. Files of a failed job go with the staging folder.
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--job", required=True, help="URI of a SparkBatch's JSON")
    parser.add_argument("--count", action="store_true", help="count rows instead")
    given = parser.parse_args()
    spark = SparkSession.builder.appName(f"longhaul-{'count' if given.count else 'convert'}").getOrCreate()
    try:
        done = count(Files(spark), given.job) if given.count else run(spark, given.job)
        return 0 if done else 1
    finally:
        spark.stop()


def run(spark, uri):
    """Converts the sources of a job. Returns whether all of them have parts."""
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    files = Files(spark)
    batch = json.loads(files.read(uri))
    if batch.get("progress"):
        # The worker reads the output of this script, so Spark logs only warnings.
        spark.sparkContext.setLogLevel("WARN")
    with Progress(spark, batch) as progress:
        return Batch(spark, files, batch, progress).convert()


class Batch:
    def __init__(self, spark, files, batch, progress):
        self.spark = spark
        self.files = files
        self.batch = batch
        self.progress = progress
        # Number of deaths of the session while it converted each source.
        self.deaths = Counter(name.rpartition(".")[0] for name in files.names(batch["starts"]))

    def convert(self):
        folders, done, waiting = {}, [], []
        for source in self.batch["sources"]:
            folder, _, name = source["result"].rpartition("/")
            if folder not in folders:
                folders[folder] = set(self.files.names(folder))
            (done if name in folders[folder] else waiting).append(source)
        results = [json.loads(self.files.read(source["result"])) for source in done]
        together = [each for each in waiting if self.deaths[each["id"]] < DEATHS_TO_BE_ALONE]
        alone = [each for each in waiting if self.deaths[each["id"]] >= DEATHS_TO_BE_ALONE]
        with ThreadPoolExecutor(max_workers=self._at_once(), initializer=self._use_settings) as pool:
            results += pool.map(self._result, together)
        results += map(self._result, alone)
        return all("parts" in result for result in results)

    def _at_once(self):
        """A cluster has executors that come later, or more of them when there is work."""
        context = self.spark.sparkContext
        return max(1 if context.master.startswith("local") else CLUSTER_SOURCES, context.defaultParallelism)

    def _use_settings(self):
        """A thread of its own has Spark's defaults otherwise, where Spark parses options."""
        self.spark._jvm.org.apache.spark.sql.SparkSession.setActiveSession(self.spark._jsparkSession)

    def _result(self, source):
        """Never raises for what is the source's own."""
        name, deaths = source["id"], self.deaths[source["id"]]
        if deaths >= DEATHS_TO_FAIL:
            message = f"The Spark session ended {deaths} times while it converted this source, the last time alone."
            result = {"error": {"kind": "SessionDied", "message": message}}
        else:
            try:
                self.files.write(f"{self.batch['starts']}{name}.{deaths + 1}", "")
                result = {"parts": self._convert(source)}
            except Exception as error:  # The worker gets every error as the source's result.
                if is_of_session(self.spark, error):
                    die(error)
                result = {"error": cause_of(error)}
        self.files.write(source["result"], json.dumps({"format": RESULT_FORMAT, **result}))
        for number in range(1, deaths + 2):
            self.files.delete(f"{self.batch['starts']}{name}.{number}")
        return result

    def _convert(self, source):
        files = self.files
        if "unless" in source and files.exists(source["unless"]):
            raise FileExistsError(f"published already: {source['unless']}")
        # Removes what a dead session left.
        if "unless" in source:
            files.delete(source["output"])
        for name in files.names(source["output"]):
            if name.startswith(source["partPrefix"]):
                files.delete(source["output"] + name)
        files.delete(source["staging"])
        job = json.loads(files.read(self.batch["converted"] + source["job"]))
        uris = [self.batch[each["zone"]] + each["key"] for each in job["inputs"]]
        size = sum(each["bytes"] for each in job["inputs"])
        try:
            self.progress.start(size)
            shards = write_shards(self.spark, files, job, uris, source["staging"])
            self.progress.finish(size)
            return join_shards(files, job, source, shards)
        finally:
            files.delete(source["staging"])


MEMORY = re.compile("OutOfMemoryError|Java heap space|GC overhead")


def is_of_session(spark, error):
    """Whether the session is at its end, so that what fails now says nothing of a source. Memory is all sources' together."""
    try:
        cause = cause_of(error)
        return bool(MEMORY.search(cause["kind"] + cause["message"])) or spark.sparkContext._jsc.sc().isStopped()
    except Exception:  # The JVM is gone.
        return True


def die(error):
    """At once, with the other sources' threads: Spark ends with this process. None of them gets a result."""
    try:
        cause = cause_of(error)
        print(f"{cause['kind']}: {cause['message']}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def write_shards(spark, files, job, uris, staging):
    """One task an input, all of one Spark job. Returns the Parquet files in the inputs' order."""

    def write(text, order, folder):
        text.select(*values_of(job)).write.options(**WRITE_OPTIONS).parquet(folder)
        # A task without records writes no file. The ledger shows if records are missing.
        return [file for _, file in sorted((order[task], file) for task, file in files.of_tasks(folder))]

    if not uris:
        return write(empty(spark, job), [0], f"{staging}shards")
    text = frame(spark, job, uris)
    order = files.order_of_tasks(text, uris) if len(uris) > 1 else [0]
    if order:
        return write(text, order, f"{staging}shards")
    each = (write(frame(spark, job, [uri]), [0], f"{staging}shards-{index}") for index, uri in enumerate(uris))
    return [shard for shards in each for shard in shards]


def frame(spark, job, uris):
    """The inputs, all of whose values are text."""
    names = names_of(job)
    reader = (
        spark.read.schema(StructType([StructField(name, StringType()) for name in names]))
        .option("multiLine", "true")
        .option("header", str(job["header"]).lower())
        .option("sep", job["delimiter"])
        .option("quote", '"')
        .option("escape", '"')
        # If Spark knows the line end, it also keeps line breaks in quotes unchanged.
        .option("lineSep", job["lineEnd"])
        .option("encoding", job["encoding"])
        .option("mode", "FAILFAST")
        .option("unescapedQuoteHandling", "RAISE_ERROR")
        .option("ignoreLeadingWhiteSpace", "false")
        .option("ignoreTrailingWhiteSpace", "false")
        .option("maxColumns", max(MIN_MAX_COLUMNS, len(names)))
        .option("maxCharsPerColumn", "-1")
        # Spark must not read a path as a pattern, whatever characters it has.
        .option("__globPaths__", "false")
    )
    return reader.csv(uris)


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
    # The timestamp has no zone: it is the time that the publisher's clock showed.
    if pattern is None:
        return text.cast("timestamp_ntz")
    return F.to_timestamp_ntz(text, F.lit(java_pattern(pattern)))


# Java's letters for those of DATE_FORMATS and TIMESTAMP_FORMATS. Months, days and hours have one or two digits, years
# have four. A fraction is optional.
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


def join_shards(files, job, source, shards):
    """Finished Parquet files in their places, small neighbours as one, without decoding them."""
    groups = grouped(shards, job["partBytes"], job["maxPartBytes"])
    files.make_folder(source["output"])

    def finish(index):
        name = f"{source['partPrefix']}{index:05d}.parquet"
        path = groups[index][0]["uri"]
        if len(groups[index]) > 1:
            path = source["staging"] + name
            files.concatenate(groups[index], path)
        files.move(path, source["output"] + name)
        return files.part(source["output"], name)

    with ThreadPoolExecutor(max_workers=MAX_MOVES) as pool:
        return list(pool.map(finish, range(len(groups))))


def grouped(shards, wanted, most):
    """Neighbours that are about `wanted` bytes together, and never more than `most`."""
    left = sum(shard["bytes"] for shard in shards)
    groups = []
    for shard in shards:
        group = groups[-1] if groups else None
        size = sum(each["bytes"] for each in group) if group else 0
        # The group ends as near as possible to its share of the remaining bytes.
        share = (left + size) / max(1, round((left + size) / wanted))
        fits = group and size + shard["bytes"] <= most and size + shard["bytes"] / 2 <= share
        if fits:
            group.append(shard)
        else:
            groups.append([shard])
        left -= shard["bytes"]
    return groups


def count(files, uri):
    """Counts the rows of sources on HDFS. Returns whether all is as it was written."""
    job = json.loads(files.read(uri))

    def difference(source):
        folder = source["folder"]
        parts = [files.part(folder, name) for name in files.names(folder)]
        result = {"format": ROWS_FORMAT, "parts": parts}
        files.write(f"{job['results']}{source['id']}.json", json.dumps(result))
        return difference_of(source, parts)

    with ThreadPoolExecutor(max_workers=MAX_COUNTS) as pool:
        wrong = [each for each in pool.map(difference, job["sources"]) if each]
    for each in wrong:
        print(f"ValueError: {each}", file=sys.stderr)
    if not wrong and "manifest" in job:
        files.write(job["manifest"]["to"], files.read(job["manifest"]["from"]))
    return not wrong


def difference_of(source, parts):
    """None where all is as it was written, and as many rows as records."""
    found = sorted((part["name"], part["bytes"]) for part in parts)
    written = sorted((part["name"], part["bytes"]) for part in source["parts"])
    if found != written:
        return f"{source['folder']} holds {found}, but the job wrote {written}"
    rows = sum(part["rows"] for part in parts)
    if rows != source["records"]:
        return f"{source['id']} has {rows} rows on HDFS, and {source['records']} records"
    return None


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
        """Whole or not at all, in the place of what is there: a bucket's objects are so by themselves."""
        path = self._path(uri)
        system = path.getFileSystem(self.configuration)
        aside = path if is_object(path) else self._path(f"{uri}.new")
        stream = system.create(aside, True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()
        if aside == path:
            return
        # A rename does not replace an existing file, so that file is deleted. A repeated step writes it again.
        system.delete(path, False)
        if not system.rename(aside, path):
            raise OSError(f"cannot put a file in its place: {uri}")

    def names(self, folder):
        """None where there is no such folder."""
        path = self._path(folder)
        if not self.exists(folder):
            return []
        return [status.getPath().getName() for status in path.getFileSystem(self.configuration).listStatus(path)]

    def make_folder(self, uri):
        """A bucket has none: what Hadoop would put there is an object without content."""
        path = self._path(uri)
        if is_object(path):
            return
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
        if system.exists(to) or not system.rename(self._path(source), to):
            raise OSError(f"cannot put a file in its place: {target}")

    def order_of_tasks(self, data, uris):
        """
        For each task, which input it reads: Spark begins with the longest. None where this Spark does not say: the names
        are of its inside, and a fork may have others.
        """
        indices = {self._local(self._path(uri)): index for index, uri in enumerate(uris)}
        order = []
        try:
            for partition in data._jdf.queryExecution().toRdd().partitions():
                (file,) = partition.files()
                order.append(indices.pop(self._local(file.toPath())))
        except Py4JJavaError:
            raise
        except (Py4JError, AttributeError, KeyError, TypeError, ValueError):
            return None
        return None if indices else order

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


def is_object(path):
    return path.toUri().getScheme().startswith("s3")


class Progress:
    """Bytes of the inputs read so far, of all sources together, where the job asks for them."""

    def __init__(self, spark, batch):
        self.store = spark.sparkContext._jsc.sc().statusStore() if batch.get("progress") else None
        self.systems = spark.sparkContext._jvm.org.apache.hadoop.fs.FileSystem
        self.before = self._read_here()
        self.started = 0
        self.finished = 0
        self.shown = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def __enter__(self):
        if self.store:
            threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()

    def start(self, size):
        with self.lock:
            self.started += size

    def finish(self, size):
        with self.lock:
            self.finished += size
        self._show(self.finished)

    def _follow(self):
        while not self.over.wait(PROGRESS_INTERVAL_SECONDS):
            try:
                read = max(self._read_here() - self.before, self.finished + self._read_by_tasks())
            except Exception:  # The stage has just ended. The next look reads again.
                continue
            self._show(read)

    def _read_here(self):
        """Counted by this JVM: where tasks run in it, Spark's stages report what they read only at their ends."""
        return sum(each.getBytesRead() for each in self.systems.getAllStatistics())

    def _read_by_tasks(self):
        stages = self.store.activeStages()
        return sum(stages.apply(index).inputBytes() for index in range(stages.size()))

    def _show(self, read):
        with self.lock:
            # Spark also reads Parquet that it wrote. Progress never exceeds the bytes of the sources that have started.
            read = min(read, self.started)
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
