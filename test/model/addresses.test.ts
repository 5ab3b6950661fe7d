import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { filledAddress, secretIn, shownAddress, variablesIn } from '../../src/model/addresses.ts';

const CANARY = 'c4n4ry8d2f';

describe('what looks like a secret in an address', () => {
  const names = (
    'token access_token X-Amz-Signature X-Amz-Security-Token sig Signature apikey api-key api_key access_key ' +
    'pwd passwd password jwt sas subscription-key key code st auth secret client_secret hmac %74oken sid'
  ).split(' ');

  for (const name of names) {
    it(`is a value of ${name}, wherever it stands, and is not shown`, () => {
      const addresses = [
        `https://x.org/a.csv?${name}=${CANARY}`,
        `https://x.org/a.csv?layer=3&${name}=${CANARY}&x=1`,
        `https://x.org/a.csv#${name}=${CANARY}`,
      ];
      for (const address of addresses) {
        assert.equal(secretIn(address), name);
        assert.equal(shownAddress(address), 'https://x.org/a.csv?…');
      }
    });
  }

  it('is no day, state, table or number, and nothing of an address that works today', () => {
    for (const query of [
      'layers=0&where=1%3D1',
      '$limit=50000&$order=:id',
      'code=CO&key=311&st=2026-01-31&st2=',
      'design=blue&author=jane&format=csv',
      'spatialRefId=4326&token=',
      'monkey=banana',
    ]) {
      assert.equal(secretIn(`https://x.org/a.csv?${query}`), undefined, query);
      assert.equal(shownAddress(`https://x.org/a.csv?${query}`), `https://x.org/a.csv?${query}`);
    }
  });

  it('is no variable that stands for it: that is shown', () => {
    for (const query of ['token=${CITY_TOKEN}', 'sig=${A}${B}', '${QUERY}&layer=1']) {
      assert.equal(secretIn(`https://x.org/a.csv?${query}`), undefined, query);
      assert.equal(shownAddress(`https://x.org/a.csv?${query}`), `https://x.org/a.csv?${query}`);
    }
    assert.equal(secretIn('https://x.org/a.csv?token=Bearer-${A}'), 'token');
  });
});

describe('the variables of an address', () => {
  it('are upper case and filled in as they are written, but for what would cut the rest off', () => {
    const address = 'https://x.org/${A_1}/{year}?q=${B}&r=${A_1}&s=${lower}&t=$B';
    assert.deepEqual(variablesIn(address), ['A_1', 'B', 'A_1']);
    assert.equal(
      filledAddress(address, { A_1: 'a%2Fb', B: 'x=1&y=$&#z' }),
      'https://x.org/a%2Fb/{year}?q=x=1&y=$&%23z&r=a%2Fb&s=${lower}&t=$B',
    );
  });

  it('never change the host, whatever they hold', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const url = new URL(filledAddress('https://x.org/a/${A}?q=${A}', { A: value }));
        assert.equal(url.origin, 'https://x.org');
        assert.equal(url.username, '');
      }),
    );
  });
});
