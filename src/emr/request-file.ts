import { EMRClient, RunJobFlowCommand, type RunJobFlowCommandInput } from '@aws-sdk/client-emr';
import { readFile } from 'node:fs/promises';
import type { EmrSettings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';

/** What the file of EMR_REQUEST adds to RunJobFlow, or replaces in it. */
export type RequestAdditions = Partial<RunJobFlowCommandInput>;

/** Longhaul finds its clusters by these, ends them, and brings their steps. */
const OURS = [
  ...['Name', 'Steps', 'AutoTerminationPolicy'],
  ...['Instances.KeepJobFlowAliveWhenNoSteps', 'Instances.TerminationProtected'],
];

/**
 * The members of RunJobFlow that the operator wants beside ours; none without the setting.
 * @throws LonghaulError CONFIG_INVALID for what is no such file: no JSON, or a member that the SDK's model of RunJobFlow
 *   does not have, or that is Longhaul's to say.
 */
export async function requestAdditions({
  requestFile: path,
}: Pick<EmrSettings, 'requestFile'>): Promise<RequestAdditions> {
  if (path === undefined) return {};
  const given = parsed(await readFile(path, 'utf8').catch(cannotRead(path)), path);
  const members = membersOf(given);
  const ours = OURS.find((own) => members.some((each) => `${each}.`.startsWith(`${own}.`)));
  if (ours !== undefined) throw invalid(path, `${ours} is Longhaul's to say.`);
  const known = new Set(membersOf(await serialized(given, path)));
  const unknown = members.find((member) => !known.has(member));
  if (unknown === undefined) return given;
  throw invalid(path, `RunJobFlow has no ${unknown}.`);
}

function parsed(text: string, path: string): RequestAdditions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(path, `It is not JSON (${(error as Error).message}).`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid(path, 'It is not a JSON object.');
}

/** The names on the way to every value: `Instances.InstanceGroups.0.Market`. */
function membersOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, each]) =>
    membersOf(each, path === '' ? name : `${path}.${name}`),
  );
}

/** As the SDK would send it: its serializer leaves out what its model does not have. Nothing is sent. */
async function serialized(given: RequestAdditions, path: string): Promise<unknown> {
  let body = '{}';
  const client = new EMRClient({
    region: 'none',
    credentials: { accessKeyId: '-', secretAccessKey: '-' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: { body: Uint8Array }) => {
        body = new TextDecoder().decode(request.body);
        return await Promise.reject(new NotSent());
      },
    },
  });
  try {
    const required = { Name: '', Instances: {} };
    await client.send(new RunJobFlowCommand({ ...required, ...given }));
  } catch (error) {
    if (!(error instanceof NotSent)) throw invalid(path, (error as Error).message);
  } finally {
    client.destroy();
  }
  return JSON.parse(body) as unknown;
}

class NotSent extends Error {}

function cannotRead(path: string): (error: Error) => never {
  return ({ message }) => {
    throw invalid(path, `It cannot be read (${message}).`);
  };
}

function invalid(path: string, why: string): LonghaulError {
  return new LonghaulError('CONFIG_INVALID', `The file of EMR_REQUEST, ${path}: ${why}`);
}
