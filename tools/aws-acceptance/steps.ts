import assert from 'node:assert/strict';
import { ENGINES } from '../../src/model/dataset.ts';
import { ALL_RECORDS, type Ended, type Trial } from './trial.ts';

export interface Step {
  /** Part of its dataset's name. */
  id: string;
  proves: string;
  /** Reason why the step is left out. */
  skip?: string | undefined;
  /** @returns what was seen, if it is right. @throws Error with what was seen instead. */
  run(trial: Trial, dataset: string): Promise<string>;
}

interface Report {
  status: string;
  ledger: { records: number; rows: number; balanced: boolean };
}

/**
 * Four instances may run for 45 minutes, or an hour with the margin. That limit ends the cluster before its idle
 * timeout does, which is an hour from the end of its step.
 */
const DEAD_MAN = {
  EMR_CORE_COUNT: '3',
  EMR_STEP_LIMIT_MINUTES: '5',
  EMR_MAX_INSTANCE_HOURS: '3',
};
const DEAD_MAN_LIMIT_MS = 90 * 60_000;
const SERVERLESS = 'emr-serverless';

export function stepsOf({
  deadMan,
  serverless,
}: {
  deadMan: boolean;
  serverless: boolean;
}): Step[] {
  return [
    {
      id: 'converts',
      proves:
        'Roles, network and bucket are right; three sources become the same rows; their one cluster ends.',
      run: async (trial, dataset) => {
        const seen = await published(trial, dataset, await ingest(trial, dataset, 'emr'));
        return `${seen}; ${await onlyCluster(trial, dataset)}`;
      },
    },
    {
      id: 'killed',
      proves:
        'A run whose worker and Temporal are killed while a step runs goes on with the same cluster.',
      run: async (trial, dataset) => {
        const running = trial.start(['ingest', dataset, '--engine', 'emr']);
        const cluster = await trial.emr.runningStep(dataset, running.ended);
        await trial.kill(running);
        const seen = await published(trial, dataset, await ingest(trial, dataset, 'emr'));
        return `${seen}; ${await trial.emr.untilEnded(dataset, cluster)}`;
      },
    },
    {
      id: 'cancelled',
      proves: 'Ctrl-C while a step runs ends the cluster, and nothing is published.',
      run: async (trial, dataset) => {
        const running = trial.start(['ingest', dataset, '--engine', 'emr']);
        const cluster = await trial.emr.runningStep(dataset, running.ended);
        running.process.kill('SIGINT');
        const { code, output } = await running.ended;
        assert.equal(code, 130, `exit code ${code}: ${output}`);
        const { code: none } = await trial.json(['verify', dataset]);
        assert.notEqual(none, 0, 'a day was published');
        return await trial.emr.untilEnded(dataset, cluster);
      },
    },
    {
      id: 'dead-man',
      proves: 'A cluster whose worker never comes back shuts itself down.',
      skip: deadMan ? undefined : 'without --dead-man; it takes an hour',
      run: async (trial, dataset) => {
        const STATE_DIR = trial.stateApart('dead-man');
        const running = trial.start(['ingest', dataset, '--engine', 'emr'], {
          ...DEAD_MAN,
          STATE_DIR,
        });
        const cluster = await trial.emr.runningStep(dataset, running.ended);
        await trial.kill(running, STATE_DIR);
        return await trial.emr.untilEnded(dataset, cluster, DEAD_MAN_LIMIT_MS);
      },
    },
    {
      id: 'serverless',
      proves: 'The same sources become the same rows on EMR Serverless, with no cluster.',
      skip: serverless ? unknownEngine() : 'without --serverless',
      run: async (trial, dataset) => {
        const seen = await published(trial, dataset, await ingest(trial, dataset, SERVERLESS));
        assert.deepEqual(await trial.emr.clusters(`${dataset}/`), []);
        return seen;
      },
    },
  ];
}

/** @param prefix prefix of the datasets' names. */
export function nothingLeft(prefix: string): Step {
  return {
    id: 'left',
    proves: 'No cluster of these runs is left.',
    run: async (trial) => {
      await trial.down();
      const { json, output } = await trial.json<
        { items: { kind: string; key: string }[] } | undefined
      >([...['sweep', '--dry-run', '--older-than', '0']]);
      const ended = await trial.emr.endAll(prefix);
      assert.deepEqual(ended, [], 'they were left, and are ended now');
      const swept = json?.items.filter(({ kind }) => kind === 'cluster');
      assert.deepEqual(swept, [], `sweep: ${output}`);
      return 'EMR lists none that runs, and sweep finds none';
    },
  };
}

function unknownEngine(): string | undefined {
  const isKnown = (ENGINES as readonly string[]).includes(SERVERLESS);
  return isKnown ? undefined : `this longhaul has no engine ${SERVERLESS}`;
}

/** Starts a run of the day, or joins the one in progress. */
async function ingest(trial: Trial, dataset: string, engine: string): Promise<Ended<Report>> {
  return await trial.json<Report>(['ingest', dataset, '--engine', engine]);
}

/** Asserts the counts of the worker that published, and runs `verify`, which counts again from the bucket. */
async function published(
  trial: Trial,
  dataset: string,
  { code, json, output }: Ended<Report>,
): Promise<string> {
  assert.equal(code, 0, `exit code ${code}: ${output}`);
  const { status, ledger } = json;
  assert.equal(status, 'published');
  assert.deepEqual(
    [ledger.records, ledger.rows, ledger.balanced],
    [ALL_RECORDS, ALL_RECORDS, true],
  );
  const verified = await trial.json(['verify', dataset]);
  assert.equal(verified.code, 0, `verify: ${verified.output}`);
  return `${ledger.rows} rows of ${ledger.records} records, verified`;
}

async function onlyCluster(trial: Trial, dataset: string): Promise<string> {
  const [cluster] = await trial.emr.clusters(`${dataset}/`);
  return await trial.emr.untilEnded(dataset, cluster?.Id ?? '');
}
