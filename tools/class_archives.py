"""A job of Spark that uses the classes of a conversion. The JVM archives them at its end (class-archives.ts)."""

import sys

from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.hadoop.fs.s3a.endpoint", "http://127.0.0.1:1")
    .config("spark.hadoop.fs.s3a.endpoint.region", "us-east-1")
    .config("spark.hadoop.fs.s3a.access.key", "none")
    .config("spark.hadoop.fs.s3a.secret.key", "none")
    .config("spark.hadoop.fs.s3a.attempts.maximum", "1")
    .config("spark.hadoop.fs.s3a.retry.limit", "0")
    .getOrCreate()
)
csv = f"{sys.argv[1]}/a.csv"
with open(csv, "w", encoding="utf-8") as file:
    file.write("id,name\n" + "".join(f'{n},"n{n}"\n' for n in range(1000)))
rows = spark.read.option("header", True).option("multiLine", True).csv(csv)
rows = rows.selectExpr("cast(id as bigint) AS id", "name")
rows.write.mode("overwrite").parquet(f"{sys.argv[1]}/parquet")
spark.read.parquet(f"{sys.argv[1]}/parquet").count()
try:
    # No server is there. Hadoop has loaded its classes for S3 when it fails.
    rows.write.parquet("s3a://bucket/parquet")
except Exception:
    pass
spark.stop()
