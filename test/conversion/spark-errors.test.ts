import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  causeText,
  deathError,
  probableCause,
  sparkError,
} from '../../src/conversion/spark/errors.ts';

const S3 = 'software.amazon.awssdk.services.s3.model.S3Exception';
const DENIED = 'Access Denied (Service: S3, Status Code: 403, Request ID: x)';

/** Messages of Spark 4.3 and Hadoop 3.5. */
const CAUSES: [kind: string, message: string, code: string][] = [
  ['java.io.IOException', 'No space left on device', 'DISK_FULL'],
  ['java.io.IOException', 'Disk quota exceeded', 'DISK_FULL'],
  ['java.lang.OutOfMemoryError', 'Java heap space', 'ENGINE_OUT_OF_MEMORY'],
  ['java.io.FileNotFoundException', '/lake/x (Permission denied)', 'LAKE_NOT_WRITABLE'],
  ['java.io.IOException', 'Mkdirs failed to create file:/lake/x', 'LAKE_NOT_WRITABLE'],
  ['java.lang.NumberFormatException', '[CAST_INVALID_INPUT] The value', 'ENGINE_FAILED'],
  [S3, DENIED, 'STORE_FORBIDDEN'],
  [
    S3,
    'The AWS Access Key Id you provided does not exist in our records. (Service: S3, Status Code: 403, Request ID: x)',
    'STORE_CREDENTIALS',
  ],
  [
    S3,
    'The provided token has expired. (Service: S3, Status Code: 400, Request ID: x)',
    'STORE_CREDENTIALS',
  ],
  [
    S3,
    'The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: x)',
    'STORE_NO_BUCKET',
  ],
  [
    S3,
    'Please reduce your request rate. (Service: S3, Status Code: 503, Request ID: x)',
    'STORE_UNAVAILABLE',
  ],
  ['java.net.ConnectException', 'Connection refused', 'STORE_UNREACHABLE'],
];

for (const [kind, message, code] of CAUSES) {
  test(`${kind}: ${message.slice(0, 60)} is ${code}`, () => {
    assert.equal(sparkError({ kind, message }, 'lake').code, code);
  });
}

test('a message is one line, printable, and without a bucket nothing is taken for an error of S3', () => {
  const { message } = sparkError({ kind: 'a.b.CException', message: '\u001b[31mone\ntwo' }, '');
  assert.ok(!message.includes('\u001b') && !message.includes('two'));
  assert.equal(sparkError({ kind: S3, message: DENIED }, undefined).code, 'ENGINE_FAILED');
});

/** The last output of a Spark process that died, and the error that it must become. */
const ENDS: [what: string, end: Parameters<typeof deathError>[0], code: string, said: RegExp][] = [
  [
    'killed',
    { code: null, signal: 'SIGKILL', stderr: '' },
    'ENGINE_OUT_OF_MEMORY',
    /SIGKILL, most likely/,
  ],
  [
    'harmless warnings at its end',
    {
      code: 1,
      signal: null,
      stderr:
        'spark-submit: no such option\n' +
        '26/11/28 18:15:37 WARN NativeCodeLoader: Unable to load native-hadoop library\n' +
        'WARNING: A terminally deprecated method in java.lang.System has been called\n\n',
    },
    'ENGINE_FAILED',
    /: spark-submit: no such option$/,
  ],
  ['killed by a container', { code: 137, signal: null, stderr: '' }, 'ENGINE_OUT_OF_MEMORY', /137/],
  [
    'a heap that is too small to start',
    {
      code: 1,
      signal: null,
      stderr:
        'x\njava.lang.IllegalArgumentException: [INVALID_DRIVER_MEMORY] System memory 209715200 must be at least 471859200.\n' +
        'java.lang.NullPointerException: Cannot invoke "x"\n',
    },
    'ENGINE_OUT_OF_MEMORY',
    /System memory 209715200 must be at least/,
  ],
  [
    'a heap that is too small, and what failed then',
    {
      code: 1,
      signal: null,
      stderr:
        'java.lang.OutOfMemoryError: Java heap space\nCaused by: java.io.IOException: closed\n',
    },
    'ENGINE_OUT_OF_MEMORY',
    /Java heap space/,
  ],
  [
    'an exception of the JVM',
    {
      code: 1,
      signal: null,
      stderr: 'Exception in thread "main" java.io.IOException: no such jar\n\tat a.b(c)\n',
    },
    'ENGINE_FAILED',
    /IOException: no such jar/,
  ],
  ['something else', { code: 3, signal: null, stderr: 'odd\n' }, 'ENGINE_FAILED', /with 3: odd/],
  ['nothing', { code: 3, signal: null, stderr: '' }, 'ENGINE_FAILED', /Spark ended with 3\./],
];

for (const [what, end, code, said] of ENDS) {
  test(`a Spark that ends without a result: ${what}`, () => {
    const error = deathError(end, undefined);
    assert.equal(error.code, code);
    assert.match(error.message, said);
  });
}

test('the probable cause is the last "Caused by", else the last exception of the JVM, else of Python', () => {
  const python = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: bad\n';
  const jvm = 'py4j.protocol.Py4JJavaError: An error\n: java.io.IOException: one\n\tat a.b(c)\n';
  const caused = 'Caused by: java.io.IOException: two\n\tat a\nCaused by: a.b.Deepest$Error\n';
  const textOf = (stderr: string): string | undefined => {
    const cause = probableCause(stderr);
    return cause && causeText(cause);
  };
  assert.equal(textOf('26/11/25 INFO nothing\n'), undefined);
  assert.equal(textOf(python), 'ValueError: bad');
  assert.equal(textOf(python + jvm), 'IOException: one');
  assert.equal(textOf(jvm + caused + python), 'Deepest$Error');
});

test('the probable cause is not what a session that ends does to others', () => {
  const memory =
    '26/11/30 ERROR Executor: Exception in task\njava.lang.OutOfMemoryError: Java heap space\n';
  const interrupted = 'Caused by: software.amazon.awssdk.core.exception.SdkInterruptedException\n';
  const jvm = 'java.io.IOException: no space\n';
  const textOf = (stderr: string) => causeText(probableCause(stderr) ?? { kind: '', message: '' });
  assert.equal(textOf(`${memory}${jvm}${interrupted}`), 'OutOfMemoryError: Java heap space');
  assert.equal(textOf(`${jvm}${interrupted}`), 'IOException: no space');
  assert.equal(textOf(interrupted), '');
});
