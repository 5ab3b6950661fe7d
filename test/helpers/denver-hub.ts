import { DENVER_FACTS, type Fact } from '../../tools/live-check/denver-facts.ts';
import { generate } from '../../tools/generate/generate.ts';
import { startOrigin, type Origin } from './origin.ts';
import { layerOf, startArcgis, type FakeLayer, type Features } from './portal.ts';

/** Ids of Denver's items in the Hub, by dataset and source. */
const ITEMS = {
  'denver-311/2019': 'acc3b988031749038b54c2fb8eedf320',
  'denver-311/2020': '63678a1854b740fba4ccdb34f5857538',
  'denver-311/2021': '7b1e415350424ed495b813874b02e88e',
  'denver-311/2022': 'ef0a786fce784065918854d5b7eb28a7',
  'denver-311/2023': 'ff6c84d8881647ca97b439971ad20a72',
  'denver-311/2024': '79f43c95bf9a4ac19ef8217c5367e6c4',
  'denver-311/2025': '5bdb9b3033d74782a4c410e548887ede',
  'denver-traffic-accidents/all': 'db00bd99ea534d8987e0913a191ebe19',
  'denver-crime/all': '16d9c82bb36c4475bf87189cfaed653c',
} as const;
export type DenverSource = keyof typeof ITEMS;

const RECENT_SERVICE =
  '/zdB7qR0BtYrg0Xpl/arcgis/rest/services/ODC_service_requests_311/FeatureServer';
const OLD_FILE = '/media/gis/DataCatalog/311_service_data/csv/311_service_data_2015.csv';
/** Numbers of the layers in their services. Layers that are not listed have the number 0. */
const NUMBERS: Readonly<Record<string, number>> = {
  'denver-311-recent/all': 66,
  'denver-traffic-accidents/all': 325,
  'denver-crime/all': 324,
};
/** Records in the file of each year. The hub writes files at its start, but makes a layer's records on request. */
export const FILE_RECORDS = 200;

const DAY_MS = 24 * 60 * 60 * 1000;
const FIRST_DAY_MS = Date.UTC(2026, 10, 1);

/** Denver's Hub and the servers behind it, on loopback: its pages, items, fields and files, with made-up records. */
export interface DenverHub {
  hub: Origin;
  /** Layers by dataset and source. A source that is a file has none. */
  layers: ReadonlyMap<string, FakeLayer>;
  /** The address of a data set's page. */
  page(source: DenverSource): string;
  /** Empties a table and fills it again, as the city does: the same records and some more, with other object ids. */
  reload(source: DenverSource, addedRecords: number): void;
  close(): Promise<void>;
}

export async function startDenverHub({ records }: { records: number }): Promise<DenverHub> {
  const hub = await startOrigin({});
  const arcgis = await startArcgis();
  const layers = new Map<string, FakeLayer>();
  for (const [source, fact] of Object.entries(DENVER_FACTS)) {
    if (fact.reads === 'pages') layers.set(source, denverLayer(source, fact, records));
  }
  for (const [source, id] of Object.entries(ITEMS)) {
    const layer = layers.get(source);
    const path = `/sharing/rest/content/items/${id}`;
    const url = layer && arcgis.serveAt(`/arcgis/rest/services/${source}/FeatureServer`, layer);
    const item = { id, type: layer ? 'Feature Service' : 'CSV', title: source, url: url ?? null };
    hub.set(path, { body: JSON.stringify(item) });
    if (!layer) hub.set(`${path}/data`, yearFile(Number(source.split('/')[1])));
  }
  hub.set(OLD_FILE, yearFile(2015));
  const recent = layers.get('denver-311-recent/all');
  if (recent) {
    const service = arcgis.serveAt(RECENT_SERVICE, recent);
    for (const rest of ['', '/66', '/66/query'])
      hub.set(RECENT_SERVICE + rest, { redirect: service + rest, status: 307 });
  }
  return {
    hub,
    layers,
    page: (source) => hub.address(`/datasets/${ITEMS[source]}/explore`),
    reload: (source, addedRecords) => {
      const layer = layers.get(source);
      if (layer) reload(layer, addedRecords);
    },
    close: async () => {
      await hub.close();
      await arcgis.close();
    },
  };
}

function yearFile(year: number): { body: Buffer; etag: string } {
  const made = generate({ dataset: 'denver-311', year, seed: 1, limit: { records: FILE_RECORDS } });
  return { body: Buffer.concat([...made.chunks]), etag: `"${year}"` };
}

function denverLayer(source: string, fact: Fact, records: number): FakeLayer {
  const columns = fact.columns ?? DENVER_FACTS['denver-311/2023']?.columns ?? {};
  const isPlace = 'geo_lon' in columns || 'GEO_LON' in columns;
  return layerOf(
    recordsOf(columns, records, 0),
    Object.entries(columns).map(([name, type]) => ({
      name,
      type,
      alias: name.replaceAll('_', ' '),
    })),
    {
      id: NUMBERS[source] ?? 0,
      name: source,
      ...(isPlace && { type: 'Feature Layer', geometryType: 'esriGeometryPoint' }),
      ...editedOn(0),
    },
  );
}

function reload(layer: FakeLayer, addedRecords: number): void {
  const { fields, editingInfo } = layer.metadata as {
    fields: { name: string; type: string }[];
    editingInfo: { dataLastEditDate: number };
  };
  const day = (editingInfo.dataLastEditDate - FIRST_DAY_MS) / DAY_MS + 1;
  const columns = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
  layer.features = recordsOf(columns, layer.features.length + addedRecords, day);
  Object.assign(layer.metadata, editedOn(day));
}

function editedOn(day: number): { editingInfo: object } {
  const at = FIRST_DAY_MS + day * DAY_MS;
  return { editingInfo: { lastEditDate: at, dataLastEditDate: at, schemaLastEditDate: 0 } };
}

function recordsOf(
  columns: Readonly<Record<string, string>>,
  length: number,
  day: number,
): Features {
  const firstId = 300_000_000 + day * 1_000_000;
  const makers = Object.entries(columns).map(
    ([name, type]) => [name, makerOf(name, type)] as const,
  );
  const id = (index: number): number => firstId + index * 2;
  return {
    length,
    id: (index) => BigInt(id(index)),
    json: (index) => {
      const values = makers.map(([name, make]) => [name, make(index, id(index))]);
      const geometry = { x: -104.99 + (index % 1000) / 10_000, y: 39.74 };
      return JSON.stringify({ attributes: Object.fromEntries(values) as object, geometry });
    },
  };
}

type Value = string | number | null;

/** Makes the value of a field from a record's index. No value but the object id changes when the object ids change. */
function makerOf(name: string, type: string): (index: number, objectId: number) => Value {
  if (type === 'esriFieldTypeOID') return (_, objectId) => objectId;
  const known = KNOWN[name.toLowerCase()];
  if (known) return known;
  switch (type) {
    case 'esriFieldTypeDate':
      return (index) => timeOf(index);
    case 'esriFieldTypeDouble':
      return (index) => -104.99 + (index % 1000) / 10_000;
    case 'esriFieldTypeInteger':
    case 'esriFieldTypeSmallInteger':
      return (index) => (index % 11 === 0 ? null : index % 7);
    default:
      return (index) => [null, '', ' ', `${name.toLowerCase()} ${index % 13}`][index % 4] ?? null;
  }
}

const KNOWN: Readonly<Record<string, (index: number) => Value>> = {
  incident_id: (index) => incidentOf(index),
  offense_id: (index) => `${incidentOf(index)}544100`,
  top_traffic_accident_offense: () => 'TRAF - ACCIDENT'.padEnd(30),
  last_occurrence_date: (index) => (index % 10 === 0 ? timeOf(index) : null),
};

/** As many digits as the city's longest number. With the digits of the offense, the number is larger than 2^53. */
function incidentOf(index: number): string {
  return `2023${String(800_000_000 + index)}`;
}

function timeOf(index: number): number {
  return Date.UTC(2023, 0, 1, 7, 30) + index * 61_000;
}
