import { join } from 'node:path';
import { isGrpcServiceError } from '@temporalio/client';
import type { Config } from '../../config/load-config.ts';
import type { Settings } from '../../config/settings.ts';
import { findEmbedded } from '../../embedded/index.ts';
import { instanceHours } from '../../model/emr.ts';
import { locateTemporal } from '../../programs/temporal.ts';
import { packageToolsDir } from '../../programs/tools-folder.ts';
import { lakeOfNamespace } from '../../runs/lake-namespace.ts';
import { fromTemporal } from '../failures.ts';
import { linkConfigured, webUiOf } from '../temporal-link.ts';
import { lookFor, ok, problem, type Finding } from './check.ts';

/** Two small calls. */
const CALLS_LIMIT_MS = 5000;
/** Status codes of gRPC. */
const NOT_FOUND = 5;
const DENIED = new Set([7, 16]);

export async function configuredTemporal(settings: Settings): Promise<Finding> {
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
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code === NOT_FOUND) {
      return problem(
        `${address} answers, and has no namespace ${namespace}`,
        `Set TEMPORAL_NAMESPACE, or: temporal operator namespace create --namespace ${namespace} --address ${address}`,
      );
    }
    if (code !== undefined && DENIED.has(code)) {
      return problem(
        `${address} answers, and denies the namespace ${namespace}`,
        'Set TEMPORAL_API_KEY, or the certificate, to one that may use TEMPORAL_NAMESPACE.',
      );
    }
    throw fromTemporal(error);
  } finally {
    await link.close();
  }
}

export async function embeddedTemporal({ settings, searchPath }: Config): Promise<Finding> {
  const { stateDir, temporalCli: cli } = settings;
  const running = await findEmbedded(stateDir);
  if (running) {
    const { status, address = 'no address yet', uiUrl, namespace } = running;
    const webUi = uiUrl === undefined ? '' : `, Web UI ${webUiOf({ uiUrl, namespace })}`;
    return ok(`embedded, ${status}: ${address}${webUi}`);
  }
  const absent = (): string =>
    'embedded; its program is not here yet: the first command fetches it (once, about 50 MB)';
  // As the embedded host looks.
  const toolsDirs = [packageToolsDir(), join(stateDir, 'tools')];
  return await lookFor(cli !== undefined, absent, async () => {
    const program = await locateTemporal({ cli, searchPath, toolsDirs, installer: 'none' });
    return `embedded, not running; commands start it with ${program}`;
  });
}

/** @throws GLUE_REFUSED, GLUE_UNAVAILABLE. */
export async function glueFinding(database: string, signal: AbortSignal): Promise<Finding> {
  const { findGlueDatabase } = await import('../../iceberg/glue.ts');
  await findGlueDatabase(database, signal);
  return ok(`the database ${database} answers; making a table in it is not tried`);
}

const COST = 'creating a cluster cannot be tried without cost';

/** @throws EMR_FORBIDDEN, and the like. */
export async function serverlessFinding({ emr }: Settings, signal: AbortSignal): Promise<Finding> {
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

/** What a run reads. @throws EMR_FORBIDDEN, with the action that is denied, and the like. */
export async function emrFinding({ emr }: Settings, signal: AbortSignal): Promise<Finding> {
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
