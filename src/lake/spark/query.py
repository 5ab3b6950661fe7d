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
    # Spark reads no file as a table by its path.
    "spark.sql.runSQLOnFiles": "false",
    # Spark uses no other catalogue that this host configures.
    "spark.sql.defaultCatalog": "spark_catalog",
    # ${env:…} would show this process's environment, which may have credentials.
    "spark.sql.variable.substitute": "false",
    "spark.sql.parquet.compression.codec": "zstd",
    # Unlike INT96, this type says in the file whether a timestamp has a zone.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
}

# Nodes of a parsed plan that only read. Any other node is refused, also those of later Spark versions.
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
    "PipeOperator",
    "Pivot",
    "Project",
    "Range",
    "RepartitionByExpression",
    "Sample",
    "Sort",
    "Subquery",
    "SubqueryAlias",
    "Tail",
    "Union",
    "UnresolvedHaving",
    "UnresolvedHint",
    "UnresolvedInlineTable",
    "UnresolvedOrderedWindow",
    "UnresolvedQualify",
    "UnresolvedRelation",
    "UnresolvedSubqueryColumnAliases",
    "UnresolvedTableValuedFunction",
    "UnresolvedTVFAliases",
    "UnresolvedWith",
    "Unpivot",
    "Window",
    "WithWindowDefinition",
}
# Statements about the views. Each is a whole query.
DESCRIBING = {"DescribeRelation", "ShowTables", "ShowColumns"}
TARGETS = {"UnresolvedTableOrView", "UnresolvedNamespace", "CurrentNamespace", "ResolvedNamespace"}
# Table functions that make rows of their arguments. Any other table function is refused.
TABLE_FUNCTIONS = {
    "explode",
    "explode_outer",
    "inline",
    "inline_outer",
    "json_tuple",
    "posexplode",
    "posexplode_outer",
    "range",
    "stack",
    "variant_explode",
    "variant_explode_outer",
}
# These functions call Java, or open files that their options name.
REFUSED_FUNCTIONS = {
    "reflect",
    "java_method",
    "try_reflect",
    "from_avro",
    "to_avro",
    "schema_of_avro",
    "from_protobuf",
    "to_protobuf",
    "from_xml",
    "schema_of_xml",
}
# Expressions that build the name of a function or column from text.
REFUSED_EXPRESSIONS = {"ExpressionWithUnresolvedIdentifier", "CallMethodViaReflection"}


class Refused(Exception):
    """What may not run."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--job", required=True, help="path of the job's JSON")
    path = parser.parse_args().job
    spark = SparkSession.builder.appName("longhaul-query").getOrCreate()
    try:
        run(spark, path)
        return 0
    finally:
        spark.stop()


def run(spark, path):
    """Does the job and writes its answer."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    answer = answer_of(spark, job)
    with open(job["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


def answer_of(spark, job):
    spark.sparkContext.setLogLevel("ERROR")
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    broken = []
    try:
        Guard(spark).check(job["sql"])
        for view in job["views"]:
            try:
                create(spark, view)
            except Exception as error:  # Only a query that names the view needs it.
                broken.append({**described(error), "view": view["name"]})
        return {"columns": write(spark.sql(job["sql"]), job)}
    except Exception as error:  # The command shows an error of any kind.
        return {"error": described(error), "broken": broken}


def described(error):
    """Class and words of the last cause: of the JVM's exception where there is one."""
    if isinstance(error, Refused):
        return {"kind": "refused", "message": str(error)}
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        return {"kind": type(error).__name__, "message": str(error)}
    while java.getCause() is not None:
        java = java.getCause()
    return {"kind": java.getClass().getName(), "message": str(java.getMessage())}


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


class Guard:
    """Looks at every node of the parsed query, before anything of it has run."""

    def __init__(self, spark):
        jvm = spark.sparkContext._jvm
        self.parser = spark._jsparkSession.sessionState().sqlParser()
        self.plan = self._class(jvm, "org.apache.spark.sql.catalyst.plans.logical.LogicalPlan")
        self.expression = self._class(jvm, "org.apache.spark.sql.catalyst.expressions.Expression")
        self.several = self._class(jvm, "scala.collection.Iterable")
        self.product = self._class(jvm, "scala.Product")

    def check(self, sql):
        """Raises Refused where it is no query, or reaches outside the lake."""
        plan = self.parser.parsePlan(sql)
        if name_of(plan) not in DESCRIBING:
            self._check_plan(plan)
            return
        for child in items(plan.children()):
            if name_of(child) not in TARGETS:
                raise Refused(f"The query is of the kind {name_of(plan)}; only SELECT may run.")
            refuse_paths(child)

    def _check_plan(self, plan):
        name = name_of(plan)
        if name not in READING:
            raise Refused(f"The query is of the kind {name}; only SELECT may run.")
        if name == "UnresolvedRelation":
            refuse_paths(plan)
        if name == "UnresolvedTableValuedFunction":
            refuse_table_function(items(plan.name()))
        self._check_parts(plan)

    def _check_expression(self, expression):
        name = name_of(expression)
        if name in REFUSED_EXPRESSIONS:
            raise Refused(f"The query has a {name}, which a query may not use.")
        if name == "UnresolvedFunction":
            refuse_function(items(expression.nameParts()))
        self._check_parts(expression)

    def _check_parts(self, node):
        """Plans and expressions of a node, however deep in lists, maps and options: `children` leaves some out."""
        for part in self._iterate(node.productIterator()):
            self._check_value(part)

    def _check_value(self, value):
        if not hasattr(value, "getClass"):  # A text or number: py4j returns it as a value of Python.
            return
        if self.plan.isInstance(value):
            self._check_plan(value)
        elif self.expression.isInstance(value):
            self._check_expression(value)
        elif self.several.isInstance(value):
            for each in self._iterate(value.iterator()):
                self._check_value(each)
        elif self.product.isInstance(value):
            self._check_parts(value)

    @staticmethod
    def _iterate(iterator):
        while iterator.hasNext():
            yield iterator.next()

    @staticmethod
    def _class(jvm, name):
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        return jvm.java.lang.Class.forName(name, False, loader)


def refuse_function(parts):
    if parts[-1].lower() in REFUSED_FUNCTIONS:
        raise Refused(f"The query calls {'.'.join(parts)}, which a query may not use.")


def refuse_table_function(parts):
    if len(parts) > 1 or parts[0].lower() not in TABLE_FUNCTIONS:
        raise Refused(f"The query calls {'.'.join(parts)}, which a query may not use.")


def refuse_paths(target):
    """``parquet.`/etc/x` `` is a file, and `a.b` a table of another catalogue: views have one name."""
    for method in ("multipartIdentifier", "nameParts"):
        if any(each.getName() == method for each in target.getClass().getMethods()):
            parts = items(getattr(target, method)())
            if len(parts) > 1:
                raise Refused(f"The query reaches outside the lake: {'.'.join(parts)}.")


def name_of(value):
    return value.getClass().getSimpleName().rstrip("$")


def items(sequence):
    return [sequence.apply(index) for index in range(sequence.size())]


if __name__ == "__main__":
    sys.exit(main())
