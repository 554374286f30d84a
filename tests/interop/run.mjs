// node run.mjs TEST --sandbox LESTAPENNA --peer VOICE_PEER [--rounds N] [--frames N] [--epochs N] [--seconds N]
//     [--seed N] [--kinds A,B] [--role creator,joiner]
// TEST: matrix, epochs, churn, trouble, keys or slash (README.md). Exits 0 when all is well, 1 when not, 77 when it can not be run here.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));

function skip(reason) {
  console.error(reason);
  process.exit(77);
}

/// The packages of package-lock.json are in node_modules; what was installed stays for the next time.
function install() {
  const wanted = readFileSync(`${here}package-lock.json`, 'utf8');
  const stamp = `${here}node_modules/.lestapenna`;
  try {
    if (readFileSync(stamp, 'utf8') === wanted) return;
  } catch {
    // never installed here
  }
  const npm = spawnSync('npm', ['ci'], { cwd: here, encoding: 'utf8', timeout: 300_000 });
  if (npm.status !== 0) {
    skip(`needs the npm registry, once, for other people's clients: npm ci said\n${npm.stderr ?? npm.error}`);
  }
  writeFileSync(stamp, wanted);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sandbox: { type: 'string' },
    peer: { type: 'string' },
    rounds: { type: 'string', default: '2' },
    frames: { type: 'string', default: '100' },
    epochs: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '30' },
    kinds: { type: 'string' }, // troubles only: of these
    role: { type: 'string' }, // churn only: the recorder as these
    seed: { type: 'string', default: String(process.pid) },
  },
});
const options = { ...values };
for (const name of ['rounds', 'frames', 'epochs', 'seconds', 'seed']) options[name] = Number(values[name]);
if (Number.parseInt(process.versions.node) < 20) skip(`needs node 20 or later, this is ${process.version}`);
install();
console.log(`${positionals[0]}: seed ${options.seed}, node ${process.version}`);
const tests = await import(`./${positionals[0]}.mjs`);
process.exit((await tests[positionals[0]](options)) ? 0 : 1);
