import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client, Connection } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundlePath,
} from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.ts';
import { queuesBeside, SEARCH_ATTRIBUTES } from '../../src/model/run.ts';
import { locateTemporal } from '../../src/programs/temporal.ts';

/** The same for every test file that makes it. */
const BUILT_BUNDLE = resolve('.built/workflow-bundle.js');

/**
 * The Temporal of a test file: a real dev server with Longhaul's search attributes, started before the file's tests and
 * stopped after them, by hooks that are registered here. Runs that no worker takes need nothing more. For workflows,
 * `withWorkers` serves the bundle of `src/workflows` with the activities that a test brings; a worker as it is deployed
 * is a process of its own (`lab.start(['worker'])`) that gets `address`.
 */
export class TestTemporal {
  #server: TestWorkflowEnvironment | undefined;
  #bundle: Promise<WorkflowBundlePath> | undefined;

  /** @param also What else a file needs: `before` runs once the server is there, `after` before it is stopped. */
  constructor(also: { before?: () => Promise<void>; after?: () => Promise<void> } = {}) {
    // Node 20 starts the hooks of a file at once, so what has an order is one hook.
    before(async () => {
      this.#server = await startTemporal();
      await also.before?.();
    });
    after(async () => {
      try {
        await also.after?.();
      } finally {
        await this.#server?.teardown();
      }
    });
  }

  get #started(): TestWorkflowEnvironment {
    return this.#server ?? assert.fail('Temporal is there while tests run');
  }

  get address(): string {
    return this.#started.address;
  }

  get client(): Client {
    return this.#started.client;
  }

  get connection(): Connection {
    return this.#started.connection;
  }

  /**
   * A worker for each task queue of a lake but that of backfilled days, as long as `body` runs.
   * @param body Gets the task queue of the workflows, which is the test's own.
   */
  async withWorkers(
    activities: Partial<Activities>,
    body: (taskQueue: string) => Promise<void>,
  ): Promise<void> {
    const workflowBundle = await this.#bundled();
    const { control, transfer, convert } = queuesBeside(`queue-${randomUUID()}`);
    const { nativeConnection: connection } = this.#started;
    // Cancellation reaches an activity with the answer to a heartbeat.
    const options = { connection, activities, maxHeartbeatThrottleInterval: 200 };
    const workers = [await Worker.create({ ...options, workflowBundle, taskQueue: control })];
    for (const taskQueue of [transfer, convert]) {
      workers.push(await Worker.create({ ...options, taskQueue }));
    }
    await workers.reduce(async (running, worker) => await worker.runUntil(running), body(control));
  }

  /** Replays a history on the workflows of this code. */
  async replay(history: unknown, workflowId: string): Promise<void> {
    await Worker.runReplayHistory({ workflowBundle: await this.#bundled() }, history, workflowId);
  }

  async #bundled(): Promise<WorkflowBundlePath> {
    return await (this.#bundle ??= bundleWorkflows());
  }
}

/** In a file, as a deployed worker has it: node:test counts the coverage of files only. */
async function bundleWorkflows(): Promise<WorkflowBundlePath> {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.js', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath });
  const own = `${BUILT_BUNDLE}.${process.pid}`;
  await writeFile(own, code);
  await rename(own, BUILT_BUNDLE);
  return { codePath: BUILT_BUNDLE };
}

async function startTemporal(): Promise<TestWorkflowEnvironment> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
  const path = await temporalProgram();
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap((name) => [
    '--search-attribute',
    `${name}=${name === SEARCH_ATTRIBUTES.rows ? 'Int' : 'Keyword'}`,
  ]);
  return await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      log: { level: 'never', format: 'pretty' },
      extraArgs: attributes,
    },
  });
}

export async function temporalProgram(): Promise<string> {
  return await locateTemporal({
    cli: process.env['TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
  });
}

/** Lets another lake use the default namespace, as its operator would: by ending the run that says whose it is. */
export async function freeNamespace(client: Client): Promise<void> {
  const handle = client.workflow.getHandle('longhaul/lake');
  await handle.terminate().catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}
