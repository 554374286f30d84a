// What the tests share: a redis-server of their own, and a look at all keys of a queue.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as bullmq5 from 'bullmq5';
import * as bullmq6 from 'bullmq6';

export const kVersions = { 5: bullmq5, 6: bullmq6 };
export const kPatience = 60_000; // the machine is loaded

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, there) {
  const deadline = Date.now() + kPatience;
  for (;;) {
    const found = await there();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`no ${what} within ${kPatience / 1000} s`);
    await sleep(10);
  }
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Redis {
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.folder = mkdtempSync(join(tmpdir(), 'lestapenna-redis-'));
    const words = ['--port', redis.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'].map(String);
    redis.child = spawn('redis-server', words, { cwd: redis.folder, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
      let said = '';
      redis.child.on('error', reject);
      redis.child.on('exit', (code) => reject(new Error(`redis-server ended: ${code}\n${said}`)));
      redis.child.stdout.on('data', (data) => {
        said += data;
        if (said.includes('eady to accept connections')) resolve();
      });
    });
    redis.child.removeAllListeners('exit');
    redis.connection = { host: '127.0.0.1', port: redis.port, maxRetriesPerRequest: null };
    return redis;
  }

  stop() {
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/// Every key of the queue, as values that two queues can be compared by.
export async function keyspace(client, queue) {
  const prefix = `bull:${queue}:`;
  const all = {};
  for (const key of (await client.keys(`${prefix}*`)).sort()) {
    const type = await client.type(key);
    const read = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      list: () => client.lrange(key, 0, -1),
      zset: () => client.zrange(key, 0, -1, 'WITHSCORES'),
      stream: async () => (await client.xrange(key, '-', '+')).map(([, fields]) => fields),
      set: async () => (await client.smembers(key)).sort(),
    };
    all[key.slice(prefix.length)] = { type, value: await read[type]() };
  }
  return all;
}
