import { fileURLToPath } from 'node:url';
import { fetchPythonPackages } from '../python-packages.ts';

const REQUIREMENTS = fileURLToPath(new URL('moto-requirements.txt', import.meta.url));

/** Moto, an emulator of AWS in Python. @returns its PYTHONPATH. */
export async function fetchMoto(onNote?: (note: string) => void): Promise<string> {
  const moto = { name: 'moto', requirements: REQUIREMENTS, size: '140 MB' };
  return await fetchPythonPackages(moto, onNote);
}
