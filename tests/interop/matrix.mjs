// Every kind of client talks to every kind in an encrypted call, in both transport modes. A round: they come one after
// another, and each says something as soon as it is in the group, to those who are there; then all talk together; then
// all leave, so that each round has new voice sessions, SSRCs, keys and a new group. Each kind creates the group in its
// turn, and is the one who comes last.
import { compare, kModes, printTable } from './compare.mjs';
import { flows, kPool } from './flows.mjs';
import { kPatience, until } from './process.mjs';
import { kKinds, together, withTable } from './table.mjs';

const kHead = ['talker', 'listener', 'mode', 'rounds', 'frames sent', 'heard bit for bit', 'cut by listener', 'wrong', 'missing', 'extra'];
const kFirst = 10; // frames said on coming; the first two find out before whether they hear each other at all

/// Peers in the order of their coming: in each round another kind is first.
const order = (peers, number) => peers.map((_, i) => peers[(2 * number + i) % peers.length]);

/// They are in one group, and who was to create it has.
async function createdBy(creator, peers) {
  await together(peers);
  for (const peer of peers) {
    if (peer.kind === 'ours') continue; // does not say where it sits
    if ((peer.call.leaf === 0) !== (peer === creator)) throw new Error(`${peer.name} has leaf ${peer.call.leaf}, the creator is ${creator.name}`);
  }
}

async function round(table, count, number, zero) {
  const { sandbox, peers, world, frames } = table;
  const coming = order(peers, number);
  const own = (peer) => kPool + peers.indexOf(peer) * (kFirst + count);
  const creator = coming[Math.floor(number / kKinds.length) % 2]; // of the first two; both offer to
  await sandbox.ask({ do: 'encryption', winner: creator.user, first_transition_zero: zero });
  for (const [i, peer] of coming.entries()) {
    peer.heard = [];
    const notes = peer.notes.length;
    peer.undone = () => peer.notes.slice(notes).filter((text) => text.includes('Failed to decrypt')).length;
    await peer.join(world);
    if (i === 0) continue; // alone: there is no group
    const there = coming.slice(0, i + 1);
    if (i === 1) await createdBy(creator, there);
    await together(there);
    if (i === 1) {
      await flows(table, Date.now() + kPatience, there);
      for (const one of there) one.heard = [];
    }
    for (const talker of i === 1 ? there : [peer]) await talker.talk(own(talker), kFirst);
  }
  const { epoch } = await together(coming);
  await Promise.all(peers.map((peer) => peer.talk(own(peer) + kFirst, count)));

  const pairs = coming.flatMap((talker, at) => coming.flatMap((listener, was) => {
    const from = own(talker) + (was < at || was === 1 ? 0 : kFirst);
    return talker === listener ? [] : [{ talker, listener, sent: frames.slice(from, own(talker) + kFirst + count) }];
  }));
  const heard = ({ talker, listener }) => listener.heardOf(talker);
  await until(
    () => pairs.every((pair) => heard(pair).length >= pair.sent.length),
    () => pairs.reduce((sum, pair) => sum + heard(pair).length, 0),
    3_000,
  );
  const results = pairs.map((pair) => ({ pair, counts: compare(pair.sent, heard(pair), pair.listener.undone()) }));
  await Promise.all(peers.map((peer) => peer.leave()));
  console.log(`round ${number + 1}: created by ${creator.name}${zero ? ' with transition 0' : ''}, ${epoch} epochs, closed for ours: ${peers.flatMap(({ closed }) => closed).length}`);
  return results;
}

/// Two of each kind, so that each also talks to its like. One cell per kind of talker and kind of listener.
async function inMode(options, mode) {
  const kinds = kKinds.flatMap((kind) => [kind, kind]);
  const pool = kPool + kinds.length * (kFirst + options.frames);
  return withTable({ ...options, mode, kinds, pool }, async (table) => {
    const cells = new Map(kKinds.flatMap((talker) => kKinds.map((listener) => [`${talker} ${listener}`, { talker, listener, mode, rounds: 0 }])));
    for (let number = 0; number < options.rounds; ++number) {
      for (const { pair, counts } of await round(table, options.frames, number, (number + kModes.indexOf(mode)) % 2 === 1)) {
        const cell = cells.get(`${pair.talker.kind} ${pair.listener.kind}`);
        cell.rounds = number + 1;
        for (const [name, value] of Object.entries(counts)) cell[name] = (cell[name] ?? 0) + value;
        if (counts.exact + counts.cut !== counts.sent) {
          console.log(`round ${number + 1}, ${pair.talker.name} to ${pair.listener.name}: ${JSON.stringify(counts)}\n${pair.talker.tail()}\n${pair.listener.tail()}`);
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
