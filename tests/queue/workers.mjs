// Unmodified Workers of BullMQ do what our transcriber hands over, and it takes what they return. One of them deletes
// filePath, as today's does; one job fails first and is tried again, one fails for good.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { check, kVersions, Redis } from './parts.mjs';

const kWords = {
  1: () => [{ start: 1, end: 2, text: 'ciao' }],
  2: () => ({ status: 'transcribed', segmentsCount: 1, srt: '1\n00:00:03,000 --> 00:00:04,000\nsalve\n' }),
  3: (job) => {
    if (job.attemptsMade === 0) throw new Error('not yet');
    return { text: 'at the second attempt' };
  },
  4: () => ({ status: 'transcribed', segmentsCount: 7 }),
  5: (job) => {
    job.discard?.();
    throw new UnrecoverableError('no model');
  },
};
let UnrecoverableError;

async function consume(version, { Worker, ...rest }, program) {
  UnrecoverableError = rest.UnrecoverableError;
  const redis = await Redis.start();
  const runs = {};
  const worker = new Worker(
    'audio-processing',
    async (job) => {
      const { fileName, filePath, userId, sessionId, timestamp, delay, duration, link } = job.data;
      runs[userId] = (runs[userId] ?? 0) + 1;
      check(job.name === 'transcribe-job' && sessionId === 'one', `a job ${job.name} of ${sessionId}`);
      check(fileName === `recordings/one/full/${job.id}`, `fileName ${fileName}`);
      check(delay === 1000 * Number(userId) && timestamp === 1_700_000_000_000 + delay, `delay ${delay}`);
      check(duration === 4000 && link.startsWith('https://'), `duration ${duration}, link ${link}`);
      check(!existsSync(filePath), `${filePath} exists`);
      rmSync(filePath, { force: true }); // as today's worker
      return kWords[userId](job);
    },
    { connection: redis.connection, concurrency: 2 },
  );
  try {
    const child = spawn(program, [String(redis.port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    const code = await new Promise((resolve) => child.on('close', resolve));
    check(code === 0, `our table ended with ${code}: ${said}`);
    const { rows, jobs, files } = JSON.parse(said);
    console.log(`BullMQ ${version}:`, JSON.stringify(rows));
    const [one, two, three, four, five] = rows;
    check(one.status === 'done' && one.words === '1000 ciao;', 'a list of segments');
    check(two.status === 'done' && two.words === '3000 salve;', 'SRT');
    check(three.status === 'done' && three.words === '0 at the second attempt;', 'what was tried again');
    check(four.status === 'done' && four.error === 'the worker kept the text', 'a worker that keeps the text');
    check(five.status === 'failed' && five.error.endsWith('no model'), 'a job that failed for good');
    check(rows.every((row) => row.attempts === 1), 'each was handed over once');
    check(JSON.stringify(runs) === '{"1":1,"2":1,"3":2,"4":1,"5":1}', `runs ${JSON.stringify(runs)}`);
    check(jobs.join() === 'transcript one', `jobs ${jobs}`);
    check(files === 5, `${files} of 5 files are still there`);
  } finally {
    await worker.close(true).catch(() => {});
    redis.stop();
  }
}

export async function workers({ table }) {
  for (const [version, bullmq] of Object.entries(kVersions)) await consume(version, bullmq, table);
}
