import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readDistCp } from '../../../../tools/local-aws/emr/dist-cp-command.ts';
import { readSparkSubmit } from '../../../../tools/local-aws/emr/spark-command.ts';
import { causeIn, parseS3Address } from '../../../../tools/local-aws/emr/step-logs.ts';

describe('spark-submit', () => {
  it('loses its resource manager, however it is said, and nothing else', () => {
    const given = [
      '--deploy-mode',
      'cluster',
      '--master=yarn',
      '--conf',
      'spark.a=b c',
      '--verbose',
    ];
    const more = [
      '--conf',
      'spark.submit.deployMode=cluster',
      '--conf=spark.master=yarn',
      '--name',
      '--x',
    ];
    const application = ['s3://b/convert.py', '--job', 's3://b/job.json', '--master', 'mine'];
    assert.deepEqual(readSparkSubmit([...given, ...more, ...application]), {
      args: ['--conf', 'spark.a=b c', '--verbose', '--name', '--x', ...application],
      driverClassPath: undefined,
    });
  });

  it('keeps its own class path, behind what S3 needs', () => {
    const given = [
      '--driver-class-path',
      '/a.jar',
      '--conf',
      'spark.driver.extraClassPath=/b.jar',
      'app.py',
    ];
    assert.deepEqual(readSparkSubmit(given), { args: ['app.py'], driverClassPath: '/b.jar' });
  });
});

describe('s3-dist-cp', () => {
  it('is a DistCp of what lies below', () => {
    const args = ['-direct', '-overwrite', '-m', '4', 'hdfs:///a b', 's3://b/c'];
    const expected = { args, exclusion: undefined };
    assert.deepEqual(readDistCp(['--src', 'hdfs:///a b', '--dest', 's3://b/c']), expected);
    assert.deepEqual(readDistCp(['--src=hdfs:///a b', '--dest=s3://b/c']), expected);
  });

  it('says what it does not know', () => {
    assert.throws(() => readDistCp(['--src', 'a']), /needs --src and --dest/);
    assert.throws(() => readDistCp(['--src', 'a', '--groupBy', 'x']), /no "--groupBy"/);
  });
});

describe('a failed step', () => {
  it('has the root cause for a message, else the last exception', () => {
    const trace = [
      '26/11/25 INFO x',
      'Exception in thread "main" java.lang.A: one',
      '\tat b.C',
      'Caused by: d.E: two',
      'Caused by: f.G: three',
      '26/11/25 INFO end',
    ];
    assert.equal(causeIn(trace.join('\n')), 'Caused by: f.G: three');
    assert.equal(
      causeIn(trace.slice(0, 3).join('\n')),
      'Exception in thread "main" java.lang.A: one',
    );
    assert.equal(causeIn('Traceback\nValueError: no\n'), 'ValueError: no');
    assert.equal(causeIn('all is well\n'), undefined);
  });
});

describe('an S3 address', () => {
  it('is of s3:, and of the schemes of old', () => {
    assert.deepEqual(parseS3Address('s3://b/k/l'), { bucket: 'b', key: 'k/l' });
    assert.deepEqual(parseS3Address('s3n://b'), { bucket: 'b', key: '' });
    assert.equal(parseS3Address('https://b/k'), undefined);
  });
});
