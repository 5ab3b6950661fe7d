/** A command of the tests that uses the server until its standard input ends: `member-entry.ts STATE_DIR`. */
import { once } from 'node:events';
import { joinEmbedded } from '../../src/embedded/join.ts';
import { hostCommand } from './host-command.ts';

const [stateDir = ''] = process.argv.slice(2);
const server = await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
console.log(server.address);
process.stdin.resume();
await once(process.stdin, 'end');
await server.leave();
