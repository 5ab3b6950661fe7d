/** What the form of a portal's address says, before any request. */
export type PortalAddress =
  | { kind: 'arcgis-service'; service: URL; layer?: number }
  | { kind: 'arcgis-item'; page: URL; item: string; layer?: number }
  | { kind: 'hub-slug'; page: URL; slug: string }
  | { kind: 'socrata'; page: URL; id: string }
  | { kind: 'ckan-dataset'; base: URL; dataset: string; resource?: string }
  | { kind: 'ckan-resource'; base: URL; resource: string }
  | { kind: 'opendatasoft'; page: URL; id: string }
  | { kind: 'dcat'; catalogue: URL; id?: string };

export type AddressOf<Kind extends PortalAddress['kind']> = Extract<PortalAddress, { kind: Kind }>;

/** The functions run in this order. The first result that is not undefined counts. */
const FORMS = [arcgisService, arcgisItem, hubPage, ckan, opendatasoft, dcat, socrata];

/**
 * Recognises an address by its form alone. Returns undefined for the address of a file, which is any address that names
 * one (`…/items/<id>/data`, `…/download/…`, `rows.csv`, an address with its own query).
 */
export function portalAddressOf(url: URL): PortalAddress | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  for (const form of FORMS) {
    const found = form(url);
    if (found) return found;
  }
  return undefined;
}

/** Proposes a name for a dataset from its address. */
export function nameInPortalAddress(address: PortalAddress): string {
  switch (address.kind) {
    case 'arcgis-service':
      return decoded(address.service.pathname.split('/').at(-2) ?? '');
    case 'arcgis-item':
      return `item-${address.item.slice(0, SHORT_ID_LENGTH)}`;
    case 'hub-slug':
      return address.slug.split('::').at(-1) ?? '';
    case 'socrata': {
      const [name = 'd'] =
        address.page.pathname.split(`/${address.id}`)[0]?.split('/').slice(-1) ?? [];
      return /^(?:d|resource|views)$/.test(name) ? address.id : decoded(name);
    }
    case 'ckan-dataset':
      return address.dataset;
    case 'ckan-resource':
      return `resource-${address.resource.slice(0, SHORT_ID_LENGTH)}`;
    case 'opendatasoft':
      return address.id;
    case 'dcat':
      return address.id ?? '';
  }
}

/** The start of an id is enough to tell the items of a publisher apart. */
const SHORT_ID_LENGTH = 8;

const SERVICE =
  /^(.*\/rest\/services\/.+\/(?:FeatureServer|MapServer))(?:\/(\d{1,9}))?(?:\/query)?\/?$/i;

function arcgisService(url: URL): PortalAddress | undefined {
  const [, path, layer] = SERVICE.exec(url.pathname) ?? [];
  if (path === undefined) return undefined;
  return { kind: 'arcgis-service', service: withPath(url, path), ...layerOf(layer) };
}

/** An item's id, with the number of a layer if there is one. */
const ITEM = /^([\da-f]{32})(?:_(\d{1,9}))?$/i;

function arcgisItem(url: URL): PortalAddress | undefined {
  const ofPage =
    /\/(?:datasets|maps|documents|apps\/mapviewer)\/([\da-f]{32}(?:_\d{1,9})?)(?:\/(?:explore|about|api)?)?$/i;
  const ofPortal = /\/home\/item\.html$/i.test(url.pathname) ? url.searchParams.get('id') : null;
  const ofService = /\/sharing\/rest\/content\/items\/([\da-f]{32})\/?$/i;
  const text = ofPortal ?? (ofPage.exec(url.pathname) ?? ofService.exec(url.pathname))?.[1] ?? '';
  const [, item, ofText] = ITEM.exec(text) ?? [];
  if (item === undefined) return undefined;
  const ofQuery = /^\d{1,9}$/.exec(url.searchParams.get('sublayer') ?? '')?.[0];
  const layer = ofText ?? (ofPortal === null ? undefined : ofQuery);
  return { kind: 'arcgis-item', page: url, item: item.toLowerCase(), ...layerOf(layer) };
}

/** On hosts that are not Esri's, a slug without `::` may belong to CKAN or to any other site. */
function hubPage(url: URL): PortalAddress | undefined {
  const [, kind, text = ''] =
    /\/(datasets|maps|documents)\/([^/]+)(?:\/(?:explore|about|api)?)?$/i.exec(url.pathname) ?? [];
  const slug = decoded(text);
  const isHub = slug.includes('::') || (kind?.toLowerCase() === 'datasets' && isOfArcgisCom(url));
  return isHub && !slug.includes('.') ? { kind: 'hub-slug', page: url, slug } : undefined;
}

/** Whether the host is Esri's own: ArcGIS Online, or a Hub without a host name of its own. */
export function isOfArcgisCom({ hostname }: URL): boolean {
  return /(?:^|\.)arcgis\.com$/i.test(hostname);
}

const UUID = String.raw`[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}`;
const CKAN_PAGE = new RegExp(`^(.*)/dataset/([^/.]+)(?:/resource/(${UUID}))?/?$`, 'i');
const CKAN_DUMP = new RegExp(`^(.*)/datastore/dump/(${UUID})/?$`, 'i');

function ckan(url: URL): PortalAddress | undefined {
  const [, dumpPrefix, dumped] = CKAN_DUMP.exec(url.pathname) ?? [];
  if (dumped !== undefined) {
    return { kind: 'ckan-resource', base: baseOf(url, dumpPrefix), resource: dumped };
  }
  const [, apiPrefix, action] =
    /^(.*)\/api\/(?:3\/)?action\/(package_show|resource_show|datastore_search)$/i.exec(
      url.pathname,
    ) ?? [];
  const id = url.searchParams.get(action === 'datastore_search' ? 'resource_id' : 'id');
  if (action !== undefined && id !== null) {
    const base = baseOf(url, apiPrefix);
    return action === 'package_show'
      ? { kind: 'ckan-dataset', base, dataset: id }
      : { kind: 'ckan-resource', base, resource: id };
  }
  const [, prefix, dataset, resource] = CKAN_PAGE.exec(url.pathname) ?? [];
  if (dataset === undefined || prefix?.endsWith('/explore')) return undefined;
  return {
    kind: 'ckan-dataset',
    base: baseOf(url, prefix),
    dataset: decoded(dataset),
    ...(resource !== undefined && { resource }),
  };
}

/** The path may end with the name of a tab. `…/download/` and `…/files/…` are addresses of files. */
const ODS_PAGE =
  /^(?:\/[a-z-]{2,10})?\/explore\/(?:embed\/)?dataset\/([\w@-]+)(?:\/(?:information|table|map|analyze|export|api|calendar|images|custom)?)?\/?$/i;

function opendatasoft(url: URL): PortalAddress | undefined {
  const found =
    ODS_PAGE.exec(url.pathname) ??
    /\/api\/explore\/v2\.\d\/catalog\/datasets\/([\w@-]+)\/?$/i.exec(url.pathname);
  return found?.[1] === undefined ? undefined : { kind: 'opendatasoft', page: url, id: found[1] };
}

/** The text after `#` is the id of one of the catalogue's data sets. */
function dcat(url: URL): PortalAddress | undefined {
  if (!/(?:^|\/)(?:data\.json|api\/feed\/dcat-(?:us|ap)\/[\d.]+(?:\.json)?)$/i.test(url.pathname))
    return undefined;
  const catalogue = new URL(url);
  catalogue.hash = '';
  const id = decoded(url.hash.slice(1));
  return { kind: 'dcat', catalogue, ...(id !== '' && { id }) };
}

const FOUR_BY_FOUR = '([a-z0-9]{4}-[a-z0-9]{4})';
const SOCRATA_PAGE = new RegExp(
  `^/(?:d|[^/]+/[^/]+)/${FOUR_BY_FOUR}(?:/(?:data|about_data|explore|data_preview))?/?$`,
);
const SOCRATA_SERVICE = new RegExp(
  `^/(?:resource/${FOUR_BY_FOUR}(?:\\.(?:csv|json))?|api/views/${FOUR_BY_FOUR}(?:\\.json)?)$`,
);

function socrata(url: URL): PortalAddress | undefined {
  const ofPage = SOCRATA_PAGE.exec(url.pathname)?.[1];
  const ofService = url.search === '' ? SOCRATA_SERVICE.exec(url.pathname) : null;
  const id = ofPage ?? ofService?.[1] ?? ofService?.[2];
  return id === undefined ? undefined : { kind: 'socrata', page: url, id };
}

function layerOf(text: string | undefined): { layer?: number } {
  return text === undefined ? {} : { layer: Number(text) };
}

function baseOf(url: URL, prefix = ''): URL {
  return withPath(url, `${prefix}/`);
}

/** The path is not resolved against the address, because a path that begins with `//` would lead to another host. */
function withPath(url: URL, path: string): URL {
  const changed = new URL(url.origin);
  changed.pathname = path;
  return changed;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
