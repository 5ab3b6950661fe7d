import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { createLogger } from '../../src/workers/logger.ts';

interface Options {
  format?: 'json' | 'text';
  level?: 'debug' | 'info' | 'error';
  apiKey?: string;
}

function lines(
  { format = 'json', level = 'info', apiKey }: Options,
  say: (logger: ReturnType<typeof createLogger>) => void,
) {
  const written: string[] = [];
  const write = (line: string): void => void written.push(line);
  say(createLogger({ log: { format: undefined, level }, temporal: { apiKey } }, format, write));
  return written;
}

void test('JSON is one object a line, with our words for the SDK’s', () => {
  const [line = ''] = lines({}, (logger) => {
    logger.info('landSource done', {
      workflowRunId: 'r',
      workflowId: 'ingest/x/2026-11-25',
      activityType: 'landSource',
      dataset: 'x',
      source: 'a\nb',
      seconds: 1.5,
      taskToken: 'left out',
      big: 1n,
    });
  });
  assert.ok(line.endsWith('}\n') && !line.slice(0, -1).includes('\n'));
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: 'info',
    message: 'landSource done',
    run: 'r',
    workflow: 'ingest/x/2026-11-25',
    activity: 'landSource',
    dataset: 'x',
    source: 'a\nb',
    seconds: 1.5,
    big: '1',
  });
});

void test('an error of the catalogue says its code and no stack; any other has its stack', () => {
  const [known = '', unknown = ''] = lines({}, (logger) => {
    const error = ApplicationFailure.create({ message: 'Too short.', type: 'SOURCE_TRUNCATED' });
    logger.warn('Activity failed', { error });
    logger.warn('Activity failed', { error: new Error('odd') });
  });
  const { error } = JSON.parse(known) as { error: Record<string, string> };
  assert.deepEqual(error, {
    name: 'ApplicationFailure',
    message: 'Too short.',
    code: 'SOURCE_TRUNCATED',
  });
  assert.match(unknown, /"stack":"Error: odd/);
});

void test('a secret is in no line, wherever it came from', () => {
  for (const format of ['json', 'text'] as const) {
    const written = lines({ format, apiKey: 'sekrit' }, (logger) => {
      logger.error('refused sekrit', { error: new Error('Bearer sekrit'), header: 'sekrit' });
    });
    assert.ok(!written.join('').includes('sekrit'));
  }
});

void test('text is a line for people, without the control characters of a publisher', () => {
  const [line = ''] = lines({ format: 'text' }, (logger) => {
    logger.warn('Activity failed', { dataset: 'x', error: new Error('bad \u001b[31m byte') });
  });
  assert.match(line, /Z WARN {2}Activity failed dataset=x error="bad .*byte"\n$/);
  assert.ok(!line.includes('\u001b'));
});

void test('what is less than the level is left out, and so is the chatter of each queue’s worker', () => {
  const say = (logger: ReturnType<typeof createLogger>): void => {
    logger.info('Worker state changed', { sdkComponent: 'worker' });
    logger.warn('No workflows registered, not polling', { sdkComponent: 'worker' });
    logger.debug('landSource started');
    logger.info('Working for it');
    logger.warn('Slow', { sdkComponent: 'worker' });
  };
  const messages = (level: NonNullable<Options['level']>): string[] =>
    lines({ level }, say).map((line) => (JSON.parse(line) as { message: string }).message);
  assert.deepEqual(messages('info'), ['Working for it', 'Slow']);
  assert.deepEqual(messages('error'), []);
  assert.equal(messages('debug').length, 5);
});
