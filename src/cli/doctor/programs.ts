import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Check, Finding } from './check.ts';

/** A JVM on a cold disk takes some seconds. */
const PROGRAM_LIMIT_MS = 20_000;
/** Spark is looked for in two ways. */
const SPARK_LIMIT_MS = 2 * PROGRAM_LIMIT_MS + 1000;
const INSTANT_MS = 1000;

const UNUSED = 'nothing in this version needs it';

/** What engines of other versions need: its absence is never a problem. */
export function engineChecks(): Check[] {
  return [
    { id: 'java', title: 'Java', limitMs: PROGRAM_LIMIT_MS + 1000, run: lookForJava },
    { id: 'spark', title: 'Spark', limitMs: SPARK_LIMIT_MS, run: lookForSpark },
    {
      id: 'emr',
      title: 'EMR',
      limitMs: INSTANT_MS,
      run: async () =>
        await Promise.resolve<Finding>({
          status: 'unknown',
          found:
            'not checked: this version has no EMR engine, and creating clusters cannot be tried without cost',
        }),
    },
  ];
}

/** Of Spark 4. */
const JAVA_MAJORS = [17, 21];

async function lookForJava(): Promise<Finding> {
  const said = await outputOf('"${JAVA_HOME:+$JAVA_HOME/bin/}java" -version');
  return javaFinding(said);
}

/** @param said by `java -version`; undefined where there is none. */
export function javaFinding(said: string | undefined): Finding {
  const version = /version "([^"]+)"/.exec(said ?? '')?.[1];
  if (version === undefined) return { status: 'unknown', found: `not found; ${UNUSED}` };
  const major = Number(/^(?:1\.)?(\d+)/.exec(version)?.[1]);
  if (JAVA_MAJORS.includes(major)) return { status: 'ok', found: version };
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
