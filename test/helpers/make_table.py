"""A job of spark_session.py: makes a table by Iceberg's own library, of two days and both their tags."""

import json


def run(spark, job):
    table = json.loads(job)["table"]
    spark.sql(
        f"CREATE TABLE {table} (n bigint, x double, d date, t timestamp_ntz, s string, source string, ingest_date date) "
        "USING iceberg PARTITIONED BY (source, ingest_date)"
    )
    spark.sql(
        f"INSERT INTO {table} VALUES (9007199254740993, 0.1, date'2026-01-02', timestamp_ntz'2026-01-02 03:04:05.000006', "
        "'', 'a', date'2026-11-01'), (null, null, null, null, null, 'a', date'2026-11-01')"
    )
    spark.sql(f"ALTER TABLE {table} CREATE TAG `2026-11-01`")
    spark.sql(f"ALTER TABLE {table} ADD COLUMN later bigint")
    spark.sql(
        f"INSERT INTO {table} VALUES (-2, 1e21, date'1969-01-02', timestamp_ntz'1969-01-02 00:00:00', "
        "'Æ\U0001f600', 'b', date'2026-11-02', 5)"
    )
    spark.sql(f"ALTER TABLE {table} CREATE TAG `2026-11-02`")
