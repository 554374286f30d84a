// Everybody talks at once and everybody listens: every kind of client to every kind, in both encryption modes. A round
// is: join, talk, compare, leave; so each round has new voice sessions, SSRCs and keys.
import { compare, kModes, printTable } from './compare.mjs';
import { until } from './process.mjs';
import { kKinds, withTable } from './table.mjs';

const kCells = ['talker', 'listener', 'mode', 'rounds', 'frames sent', 'heard bit for bit', 'cut by listener', 'wrong', 'missing', 'extra'];

async function round(table, frames) {
  const { peers } = table;
  const said = (peer) => table.frames.slice(peers.indexOf(peer) * frames, (peers.indexOf(peer) + 1) * frames);
  await Promise.all(peers.map((peer) => peer.join(table.world)));
  for (const peer of peers) peer.heard.clear();
  await Promise.all(peers.map((peer, i) => peer.talk(i * frames, frames)));
  const pairs = peers.flatMap((talker) => peers.filter((peer) => peer !== talker).map((listener) => ({ talker, listener })));
  const heard = ({ talker, listener }) => listener.heardOf(talker);
  await until(
    () => pairs.every((pair) => heard(pair).length >= frames),
    () => pairs.reduce((sum, pair) => sum + heard(pair).length, 0),
    3_000,
  );
  const results = pairs.map((pair) => ({ ...pair, ...compare(said(pair.talker), heard(pair), pair.listener.kind === 'discord.js') }));
  await Promise.all(peers.map((peer) => peer.leave()));
  return results;
}

/// Two of each kind, so that each also talks to its like.
async function mode(options, mode) {
  const kinds = kKinds.flatMap((kind) => [kind, kind]);
  return withTable({ ...options, mode, kinds, pool: kinds.length * options.frames }, async (table) => {
    const cells = new Map();
    for (let i = 0; i < options.rounds; ++i) {
      const seen = new Set();
      for (const result of await round(table, options.frames)) {
        const key = `${result.talker.kind} ${result.listener.kind}`;
        const cell = cells.get(key) ?? {
          talker: result.talker.kind, listener: result.listener.kind, mode,
          rounds: 0, sent: 0, exact: 0, cut: 0, wrong: 0, missing: 0, extra: 0,
        };
        cells.set(key, cell);
        if (!seen.has(key)) cell.rounds += 1;
        seen.add(key);
        for (const name of ['sent', 'exact', 'cut', 'wrong', 'missing', 'extra']) cell[name] += result[name];
      }
    }
    return [...cells.values()];
  });
}

export async function matrix(options) {
  const cells = [];
  for (const name of kModes) cells.push(...(await mode(options, name)));
  printTable(kCells, cells.map((cell) => Object.values(cell)));
  const bad = cells.filter((cell) => cell.wrong || cell.missing || cell.extra || cell.exact === 0);
  return bad.length === 0 && cells.length === kModes.length * kKinds.length ** 2;
}
