import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { Client } from '@temporalio/client';
import { startGrpcProxy, type GrpcProxy } from '../helpers/grpc-proxy.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { freeNamespace, TestTemporal } from '../helpers/temporal.ts';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { Workplace, type Ran } from '../cli/fake-context.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';
const API_KEY = 'a-key-that-no-output-may-show';
const NAMESPACE = 'lake-team';

interface Failure {
  error: { code: string; message: string };
}

const temporal = new TestTemporal({
  before: async () => {
    await temporal.connection.workflowService.registerNamespace({
      namespace: NAMESPACE,
      workflowExecutionRetentionPeriod: msNumberToTs(86_400_000),
    });
  },
});

// Each test has its own lake.
afterEach(async () => {
  const { connection } = temporal;
  for (const namespace of ['default', NAMESPACE]) {
    await freeNamespace(new Client({ connection, namespace }));
  }
});

async function withProxy(
  options: Omit<Parameters<typeof startGrpcProxy>[0], 'target'>,
  body: (proxy: GrpcProxy) => Promise<void>,
): Promise<void> {
  const proxy = await startGrpcProxy({ ...options, target: temporal.address });
  try {
    await body(proxy);
  } finally {
    await proxy.close();
  }
}

async function withWorker(lab: Lab, body: () => Promise<void>): Promise<string> {
  const worker = lab.start(['worker']);
  await worker.says(/Working for/);
  try {
    await body();
  } finally {
    worker.process.kill('SIGTERM');
  }
  const { stdout, stderr } = await worker.ended;
  return stdout + stderr;
}

describe('a profile of temporal.toml', () => {
  it('leads worker and commands alike over mutual TLS into its namespace', async () => {
    const [server, client] = [selfSigned(), selfSigned()];
    await withProxy({ tls: { ...server, ca: client.cert } }, async (proxy) => {
      const env = {
        TEMPORAL_CONFIG_FILE: 'temporal.toml',
        TEMPORAL_PROFILE: 'team',
        ALLOW_PRIVATE_ADDRESSES: 'true',
      };
      await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
        for (const [name, text] of Object.entries({
          'ca.pem': server.cert,
          'client.pem': client.cert,
          'client.key': client.key,
          'temporal.toml': `[profile.team]
address = "${proxy.address}"
namespace = "${NAMESPACE}"
[profile.team.tls]
server_ca_cert_path = "ca.pem"
client_cert_path = "client.pem"
client_key_path = "client.key"
`,
        })) {
          await writeFile(join(lab.folder, name), text);
        }
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        await withWorker(lab, async () => {
          const { code, json } = await lab.json<{ ledger: { rows: number } }>(['ingest', 'things']);
          assert.deepEqual([code, json.ledger.rows], [0, 2]);
          const runs = await lab.json<{ runs: unknown[] }>(['runs']);
          assert.equal(runs.json.runs.length, 1);
          assert.equal((await lab.run(['sweep', '--dry-run'])).code, 0);
          const doctor = await lab.json<{ checks: { id: string; found: string }[] }>(['doctor']);
          const found = doctor.json.checks.find(({ id }) => id === 'temporal')?.found;
          assert.match(
            found ?? '',
            new RegExp(`namespace ${NAMESPACE}, used for the lake ${lab.lakeDir} of `),
          );
        });
        const elsewhere = await lab.json<{ runs: unknown[] }>(['runs'], {
          env: { TEMPORAL_NAMESPACE: 'default' },
        });
        assert.deepEqual(elsewhere.json.runs, [], 'a setting wins over the profile');
        const bare = await lab.json<Failure>(['runs'], {
          env: { TEMPORAL_CONFIG_FILE: '', TEMPORAL_PROFILE: '', TEMPORAL_ADDRESS: proxy.address },
        });
        assert.deepEqual([bare.code, bare.json.error.code], [9, 'TEMPORAL_UNREACHABLE']);
      });
    });
  });
});

describe('an API key', () => {
  it('goes with every request of worker and commands over TLS, and into no log', async () => {
    const server = selfSigned();
    const env = {
      TEMPORAL_API_KEY: API_KEY,
      TEMPORAL_TLS_SERVER_CA_CERT_DATA: server.cert,
      TEMPORAL_NAMESPACE: NAMESPACE,
      ALLOW_PRIVATE_ADDRESSES: 'true',
      LOG_LEVEL: 'debug',
    };
    await withProxy({ tls: server }, async (proxy) => {
      const routes = { '/a.csv': { body: CSV } };
      const set = { ...env, TEMPORAL_ADDRESS: proxy.address };
      await withLab({ routes, env: set, up: false }, async (lab) => {
        await lab.datasets({ keyed: { a: lab.origin.address('/a.csv') } });
        const log = await withWorker(lab, async () => {
          const { code, stdout, stderr } = await lab.run(['ingest', 'keyed']);
          assert.equal(code, 0, stderr);
          assert.ok(!(stdout + stderr).includes(API_KEY));
        });
        assert.ok(!log.includes(API_KEY));
      });
      const without = proxy.seen.filter(
        ({ headers }) => headers.authorization !== `Bearer ${API_KEY}`,
      );
      assert.deepEqual(
        without.map(({ method }) => method),
        [],
      );
      const methods = new Set(proxy.seen.map(({ method }) => method));
      assert.ok(methods.has('PollActivityTaskQueue') && methods.has('StartWorkflowExecution'));
    });
  });
});

describe('a server that refuses a worker', () => {
  const cases = [
    { what: 'every request refused', method: 'GetSystemInfo', code: 16, error: 'TEMPORAL_DENIED' },
    {
      what: 'the namespace refused',
      method: 'DescribeNamespace',
      code: 7,
      error: 'TEMPORAL_DENIED',
    },
    { what: 'an old server', method: 'DescribeNamespace', code: 12, error: 'TEMPORAL_TOO_OLD' },
  ];
  for (const { what, method, code, error } of cases) {
    it(`is not reported as a server that is away: ${what}`, async () => {
      const refuse = (asked: string) =>
        asked === method ? { code, message: 'Request unauthorized' } : undefined;
      await withProxy({ refuse }, async (proxy) => {
        const { exitCode, stderr } = await worker({ TEMPORAL_ADDRESS: proxy.address });
        assert.equal(exitCode, 2);
        assert.match(stderr, new RegExp(error));
      });
    });
  }

  it('into a namespace that is not there', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: 'nowhere' };
    const { exitCode, stderr } = await worker(env);
    assert.equal(exitCode, 2);
    assert.match(stderr, /TEMPORAL_NO_NAMESPACE: Namespace nowhere is not found/);
  });

  /** Runs a worker that fails when it first asks the server. */
  async function worker(env: Record<string, string>): Promise<Ran> {
    const place = new Workplace({}, env);
    try {
      return await place.run('worker');
    } finally {
      place.remove();
    }
  }
});

describe('a server that forbids search attributes', () => {
  it('is worked for without them, and the worker says so', async () => {
    const asked = new Set(['AddSearchAttributes', 'ListSearchAttributes']);
    const refuse = (method: string) =>
      asked.has(method) ? { code: 7, message: 'Request unauthorized' } : undefined;
    await withProxy({ refuse }, async (proxy) => {
      const env = { TEMPORAL_ADDRESS: proxy.address, ALLOW_PRIVATE_ADDRESSES: 'true' };
      await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
        await lab.datasets({ plain: { a: lab.origin.address('/a.csv') } });
        const log = await withWorker(lab, async () => {
          assert.equal((await lab.run(['ingest', 'plain'])).code, 0);
        });
        assert.match(log, /search attributes could not be registered: runs go without them/);
      });
    });
  });
});
