import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locateJarSet } from '../../src/programs/hadoop.ts';
import { readPin } from '../../src/programs/tools-folder.ts';
import { fetchPythonPackages } from '../python-packages.ts';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));

/** Fetches DuckDB with its Iceberg extension, pyiceberg, polars and pandas. @returns their PYTHONPATH. */
export async function fetchTableReaders(onNote?: (note: string) => void): Promise<string> {
  const readers = { name: 'table-readers', requirements: REQUIREMENTS, size: '650 MB' };
  return await fetchPythonPackages(readers, onNote);
}

/** Jars of Iceberg's own library in Java: one for Spark 3.5, one more for buckets. */
const ICEBERG_JARS = {
  spark: { artifact: 'iceberg-spark-runtime-3.5_2.12', size: 'about 48 MB' },
  s3: { artifact: 'iceberg-aws-bundle', size: 'about 69 MB' },
};

/** Fetches one jar, which contains all that it needs. @returns its path. */
export async function fetchIcebergJar(
  of: keyof typeof ICEBERG_JARS,
  onNote?: (note: string) => void,
): Promise<string> {
  const pin = await readPin('iceberg', 'maven');
  const { artifact, size } = ICEBERG_JARS[of];
  const folder = await locateJarSet(
    {
      name: `iceberg-${of}-${pin.version}`,
      title: `jar of Iceberg (${artifact})`,
      size,
      dependencies: [{ pin, artifact, without: ['*:*'] }],
    },
    { onNote },
  );
  return join(folder, `${artifact}-${pin.version}.jar`);
}
