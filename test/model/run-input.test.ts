import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LonghaulError } from '../../src/model/errors.ts';
import { checkRunInput, isHandInput } from '../../src/model/run-input.ts';
import { ingestInput } from '../workflows/fake-activities.ts';

const INVALID = 'RUN_INPUT_INVALID';

describe('the input of ingestDataset', () => {
  it('is a few words of a person', () => {
    for (const input of [
      { dataset: 'denver-311' },
      { dataset: 'denver-311', ingestDate: '2026-11-25', again: true, engine: 'spark' },
      { dataset: 'denver-311', mode: 'land', accept: false, retry: true },
    ]) {
      const checked = checkRunInput(input);
      assert.equal(checked, input);
      assert.ok(isHandInput(checked));
    }
  });

  it('or the whole of it, as the command line starts it', () => {
    const input = ingestInput(['2015']);
    const checked = checkRunInput(structuredClone(input));
    assert.deepEqual(checked, input);
    assert.ok(!isHandInput(checked));
    checkRunInput({ ...input, fromALaterRelease: true });
  });

  it('says which of a few words is wrong', () => {
    const wrong: [unknown, RegExp][] = [
      [undefined, /The input is missing.*Write \{"dataset":"denver-311"\}/],
      [null, /must be a JSON object, not null/],
      [[], /must be a JSON object, not \[\]/],
      ['denver-311', /must be a JSON object, not "denver-311"/],
      [{ Dataset: 'denver-311' }, /"dataset" is missing/],
      [{ dataset: 311 }, /"dataset" must be a JSON object, not 311/],
      [{ dataset: 'Denver 311' }, /Denver 311.* is not a dataset name/],
      [{ dataset: 'd', date: '2026-11-25' }, /"date" is not known; there are dataset, ingestDate/],
      [{ dataset: 'd', ingestDate: '25.11.2026' }, /"25\.11\.2026" is not a date/],
      [{ dataset: 'd', ingestDate: 20261125 }, /"ingestDate" must be text/],
      [{ dataset: 'd', again: 'yes' }, /"again" must be one of true, false, not "yes"/],
      [{ dataset: 'd', engine: 'sprak' }, /"engine" must be one of .*spark/],
    ];
    for (const [input, message] of wrong) {
      assert.throws(() => checkRunInput(input), { code: INVALID, message });
    }
  });

  it('says what of a whole one would break the run, or lead out of the lake', () => {
    const good = ingestInput(['2015']);
    const [source] = good.dataset.sources;
    const withSource = (changes: object) => ({
      ...good,
      dataset: { ...good.dataset, sources: [{ ...source, ...changes }] },
    });
    const wrong: [unknown, RegExp][] = [
      [{ ...good, dataset: { ...good.dataset, name: '../../etc' } }, /is not a dataset name/],
      [{ ...good, dataset: { ...good.dataset, sources: [] } }, /must be a list of sources/],
      [
        { ...good, dataset: { ...good.dataset, sources: [null] } },
        /must be a JSON object, not null/,
      ],
      [withSource({ id: '../x' }), /is not a source id/],
      [withSource({ address: undefined }), /"address" of the source "2015" is missing/],
      [withSource({ overrides: [] }), /"overrides" of the source "2015" must be a JSON object/],
      [{ ...good, ingestDate: '../..' }, /is not a date/],
      [{ ...good, ingestDate: undefined }, /"ingestDate" is missing/],
      [{ ...good, mode: undefined }, /"mode" is missing/],
      [{ ...good, engine: undefined }, /"engine" is missing/],
      [{ ...good, heartbeatTimeoutMs: '1m' }, /"heartbeatTimeoutMs" must be a whole number/],
      [{ ...good, sourceConcurrency: 0 }, /"sourceConcurrency" must be a whole number over 0/],
    ];
    for (const [input, message] of wrong) {
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
