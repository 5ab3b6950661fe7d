import { join } from 'node:path';
import type { Config } from '../../config/load-config.ts';
import type { Settings } from '../../config/settings.ts';
import { findEmbedded } from '../../embedded/host-link.ts';
import { instanceHours } from '../../model/emr.ts';
import { hintOf, LonghaulError } from '../../model/errors.ts';
import { bytesText } from '../../model/texts.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { locateJava } from '../../programs/java.ts';
import { locateSpark } from '../../programs/spark.ts';
import { locateTemporal } from '../../programs/temporal.ts';
import { packageToolsDir } from '../../programs/tools-folder.ts';
import { lakeOfNamespace } from '../../runs/lake-namespace.ts';
import { freeSpace, nearestThere, tryWriting } from '../../storage/free-space.ts';
import { fromTemporal } from '../failures.ts';
import { linkConfigured, webUiOf } from '../temporal-link.ts';
import { lookFor, ok, problem, unknown, type Finding } from './check.ts';

export async function temporalFinding(config: Config): Promise<Finding> {
  if (config.settings.temporal.address === undefined) return await embeddedTemporal(config);
  return await configuredTemporal(config.settings);
}

/** Enough for three small calls. */
const CALLS_LIMIT_MS = 5000;

async function configuredTemporal(settings: Settings): Promise<Finding> {
  const link = await linkConfigured(settings);
  const { client, address, namespace, hasSearchAttributes } = link;
  try {
    const deadline = Date.now() + CALLS_LIMIT_MS;
    return await client.withDeadline(deadline, async () => {
      await client.workflowService.describeNamespace({ namespace });
      const { serverVersion } = await client.workflowService.getSystemInfo({});
      const lake = await lakeOfNamespace(client);
      const used = lake ? `, used for the lake ${lake.address}` : '';
      const found = `${address} answers, version ${serverVersion}, namespace ${namespace}${used}`;
      const lacking =
        '; runs go without search attributes until `longhaul worker` has registered them';
      return ok(found + (hasSearchAttributes ? '' : lacking));
    });
  } catch (error) {
    const known = fromTemporal(error);
    if (!(known instanceof LonghaulError)) throw known;
    const hint =
      known.code === 'TEMPORAL_NO_NAMESPACE'
        ? `Set TEMPORAL_NAMESPACE, or: temporal operator namespace create --namespace ${namespace} --address ${address}`
        : hintOf(known.code);
    return problem(`${address}, namespace ${namespace}: ${known.message}`, hint);
  } finally {
    await link.close();
  }
}

async function embeddedTemporal({ settings, searchPath }: Config): Promise<Finding> {
  const { stateDir, temporalCli: given } = settings;
  const running = await findEmbedded(stateDir);
  if (running) {
    const { status, address = 'no address yet', uiUrl, namespace } = running;
    const webUi = uiUrl === undefined ? '' : `, Web UI ${webUiOf({ uiUrl, namespace })}`;
    return ok(`embedded, ${status}: ${address}${webUi}`);
  }
  const absent = (): string =>
    'embedded; its program is not here yet: the first command fetches it (once, about 50 MB)';
  // The embedded host looks in the same folders.
  const toolsDirs = [packageToolsDir(), join(stateDir, 'tools')];
  return await lookFor(given !== undefined, absent, async () => {
    const program = await locateTemporal({ given, searchPath, toolsDirs, installer: 'none' });
    return `embedded, not running; commands start it with ${program}`;
  });
}

export async function glueFinding(database: string, signal: AbortSignal): Promise<Finding> {
  const { findGlueDatabase } = await import('../../iceberg/glue.ts');
  await findGlueDatabase(database, signal);
  return ok(`the database ${database} answers; making a table in it is not tried`);
}

export async function awsFinding(settings: Settings, signal: AbortSignal): Promise<Finding> {
  if (settings.engine === 'emr') return await emrFinding(settings, signal);
  if (settings.engine === 'emr-serverless') return await serverlessFinding(settings, signal);
  return unknown('not checked: only the engines emr and emr-serverless need it');
}

const COST = 'creating a cluster cannot be tried without cost';

async function serverlessFinding({ emr }: Settings, signal: AbortSignal): Promise<Finding> {
  const { applicationId, jobRoleArn } = emr;
  if (applicationId === undefined || jobRoleArn === undefined) {
    return problem(
      'EMR_SERVERLESS_APPLICATION_ID or EMR_SERVERLESS_ROLE_ARN is not set',
      'Set both: docs/aws.md#emr-serverless.',
    );
  }
  const { describeApplication } = await import('../../emr/serverless.ts');
  const application = await describeApplication(applicationId, signal);
  return ok(`application ${applicationId} answers: ${application}; a job run is not tried`);
}

async function emrFinding({ emr }: Settings, signal: AbortSignal): Promise<Finding> {
  const { describeCluster, listOurClusters } = await import('../../emr/clusters.ts');
  const { requestAdditions } = await import('../../emr/cluster-request.ts');
  const ours = await listOurClusters(signal);
  const additions = Object.keys(await requestAdditions(emr));
  const added = additions.length === 0 ? '' : `; EMR_REQUEST adds ${additions.join(', ')}`;
  const open = `answers; ${ours.length} open cluster${ours.length === 1 ? '' : 's'} of Longhaul's${added}`;
  const wanted = emr.clusterId ?? ours[0]?.id;
  if (wanted === undefined) return ok(`${open}; ${COST}`);
  const { cluster } = await describeCluster(wanted, undefined, signal);
  const age = instanceHours({ ...cluster, instances: 1 }, Date.now()).toFixed(1);
  return ok(`${open}; ${cluster.id} is ${cluster.state}, ${age} hours old; ${COST}`);
}

/** Enough for a few years of a city's files, their Parquet files and DuckDB's temporary files. */
const ENOUGH_BYTES = 5 * 1024 ** 3;
const MAKE_ROOM =
  'Free some space, or set LAKE (with a lake in a bucket, STATE_DIR) to a folder of a larger disk.';

/** Checks the disk of the lake. If the lake is in a bucket, checks the disk of the embedded server's state. */
export async function diskFinding({ lake, stateDir }: Settings): Promise<Finding> {
  const wanted = lake.kind === 'disk' ? lake.folder : stateDir;
  // The doctor does not make the folder. The first command that needs it does.
  const folder = await nearestThere(wanted);
  const place = folder === wanted ? wanted : `${wanted} (not there yet; ${folder} is)`;
  try {
    await tryWriting(folder);
  } catch (error) {
    const isFull = error instanceof LonghaulError && error.code === 'DISK_FULL';
    const allow =
      'Set LAKE (or STATE_DIR) to a folder that you may write, or change the rights of this one.';
    const found = `${place} cannot be written: ${(error as Error).message}`;
    return problem(found, isFull ? MAKE_ROOM : allow);
  }
  return spaceFinding((await freeSpace(folder)).bytes, place);
}

export function spaceFinding(freeBytes: number, place: string): Finding {
  const found = `${place} can be written, ${bytesText(freeBytes)} free`;
  if (freeBytes >= ENOUGH_BYTES) return ok(found);
  return problem(`${found}, less than ${bytesText(ENOUGH_BYTES)}`, MAKE_ROOM);
}

const UNUSED = 'Only --engine spark needs it.';

export async function javaFinding({ engine, spark }: Settings): Promise<Finding> {
  const { javaHome: given, searchPath } = spark;
  const unused = (why: string): string => `${why} ${UNUSED}`;
  return await lookFor(engine === 'spark', unused, async () => {
    const { version, path } = await locateJava({ given, searchPath });
    return `${version} (${path})`;
  });
}

export async function sparkFinding({ engine, spark }: Settings): Promise<Finding> {
  const { home: given, searchPath } = spark;
  const isUsed = engine === 'spark';
  const absent = (why: string): string =>
    isUsed ? 'not here yet: the first conversion with Spark fetches it' : `${why} ${UNUSED}`;
  return await lookFor(isUsed && given !== undefined, absent, async () => {
    const { version, home } = await locateSpark({ given, searchPath, installer: 'none' });
    return `${version} (${home})`;
  });
}

export async function httpfsFinding({ duckdb }: Settings): Promise<Finding> {
  const given = duckdb.httpfs;
  const absent = (): string => 'not here yet: the first conversion to S3 fetches it';
  return await lookFor(given !== undefined, absent, async () =>
    locateHttpfs({ given, installer: 'none' }),
  );
}
