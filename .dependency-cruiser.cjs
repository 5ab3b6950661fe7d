/**
 * Who may import whom. Types count as imports; where only types are allowed,
 * oxlint's no-restricted-imports says so (.oxlintrc.json), since swc's reading does not tell them apart; for
 * the same reason cycles are oxlint's too.
 * test/tools/dependency-rules.test.ts proves that each rule catches its violation.
 *
 * Each folder lists what it may reach; whatever else lies under src is forbidden to it.
 */

/** Folder → folders it may import from (besides itself). */
const MAY_IMPORT = {
  model: [],
  // Outside programs: found on this machine, or fetched at a pinned version.
  programs: ['model'],
  workflows: ['model'],
  // The format: bytes in, results out; no I/O.
  csv: ['model'],
  storage: ['model'],
  landing: ['model', 'csv', 'storage'],
  // An encoding other than the one that was scanned for is scanned again, as landing does it.
  conversion: ['model', 'csv', 'storage', 'landing', 'programs'],
  // A stored file is recounted by the scanner that counted it when it was landed.
  verification: ['model', 'storage', 'landing'],
  // The jobs of a cluster and their results are Spark's, on whichever machine.
  emr: ['model', 'storage', 'conversion'],
  lake: ['model', 'storage', 'landing'],
  // A file that does not have the table's types is written once more, as the views would cast it.
  iceberg: ['model', 'programs', 'storage', 'conversion', 'verification', 'lake'],
  config: ['model'],
  // Starting a run, or joining the one under way: for the command line, and for workers on a schedule's behalf.
  runs: ['model'],
  activities: [
    'model',
    'storage',
    'landing',
    'conversion',
    'verification',
    'emr',
    'lake',
    'iceberg',
    'runs',
  ],
  embedded: ['model', 'programs', 'storage'],
  workers: [
    'model',
    'csv',
    'programs',
    'storage',
    'landing',
    'conversion',
    'verification',
    'emr',
    'lake',
    'iceberg',
    'runs',
    'activities',
    'workflows',
    'config',
    'embedded',
  ],
  // Of landing, doctor's trial of a bucket, which is a landing's own upload, and what `add` and `inspect` ask of a publisher;
  // of conversion, the report of `inspect`: the types of a run, with their evidence.
  cli: [
    'model',
    'programs',
    'storage',
    'landing',
    'conversion',
    'emr',
    'lake',
    'iceberg',
    'verification',
    'config',
    'embedded',
    'runs',
  ],
};

/** Folder → folders of which it may import types, and nothing that runs (the second half is oxlint's). */
const MAY_IMPORT_TYPES = {
  workflows: ['activities'],
  storage: ['config'],
  landing: ['config'],
  conversion: ['config'],
  verification: ['config'],
  emr: ['config'],
  lake: ['config'],
  iceberg: ['config'],
  activities: ['config'],
  cli: ['workflows'],
  runs: ['workflows'],
};

/** The commands that are a process (a worker, the embedded host): they compose what they run, so they may have workers. */
const PROCESS_COMMANDS = '^src/cli/commands/worker\\.ts$';

const folderRules = Object.entries(MAY_IMPORT).map(([folder, allowed]) => {
  const types = MAY_IMPORT_TYPES[folder] ?? [];
  const alsoTypes = types.length > 0 ? `, and types of ${types.join(', ')}` : '';
  return {
    name: `${folder}-reaches-too-far`,
    comment: `src/${folder} may import ${allowed.join(', ') || 'nothing'}${alsoTypes}.`,
    severity: 'error',
    from: {
      path: `^src/${folder}/`,
      ...(folder === 'cli' ? { pathNot: PROCESS_COMMANDS } : {}),
    },
    to: { path: '^src/', pathNot: pattern([folder, ...allowed, ...types]) },
  };
});

module.exports = {
  forbidden: [
    ...folderRules,
    {
      name: 'unknown-folder',
      comment: 'A new folder of src needs a line in MAY_IMPORT above, and in docs/architecture.md.',
      severity: 'error',
      from: { path: '^src/', pathNot: pattern(Object.keys(MAY_IMPORT)) },
      to: {},
    },
    {
      name: 'process-command-reaches-too-far',
      comment:
        'The commands that are a process may import what cli may, and workers; nothing below these.',
      severity: 'error',
      from: { path: PROCESS_COMMANDS },
      to: {
        path: '^src/',
        pathNot: pattern(['cli', 'workers', ...MAY_IMPORT.cli, ...MAY_IMPORT_TYPES.cli]),
      },
    },
    {
      name: 'process-command-loads-workers-late',
      comment: 'import(): every other command starts without the worker’s packages.',
      severity: 'error',
      from: { path: PROCESS_COMMANDS },
      to: { path: '^src/workers/', dynamic: false },
    },
    {
      name: 'model-is-pure',
      comment: 'No package and no node: module: workflow code imports it.',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { pathNot: '^src/' },
    },
    {
      name: 'csv-is-pure',
      comment: 'No package, file or thread: bytes in, results out.',
      severity: 'error',
      from: { path: '^src/csv/' },
      to: { pathNot: '^(src/|(node:)?buffer$)' },
    },
    {
      name: 'workflows-packages',
      comment: 'Workflow code runs in the sandbox of @temporalio/workflow, and has nothing else.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { pathNot: '(^src/|node_modules/@temporalio/(workflow|common)/)' },
    },
    {
      name: 'footers-by-another-reader',
      comment: 'Rows are counted in the files by a program that wrote none of them.',
      severity: 'error',
      from: { path: '^src/verification/' },
      to: { path: 'node_modules/(parquetjs-lite|@duckdb)/' },
    },
    {
      name: 'src-stands-alone',
      comment: 'The program never needs its tests, benchmarks or tools.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|tools|bench)/' },
    },
    {
      name: 'only-run-time-dependencies',
      comment: 'What is installed for development is not there for a user.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no JavaScript API, so swc reads the files.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json', '.d.ts'],
      mainFields: ['main', 'types', 'typings'],
    },
  },
};

function pattern(folders) {
  return `^src/(${folders.join('|')})/`;
}
