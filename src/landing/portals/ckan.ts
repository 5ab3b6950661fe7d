import { LonghaulError } from '../../model/errors.ts';
import type { OpenedSource } from '../source.ts';
import { ambiguous } from './ambiguous.ts';
import { datastorePage, show, type Ckan } from './ckan-api.ts';
import { resourceOf, type CkanResource } from './ckan-resource.ts';
import { datastoreTable, dumpOf, ID } from './ckan-table.ts';
import type { Choice, Description } from './description.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, textOf } from './json-fields.ts';
import { pagesByOffset } from './offset-table.ts';
import { openPaged } from './paged-table.ts';
import type { Leads, Portal } from './portal.ts';
import { MAX_PAGE_BYTES, type PortalClient } from './portal-client.ts';
import type { PortalAddress } from './recognise.ts';
import { examplesOf } from './records.ts';

type DatasetAddress = Extract<PortalAddress, { kind: 'ckan-dataset' }>;
type ResourceAddress = Extract<PortalAddress, { kind: 'ckan-resource' }>;

const EXAMPLES = 3;

/** The page of a data set, or of one of its resources. */
export const ckanDataset: Portal<DatasetAddress> = {
  open: async (address, client, leads) => {
    const { choices, ...dataset } = await datasetAt(address, client);
    const [resource] = choices;
    if (resource && choices.length === 1) return await open({ ...dataset, resource }, leads);
    const what = `${client.request.shown} has ${choices.length} CSV resources`;
    throw ambiguous(what, pagesOf(address, dataset.ckan, choices));
  },
  describe: async (address, client, leads) => {
    const { choices, ...dataset } = await datasetAt(address, client);
    const [resource] = choices;
    if (resource && choices.length === 1) return await describe({ ...dataset, resource }, leads);
    return pagesOf(address, dataset.ckan, choices);
  },
};

/** The address of a resource's records, or of what the portal says of it. */
export const ckanResource: Portal<ResourceAddress> = {
  open: async (address, client, leads) => await open(await resourceAt(address, client), leads),
  describe: async (address, client, leads) => {
    const found = await resourceAt(address, client);
    const id = textOf(found.json, 'package_id');
    if (id === undefined) return await describe(found, leads);
    const { result } = await show(found.ckan, 'package_show', id);
    return await describe({ ...found, json: result }, leads);
  },
};

interface Found {
  ckan: Ckan;
  /** What the portal says of the data set. */
  json: unknown;
  resource: CkanResource;
  /** The DataStore's records were asked for, although there may be a file. */
  asRecords: boolean;
}

/**
 * @returns the resources that the address may mean, at least one.
 * @throws LonghaulError PORTAL_UNUSABLE, SOURCE_NOT_FOUND where there is none.
 */
async function datasetAt(
  { base, dataset, resource }: DatasetAddress,
  client: PortalClient,
): Promise<Omit<Found, 'resource'> & { choices: CkanResource[] }> {
  const { ckan, result: json } = await show({ base, client }, 'package_show', dataset);
  const all = listOf(json, 'resources').flatMap((each) => resourceOf(each) ?? []);
  const found = { ckan, json, asRecords: false };
  const choices = all.filter(({ id, isCsv }) =>
    resource === undefined ? isCsv : id === resource.toLowerCase(),
  );
  if (choices.length > 0) return { ...found, choices };
  const { shown } = client.request;
  if (resource === undefined) {
    throw new LonghaulError('PORTAL_UNUSABLE', `${shown} has no CSV resource.`);
  }
  const what = `${shown}: the data set has no resource ${resource} (any more).`;
  throw new LonghaulError('SOURCE_NOT_FOUND', what);
}

async function resourceAt(
  { base, resource: id }: ResourceAddress,
  client: PortalClient,
): Promise<Found> {
  const { ckan, result: json } = await show({ base, client }, 'resource_show', id);
  const resource = resourceOf(json);
  if (resource) return { ckan, json, resource, asRecords: resource.hasRecords };
  const what = `${client.request.shown} answered with no resource.`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

async function open(found: Found, leads: Leads): Promise<OpenedSource> {
  const { ckan, resource } = found;
  if (!isPages(found)) return await leads.open(fileOf(found));
  if (resource.urlType !== 'datastore' && !resource.hasAllRecords) {
    const what = `${dumpOf(ckan, resource).href} has a part of the file only, as the portal says.`;
    const hint = `Use the address of the file: ${fileOf(found).href}`;
    throw new LonghaulError('PORTAL_UNUSABLE', what, { hint });
  }
  const resourceNow = async (): Promise<CkanResource> => {
    const { result } = await show(ckan, 'resource_show', resource.id);
    return resourceOf(result) ?? resource;
  };
  const table = await datastoreTable(ckan, resource, resourceNow);
  return openPaged(pagesByOffset(table), ckan.client.request);
}

async function describe(found: Found, leads: Leads): Promise<Description | Choice[]> {
  const { ckan, json, resource } = found;
  const reads = isPages(found) ? 'pages' : 'file';
  const service = reads === 'pages' ? dumpOf(ckan, resource) : fileOf(found);
  const elsewhere = reads === 'file' ? await leads.describe(service) : undefined;
  if (elsewhere) return elsewhere;
  const names = [lineOf(json, 'title'), lineOf(resource, 'name')].flatMap((each) => each ?? []);
  return {
    kind: 'ckan',
    service: service.href,
    reads,
    title: names.join(': '),
    licence: lineOf(json, 'license_title') ?? lineOf(json, 'license_id'),
    publisher: lineOf(fieldOf(json, 'organization'), 'title') ?? lineOf(json, 'author'),
    changedAt: isoTimeOf(Date.parse(`${resource.modifiedAt ?? ''}Z`)),
    ...(resource.hasRecords && resource.hasAllRecords && (await recordsOf(ckan, resource, reads))),
  };
}

async function recordsOf(
  ckan: Ckan,
  { id }: CkanResource,
  reads: Description['reads'],
): Promise<Pick<Description, 'records' | 'columns' | 'examples'>> {
  const asked = { offset: 0, limit: EXAMPLES, maxBytes: MAX_PAGE_BYTES };
  const { fields, records, total } = await datastorePage(ckan, id, asked);
  // A file does not have the number that the DataStore gives its records.
  const columns = reads === 'file' ? fields.filter(({ name }) => name !== ID) : fields;
  const names = columns.map(({ name }) => name);
  return { records: total, columns, examples: examplesOf(records, names) };
}

/** The DataStore is a copy, and may be older than the file: the file comes first where there is one. */
function isPages({ resource, asRecords }: Found): boolean {
  return resource.urlType === 'datastore' || asRecords;
}

function fileOf({ ckan, resource }: Found): URL {
  const { url = '' } = resource;
  if (url !== '' && URL.canParse(url, ckan.base.href)) return new URL(url, ckan.base);
  const what = `The resource ${resource.id} of ${ckan.base.href} has no address of a file.`;
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

function pagesOf(
  { dataset }: DatasetAddress,
  { base }: Ckan,
  resources: readonly CkanResource[],
): Choice[] {
  return resources.map(({ id, name = id }) => ({
    address: new URL(`dataset/${encodeURIComponent(dataset)}/resource/${id}`, base).href,
    title: lineOf({ name }, 'name') ?? id,
  }));
}
