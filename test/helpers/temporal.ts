import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
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

/** The first test file that needs the bundle builds it. Each build of the tests removes it. */
const BUILT_BUNDLE = resolve('.built/workflow-bundle.js');

/**
 * The Temporal of a test file: a real dev server with Longhaul's search attributes. Hooks start it before the file's
 * tests and stop it after them. For runs that no worker takes, this is enough. For workflows, `withWorkers` serves the
 * bundle of `src/workflows` with the test's activities. A deployed worker is its own process (`lab.start(['worker'])`),
 * which gets `address`.
 */
export class TestTemporal {
  #server: TestWorkflowEnvironment | undefined;
  #bundle: Promise<WorkflowBundlePath> | undefined;

  /** @param also more hooks of the file: `before` runs after the server's start, `after` before its end. */
  constructor(also: { before?: () => Promise<void>; after?: () => Promise<void> } = {}) {
    // Node 20 starts all hooks of a file at once. One hook keeps the order.
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
   * Runs a worker for each task queue of a lake, except the queue of backfilled days, while `body` runs.
   * @param body gets the task queue of the workflows, which only this test uses.
   */
  async withWorkers(
    activities: Partial<Activities>,
    body: (taskQueue: string) => Promise<void>,
  ): Promise<void> {
    const workflowBundle = await this.#bundled();
    const { control, transfer, convert } = queuesBeside(`queue-${randomUUID()}`);
    const { nativeConnection: connection } = this.#started;
    // Temporal sends a cancellation to an activity in the answer to a heartbeat.
    const options = { connection, activities, maxHeartbeatThrottleInterval: 200 };
    const workers = [await Worker.create({ ...options, workflowBundle, taskQueue: control })];
    for (const taskQueue of [transfer, convert]) {
      workers.push(await Worker.create({ ...options, taskQueue }));
    }
    await workers.reduce(async (running, worker) => await worker.runUntil(running), body(control));
  }

  /** Replays a history with this code's workflows. */
  async replay(history: unknown, workflowId: string): Promise<void> {
    await Worker.runReplayHistory({ workflowBundle: await this.#bundled() }, history, workflowId);
  }

  async #bundled(): Promise<WorkflowBundlePath> {
    return await (this.#bundle ??= bundleWorkflows());
  }
}

/** The bundle is in a file, as for a deployed worker, because node:test counts the coverage of files only. */
async function bundleWorkflows(): Promise<WorkflowBundlePath> {
  if (existsSync(BUILT_BUNDLE)) return { codePath: BUILT_BUNDLE };
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
    given: process.env['TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
  });
}

/** Frees the default namespace for another lake, as its operator would: it ends the run that names the owner. */
export async function freeNamespace(client: Client): Promise<void> {
  const handle = client.workflow.getHandle('longhaul/lake');
  await handle.terminate().catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}
