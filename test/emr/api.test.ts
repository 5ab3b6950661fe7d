import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DescribeClusterCommand,
  RunJobFlowCommand,
  type RunJobFlowCommandInput,
} from '@aws-sdk/client-emr';
import { withRetries } from '../../src/emr/api.ts';
import type { LonghaulError } from '../../src/model/errors.ts';

interface Failure {
  name?: string;
  message?: string;
  status?: number;
  code?: string;
}

function serviceError({ name = 'Error', message = 'no', status, code }: Failure): Error {
  return Object.assign(new Error(message), {
    name,
    code,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  });
}

const RUN = new RunJobFlowCommand({} as RunJobFlowCommandInput);
const DESCRIBE = new DescribeClusterCommand({ ClusterId: 'j-1' });

/** Sends a request that fails once with each of these failures. @returns its outcome and the number of attempts. */
async function ask(
  failures: Failure[],
  { command = DESCRIBE, once = false }: { command?: object; once?: boolean } = {},
) {
  let sent = 0;
  let renewals = 0;
  const credentials = async () => await Promise.resolve((renewals += 1));
  const send = async () => {
    const failure = failures[sent];
    sent += 1;
    if (failure) throw serviceError(failure);
    return await Promise.resolve('answer');
  };
  const client = { config: { credentials } };
  const options = { once, retryDelayMs: 0 };
  const error = await withRetries('elasticmapreduce', client, command, send, options).then(
    () => undefined,
    (thrown: unknown) => thrown as LonghaulError,
  );
  return { code: error?.code, message: error?.message, sent, renewals };
}

const THROTTLED: Failure = { name: 'ThrottlingException', message: 'Rate exceeded', status: 400 };
const REFUSED: Failure = { name: 'ValidationException', message: 'Bad label', status: 400 };

describe('requests to EMR', () => {
  it('find the credentials anew once where a session has ended before its time', async () => {
    const expired = { name: 'ExpiredTokenException', status: 400 };
    const { code, renewals } = await ask([expired]);
    assert.deepEqual([code, renewals], [undefined, 1]);
    const twice = await ask([expired, expired]);
    assert.deepEqual([twice.code, twice.renewals], ['EMR_CREDENTIALS', 1]);
  });

  it('that make nothing are made again after no answer, a 5xx, or "too often"', async () => {
    const fault = { name: 'InternalServerException', status: 500 };
    const { code, sent } = await ask([THROTTLED, { code: 'ECONNRESET' }, fault]);
    assert.deepEqual([code, sent], [undefined, 4]);
  });

  it('that make something are not made again where they may have been carried out', async () => {
    for (const [failure, expected] of [
      [{ code: 'ECONNRESET' }, 'EMR_UNREACHABLE'],
      [{ name: 'TimeoutError' }, 'EMR_UNREACHABLE'],
      [{ name: 'InternalServerException', status: 500 }, 'EMR_UNAVAILABLE'],
    ] as const) {
      const { code, sent } = await ask([failure], { command: RUN, once: true });
      assert.deepEqual([code, sent], [expected, 1]);
    }
  });

  it('that were refused for their number were not carried out, so even those are made again', async () => {
    const { code, sent } = await ask([THROTTLED, THROTTLED], { command: RUN, once: true });
    assert.deepEqual([code, sent], [undefined, 3]);
  });

  it('end with an error of the catalogue that names the action', async () => {
    const { code, message, sent } = await ask(Array.from({ length: 20 }, () => THROTTLED));
    assert.deepEqual(
      [code, message, sent],
      [
        'EMR_THROTTLED',
        'EMR failed at elasticmapreduce:DescribeCluster (ThrottlingException: Rate exceeded).',
        6,
      ],
    );
    const cases: [Failure, string][] = [
      [REFUSED, 'EMR_REFUSED'],
      [{ name: 'AccessDeniedException', status: 400 }, 'EMR_FORBIDDEN'],
      [{ name: 'UnrecognizedClientException', status: 400 }, 'EMR_CREDENTIALS'],
      [{ name: 'CredentialsProviderError' }, 'EMR_CREDENTIALS'],
      [
        { name: 'InvalidRequestException', message: "Cluster id 'j-1' is not valid.", status: 400 },
        'EMR_NO_SUCH_CLUSTER',
      ],
      [
        {
          name: 'ValidationException',
          message: 'Maximum number of active steps(256) for cluster exceeded.',
          status: 400,
        },
        'EMR_STEPS_FULL',
      ],
      [{ message: 'Region is missing' }, 'EMR_REFUSED'],
    ];
    for (const [failure, expected] of cases)
      assert.equal((await ask([failure, failure])).code, expected);
  });

  it('never say a key or a token', async () => {
    const token = 'A1b2C3d4E5'.repeat(6);
    const { message = '' } = await ask([{ ...REFUSED, message: `bad token ${token}` }]);
    assert.match(message, /bad token/);
    assert.ok(!message.includes(token), message);
  });
});
