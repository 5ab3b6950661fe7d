"""What a Spark job starts with, once, so that the JVM keeps the classes of it: a session, CSV to Parquet, file systems.

    spark-submit spark-classes.py FOLDER

Its results are not used; a step that fails is left out.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

ROWS = 'text,whole,real,moment\n"a ""b""\nc",1,1.5,2026-01-02 03:04:05\n,,,\n'


def main(folder):
    spark = SparkSession.builder.appName("longhaul-classes").getOrCreate()
    try:
        source = folder + "/rows.csv"
        with open(source, "w", encoding="utf-8") as file:
            file.write(ROWS)
        convert(spark, source, folder + "/rows")
        for address in ("s3a://no-bucket/nothing", "hdfs://127.0.0.1:1/nothing"):
            look(spark, address)
    finally:
        spark.stop()


def convert(spark, source, target):
    reader = spark.read.option("header", "true").option("multiLine", "true").option("escape", '"')
    text = reader.schema("text string, whole string, real string, moment string").csv("file://" + source)
    typed = text.select(
        F.when(F.col("text") != "", F.col("text")).alias("text"),
        F.col("whole").cast("bigint"),
        F.col("real").cast("double"),
        F.to_timestamp_ntz("moment", F.lit("yyyy-M-d H:mm:ss")),
    )
    typed.coalesce(1).write.option("compression", "zstd").parquet("file://" + target)
    spark.read.parquet("file://" + target).count()


def look(spark, address):
    """No server answers there: what counts is which classes the attempt loads."""
    jvm = spark.sparkContext._jvm
    configuration = jvm.org.apache.hadoop.conf.Configuration(spark.sparkContext._jsc.hadoopConfiguration())
    for key, value in NO_STORE.items():
        configuration.set(key, value)
    path = jvm.org.apache.hadoop.fs.Path(address)
    try:
        path.getFileSystem(configuration).exists(path)
    except Exception:  # Refused, or without the jars for it.
        pass


NO_STORE = {
    "fs.s3a.endpoint": "http://127.0.0.1:1",
    "fs.s3a.endpoint.region": "us-east-1",
    "fs.s3a.path.style.access": "true",
    "fs.s3a.access.key": "none",
    "fs.s3a.secret.key": "none",
    "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "fs.s3a.attempts.maximum": "1",
    "fs.s3a.retry.limit": "0",
    "ipc.client.connect.max.retries": "0",
}


if __name__ == "__main__":
    main(sys.argv[1])
