import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
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

/** Lets another lake use the default namespace, as its operator would: by ending the run that says whose it is. */
export async function freeNamespace(client: Client): Promise<void> {
  const handle = client.workflow.getHandle('longhaul/lake');
  await handle.terminate().catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}
