import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import type { ConversionEngine } from '../../src/conversion/engine.ts';
import type { SubmitSpark } from '../../src/conversion/spark/convert-batch.ts';
import type { Encoding } from '../../src/model/dataset.ts';
import { locateHadoopJars } from '../../src/programs/hadoop.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { s3aAccess } from '../../src/storage/s3/engine-access.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { engineContract, realSamples } from '../conversion/engine-contract.ts';
import { csvFiles } from '../csv/csv-files.ts';
import {
  converted,
  expectedRows,
  inspected,
  landed,
  namesBelow,
  readBack,
  requestOf,
  scratch,
  type Sample,
} from '../conversion/samples.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { sparkEngine } from '../helpers/spark-engine.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';

let s3: TestS3;
let session: SparkSession;
before(async () => {
  s3 = await startS3();
  Object.assign(process.env, s3.env);
  const classPath = await locateHadoopJars();
  session = await startSparkSession(await s3aAccess(s3.settings, classPath));
});
after(async () => {
  await session?.close();
  await s3.close();
});

const submit: SubmitSpark = async (command) => await session.submit(command);
const whole = sparkEngine({ submit });
/** Each shard has a few records. A part has one shard or a few. */
const inParts = sparkEngine({ submit, sizes: { shardBytes: 30, partBytes: 1, maxPartBytes: 1 } });
const joined = sparkEngine({
  submit,
  sizes: { shardBytes: 30, partBytes: 3000, maxPartBytes: 4000 },
});

engineContract('spark', () => whole, scratch);

test('in shards, Spark writes the rows that csv-parse reads, in order, whatever the dialect and encoding', async (t) => {
  const store = await scratch(t);
  const rows = Array.from({ length: 30 }, (_, n) => `${n},"a\n${n}"\n`).join('');
  const sure = { content: Buffer.from(`n,t\n${rows}`), delimiter: ',', encoding: 'utf-8' } as const;
  const parts = { apart: 0, joined: 0 };
  await fc.assert(
    fc.asyncProperty(
      csvFiles(),
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom('apart', 'joined'),
      async (file, spacing, how) => {
        const sample = await landed(store, file.content, { ...file, spacing });
        const schema = await inspected(sample);
        const engine = how === 'apart' ? inParts : joined;
        const result = await converted(engine, sample, { schema });
        parts[how] = Math.max(parts[how], result.parts.length);
        assert.deepEqual((await readBack(result)).rows, expectedRows(sample, schema));
        assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
        await store.deletePrefix('out/');
      },
    ),
    {
      numRuns: 14,
      examples: [
        [sure, 10, 'apart'],
        [sure, 10, 'joined'],
      ],
    },
  );
  assert.ok(parts.apart > 5, `${parts.apart} parts`);
  assert.ok(parts.joined > 1 && parts.joined < parts.apart, `${parts.joined} joined parts`);
});

/** Contents of about a megabyte. Each record contains its number. */
const CONTENTS: Record<string, { content: Buffer; encoding?: Encoding }> = {
  'quoted line breaks': { content: numbered((n) => `${n},"one\r\n${n},x,2\r\n""two""",1.25`) },
  'Windows-1252': {
    content: numbered((n) => `${n},caf\u00e9 \u0093${n}\u0094,0.5`),
    encoding: 'windows-1252',
  },
  'blank lines and bare quotes': { content: numbered((n) => `${n},5" pipe,1\r\n`) },
};

function numbered(recordOf: (n: number) => string): Buffer {
  const records = Array.from({ length: 20_000 }, (_, n) => recordOf(n));
  return Buffer.from(`n,words,x\r\n${records.join('\r\n')}\r\n`, 'latin1');
}

let zones = 0;
function bucket(): S3Store {
  zones += 1;
  return new S3Store(s3.settings, `zone-${zones}/`);
}

const SPACING_BYTES = 20_000;

suite('Spark in shards', () => {
  const engine = sparkEngine({
    submit,
    sizes: { shardBytes: 100_000, partBytes: 100_000, maxPartBytes: 150_000 },
  });
  for (const [what, { content, encoding }] of Object.entries(CONTENTS)) {
    test(`${what}: in S3 and on disk the rows of one task, in the file's order`, async (t) => {
      for (const store of [await scratch(t), bucket()]) {
        const file = await landed(store, content, { encoding, spacing: SPACING_BYTES });
        const result = await converted(engine, file);
        assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
        let counted = 0;
        for (const part of result.parts) {
          counted += (await readFooter(store, `out/${part}`)).rows;
        }
        assert.equal(counted, file.scan.records);
        const { rows } = await readBack(result);
        assert.deepEqual(rows, expectedRows(file, result.schema));
        const single = await readBack(await converted(whole, file, { name: 'whole' }));
        assert.deepEqual(rows, single.rows);
      }
    });
  }

  test('it says how far it is, up to the end', async (t) => {
    const { content } = CONTENTS['quoted line breaks'] ?? assert.fail();
    const file = await landed(await scratch(t), content, { spacing: SPACING_BYTES });
    const reported = await reportedBy(engine, file);
    assert.ok((reported.at(-1) ?? 0) > 0.99 * file.bytes, reported.join(' '));
  });

  test('it says how far a task is within its file', async (t) => {
    const lines = 'a,b,c,d,e\n'.repeat(4_000_000);
    const file = await landed(await scratch(t), Buffer.from(`a,b,c,d,e\n${lines}`));
    const reported = await reportedBy(whole, file);
    assert.ok(
      reported.some((bytes) => bytes > 0 && bytes < 0.9 * file.bytes),
      reported.join(' '),
    );
  });
});

/** Bytes that a conversion reports as progress. */
async function reportedBy(engine: ConversionEngine, file: Sample): Promise<number[]> {
  const reported: number[] = [];
  const onProgress = ({ bytes }: { bytes: number }): void => void reported.push(bytes);
  await engine({ ...requestOf(file, await inspected(file)), onProgress });
  assert.deepEqual(
    reported,
    reported.toSorted((a, b) => a - b),
  );
  assert.ok((reported.at(-1) ?? 0) <= file.bytes, reported.join(' '));
  return reported;
}

realSamples({ spark: whole }, scratch);
