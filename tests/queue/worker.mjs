// An unmodified Worker of BullMQ as a table has it: node run.mjs worker --version 5 --port REDIS. It follows the link of
// each job, says two sentences of its speaker, deletes filePath as today's does, and prints a line per job. Until it is
// killed.
import { existsSync, rmSync } from 'node:fs';
import { check, kVersions } from './parts.mjs';

export async function worker({ version, port }) {
  if (!port) return; // only asked whether it could
  const { Worker } = kVersions[version];
  const connection = { host: '127.0.0.1', port: Number(port) };
  const listening = new Worker(
    'audio-processing',
    async (job) => {
      const { fileName, filePath, userId, sessionId, link } = job.data;
      const key = fileName.slice(fileName.indexOf('recordings/')); // before it: what store.url puts before all keys
      check(key.startsWith(`recordings/${sessionId}/full/`), `fileName ${fileName}`);
      const answer = await fetch(link);
      const bytes = (await answer.arrayBuffer()).byteLength;
      check(answer.status === 200 && bytes > 1000, `${link}: ${answer.status}, ${bytes} bytes`);
      check(!existsSync(filePath), `${filePath} exists`);
      rmSync(filePath, { force: true });
      console.log(`${userId} ${key}`);
      return [
        { start: 1, end: 2, text: `first of ${userId}` },
        { start: 6, end: 7, text: `second of ${userId}` },
      ];
    },
    { connection },
  );
  listening.on('error', () => {}); // a Redis that is away is waited for
  await new Promise(() => setInterval(() => {}, 60_000));
}
