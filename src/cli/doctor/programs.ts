import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { EmrSettings, SparkSettings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { JAVA_MAJORS, javaVersionIn, locateJava, majorOf } from '../../programs/java.ts';
import { locateSpark } from '../../programs/spark.ts';
import { packageToolsDir } from '../../programs/tools-folder.ts';
import type { Check, Finding } from './check.ts';
import { emrCheck } from './emr.ts';
import { foldersThere } from './tools-folders.ts';

/** A JVM on a cold disk takes some seconds. */
const PROGRAM_LIMIT_MS = 20_000;
/** Spark is looked for in two ways. */
const SPARK_LIMIT_MS = 2 * PROGRAM_LIMIT_MS + 1000;

const UNUSED = 'only --engine spark needs it';

/**
 * What only some engines need.
 * @param spark where the configured one is Spark: what it needs is then missing where it is not there.
 * @param emr where the configured one is EMR: it is then asked.
 */
export function engineChecks(spark?: SparkSettings, emr?: EmrSettings): Check[] {
  return [
    {
      id: 'java',
      title: 'Java',
      limitMs: PROGRAM_LIMIT_MS + 1000,
      run: async () => await (spark ? javaOf(spark) : lookForJava()),
    },
    {
      id: 'spark',
      title: 'Spark',
      limitMs: SPARK_LIMIT_MS,
      run: async () => await (spark ? sparkOf(spark) : lookForSpark()),
    },
    emrCheck(emr),
  ];
}

/** As a conversion looks for it. */
async function javaOf({ javaHome: given, searchPath }: SparkSettings): Promise<Finding> {
  const { version, path } = await locateJava({ given, searchPath });
  return { status: 'ok', found: `${version} (${path})` };
}

/** As a conversion looks for it, but nothing is fetched. */
async function sparkOf({ home: given, searchPath }: SparkSettings): Promise<Finding> {
  const toolsDirs = await foldersThere([packageToolsDir()]);
  try {
    const { version, home } = await locateSpark({
      given,
      searchPath,
      toolsDirs,
      installer: 'none',
    });
    return { status: 'ok', found: `${version} (${home})` };
  } catch (error) {
    const isAbsent = error instanceof LonghaulError && error.code === 'PROGRAM_NOT_INSTALLED';
    if (given !== undefined || !isAbsent) throw error;
    return { status: 'unknown', found: 'not here yet: the first conversion with Spark fetches it' };
  }
}

async function lookForJava(): Promise<Finding> {
  const said = await outputOf('"${JAVA_HOME:+$JAVA_HOME/bin/}java" -version');
  return javaFinding(said);
}

/** @param said by `java -version`; undefined where there is none. */
export function javaFinding(said: string | undefined): Finding {
  const version = javaVersionIn(said ?? '');
  if (version === undefined) return { status: 'unknown', found: `not found; ${UNUSED}` };
  if (JAVA_MAJORS.includes(majorOf(version))) return { status: 'ok', found: version };
  const wanted = JAVA_MAJORS.join(' or ');
  return { status: 'unknown', found: `${version}, and Spark 4 needs ${wanted}; ${UNUSED}` };
}

async function lookForSpark(): Promise<Finding> {
  const submit = await outputOf('"${SPARK_HOME:+$SPARK_HOME/bin/}spark-submit" --version');
  const submitVersion = /version (\d[\w.-]*)/.exec(submit ?? '')?.[1];
  if (submitVersion !== undefined)
    return { status: 'ok', found: `${submitVersion} (spark-submit)` };
  const module = await outputOf('python3 -c "import pyspark; print(pyspark.__version__)"');
  const moduleVersion = /^\d[\w.-]*$/m.exec(module ?? '')?.[0];
  if (moduleVersion !== undefined) return { status: 'ok', found: `${moduleVersion} (pyspark)` };
  return { status: 'unknown', found: `not found; ${UNUSED}` };
}

/** The shell reads JAVA_HOME and SPARK_HOME, as their own programs do. Undefined where it fails. */
async function outputOf(line: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)('/bin/sh', ['-c', `exec ${line}`], {
      timeout: PROGRAM_LIMIT_MS,
    });
    return `${stdout}\n${stderr}`;
  } catch {
    return undefined;
  }
}
