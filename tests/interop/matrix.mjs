// Every kind of client talks to every kind, in both encryption modes. A round: they come one after another, and each
// says something at once, its first packets, to those who are there; then all talk together; then all leave, so that
// each round has new voice sessions, SSRCs and keys.
import { compare, kModes, printTable } from './compare.mjs';
import { until } from './process.mjs';
import { kKinds, withTable } from './table.mjs';

const kHead = ['talker', 'listener', 'mode', 'rounds', 'frames sent', 'heard bit for bit', 'cut by listener', 'wrong', 'missing', 'extra'];
const kFirst = 10; // frames said on coming

async function round({ peers, world, frames }, count, number) {
  const own = (peer) => peers.indexOf(peer) * (kFirst + count);
  const coming = number % 2 === 0 ? peers : [...peers].reverse();
  for (const peer of coming) {
    peer.heard = [];
    await peer.join(world);
    await peer.talk(own(peer), kFirst); // the sandbox lets one hear who has shown that it has its key
  }
  await Promise.all(peers.map((peer) => peer.talk(own(peer) + kFirst, count)));

  const pairs = coming.flatMap((talker, at) => coming.flatMap((listener, was) => {
    const from = own(talker) + (was < at ? 0 : kFirst);
    return talker === listener ? [] : [{ talker, listener, sent: frames.slice(from, own(talker) + kFirst + count) }];
  }));
  const heard = ({ talker, listener }) => listener.heardOf(talker);
  await until(
    () => pairs.every((pair) => heard(pair).length >= pair.sent.length),
    () => pairs.reduce((sum, pair) => sum + heard(pair).length, 0),
    3_000,
  );
  const results = pairs.map((pair) => ({ pair, counts: compare(pair.sent, heard(pair), pair.listener.kind === 'discord.js') }));
  await Promise.all(peers.map((peer) => peer.leave()));
  return results;
}

/// Two of each kind, so that each also talks to its like. One cell per kind of talker and kind of listener.
async function inMode(options, mode) {
  const kinds = kKinds.flatMap((kind) => [kind, kind]);
  const pool = kinds.length * (kFirst + options.frames);
  return withTable({ ...options, mode, kinds, pool }, async (table) => {
    const cells = new Map(kKinds.flatMap((talker) => kKinds.map((listener) => [`${talker} ${listener}`, { talker, listener, mode, rounds: 0 }])));
    for (let number = 0; number < options.rounds; ++number) {
      for (const { pair, counts } of await round(table, options.frames, number)) {
        const cell = cells.get(`${pair.talker.kind} ${pair.listener.kind}`);
        cell.rounds = number + 1;
        for (const [name, value] of Object.entries(counts)) cell[name] = (cell[name] ?? 0) + value;
        if (counts.exact + counts.cut !== counts.sent) {
          console.log(`round ${number + 1}, ${pair.talker.name} to ${pair.listener.name}: ${JSON.stringify(counts)}`);
        }
      }
    }
    return [...cells.values()];
  });
}

export async function matrix(options) {
  const cells = [];
  for (const mode of kModes) cells.push(...(await inMode(options, mode)));
  printTable(kHead, cells.map((cell) => Object.values(cell)));
  return cells.every(({ sent, exact, cut, wrong, extra }) => exact > 0 && exact + cut === sent && wrong + extra === 0);
}
