// node run.mjs TEST --producer OUR_PRODUCER --table OUR_TABLE
// node run.mjs worker --version 5|6 --port REDIS
// TEST: keys or workers (README.md). Exits 0 when all is well, 1 when not, 77 when it can not be run here.
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
  const words = ['ci', '--omit=optional', '--ignore-scripts'];
  const npm = spawnSync('npm', words, { cwd: here, encoding: 'utf8', timeout: 300_000 });
  if (npm.status !== 0) skip(`needs the npm registry, once, for BullMQ: npm said\n${npm.stderr ?? npm.error}`);
  writeFileSync(stamp, wanted);
}

const text = { type: 'string' };
const options = { producer: text, table: text, version: text, port: text };
const { values, positionals } = parseArgs({ allowPositionals: true, options });
if (Number.parseInt(process.versions.node) < 20) skip(`needs node 20 or later, this is ${process.version}`);
if (spawnSync('redis-server', ['--version']).status !== 0) skip('needs redis-server (tools/packages test)');
install();
const tests = await import(`./${positionals[0]}.mjs`);
try {
  await tests[positionals[0]](values);
} catch (error) {
  console.error(error);
  process.exit(1);
}
process.exit(0);
