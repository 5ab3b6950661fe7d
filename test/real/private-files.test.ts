import assert from 'node:assert/strict';
import { mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { findEmbedded } from '../../src/embedded/host-link.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import { ingestWorkflowId, type IngestInput, type IngestResult } from '../../src/model/run.ts';
import type { ingestDataset } from '../../src/workflows/index.ts';
import { taskQueueOf, startLab, type Lab, type Outcome } from '../helpers/lab.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';
const TODAY = ingestDateAt(new Date(), 'America/Denver');

let lab: Lab & { close(): Promise<void> };
let connection: Connection;
/** A client that any user of this machine can create, because the embedded Temporal needs no login. */
let client: Client;
let taskQueue: string;

before(async () => {
  lab = await startLab({ routes: { '/public.csv': { body: CSV } } });
  taskQueue = await taskQueueOf(lab);
  const embedded = await findEmbedded(lab.stateDir);
  assert.ok(embedded?.address);
  connection = await Connection.connect({ address: embedded.address });
  client = new Client({ connection, namespace: embedded.namespace });
});

after(async () => {
  await connection?.close();
  await lab?.close();
});

/** Writes a file that only its owner can read. */
async function secretFile(name: string, body = CSV): Promise<string> {
  const folder = join(lab.folder, 'private');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  await writeFile(path, body, { mode: 0o600 });
  return path;
}

function otherUsersInput(name: string, path: string, changes: Partial<IngestInput> = {}) {
  const source = { id: name, address: pathToFileURL(path).href, optional: false, overrides: {} };
  const spec = { name, timeZone: 'America/Denver', sources: [source] };
  return { dataset: name, ...changes, spec };
}

async function runByHand(input: IngestInput): Promise<IngestResult> {
  return await client.workflow.execute<typeof ingestDataset>('ingestDataset', {
    taskQueue,
    workflowId: ingestWorkflowId(input.dataset, TODAY),
    args: [input],
  });
}

async function codeOf(run: Promise<unknown>): Promise<string> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof WorkflowFailedError, 'the run was not refused');
  assert.ok(error.cause instanceof ApplicationFailure);
  return JSON.stringify([error.cause.type, error.cause.message, error.cause.details]);
}

function done({ code, stdout, stderr }: Outcome): void {
  assert.equal(code, 0, stdout + stderr);
}

/** Modes of a dataset's files in the lake and of their folders. */
async function modesOf(dataset: string): Promise<Record<string, string>> {
  const modes: Record<string, string> = {};
  for (const file of await lab.lakeFiles(dataset)) {
    if (/\/_manifest[^/]*\.json$/.test(file)) continue;
    const path = join(lab.lakeDir, file);
    const folder = dirname(path);
    modes[file] = ((await stat(path)).mode & 0o777).toString(8);
    modes[folder] = ((await stat(folder)).mode & 0o777).toString(8);
  }
  return modes;
}

async function assertPrivate(dataset: string): Promise<void> {
  const modes = await modesOf(dataset);
  assert.ok(
    Object.keys(modes).some((name) => name.endsWith('.parquet')),
    JSON.stringify(modes),
  );
  for (const [name, mode] of Object.entries(modes)) {
    assert.match(mode, /^[67]00$/, `${name} has mode ${mode}`);
  }
}

describe('a file of this machine that no command of the owner named', () => {
  it('is refused to a run that another user started through the port of the embedded Temporal', async () => {
    const path = await secretFile('secret.csv');
    const message = await codeOf(runByHand(otherUsersInput('stolen', path)));
    assert.match(message, /SOURCE_NOT_NAMED/);
    assert.match(message, /longhaul ingest/);
    assert.deepEqual(await lab.lakeFiles('stolen'), []);
  });

  it('is refused with the same words as one that is not there', async () => {
    const path = join(lab.folder, 'private', 'none.csv');
    assert.match(await codeOf(runByHand(otherUsersInput('none', path))), /SOURCE_NOT_NAMED/);
  });

  it('stays refused when the owner retries the run of another user', async () => {
    const path = await secretFile('lure.csv');
    const input = otherUsersInput('lure', path);
    const workflowId = `ingest/lure/${TODAY}`;
    const run = client.workflow.execute<typeof ingestDataset>('ingestDataset', {
      ...{ taskQueue, workflowId, args: [input] },
    });
    await codeOf(run);
    const retried = await lab.json<{ error: { code: string } }>(['retry', `lure/${TODAY}`]);
    assert.equal(retried.json.error.code, 'SOURCE_NOT_NAMED');
  });
});

describe('a file that the owner named', () => {
  it('is ingested, and no other user can read what became of it', async () => {
    const path = await secretFile('mine.csv');
    await lab.datasets({ mine: { a: pathToFileURL(path).href } });
    done(await lab.run(['ingest', 'mine']));
    await assertPrivate('mine');
  });

  it('stays private where the address of another user leads to its landing', async () => {
    const path = await secretFile('landed.csv');
    await lab.datasets({ landed: { a: pathToFileURL(path).href } });
    done(await lab.run(['land', 'landed']));
    const input = otherUsersInput('landed', path, { mode: 'convert' });
    const [source] = input.spec.sources;
    assert.ok(source);
    const address = lab.origin.address('/landed.csv');
    const sources = [{ ...source, id: 'a', address }];
    await runByHand({ ...input, spec: { ...input.spec, sources } });
    await assertPrivate('landed');
  });

  it('is private with an engine that writes its Parquet aside, too', async () => {
    const path = await secretFile('aside.csv');
    await lab.datasets({ aside: { a: pathToFileURL(path).href } });
    done(await lab.run(['ingest', 'aside', '--engine', 'parquetjs']));
    await assertPrivate('aside');
  });

  it('is followed in a retry and in runs that the Web UI starts by name', async () => {
    const path = await secretFile('again.csv', 'id,name\r\n1\r\n');
    await lab.datasets({ again: { a: pathToFileURL(path).href } });
    assert.notEqual((await lab.run(['ingest', 'again'])).code, 0);
    await writeFile(path, CSV);
    done(await lab.run(['retry', `again/${TODAY}`]));
    await writeFile(path, `${CSV}3,c\r\n`);
    const result = await runByHand({ dataset: 'again', again: true });
    assert.equal(result.ledger?.rows, 3);
  });

  it('is followed in the runs of a schedule, with the day in its name too', async () => {
    await secretFile(`drop-${TODAY}.csv`);
    const path = await secretFile('daily.csv');
    const folder = pathToFileURL(dirname(path)).href;
    await lab.datasets({ daily: { a: `${folder}/daily.csv`, b: `${folder}/drop-{date}.csv` } });
    done(await lab.run(['schedule', 'apply']));
    done(await lab.run(['schedule', 'trigger', 'daily']));
    done(await lab.run(['show', '--follow', `daily/${TODAY}`]));
    assert.equal((await lab.published('daily'))[0]?.ledger.rows, 4);
    await assertPrivate('daily');
  });

  it('is not left for another by a symlink that was changed afterwards', async () => {
    const named = await secretFile('named.csv');
    const secret = await secretFile('other.csv');
    const link = join(lab.folder, 'link.csv');
    await symlink(named, link);
    done(await lab.run(['ingest', pathToFileURL(link).href]));
    await symlink(secret, `${link}.new`);
    await rename(`${link}.new`, link);
    const message = await codeOf(runByHand(otherUsersInput('link', link, { again: true })));
    assert.match(message, /SOURCE_NOT_NAMED/);
  });
});

it('leaves what a publisher gave as readable as the owner has it', async () => {
  await lab.datasets({ public: { a: lab.origin.address('/public.csv') } });
  done(await lab.run(['ingest', 'public']));
  const umask = process.umask();
  for (const [name, mode] of Object.entries(await modesOf('public'))) {
    const whole = name.includes('.') && !name.endsWith('source=a') ? 0o666 : 0o777;
    assert.equal(mode, (whole & ~umask).toString(8), name);
  }
});

it('keeps the marks where only the owner writes', async () => {
  const folder = join(lab.stateDir, 'files');
  assert.equal(((await stat(folder)).mode & 0o777).toString(8), '700');
  assert.ok((await readdir(folder)).length > 0);
});
