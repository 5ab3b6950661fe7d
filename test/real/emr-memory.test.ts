import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sharedEmr, withEmrLab } from '../helpers/emr-lab.ts';
import { DAY } from '../helpers/emr-runs.ts';
import type { Lab } from '../helpers/lab.ts';
import { QUICK_SPARK, startTestServerless } from '../helpers/local-emr.ts';
import type { Route } from '../helpers/origin.ts';

const shared = sharedEmr();

/** One value of it needs more than the heap of the small Spark below. */
const RECORD = `1,"${'many words, and more. '.repeat(2_200_000)}"\r\n`;
const HEAVY = { body: `id,text\r\n${RECORD.repeat(4)}`, etag: '"heavy"' };
const SMALL_SPARK = { ...QUICK_SPARK.Properties, 'spark.driver.memory': '512m' };

interface Failed {
  error: { code: string; message: string };
}
interface Run {
  status: string;
  ledger: { rows: number };
}

function csv(id: number): Route {
  return { body: `id,text\r\n${id},"a\nb"\r\n`, etag: `"${id}"` };
}
const routes = { '/a.csv': csv(1), '/b.csv': csv(2), '/heavy.csv': HEAVY };

/** @param log part of the name of the log that the error must name. */
async function failsAloneAndIsRetried(lab: Lab, log: string): Promise<void> {
  const sources = ['a', 'absent', 'heavy', 'b'].map((id) => [id, lab.origin.address(`/${id}.csv`)]);
  await lab.datasets({ many: Object.fromEntries(sources) as Record<string, string> });
  const ingest = ['ingest', 'many', '--date', DAY, '--as-if'];
  const failed = await lab.json<Failed>(ingest);
  const { code, message } = failed.json.error;
  assert.deepEqual([failed.code, code], [8, 'SOURCES_INCOMPLETE'], failed.stdout + failed.stderr);
  assert.match(message, /2 of 4 sources failed.* The other 2 of 4 sources are done/s);
  assert.match(message, /absent: SOURCE_NOT_FOUND/);
  assert.match(message, /heavy: EMR_STEP_FAILED: .*OutOfMemoryError: Java heap space/);
  assert.ok(message.includes(log), message);
  lab.origin.set('/absent.csv', csv(3));
  lab.origin.set('/heavy.csv', csv(4));
  const again = await lab.json<Run>(ingest);
  const { status, ledger } = again.json;
  assert.deepEqual([status, ledger?.rows], ['published', 4], again.stdout + again.stderr);
  for (const id of ['a', 'b']) {
    assert.match(
      again.stderr,
      new RegExp(`many ${id}: done`),
      'the retry does not convert it again',
    );
    assert.doesNotMatch(again.stderr, new RegExp(`many ${id}: convert`));
  }
}

describe('of a day’s sources, one that kills the session by memory and one that is absent', () => {
  it('fail alone on a cluster, which ends; a retry publishes the day', async () => {
    const request = {
      Configurations: [{ Classification: 'spark-defaults', Properties: SMALL_SPARK }],
    };
    await withEmrLab(shared, { routes, request }, async (lab) => {
      await failsAloneAndIsRetried(lab, '/stderr.gz');
      assert.deepEqual(await shared.liveClusters(), []);
    });
  });

  it('fail alone on EMR Serverless; a retry publishes the day', async () => {
    const serverless = await startTestServerless(shared.s3, SMALL_SPARK);
    try {
      const env = { ENGINE: 'emr-serverless', ...serverless.env };
      await withEmrLab(shared, { routes, env }, async (lab) => {
        await failsAloneAndIsRetried(lab, '/SPARK_DRIVER/stderr.gz');
      });
    } finally {
      await serverless.stop();
    }
  });
});
