import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import type { From } from '../../../src/landing/source.ts';
import { asJson } from '../../helpers/as-json.ts';
import { arcgisOfFile, layerOf, theseFeatures, type FakeLayer } from '../../helpers/portal.ts';
import { open, portalLab } from '../../helpers/portals/lab.ts';

const portal = arcgisOfFile();

const name = fc.oneof(fc.constantFrom(null, '', ' ', 'a,b', 'é\n"'), fc.string({ maxLength: 30 }));
const ids = fc.uniqueArray(fc.bigInt(-(2n ** 62n), 2n ** 62n), { minLength: 1, maxLength: 60 });
const features = fc
  .tuple(ids, fc.array(name, { minLength: 60, maxLength: 60 }))
  .map(([each, names]) =>
    theseFeatures(
      each
        .toSorted((a, b) => (a < b ? -1 : 1))
        .map((id, index) => [id, { name: names[index] ?? null }]),
    ),
  );

interface Read {
  bytes: Buffer;
  startOffset: number;
  facts: unknown;
  /** The point from which a later attempt goes on if it has this many bytes. */
  from: (offset: number) => From;
}

async function read(address: string, from?: From): Promise<Read> {
  const opened = await open({ address, ...(from && { from }) });
  try {
    const pieces: Buffer[] = [];
    for await (const piece of opened.body) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    return {
      bytes,
      startOffset: opened.startOffset,
      facts: opened.portal?.(),
      from: (offset) => ({
        validator: opened.validator,
        end: {
          bytes: offset,
          crc32: crc32(bytes.subarray(0, offset)),
          // A later attempt reads this from a checkpoint, which is JSON.
          ...asJson({ position: opened.positionAt?.(offset) }),
        },
      }),
    };
  } finally {
    await opened.close();
  }
}

describe('a table that is gone on with', () => {
  it('at any byte, in pages of any other size, has the same bytes and counts', async () => {
    const size = fc.integer({ min: 1, max: 70 });
    const property = fc.asyncProperty(
      features,
      fc.array(size, { minLength: 2, maxLength: 2 }),
      fc.boolean(),
      fc.nat(),
      async (table, [firstCap = 1, nextCap = 1], isOrdered, at) => {
        const layer = layerOf(table, undefined, { cap: 2000 });
        if (!isOrdered) layer.ignores.add('order');
        const address = portal.serve(layer);
        layer.cap = firstCap;
        const whole = await read(address);
        layer.cap = nextCap;
        const offset = 1 + (at % whole.bytes.length);
        const rest = await read(address, whole.from(offset));
        const isBehindHeader = offset >= whole.bytes.indexOf('\n') + 1;
        assert.equal(rest.startOffset, isBehindHeader ? offset : 0);
        assert.deepEqual(rest.bytes, whole.bytes.subarray(rest.startOffset));
        assert.deepEqual(rest.facts, whole.facts);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('in a lake, killed anywhere, is the same file as one that was read undisturbed', async () => {
    const kill = fc.record({
      cap: fc.integer({ min: 20, max: 150 }),
      page: fc.integer({ min: 2, max: 12 }),
      how: fc.constantFrom('abort', 'failure'),
    });
    const undisturbed = await landed(bigLayer(), []);
    const property = fc.asyncProperty(fc.array(kill, { maxLength: 4 }), async (kills) => {
      assert.deepEqual(await landed(bigLayer(), kills), undisturbed);
    });
    await fc.assert(property, { numRuns: 12 });
  });

  it('asks for no page again that the lake has, but for the one that it ended in', async () => {
    const layer = bigLayer();
    await landed(layer, [{ cap: 100, page: 4, how: 'failure' }]);
    const pages = layer.requests.filter(({ kind }) => kind === 'page').map(whereOf);
    const again = pages.filter((where, index) => pages.indexOf(where) < index && where !== '1=1');
    assert.ok(again.length <= 2, again.join('; '));
  });

  it('of records that were edited in place, without a date, is SOURCE_CHANGED', async () => {
    const [old, edited] = ['old', 'new'].map((text) =>
      theseFeatures(Array.from({ length: 30 }, (_, id) => [id, { name: `${text}${id}` }])),
    );
    assert.ok(old && edited);
    const layer = layerOf(old, undefined, { cap: 10 });
    const address = portal.serve(layer);
    const whole = await read(address);
    layer.features = edited;
    const middle = whole.bytes.indexOf('old15');
    await assert.rejects(read(address, whole.from(middle)), {
      code: 'SOURCE_CHANGED',
      message: /edited records before byte/,
    });
    // The publisher says that nothing changed, so the worker sees no edits of records that it does not read again.
    const boundary = whole.bytes.indexOf('10,old10');
    assert.match((await read(address, whole.from(boundary))).bytes.toString(), /\n?29,new29\n$/);
  });
});

interface Kill {
  cap: number;
  /** Number of the request at which the attempt ends. */
  page: number;
  how: string;
}

const TEXT = 'x'.repeat(12_000);

/** A layer of some MB, because the worker writes no checkpoint below 1 MB. */
function bigLayer(): FakeLayer {
  const records = Array.from({ length: 400 }, (_, at) => {
    const id = at * 3 + 7;
    return [
      id,
      { name: id % 5 === 0 ? '' : `${id} ${TEXT.slice(0, (id * 7919) % 12_000)}` },
    ] as const;
  });
  return layerOf(theseFeatures(records.map(([id, rest]) => [id, rest])), undefined, { cap: 2000 });
}

async function landed(layer: FakeLayer, kills: Kill[]): Promise<object> {
  const room = await portalLab();
  const address = portal.serve(layer);
  try {
    for (const { cap, page, how } of kills) {
      const controller = new AbortController();
      const before = layer.requests.length;
      layer.cap = cap;
      layer.intercept = () => {
        if (layer.requests.length - before < page) return undefined;
        if (how === 'abort') controller.abort(new Error('shutting down'));
        return { status: 503, headers: { 'retry-after': '999' }, body: '' };
      };
      // An attempt with fewer requests than that lands the whole file.
      await room.land({ address, signal: controller.signal }).catch(() => undefined);
    }
    layer.intercept = () => undefined;
    const { manifest, csv } = await room.land({ address });
    assert.deepEqual(await room.files(), ['all.csv', 'all.csv.manifest.json']);
    const sha256 = createHash('sha256').update(csv).digest('hex');
    const { scan, checksum, portal: table } = asJson(manifest);
    return { sha256, checksum, scan, emptyTexts: table?.emptyTexts, records: table?.records };
  } finally {
    await room.remove();
  }
}

function whereOf({ form }: FakeLayer['requests'][number]): string {
  return form.get('where') ?? '';
}
