import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AddJobFlowStepsCommand,
  DescribeClusterCommand,
  RunJobFlowCommand,
  type RunJobFlowCommandInput,
} from '@aws-sdk/client-emr';
import { EmrApi, type EmrSender } from '../../src/emr/api.ts';
import { addStep } from '../../src/emr/steps.ts';
import { Throttle } from '../../src/emr/throttle.ts';
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

/** Fails in turn with each, then answers. */
function sender(failures: Failure[], answer: object = {}): EmrSender & { sent: number } {
  const fake = {
    sent: 0,
    // A stand-in cannot answer each request with its own type.
    send: async (): Promise<never> => {
      fake.sent += 1;
      const failure = failures.shift();
      if (failure) throw serviceError(failure);
      return await Promise.resolve(answer as never);
    },
  };
  return fake;
}

/** No waiting: half of nothing. */
class NoThrottle extends Throttle {
  override get waitMs(): number {
    return 0;
  }
}

async function codeOf(failures: Failure[], once = false): Promise<[string, string, number]> {
  const fake = sender(failures);
  const api = new EmrApi(fake, { throttle: new NoThrottle() });
  const error = await api
    .send(new DescribeClusterCommand({ ClusterId: 'j-1' }), { once })
    .then(() => assert.fail('it should fail'))
    .catch((thrown: unknown) => thrown as LonghaulError);
  return [error.code, error.message, fake.sent];
}

const THROTTLED: Failure = { name: 'ThrottlingException', message: 'Rate exceeded', status: 400 };
const REFUSED: Failure = { name: 'ValidationException', message: 'Bad label', status: 400 };

describe('requests to EMR', () => {
  it('finds the credentials anew once where a session has ended before its time', async () => {
    let renewals = 0;
    const api = (failures: Failure[]): EmrApi =>
      new EmrApi(sender(failures), {
        throttle: new NoThrottle(),
        renew: async () => {
          renewals += 1;
          return await Promise.resolve();
        },
      });
    const expired = { name: 'ExpiredTokenException', status: 400 };
    const command = new DescribeClusterCommand({ ClusterId: 'j-1' });
    await api([expired]).send(command);
    assert.equal(renewals, 1);
    await assert.rejects(api([expired, expired]).send(command), { code: 'EMR_CREDENTIALS' });
    assert.equal(renewals, 2);
  });

  it('that make nothing are made again after no answer, a 5xx, or "too often"', async () => {
    const fake = sender([
      THROTTLED,
      { code: 'ECONNRESET' },
      { name: 'InternalServerException', status: 500 },
    ]);
    await new EmrApi(fake, { throttle: new NoThrottle() }).send(
      new DescribeClusterCommand({ ClusterId: 'j-1' }),
    );
    assert.equal(fake.sent, 4);
  });

  it('that make something are not made again where they may have been carried out', async () => {
    for (const [failure, code] of [
      [{ code: 'ECONNRESET' }, 'EMR_UNREACHABLE'],
      [{ name: 'TimeoutError' }, 'EMR_UNREACHABLE'],
      [{ name: 'InternalServerException', status: 500 }, 'EMR_UNAVAILABLE'],
    ] as const) {
      const fake = sender([failure]);
      const command = new RunJobFlowCommand({} as RunJobFlowCommandInput);
      const sent = new EmrApi(fake, { throttle: new NoThrottle() }).send(command, { once: true });
      await assert.rejects(sent, { code });
      assert.equal(fake.sent, 1);
    }
    const step = sender([{ code: 'ECONNRESET' }]);
    await assert.rejects(
      addStep(new EmrApi(step, { throttle: new NoThrottle() }), 'j-1', {
        Name: 'x',
        HadoopJarStep: { Jar: 'j' },
      }),
    );
    assert.equal(step.sent, 1);
  });

  it('that were refused for their number were not carried out, so even those are made again', async () => {
    const fake = sender([THROTTLED, THROTTLED], { StepIds: ['s-1'] });
    const command = new AddJobFlowStepsCommand({ JobFlowId: 'j-1', Steps: [] });
    await new EmrApi(fake, { throttle: new NoThrottle() }).send(command, { once: true });
    assert.equal(fake.sent, 3);
  });

  it('end with an error of the catalogue that names the action', async () => {
    assert.deepEqual(await codeOf(Array.from({ length: 20 }, () => THROTTLED)), [
      'EMR_THROTTLED',
      'EMR failed at elasticmapreduce:DescribeCluster (ThrottlingException: Rate exceeded).',
      6,
    ]);
    assert.deepEqual((await codeOf([REFUSED])).slice(0, 1), ['EMR_REFUSED']);
    const cases: [Failure, string][] = [
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
    for (const [failure, code] of cases) assert.equal((await codeOf([failure]))[0], code);
  });

  it('never say a key or a token', async () => {
    const token = 'A1b2C3d4E5'.repeat(6);
    const [, message] = await codeOf([{ ...REFUSED, message: `bad token ${token}` }]);
    assert.ok(!message.includes(token), message);
  });
});

describe('the throttle', () => {
  it('halves with each "too often", to a bound, and comes back with answers', () => {
    const throttle = new Throttle(() => 1);
    assert.equal(throttle.waitMs, 0);
    throttle.throttled();
    assert.equal(throttle.waitMs, 500);
    throttle.throttled();
    assert.equal(throttle.waitMs, 1000);
    for (let n = 0; n < 20; n += 1) throttle.throttled();
    assert.equal(throttle.waitMs, 20_000);
    for (let n = 0; n < 20; n += 1) throttle.answered();
    assert.equal(throttle.waitMs, 0);
  });
});
