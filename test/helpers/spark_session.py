"""A Spark that stays: does the jobs that come in as lines of standard input, `{"script": path, "job": …}` each."""

import importlib.util
import json
import sys

from pyspark.sql import SparkSession


def load(path):
    spec = importlib.util.spec_from_file_location("convert", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = SparkSession.builder.master("local[2]").appName("longhaul-test")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
print('{"ready":true}', flush=True)
scripts = {}
for line in sys.stdin:
    request = json.loads(line)
    path = request["script"]
    scripts.setdefault(path, load(path)).run(spark, request["job"])
    print('{"ended":true}', flush=True)
spark.stop()
