import { readdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Spark } from '../src/programs/spark.ts';
import { fetchTableReaders } from '../tools/table-readers/packages.ts';
import { timed, type Timed } from './peers.ts';

/** What a person writes who knows that values have line breaks, and wants types of the whole file. */
const PLAIN_SPARK = `
import sys
from pyspark.sql import SparkSession
csv, parquet = sys.argv[1:]
spark = SparkSession.builder.config("spark.sql.parquet.compression.codec", "zstd").getOrCreate()
frame = spark.read.csv(csv, header=True, multiLine=True, escape='"', inferSchema=True)
frame.write.parquet(parquet)
`;

/** The same, in as little memory as it can. Dates stay text: finding them too takes it 0.8 s a megabyte. */
const PLAIN_POLARS = `
import sys
import polars
csv, parquet = sys.argv[1:]
polars.scan_csv(csv, infer_schema_length=None).sink_parquet(parquet, compression="zstd")
`;

export interface PlainJob {
  csv: string;
  /** File or folder, not there yet. */
  parquet: string;
  /** For scripts. */
  folder: string;
  threads: number;
}

export async function plainSpark(
  spark: Spark,
  { driverMemory, javaHome }: { driverMemory: string; javaHome: string | undefined },
  { csv, parquet, folder, threads }: PlainJob,
): Promise<Timed> {
  const script = join(folder, 'plain_spark.py');
  await writeFile(script, PLAIN_SPARK);
  const args = [
    ...['--master', `local[${threads}]`, '--driver-memory', driverMemory],
    ...['--conf', 'spark.ui.enabled=false', '--conf', `spark.local.dir=${folder}`],
    ...[script, csv, parquet],
  ];
  const env = {
    SPARK_HOME: spark.home,
    ...(javaHome === undefined ? {} : { JAVA_HOME: javaHome }),
  };
  return await timed(spark.submit, args, env);
}

export interface Polars {
  version: string;
  /** For PYTHONPATH. */
  path: string;
}

/** As it is pinned among the readers of tables. */
export async function installPolars(): Promise<Polars> {
  const path = await fetchTableReaders();
  const names = await readdir(path);
  const version = names.flatMap((name) => /^polars-(.+)\.dist-info$/.exec(name)?.[1] ?? [])[0];
  return { version: version ?? '', path };
}

export async function plainPolars(
  { path }: Polars,
  { csv, parquet, folder, threads }: PlainJob,
): Promise<Timed> {
  const script = join(folder, 'plain_polars.py');
  await writeFile(script, PLAIN_POLARS);
  const env = {
    PYTHONPATH: [path, process.env['PYTHONPATH']].filter(Boolean).join(delimiter),
    POLARS_MAX_THREADS: String(threads),
  };
  return await timed('python3', [script, csv, parquet], env);
}
