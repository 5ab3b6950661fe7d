import { readdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Spark } from '../src/programs/spark.ts';
import { fetchTableReaders } from '../tools/table-readers/packages.ts';
import { timed, type Timed } from './peers.ts';

/** The script that a user writes who knows that values have line breaks, and wants types from the whole file. */
const PLAIN_SPARK = `
import sys
from pyspark.sql import SparkSession
csv, parquet = sys.argv[1:]
spark = SparkSession.builder.config("spark.sql.parquet.compression.codec", "zstd").getOrCreate()
frame = spark.read.csv(csv, header=True, multiLine=True, escape='"', inferSchema=True)
frame.write.parquet(parquet)
`;

/** The same in polars, with little memory. Dates stay text, because finding them takes polars 0.8 s more a megabyte. */
const PLAIN_POLARS = `
import sys
import polars
csv, parquet = sys.argv[1:]
polars.scan_csv(csv, infer_schema_length=None).sink_parquet(parquet, compression="zstd")
`;

export interface PlainJob {
  csv: string;
  /** Path of a file or folder that does not exist yet. */
  parquet: string;
  /** Folder for scripts. */
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
  /** Folder for PYTHONPATH. */
  path: string;
}

/** Fetches polars at the version that is pinned for the readers of tables. */
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
