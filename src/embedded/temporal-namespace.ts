import { Connection } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../model/run.ts';

export const EMBEDDED_NAMESPACE = 'default';

/** `start-dev` keeps history for 24 h; a lake that is loaded daily wants to be asked about last month. */
const RETENTION_DAYS = 90;

/** Whether a Temporal server answers there and has its namespace. */
export async function isServing(address: string): Promise<boolean> {
  try {
    await withConnection(address, async ({ workflowService }) => {
      await workflowService.describeNamespace({ namespace: EMBEDDED_NAMESPACE });
    });
    return true;
  } catch {
    return false;
  }
}

/** Sets what runs need of the namespace; does no harm when repeated. */
export async function prepareNamespace(address: string): Promise<void> {
  await withConnection(address, async ({ workflowService, operatorService }) => {
    await workflowService.updateNamespace({
      namespace: EMBEDDED_NAMESPACE,
      config: { workflowExecutionRetentionTtl: msNumberToTs(RETENTION_DAYS * MS_PER_DAY) },
    });
    await operatorService.addSearchAttributes({
      namespace: EMBEDDED_NAMESPACE,
      searchAttributes: SEARCH_ATTRIBUTE_TYPES,
    });
  });
}

const MS_PER_DAY = 86_400_000;
/** Loopback answers in milliseconds or not at all. */
const CALL_TIMEOUT_MS = 5000;

async function withConnection(
  address: string,
  use: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await Connection.connect({
    address,
    connectTimeout: CALL_TIMEOUT_MS,
    // A proxy of the environment has no way to this machine's loopback.
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => await use(connection));
  } finally {
    await connection.close();
  }
}
