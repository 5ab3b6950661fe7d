import { join } from 'node:path';
import { isGrpcServiceError } from '@temporalio/client';
import type { Config } from '../../config/load-config.ts';
import type { Settings } from '../../config/settings.ts';
import { findEmbedded } from '../../embedded/index.ts';
import { locateTemporal } from '../../programs/temporal.ts';
import { LonghaulError } from '../../model/errors.ts';
import { packageToolsDir } from '../../programs/tools-folder.ts';
import { fromTemporal } from '../failures.ts';
import { linkConfigured, webUiOf, type TemporalLink } from '../temporal-link.ts';
import type { Check, Finding } from './check.ts';
import { foldersThere } from './tools-folders.ts';

/** A connection, its search attributes and two small calls, each with a limit of its own. */
const LIMIT_MS = 20_000;
const CALLS_LIMIT_MS = 5000;

export function temporalCheck(config: Config): Check {
  const { settings } = config;
  const embedded = settings.temporal.address === undefined;
  return {
    id: 'temporal',
    title: 'Temporal',
    limitMs: LIMIT_MS,
    run: async () =>
      embedded ? await lookAtEmbedded(config) : await lookAtConfigured(config.settings),
  };
}

async function lookAtConfigured(settings: Settings): Promise<Finding> {
  const link = await linkConfigured(settings);
  try {
    const { client, address, namespace } = link;
    const deadline = Date.now() + CALLS_LIMIT_MS;
    return await client.withDeadline(deadline, async () => {
      await client.workflowService.describeNamespace({ namespace });
      const { serverVersion } = await client.workflowService.getSystemInfo({});
      const found = `${address} answers, version ${serverVersion}, namespace ${namespace}`;
      return { status: 'ok' as const, found: found + attributesNote(link) };
    });
  } catch (error) {
    return ofError(error, link);
  } finally {
    await link.close();
  }
}

function attributesNote({ hasSearchAttributes }: TemporalLink): string {
  if (hasSearchAttributes) return '';
  return '; runs go without search attributes until `longhaul worker` has registered them';
}

/** Of gRPC. */
const NOT_FOUND = 5;
const DENIED = new Set([7, 16]);

function ofError(error: unknown, { address, namespace }: TemporalLink): Finding {
  const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
  if (code === NOT_FOUND) {
    return {
      status: 'problem',
      found: `${address} answers, and has no namespace ${namespace}`,
      fix: `Set TEMPORAL_NAMESPACE, or: temporal operator namespace create --namespace ${namespace} --address ${address}`,
    };
  }
  if (code !== undefined && DENIED.has(code)) {
    return {
      status: 'problem',
      found: `${address} answers, and denies the namespace ${namespace}`,
      fix: 'Set TEMPORAL_API_KEY, or the certificate, to one that may use TEMPORAL_NAMESPACE.',
    };
  }
  throw fromTemporal(error);
}

async function lookAtEmbedded({ settings, searchPath }: Config): Promise<Finding> {
  const running = await findEmbedded(settings.stateDir);
  if (running) {
    const { status, address = 'no address yet', uiUrl, namespace } = running;
    const webUi = uiUrl === undefined ? '' : `, Web UI ${webUiOf({ uiUrl, namespace })}`;
    return { status: 'ok', found: `embedded, ${status}: ${address}${webUi}` };
  }
  const program = await keptProgram(settings, searchPath);
  if (program !== undefined) {
    return { status: 'ok', found: `embedded, not running; commands start it with ${program}` };
  }
  return {
    status: 'unknown',
    found:
      'embedded; its program is not here yet: the first command fetches it (once, about 50 MB)',
  };
}

/** Looked for as the embedded host does, but nothing is fetched. @throws LonghaulError for a wrong TEMPORAL_CLI. */
async function keptProgram(
  { temporalCli: cli, stateDir }: Settings,
  searchPath: string | undefined,
): Promise<string | undefined> {
  const toolsDirs = await foldersThere([packageToolsDir(), join(stateDir, 'tools')]);
  try {
    return await locateTemporal({ cli, searchPath, toolsDirs, installer: 'none' });
  } catch (error) {
    if (cli !== undefined || !(error instanceof LonghaulError)) throw error;
    return undefined;
  }
}
