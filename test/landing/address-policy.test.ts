import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertAllowed } from '../../src/landing/address-policy.ts';

const strict = { allowPrivate: false };
const lax = { fileMarks: '/no/marks', allowPrivate: true };
const refused = { code: 'ADDRESS_REFUSED' };

describe('addresses that are never read', () => {
  for (const address of [
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[::a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[fe80::1]/',
    'http://[febf::1]/',
    'http://[fd00:ec2::254]/',
    'http://user:secret@example.org/',
    'ftp://example.org/x.csv',
    'gopher://example.org/',
    'data:text/csv,a',
    'not an address',
    '',
  ]) {
    it(address || '(nothing)', () => {
      assert.throws(() => assertAllowed(address, lax), refused);
      assert.throws(() => assertAllowed(address, strict), refused);
    });
  }
});

describe('addresses that need a setting', () => {
  for (const address of [
    'file:///etc/passwd',
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.31.0.1/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[fc00::1]/',
    'http://[fd12::1]/',
  ]) {
    it(address, () => {
      assert.throws(() => assertAllowed(address, strict), refused);
      assert.ok(assertAllowed(address, lax));
    });
  }
});

it('public addresses are read', () => {
  for (const address of [
    'https://example.org/x.csv',
    'http://8.8.8.8/',
    'http://172.32.0.1/',
    'http://[2606:4700::1]/',
  ]) {
    assert.equal(assertAllowed(address, strict).href, new URL(address).href);
  }
});

it('a refusal never shows a password', () => {
  assert.throws(
    () => assertAllowed('http://user:s3cret@example.org/', lax),
    (error: Error) => !error.message.includes('s3cret'),
  );
});
