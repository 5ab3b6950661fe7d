import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  datedAddress,
  datedDataset,
  isDated,
  undatedSources,
} from '../../src/model/dated-address.ts';
import type { DatasetSpec } from '../../src/model/dataset.ts';

function dataset(...addresses: string[]): DatasetSpec {
  const sources = addresses.map((address, index) => ({
    id: `s${index}`,
    address,
    optional: false,
    overrides: {},
  }));
  return { name: 'd', timeZone: 'UTC', sources };
}

describe('an address with the date in it', () => {
  it('is that of the day', () => {
    assert.equal(
      datedAddress('https://h/{yyyy}/{mm}/{date}.csv?d={dd}', '2026-03-08'),
      'https://h/2026/03/2026-03-08.csv?d=08',
    );
  });

  it('leaves everything else as it is, also what looks like a replacement pattern', () => {
    assert.equal(
      datedAddress('https://h/{item}/{Date}/$&', '2026-03-08'),
      'https://h/{item}/{Date}/$&',
    );
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (address) => {
        assert.equal(datedAddress(address, '2026-03-08'), address);
        assert.equal(isDated({ address }), false);
      }),
    );
  });

  it('makes a dataset of the day, and names the sources that have no past days', () => {
    const mixed = dataset('https://h/{date}.csv', 'https://h/now.csv');
    assert.deepEqual(undatedSources(mixed), ['s1']);
    assert.deepEqual(
      datedDataset(mixed, '2026-03-08').sources.map(({ address }) => address),
      ['https://h/2026-03-08.csv', 'https://h/now.csv'],
    );
    assert.deepEqual(undatedSources(dataset('https://h/{yyyy}{mm}{dd}.csv')), []);
    const undated = dataset('https://h/now.csv');
    assert.equal(datedDataset(undated, '2026-03-08'), undated);
  });
});
