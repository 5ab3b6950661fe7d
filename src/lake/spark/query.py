"""One SELECT over the lake's views with Spark: its rows become Parquet files.

    spark-submit query.py --job PATH

The job is `SparkQueryJob` of query.ts; the answer is `SparkQueryAnswer`, written last beside the rows.
"""

import argparse
import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import NullType

SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.session.timeZone": "UTC",
    # No file is a table by its path.
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
}

# Nodes of a parsed plan that only read; whatever else there is, now or later, is refused.
READING = {
    "Aggregate",
    "AsOfJoin",
    "CTERelationDef",
    "Deduplicate",
    "Distinct",
    "Except",
    "Expand",
    "Filter",
    "Generate",
    "GlobalLimit",
    "Intersect",
    "Join",
    "LateralJoin",
    "LocalLimit",
    "LocalRelation",
    "Offset",
    "OneRowRelation",
    "ParameterizedQuery",
    "Pivot",
    "Project",
    "Range",
    "Sample",
    "Sort",
    "Subquery",
    "SubqueryAlias",
    "Tail",
    "Union",
    "UnresolvedHaving",
    "UnresolvedInlineTable",
    "UnresolvedOrderedWindow",
    "UnresolvedRelation",
    "UnresolvedSubqueryColumnAliases",
    "UnresolvedTableValuedFunction",
    "UnresolvedTVFAliases",
    "UnresolvedWith",
    "Unpivot",
    "Window",
    "WithWindowDefinition",
}
# A statement of its own, about the views.
DESCRIBING = {"DescribeRelation", "ShowTables", "ShowColumns"}
TARGETS = {"UnresolvedTableOrView", "UnresolvedNamespace", "CurrentNamespace", "ResolvedNamespace"}
# They call Java, or open files by their names.
REFUSED_FUNCTIONS = {
    "reflect",
    "java_method",
    "try_reflect",
    "from_avro",
    "to_avro",
    "schema_of_avro",
    "from_protobuf",
    "to_protobuf",
}
# A function or column whose name is made up on the way.
REFUSED_EXPRESSIONS = {"ExpressionWithUnresolvedIdentifier", "CallMethodViaReflection"}


class Refused(Exception):
    """What may not run."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--job", required=True, help="path of the job's JSON")
    with open(parser.parse_args().job, encoding="utf-8") as file:
        job = json.load(file)
    spark = SparkSession.builder.appName("longhaul-query").getOrCreate()
    try:
        answer = answer_of(spark, job)
        with open(job["answer"], "w", encoding="utf-8") as file:
            json.dump(answer, file)
        return 0
    finally:
        spark.stop()


def answer_of(spark, job):
    spark.sparkContext.setLogLevel("ERROR")
    try:
        for key, value in SETTINGS.items():
            spark.conf.set(key, value)
        refuse_all_but_reading(spark, job["sql"])
        for view in job["views"]:
            create(spark, view)
        return {"columns": write(spark.sql(job["sql"]), job)}
    except Refused as error:
        return {"error": {"kind": "refused", "message": str(error)}}
    except Exception as error:  # Whatever it is, the user is told.
        return {"error": {"kind": type(error).__name__, "message": str(error)}}


def create(spark, view):
    for name, files in view["tables"].items():
        data = spark.read.option("__globPaths__", "false").parquet(*files)
        data.createOrReplaceTempView(name)
    spark.sql(view["sql"]).createOrReplaceTempView(view["name"])
    for name in view["tables"]:
        spark.catalog.dropTempView(name)


def write(data, job):
    """Columns by their number, since two of a query may have one name. Returns the names."""
    names = data.columns
    numbered = data.toDF(*[f"c{index}" for index in range(len(names))])
    for field in numbered.schema.fields:
        if isinstance(field.dataType, NullType):
            numbered = numbered.withColumn(field.name, F.col(field.name).cast("string"))
    if job.get("maxRows") is not None:
        numbered = numbered.limit(job["maxRows"])
    numbered.write.parquet(job["rows"])
    return names


def refuse_all_but_reading(spark, sql):
    """Looks at every node of the parsed plan: nothing has run yet."""
    plan = spark._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    root = name_of(plan)
    if root in DESCRIBING:
        for child in items(plan.children()):
            if name_of(child) not in TARGETS:
                raise Refused(f"The query is of the kind {root}; only SELECT may run.")
            refuse_paths(child)
        return
    refuse_in_plan(plan)


def refuse_in_plan(plan):
    name = name_of(plan)
    if name not in READING:
        raise Refused(f"The query is of the kind {name}; only SELECT may run.")
    if name == "UnresolvedRelation":
        refuse_paths(plan)
    if name == "UnresolvedTableValuedFunction":
        refuse_function(".".join(items(plan.name())))
    for child in items(plan.children()):
        refuse_in_plan(child)
    if name == "UnresolvedWith":
        for child in items(plan.innerChildren()):
            refuse_in_plan(child)
    for expression in items(plan.expressions()):
        refuse_in_expression(expression)


def refuse_in_expression(expression):
    name = name_of(expression)
    if name in REFUSED_EXPRESSIONS:
        raise Refused(f"The query has a {name}, which is no part of a SELECT here.")
    if name == "UnresolvedFunction":
        refuse_function(".".join(items(expression.nameParts())))
    if is_a(expression, "org.apache.spark.sql.catalyst.expressions.PlanExpression"):
        refuse_in_plan(expression.plan())
    for child in items(expression.children()):
        refuse_in_expression(child)


def refuse_function(name):
    if name.lower().split(".")[-1] in REFUSED_FUNCTIONS:
        raise Refused(f"The query calls {name}, which is no part of a SELECT here.")


def refuse_paths(relation):
    """``parquet.`/etc/x` `` is a file, and `a.b` a table of another catalogue: views have one name."""
    parts = items(relation.multipartIdentifier()) if hasattr_java(relation, "multipartIdentifier") else []
    if len(parts) > 1:
        raise Refused(f"The query reaches outside the lake: {'.'.join(parts)}.")


def hasattr_java(value, method):
    return any(each.getName() == method for each in value.getClass().getMethods())


def is_a(value, name):
    found = value.getClass()
    while found is not None:
        if found.getName() == name:
            return True
        found = found.getSuperclass()
    return False


def name_of(value):
    return value.getClass().getSimpleName().rstrip("$")


def items(sequence):
    return [sequence.apply(index) for index in range(sequence.size())]


if __name__ == "__main__":
    sys.exit(main())
