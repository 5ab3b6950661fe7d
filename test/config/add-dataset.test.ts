import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { withDataset, type NewDataset } from '../../src/config/add-dataset.ts';
import { parseDatasets } from '../../src/config/load-datasets.ts';

const NEW: NewDataset = {
  time_zone: 'UTC',
  schedule: { every: '6h' },
  sources: [{ id: 'all', address: 'https://example.com/new.csv' }],
};
const SHIPPED = readFileSync(new URL('../../datasets.yaml', import.meta.url), 'utf8');

/** @returns the lines that were added. Fails if any other byte has changed. */
function addedTo(text: string): string {
  const changed = withDataset(text, 'new', NEW, 'New, CC BY 4.0');
  const { datasets, problems } = parseDatasets(changed, 'd.yaml');
  assert.deepEqual(problems, []);
  assert.deepEqual(
    datasets.find(({ name }) => name === 'new')?.sources.map(({ address }) => address),
    ['https://example.com/new.csv'],
  );
  let start = 0;
  while (start < text.length && text[start] === changed[start]) start += 1;
  let end = 0;
  while (end < text.length - start && text.at(-1 - end) === changed.at(-1 - end)) end += 1;
  assert.equal(start + end, text.length, 'more than lines behind each other has changed');
  return changed.slice(start, changed.length - end);
}

describe('a dataset is added to datasets.yaml', () => {
  it('which has every other byte as before: the one that is shipped', () => {
    assert.match(addedTo(SHIPPED), /^\n {2}# New, CC BY 4\.0\n {2}new:\n[^]*new\.csv\n$/);
  });

  for (const [what, text] of [
    [
      'without a line end at the end',
      'datasets:\n  a:\n    sources:\n      - {id: x, address: "http://h/a"}',
    ],
    [
      'indented by four, lists not indented, comments behind',
      'datasets:\n    a:  # odd   spaces\n        sources:\n        - id: x\n          address:   "http://h/a"\n          # one more:\n          #- id: y\n\n\n# the end\n',
    ],
    [
      'with keys behind the datasets',
      '# top\ndatasets:\n  a:\n    sources:\n      - id: x\n        address: http://h/a # here\n      # - id: y\n\n# When:\nschedule: false\n',
    ],
    [
      'with CRLF',
      'datasets:\r\n  a:\r\n    sources:\r\n      - id: x\r\n        address: http://h/a\r\n',
    ],
    [
      'whose datasets have numbers for names',
      'datasets:\n  311:\n    sources: [{ id: 2015, address: "http://h/a" }]\n',
    ],
  ] as const) {
    it(`which has every other byte as before: one ${what}`, () => {
      const added = addedTo(text);
      assert.equal(added.includes('\r\n'), text.includes('\r\n'));
    });
  }

  it('whatever comments, blank lines and spaces it has', () => {
    const noise = fc.constantFrom('', '\n', '# c: {}\n', '    # deep\n', '\n\n  # b\n', '   \n');
    const name = fc.constantFrom('a', 'b-1', '311');
    const dataset = fc.tuple(name, noise, noise).map(([key, before, after]) => {
      return `${before}  ${key}:\n${after}    sources:\n    - id: x\n      address: http://h/a\n`;
    });
    const file = fc.tuple(
      noise,
      fc.uniqueArray(dataset, {
        minLength: 1,
        maxLength: 3,
        selector: (text) => /(\S+):\n/.exec(text)?.[1],
      }),
      noise,
      fc.constantFrom('', 'schedule: true\n'),
      noise,
    );
    fc.assert(
      fc.property(file, ([head, datasets, middle, schedule, tail]) => {
        const text = `${head}datasets:\n${datasets.join('')}${middle}${schedule}${tail}`;
        fc.pre(parseDatasets(text, '').problems.length === 0);
        addedTo(text);
      }),
    );
  });

  it('where there is none: in place of {}, and in a new file', () => {
    assert.equal(
      withDataset('# all\ndatasets: {} # none yet\n# end\n', 'new', NEW).slice(0, 46),
      '# all\ndatasets: # none yet\n# end\n  new:\n    ti',
    );
    assert.deepEqual(parse(withDataset('', 'new', NEW)), { datasets: { new: NEW } });
  });

  it('also where its form cannot be kept, with its comments', () => {
    const text = '# top\ndatasets: { a: { sources: [{ id: x, address: "http://h/a" }] } } # mine\n';
    const changed = withDataset(text, 'new', NEW);
    assert.match(changed, /# top[^]*# mine/);
    assert.deepEqual(
      parseDatasets(changed, '').datasets.map(({ name }) => name),
      ['a', 'new'],
    );
  });
});
