import { LonghaulError } from '../../model/errors.ts';
import type { OpenedSource } from '../source.ts';
import { datastorePage, datastoreTable, dumpOf, ID, show } from './ckan-datastore.ts';
import type { Ckan, Resource as DatastoreResource } from './ckan-datastore.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, textOf } from './json.ts';
import { openPaged } from './paged-table.ts';
import { isCsv, type Description, type Found, type Portal } from './portal.ts';
import type { AddressOf } from './recognise.ts';
import { examplesOf, rowsOf } from './records.ts';

const EXAMPLES = 3;

/** Reads the page of a data set or of one of its resources. */
export const ckanDataset: Portal<AddressOf<'ckan-dataset'>> = async (
  { base, dataset, resource },
  client,
) => {
  const { ckan, result } = await show({ base, client }, 'package_show', dataset);
  const resources = listOf(result, 'resources').flatMap((each) => resourceOf(each) ?? []);
  const wanted = resources.filter((each) =>
    resource === undefined ? each.isCsv : each.id === resource.toLowerCase(),
  );
  const [only, ...others] = wanted;
  const { shown } = client.request;
  if (!only) {
    throw resource === undefined
      ? new LonghaulError('PORTAL_UNUSABLE', `${shown} has no CSV resource.`)
      : new LonghaulError(
          'SOURCE_NOT_FOUND',
          `${shown}: the data set has no resource ${resource} (any more).`,
        );
  }
  if (others.length === 0) return found(ckan, only, { dataset: async () => result });
  return {
    what: `${shown} has ${wanted.length} CSV resources`,
    choices: wanted.map(({ id, name = id }) => ({
      address: new URL(`dataset/${encodeURIComponent(dataset)}/resource/${id}`, ckan.base).href,
      title: lineOf({ name }, 'name') ?? id,
    })),
  };
};

/** Reads the address of a resource's records or of its description. */
export const ckanResource: Portal<AddressOf<'ckan-resource'>> = async (
  { base, resource: id },
  client,
) => {
  const { ckan, result } = await show({ base, client }, 'resource_show', id);
  const resource = resourceOf(result);
  if (!resource) {
    const what = `${client.request.shown} answered with no resource.`;
    throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
  }
  const packageId = textOf(result, 'package_id');
  const dataset = async (): Promise<unknown> =>
    packageId === undefined ? result : (await show(ckan, 'package_show', packageId)).result;
  return found(ckan, resource, { dataset, asRecords: resource.hasRecords });
};

/** A file or table of a CKAN data set. */
interface Resource extends DatastoreResource {
  name: string | undefined;
  /** The address from the portal's answer: on this portal, on another host, or relative. */
  url: string | undefined;
  isCsv: boolean;
  /** The resource has only records, and no file. */
  hasNoFile: boolean;
  hasRecords: boolean;
  /** Whether the DataStore holds all records of the file. It is a copy, and may hold only some. */
  hasAllRecords: boolean;
}

/** Returns undefined if the JSON is not a resource. */
function resourceOf(json: unknown): Resource | undefined {
  const id = textOf(json, 'id');
  if (id === undefined) return undefined;
  const url = textOf(json, 'url');
  const hasNoFile = textOf(json, 'url_type') === 'datastore';
  return {
    id,
    name: textOf(json, 'name'),
    url,
    isCsv: hasNoFile || isCsv(textOf(json, 'format') ?? textOf(json, 'mimetype'), url),
    hasNoFile,
    hasRecords: fieldOf(json, 'datastore_active') === true,
    hasAllRecords: fieldOf(json, 'datastore_contains_all_records_of_source_file') !== false,
    modifiedAt: textOf(json, 'last_modified') ?? textOf(json, 'metadata_modified'),
  };
}

interface Asked {
  /** Asks the portal for the data set's description. */
  dataset: () => Promise<unknown>;
  /** The address asks for the DataStore's records, although there may be a file. */
  asRecords?: boolean;
}

/** The DataStore is a copy and may be older than the file. So the file comes first if there is one. */
function found(ckan: Ckan, resource: Resource, { dataset, asRecords = false }: Asked): Found {
  const isPages = resource.hasNoFile || asRecords;
  const target = isPages ? dumpOf(ckan, resource) : fileOf(ckan, resource);
  const describe = async (): Promise<Description> => {
    const json = await dataset();
    const names = [lineOf(json, 'title'), lineOf(resource, 'name')].flatMap((each) => each ?? []);
    return {
      kind: 'ckan',
      service: target.href,
      reads: isPages ? 'pages' : 'file',
      title: names.join(': '),
      licence: lineOf(json, 'license_title') ?? lineOf(json, 'license_id'),
      publisher: lineOf(fieldOf(json, 'organization'), 'title') ?? lineOf(json, 'author'),
      changedAt: isoTimeOf(Date.parse(`${resource.modifiedAt ?? ''}Z`)),
      ...(resource.hasRecords &&
        resource.hasAllRecords &&
        (await recordsOf(ckan, resource, isPages))),
    };
  };
  return isPages
    ? { open: async () => await openRecords(ckan, resource), describe }
    : { leadsTo: target, describe };
}

async function openRecords(ckan: Ckan, resource: Resource): Promise<OpenedSource> {
  if (!resource.hasNoFile && !resource.hasAllRecords) {
    const what = `${dumpOf(ckan, resource).href} has a part of the file only, as the portal says.`;
    const hint = `Use the address of the file: ${fileOf(ckan, resource).href}`;
    throw new LonghaulError('PORTAL_UNUSABLE', what, { hint });
  }
  const resourceNow = async (): Promise<Resource> => {
    const { result } = await show(ckan, 'resource_show', resource.id);
    return resourceOf(result) ?? resource;
  };
  return openPaged(await datastoreTable(ckan, resource, resourceNow), ckan.client);
}

async function recordsOf(
  ckan: Ckan,
  resource: Resource,
  isPages: boolean,
): Promise<Pick<Description, 'records' | 'columns' | 'examples'>> {
  const first = { offset: 0, limit: EXAMPLES };
  const { fields, records, total } = await datastorePage(ckan, resource, first);
  // A file does not have the numbers that the DataStore gives its records.
  const columns = isPages ? fields : fields.filter(({ name }) => name !== ID);
  const names = columns.map(({ name }) => name);
  return { records: total, columns, examples: examplesOf(rowsOf(records, names)) };
}

/** @throws LonghaulError PORTAL_UNUSABLE. */
function fileOf({ base }: Ckan, { id, url = '' }: Resource): URL {
  if (url !== '' && URL.canParse(url, base.href)) return new URL(url, base);
  const what = `The resource ${id} of ${base.href} has no address of a file.`;
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}
