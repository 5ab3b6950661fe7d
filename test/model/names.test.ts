import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  fileNameOf,
  nameColumns,
  parseDatasetName,
  parseSourceId,
  printable,
  quoteIdentifier,
  viewNameOf,
} from '../../src/model/names.ts';

describe('nameColumns', () => {
  it('lines up the headers of all Denver years', () => {
    for (const header of ['Case Summary', 'Case_Summary', 'CASE SUMMARY', ' Case  Summary ']) {
      assert.equal(nameColumns([header])[0]?.name, 'case_summary');
    }
    assert.deepEqual(
      nameColumns([
        'OBJECTID',
        'ObjectId',
        'OBJECTID_1',
        'GEO_LON',
        'Incident Address 1',
        'caseSummary',
      ]).map((c) => c.name),
      ['objectid', 'object_id', 'objectid_1', 'geo_lon', 'incident_address_1', 'case_summary'],
    );
  });

  it('makes duplicate and blank names unique and keeps what the publisher wrote', () => {
    const columns = nameColumns(['a', 'A', '', 'a_2', ' ']);
    assert.deepEqual(
      columns.map((c) => c.name),
      ['a', 'a_2', 'column_3', 'a_2_2', 'column_5'],
    );
    assert.equal(columns[4]?.publisherName, ' ');
  });

  it('moves names that the lake itself uses out of the way', () => {
    assert.deepEqual(
      nameColumns(['Source', 'ingest date', 'source_']).map((c) => c.name),
      ['source_', 'ingest_date_', 'source__2'],
    );
  });

  it('is unique, reserved-free and of one alphabet for any header', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (header) => {
        const names = nameColumns(header).map((c) => c.name);
        assert.equal(new Set(names).size, header.length);
        for (const name of names) {
          assert.match(name, /^[\p{L}\p{N}_]+$/u);
          assert.ok(!['source', 'ingest_date'].includes(name));
        }
      }),
    );
  });
});

describe('names that become paths', () => {
  it('refuses whatever could leave the lake or mislead', () => {
    for (const name of ['../..', '', '.', 'a/b', 'A', 'a b', '-a', 'a'.repeat(81), 'a\0', 'ä']) {
      assert.throws(() => parseDatasetName(name), { code: 'NAME_INVALID' });
    }
    for (const id of ['../..', 'a..b', '.a', 'a/b', '', 'a\n']) {
      assert.throws(() => parseSourceId(id), { code: 'NAME_INVALID' });
    }
    assert.equal(viewNameOf(parseDatasetName('denver-311')), 'denver_311');
  });

  it('gives a safe, readable file name for any address', () => {
    assert.equal(
      fileNameOf('https://x.org/a/311_service_data_2015.csv?x=1', '2015'),
      '311_service_data_2015.csv',
    );
    assert.equal(fileNameOf('https://hub.example/api/items/acc3/csv?layers=0', '2019'), '2019.csv');
    assert.equal(fileNameOf('https://x.org/..%2f..%2fetc%2fpasswd', 'id'), 'id.csv');
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (address) => {
        assert.match(fileNameOf(address, 'id'), /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/);
      }),
    );
  });
});

describe('text of a publisher', () => {
  it('cannot steer a terminal', () => {
    const shown = printable('\u001b[31mred\u0007 \u202eabc\r\n');
    assert.doesNotMatch(shown, /[\u0000-\u001f\u202e]/);
    assert.match(shown, /\\u001b\[31mred/);
  });

  it('stays one SQL identifier', () => {
    assert.equal(quoteIdentifier('x"); DROP TABLE t; --'), '"x""); DROP TABLE t; --"');
  });
});
