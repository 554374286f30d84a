// The keys that our producer leaves against those that BullMQ's own leaves, in every state a queue can be in: 0
// differences.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { check, keyspace, kVersions, Redis, until } from './parts.mjs';

const kOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 2000 },
  removeOnComplete: { age: 604800 },
  removeOnFail: false,
};
const kStates = {
  plain: async () => {},
  paused: (queue) => queue.pause(),
  resumed: async (queue) => {
    await queue.pause();
    await queue.resume();
  },
  'paused with a job': async (queue) => {
    await queue.pause();
    await queue.add('x', { a: 1 }, { jobId: 'before', timestamp: 1 });
  },
  'global concurrency': (queue) => queue.setGlobalConcurrency(4),
  'concurrency full': async (queue, client, name) => {
    await queue.setGlobalConcurrency(1);
    await client.lpush(`bull:${name}:active`, 'busy');
  },
  'global rate limit': (queue) => queue.setGlobalRateLimit(1, 600),
  'limiter active': (queue, client, name) => client.set(`bull:${name}:limiter`, '9', 'PX', 600_000),
  'fewer events kept': (queue, client, name) => client.hset(`bull:${name}:meta`, 'opts.maxLenEvents', '100'),
};
// [id, timestamp]: one, a second, the first again; ids as a queue may see them.
const kAdds = {
  one: [['FULL-1-2.mp3', 1000]],
  'two and the first again': [['FULL-1-2.mp3', 1000], ['FULL-3-4.mp3', 1001], ['FULL-1-2.mp3', 1002]],
  'an odd name': [['FULL-18446744073709551615-1700000000000.mp3-01J0ABCDEFGH', 1_700_000_000_000]],
};
const kData = { sessionId: 's', fileName: 'recordings/s/full/FULL-1-2.mp3', link: null, duration: 4000, name: 'é "x"' };

async function ours(program, port, name, adds) {
  const child = spawn(program, [String(port), name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  for (const [id, timestamp] of adds) {
    child.stdin.write(JSON.stringify({ id, name: 'transcribe-job', data: JSON.stringify(kData), timestamp }) + '\n');
  }
  child.stdin.end();
  const code = await new Promise((resolve) => child.on('close', resolve));
  check(code === 0, `our producer ended with ${code}`);
  return said;
}

/// Options are compared as values: the order of their keys is nobody's business. Theirs also repeat the timestamp that
/// was given, which is the job's own.
function comparable(keys) {
  for (const { type, value } of Object.values(keys)) {
    if (type !== 'hash' || !value.opts) continue;
    value.opts = JSON.parse(value.opts);
    delete value.opts.timestamp;
  }
  return keys;
}

export async function keys({ producer }) {
  const redis = await Redis.start();
  let compared = 0;
  let different = 0;
  const observer = new kVersions[5].Queue('observer', { connection: redis.connection });
  try {
    const client = await observer.client;
    for (const [version, { Queue }] of Object.entries(kVersions)) {
      for (const [state, prepare] of Object.entries(kStates)) {
        for (const [what, adds] of Object.entries(kAdds)) {
          const found = [];
          for (const who of ['theirs', 'ours']) {
            const name = `q${++compared}-${who}`;
            const queue = new Queue(name, { connection: redis.connection });
            // A Queue writes its meta some time after it says that it is ready, over whatever was set.
            await until('version of the queue', () => client.hget(`bull:${name}:meta`, 'version'));
            await prepare(queue, client, name);
            if (who === 'ours') {
              const said = await ours(producer, redis.port, name, adds);
              check(said.join() === adds.map((_, i) => (i === 2 ? 'there' : 'added')).join(), `said ${said}`);
            } else {
              for (const [jobId, timestamp] of adds) {
                await queue.add('transcribe-job', kData, { ...kOptions, jobId, timestamp });
              }
            }
            found.push(comparable(await keyspace(client, name)));
            await queue.close();
          }
          if (isDeepStrictEqual(found[0], found[1])) continue;
          ++different;
          console.log(`BullMQ ${version}, ${state}, ${what}:`);
          console.dir({ theirs: found[0], ours: found[1] }, { depth: null });
        }
      }
    }
  } finally {
    await observer.close();
    redis.stop();
  }
  const cases = 2 * Object.keys(kStates).length * Object.keys(kAdds).length;
  console.log(`${cases} comparisons of all keys, ${different} differences`);
  check(different === 0, 'there are differences');
}
