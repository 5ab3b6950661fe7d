import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { locateTemporal } from '../../src/programs/temporal.ts';
import { SEARCH_ATTRIBUTES } from '../../src/model/run.ts';

/** A real Temporal dev server of the test's own, with the search attributes, stopped by `teardown()`. */
export async function startTemporal(): Promise<TestWorkflowEnvironment> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
  const path = await temporalProgram();
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap((name) => [
    '--search-attribute',
    `${name}=${name === SEARCH_ATTRIBUTES.rows ? 'Int' : 'Keyword'}`,
  ]);
  return await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      log: { level: 'never', format: 'pretty' },
      extraArgs: attributes,
    },
  });
}

export async function temporalProgram(): Promise<string> {
  return await locateTemporal({
    cli: process.env['TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
  });
}
