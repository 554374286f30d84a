// What each kind of client makes of each trouble, and how long until both it and the one it talks with hear each other
// again, bit for bit. The other one is always ours.
import { compare, printTable } from './compare.mjs';
import { until } from './process.mjs';
import { kKinds, withTable } from './table.mjs';

// `shows`: what the client tells when it is through; an event of peer.mjs and its fields.
const kJoined = { event: 'joined' };
const kMost = 30_000; // milliseconds until audio flows again
const kTroubles = [
  { name: 'voice closed, 4015', orders: (at) => [{ do: 'close_voice', ...at, code: 4015 }], shows: kJoined },
  { name: 'voice closed, 4006', orders: (at) => [{ do: 'close_voice', ...at, code: 4006 }], shows: kJoined },
  { name: 'voice socket cut', orders: (at) => [{ do: 'drop_voice', ...at }], shows: kJoined },
  { name: 'other voice server', orders: ({ channel }) => [{ do: 'change_voice_server', channel, null_first: false }], shows: kJoined },
  { name: 'other voice server, null first', orders: ({ channel }) => [{ do: 'change_voice_server', channel, null_first: true }], shows: kJoined },
  { name: 'main gateway cut', orders: ({ user }) => [{ do: 'drop_gateway', user }], shows: { event: 'gateway' } },
  { name: 'main gateway, op 7', orders: ({ user }) => [{ do: 'ask_reconnect', user }], shows: { event: 'gateway' } },
  { name: 'main gateway, op 9 resumable', orders: ({ user }) => [{ do: 'invalidate', user, resumable: true }], shows: { event: 'gateway' } },
];

const kBurst = 10; // frames

/// Both talk in bursts until one of each was heard whole and right. Fails when that takes too long.
async function flows(table, deadline) {
  const [a, b] = table.peers;
  for (;;) {
    const [from, to] = [table.next, table.next + kBurst];
    table.next += 2 * kBurst;
    const before = [b.heardOf(a).length, a.heardOf(b).length];
    await Promise.all([a.talk(from, kBurst), b.talk(to, kBurst)]);
    const heard = () => [b.heardOf(a).slice(before[0]), a.heardOf(b).slice(before[1])];
    await until(() => heard().every((list) => list.length >= kBurst), () => heard().flat().length, 300);
    const [atB, atA] = heard();
    const right = (list, start, listener) => {
      const counts = compare(table.frames.slice(start, start + kBurst), list, listener.kind === 'discord.js');
      return counts.missing === 0 && counts.wrong === 0;
    };
    if (right(atB, from, b) && right(atA, to, a)) return;
    if (Date.now() > deadline) throw new Error('no audio');
  }
}

async function suffer(table, trouble) {
  const [client] = table.peers;
  const { world, sandbox } = table;
  const noted = client.notes.length;
  const through = client.next(
    (message) => Object.entries(trouble.shows).every(([key, value]) => message[key] === value), JSON.stringify(trouble.shows));
  const started = Date.now();
  for (const order of trouble.orders({ ...world, user: client.user })) sandbox.order(order);
  const row = [client.kind, trouble.name];
  try {
    const { event, what, resumed } = await through;
    const back = Date.now() - started;
    await flows(table, started + kMost);
    const did = [...client.notes.slice(noted), what ?? (resumed ? 'resumed' : event)].join('; ');
    return { row: [...row, `${back}`, `${Date.now() - started}`, did.slice(0, 120)], good: true };
  } catch (error) {
    return { row: [...row, '-', '-', error.message.split('\n')[0]], good: false, error };
  }
}

async function ofKind(options, kind) {
  const troubles = Array.from({ length: options.rounds }, () => kTroubles).flat();
  const pool = 20_000;
  return withTable({ ...options, kinds: [kind, 'ours'], pool }, async (table) => {
    table.next = 0;
    await Promise.all(table.peers.map((peer) => peer.join(table.world)));
    await flows(table, Date.now() + kMost);
    const results = [];
    for (const trouble of troubles) results.push(await suffer(table, trouble));
    return results;
  });
}

export async function trouble(options) {
  const results = (await Promise.all(kKinds.map((kind) => ofKind(options, kind)))).flat();
  printTable(['client', 'trouble', 'client back after ms', 'audio both ways after ms', 'what it told'], results.map(({ row }) => row));
  for (const { good, error } of results) if (!good) console.log(error.stack);
  return results.every(({ good }) => good);
}
