/** `tools/origin/main.ts FOLDER`: runs a publisher. It prints its URL, and ends when its standard input ends. */
import { startFileOrigin } from './file-origin.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: tools/origin/main.ts FOLDER');
const origin = await startFileOrigin(folder);
console.log(origin.url);
process.stdin.resume();
process.stdin.once('end', () => void origin.close());
