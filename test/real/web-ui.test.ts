import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { findEmbedded } from '../../src/embedded/host-link.ts';
import { noChromium, openChromium, type WebBrowser } from '../helpers/chromium.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import { ingestWorkflowId } from '../../src/model/run.ts';
import { taskQueueOf, startLab, type Lab } from '../helpers/lab.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';
const DAY = '2026-03-07';
const NOTE = 'the portal moves this week';

let lab: Lab & { close(): Promise<void> };
let browser: WebBrowser;
/** Address of the namespace in the Web UI. */
let webUi: string;

before(async () => {
  if (noChromium !== false) return;
  lab = await startLab({ routes: { '/a.csv': { body: CSV } } });
  await lab.datasets({
    'denver-trees': { 2025: lab.origin.address('/a.csv') },
    'denver-benches': { all: lab.origin.address('/gone.csv') },
  });
  assert.equal((await lab.run(['ingest', 'denver-trees', '--date', DAY, '--as-if'])).code, 0);
  assert.notEqual((await lab.run(['ingest', 'denver-benches', '--date', DAY, '--as-if'])).code, 0);
  assert.equal((await lab.run(['schedule', 'apply'])).code, 0);
  assert.equal((await lab.run(['schedule', 'pause', 'denver-benches', '--note', NOTE])).code, 0);
  const embedded = await findEmbedded(lab.stateDir);
  webUi = `${embedded?.uiUrl}/namespaces/${embedded?.namespace}`;
  browser = await openChromium();
});

after(async () => {
  await browser?.close();
  await lab?.close();
});

async function runPage(dataset: string, page: string): Promise<string> {
  const id = `ingest/${dataset}/${DAY}`;
  const { json } = await lab.json<{ runId: string }>(['show', id]);
  return `${webUi}/workflows/${encodeURIComponent(id)}/${json.runId}/${page}`;
}

/** Matches a page that contains all these texts in any order. */
function all(...parts: RegExp[]): RegExp {
  return new RegExp(parts.map(({ source }) => `(?=[^]*${source})`).join(''));
}

describe('the Web UI', { skip: noChromium }, () => {
  it('lists runs by ids that hold dataset and day', async () => {
    const expected = all(/ingest\/denver-benches\/2026-03-07/, /ingest\/denver-trees\/2026-03-07/);
    await browser.look(`${webUi}/workflows`, 'runs', expected);
  });

  it('shows what became of each source: bytes, records, rows, and where they are', async () => {
    const page = await runPage('denver-trees', 'user-metadata');
    const counts = /2025\s+done\s+19\s+2\s+2\s+0\s+converted/;
    const places = /takehome-raw\/denver-trees\/ingest_date=2026-03-07\/source=2025\/a\.csv/;
    await browser.look(page, 'details', all(/ingest denver-trees, 2026-03-07/, counts, places));
  });

  it('names each step by source and size', async () => {
    const page = await runPage('denver-trees', 'timeline');
    const steps = all(/2025/, /Ledger: 2 records = 2 rows \+ 0 rejected/);
    await browser.look(page, 'run', steps);
  });

  it('says why a run failed and what to do', async () => {
    const page = await runPage('denver-benches', 'history');
    await browser.look(page, 'failed-run', /SOURCE_NOT_FOUND[^]*→ Fix the address/);
  });

  it('shows the schedules, and why one is paused', async () => {
    await browser.look(
      `${webUi}/schedules`,
      'schedules',
      all(/longhaul\/denver-benches/, /longhaul\/denver-trees/, /Paused/i),
    );
    const schedule = `${webUi}/schedules/${encodeURIComponent('longhaul/denver-benches')}`;
    await browser.look(schedule, 'schedule', new RegExp(NOTE));
  });

  it('starts a run of a day by its own form, with a dataset’s name for all input', async () => {
    const input = JSON.stringify({ dataset: 'denver-benches' });
    const today = ingestDateAt(new Date(), 'America/Denver');
    const workflowId = ingestWorkflowId('denver-benches', today);
    const form = {
      workflowId,
      workflowType: 'ingestDataset',
      taskQueue: await taskQueueOf(lab),
      input,
    };
    await browser.startWorkflow({ url: webUi, ...form });
    const { json } = await lab.json<{ error?: { code: string } }>(['show', workflowId, '--follow']);
    assert.equal(json.error?.code, 'SOURCE_NOT_FOUND');
  });
});
