import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startDenverHub, type DenverHub } from '../helpers/denver-hub.ts';

const MAIN = resolve(import.meta.dirname, '../../tools/live-check/main.js');
/** Denver has about as many records. A layer makes only the records that a request asks for. */
const RECORDS = 400_000;

let denver: DenverHub;
before(async () => {
  denver = await startDenverHub({ records: RECORDS });
});
after(async () => await denver.close());

interface Outcome {
  code: number | null;
  report: string;
  broken: string[];
}

async function liveCheck(): Promise<Outcome> {
  return await new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, '--origin', denver.hub.url], (_, stdout) => {
      const broken = stdout.split('\n').filter((line) => line.startsWith('  broken: '));
      done({ code: child.exitCode, report: stdout, broken });
    });
  });
}

describe('the check of the live pages', () => {
  it('passes where all is as recorded, with other counts and dates', async () => {
    const { code, report, broken } = await liveCheck();
    assert.deepEqual(broken, []);
    assert.equal(code, 0, report);
    assert.equal(report.match(/^ok /gm)?.length, 11);
    assert.match(
      report,
      /ok {4} denver-crime\/all: pages of \S+\/FeatureServer\/324, 400000 records, changed 2026-11-01/,
    );
    assert.match(
      report,
      /denver-311-recent\/all: pages of \S+ODC_service_requests_311\/FeatureServer\/66/,
    );
    assert.match(report, /denver-311\/2025: file of \S+\/data, \d+ bytes/);
    assert.match(report, /newer: 400000 records, were about 382746/);
    for (const layer of denver.layers.values()) {
      const asked = layer.requests.flatMap(({ form }) => form.get('resultRecordCount') ?? []);
      assert.ok(asked.every((records) => Number(records) <= 5));
    }
  });

  it('fails where a page leads nowhere, a column is gone, or most records are', async () => {
    const crime = denver.layers.get('denver-crime/all');
    assert.ok(crime);
    const { fields } = crime.metadata as { fields: { name: string; type: string }[] };
    fields.splice(
      fields.findIndex(({ name }) => name === 'IS_CRIME'),
      1,
    );
    fields.push({ name: 'WARD', type: 'esriFieldTypeString' });
    denver.reload('denver-crime/all', -300_000);
    const page = new URL(denver.page('denver-311/2024')).pathname;
    const item = page.split('/')[2] ?? '';
    denver.hub.set(`/sharing/rest/content/items/${item}`, {
      body: JSON.stringify({ id: item, type: 'Web Map' }),
    });
    const { code, report, broken } = await liveCheck();
    assert.equal(code, 1);
    assert.equal(broken.length, 3, report);
    assert.match(report, /BROKEN denver-311\/2024\n {2}broken: PORTAL_UNUSABLE: .* type Web Map,/);
    assert.match(report, /broken: 100000 records, were about 382746/);
    assert.match(report, /broken: has no column IS_CRIME any more/);
    assert.match(report, /newer: has the new column WARD/);
  });
});
