import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { awaitRun, findRun, type RunRef } from '../../src/cli/follow.ts';
import { listScheduleIds } from '../../src/cli/schedule/fingerprint.ts';
import { linkEmbedded, type TemporalLink } from '../../src/cli/temporal-link.ts';
import type { EmbeddedAddress, EmbeddedServer } from '../../src/embedded/join.ts';
import { startGrpcProxy, type GrpcProxy } from '../helpers/grpc-proxy.ts';
import { TestTemporal } from '../helpers/temporal.ts';

const temporal = new TestTemporal();

describe('a server that moved to another port', () => {
  it('is followed there by all that wait for runs, which are the same runs', async () => {
    await withProxies(async (before, now) => {
      const server = new HostSays(before, now);
      await withLink(server, async (link) => {
        const runs = [await startedRun(), await startedRun()];
        const notes: string[] = [];
        const { signal } = new AbortController();
        const onNote = (note: string): void => void notes.push(note);
        const ended = runs.map(async (run) => await awaitRun(link, run, { signal, onNote }));
        const outcomes = Promise.allSettled(ended);
        await seen(before, 'GetWorkflowExecutionHistory');
        await before.goAway();
        await seen(now, 'GetWorkflowExecutionHistory');
        for (const run of runs) await terminate(run);
        for (const outcome of await outcomes) {
          assert.equal(outcome.status, 'rejected');
          assert.match(String(outcome.reason), /The run was terminated/);
        }
        assert.match(notes.join('\n'), /does not answer any more[^]*Temporal is back\./);
        assert.equal(link.address, now.address);
      });
    });
  });

  it('is found there by a command that has just come: its host said where the server was', async () => {
    await withProxies(async (before, now) => {
      await before.goAway();
      await withLink(new HostSays(before, now), async (link) => {
        const { workflowId, runId } = await startedRun();
        const found = await link.call(async (client) => await findRun(client, workflowId));
        assert.equal(found.runId, runId);
        assert.equal(link.address, now.address);
      });
    });
  });

  it('is cancelled there by Ctrl-C', async () => {
    await withProxies(async (before, now) => {
      await withLink(new HostSays(before, now), async (link) => {
        const run = await startedRun();
        await before.goAway();
        const waiting = awaitRun(link, run, { signal: AbortSignal.abort() });
        const outcome = Promise.allSettled([waiting]);
        await seen(now, 'RequestCancelWorkflowExecution');
        await terminate(run);
        await outcome;
      });
    });
  });
});

describe("another lake's server on the port that was ours", () => {
  it('gets nothing done, and the host is asked again: no run is unknown', async () => {
    await withProxies(async (theirs, ours) => {
      const server = new HostSays(theirs, ours, 'lake-of-ours');
      await withLink(server, async (link) => {
        const { workflowId, runId } = await startedRun();
        const found = await link.call(async (client) => await findRun(client, workflowId));
        assert.equal(found.runId, runId);
        assert.equal(link.address, ours.address);
      });
      await withLink(server, async (link) => {
        await link.call(async (client) => await listScheduleIds(client));
        assert.equal(link.address, ours.address);
      });
      await withLink(server, async (link) => {
        const options = { workflowId: `run-${randomUUID()}`, taskQueue: 'no-worker' };
        await link.call(async (client) => await client.workflow.start('someWorkflow', options));
        await temporal.client.workflow.getHandle(options.workflowId).terminate();
      });
    });
  });

  it('that is still there when the host was asked is an error about its namespace', async () => {
    const at = { address: temporal.address, namespace: 'lake-of-ours', uiUrl: 'http://h' };
    const server = { ...at, current: async () => at, stopped: never, leave: async () => {} };
    await withLink(server, async (link) => {
      const asked = link.call(async (client) => await findRun(client, 'ingest/x/2026-01-01'));
      await assert.rejects(asked, { code: 'TEMPORAL_NO_NAMESPACE' });
    });
  });
});

/** The host's answers to a command: the server's address when the command joined, and its current address. */
class HostSays implements EmbeddedServer {
  readonly uiUrl = 'http://127.0.0.1:1';
  readonly stopped = never;
  readonly address: string;
  readonly namespace: string;
  readonly #now: GrpcProxy;

  constructor(before: GrpcProxy, now: GrpcProxy, namespace = 'default') {
    this.address = before.address;
    this.namespace = namespace;
    this.#now = now;
  }

  async current(): Promise<EmbeddedAddress> {
    return { address: this.#now.address, namespace: 'default', uiUrl: this.uiUrl };
  }

  async leave(): Promise<void> {}
}

async function never(): Promise<string> {
  return await new Promise(() => undefined);
}

async function terminate({ workflowId, runId }: RunRef): Promise<void> {
  await temporal.client.workflow.getHandle(workflowId, runId).terminate('by the test');
}

async function startedRun(): Promise<RunRef> {
  const options = { workflowId: `run-${randomUUID()}`, taskQueue: 'no-worker' };
  const { workflowId, firstExecutionRunId: runId } = await temporal.client.workflow.start(
    'someWorkflow',
    options,
  );
  return { workflowId, runId };
}

async function withLink(
  server: EmbeddedServer,
  body: (link: TemporalLink) => Promise<void>,
): Promise<void> {
  const link = await linkEmbedded(server, 'nowhere');
  try {
    await body(link);
  } finally {
    await link.close();
  }
}

async function withProxies(
  body: (one: GrpcProxy, other: GrpcProxy) => Promise<void>,
): Promise<void> {
  const one = await startGrpcProxy({ target: temporal.address });
  const other = await startGrpcProxy({ target: temporal.address });
  try {
    await body(one, other);
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
}

/** Waits until the proxy has seen a call of this name. */
async function seen(proxy: GrpcProxy, method: string): Promise<void> {
  while (!proxy.seen.some((each) => each.method === method)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
