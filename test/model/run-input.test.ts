import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LonghaulError } from '../../src/model/errors.ts';
import { checkRunInput, inputOfDay } from '../../src/model/run-input.ts';
import { datasetSpec, ingestInput } from '../workflows/fake-activities.ts';

const INVALID = 'RUN_INPUT_INVALID';

describe('the input of ingestDataset', () => {
  it('is a name and what a person adds, or all of it, as a command starts it', () => {
    for (const input of [
      { dataset: 'denver-311' },
      { dataset: 'denver-311', ingestDate: '2026-11-25', again: true, engine: 'spark' },
      { dataset: 'denver-311', mode: 'land', accept: false, retry: true },
      ingestInput(['2015']),
      { ...ingestInput(['2015']), fromALaterRelease: true },
    ]) {
      assert.deepEqual(checkRunInput(structuredClone(input)), input);
    }
  });

  it('says what of it is wrong', () => {
    const wrong: [unknown, RegExp][] = [
      [undefined, /The input is missing.*Write \{"dataset":"denver-311"\}/],
      [null, /must be a JSON object, not null/],
      [[], /must be a JSON object, not \[\]/],
      ['denver-311', /must be a JSON object, not "denver-311"/],
      [{ Dataset: 'denver-311' }, /"dataset" is missing/],
      [{ dataset: 311 }, /"dataset" must be text/],
      [{ dataset: 'Denver 311' }, /Denver 311.* is not a dataset name/],
      [{ dataset: 'd', date: '2026-11-25' }, /"date" is not known; there are dataset, ingestDate/],
      [{ dataset: 'd', ingestDate: '25.11.2026' }, /"25\.11\.2026" is not a date/],
      [{ dataset: 'd', ingestDate: 20261125 }, /"ingestDate" must be text/],
      [{ dataset: 'd', again: 'yes' }, /"again" must be one of true, false, not "yes"/],
      [{ dataset: 'd', engine: 'sprak' }, /"engine" must be one of .*spark/],
      [{ dataset: 'd', heartbeatTimeoutMs: '1m' }, /"heartbeatTimeoutMs" must be a whole number/],
      [{ dataset: 'd', sourceConcurrency: 0 }, /"sourceConcurrency" must be a whole number over 0/],
    ];
    for (const [input, message] of wrong) {
      assert.throws(() => checkRunInput(input), { code: INVALID, message });
    }
  });

  it('says what of a dataset that it brings would break the run, or lead out of the lake', () => {
    const spec = datasetSpec(['2015']);
    const [source] = spec.sources;
    const withSource = (changes: object) => ({ ...spec, sources: [{ ...source, ...changes }] });
    const wrong: [unknown, RegExp][] = [
      [{ ...spec, name: '../../etc' }, /"spec" is of "\.\.\/\.\.\/etc", "dataset" is denver-311/],
      [{ ...spec, sources: [] }, /must be a list of sources/],
      [{ ...spec, sources: [null] }, /must be a JSON object, not null/],
      [withSource({ id: '../x' }), /is not a source id/],
      [withSource({ address: undefined }), /"address" of the source "2015" is missing/],
      [withSource({ overrides: [] }), /"overrides" of the source "2015" must be a JSON object/],
    ];
    for (const [bad, message] of wrong) {
      const input = { dataset: 'denver-311', spec: bad };
      assert.throws(() => checkRunInput(input), { code: INVALID, message });
    }
  });

  it('is refused with that code whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (input) => {
        try {
          checkRunInput(input);
        } catch (error) {
          assert.ok(error instanceof LonghaulError);
          assert.equal(error.code, INVALID);
        }
      }),
    );
  });
});

describe('the day of a run', () => {
  const TODAY = '2026-11-29';
  const dayOf = (input: object, id: string): string =>
    inputOfDay(checkRunInput(input), id, TODAY).ingestDate;

  it("is that of its workflow's id", () => {
    assert.equal(dayOf({ dataset: 'd' }, 'ingest/d/2026-11-25'), '2026-11-25');
    assert.equal(
      dayOf({ dataset: 'd', ingestDate: '2026-11-25' }, 'ingest/d/2026-11-25'),
      '2026-11-25',
    );
  });

  it('under any other id is refused, with the right one', () => {
    const wrong: [object, string, string][] = [
      [{ dataset: 'd' }, 'my run', 'ingest/d/2026-11-29'],
      [{ dataset: 'd' }, 'ingest/d/today', 'ingest/d/2026-11-29'],
      [{ dataset: 'd' }, 'ingest/e/2026-11-25', 'ingest/d/2026-11-25'],
      [{ dataset: 'd', ingestDate: '2026-11-01' }, 'ingest/d/2026-11-25', 'ingest/d/2026-11-01'],
    ];
    for (const [input, id, right] of wrong) {
      assert.throws(() => dayOf(input, id), {
        code: INVALID,
        message: new RegExp(`has the workflow id ${right}, not ${JSON.stringify(id)}:`),
      });
    }
  });
});
