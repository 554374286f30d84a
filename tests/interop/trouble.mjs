// What each kind of client makes of each trouble, and how long until both it and the one it talks with hear each other
// again, bit for bit. The other one is always ours.
import { compare, printTable } from './compare.mjs';
import { until } from './process.mjs';
import { kKinds, withTable } from './table.mjs';

const kMost = 30_000; // milliseconds until audio flows again

// `orders` are the sandbox's (docs/sandbox.md). `shows`: the event of peer.mjs with which the client says that it is
// through. Who talks with it is moved as well, so that they meet again.
const kTroubles = [
  { name: 'voice closed, 4015', shows: 'joined', orders: ({ client }) => [{ do: 'close_voice', user: client.user, code: 4015 }] },
  { name: 'voice closed, 4006', shows: 'joined', orders: ({ client }) => [{ do: 'close_voice', user: client.user, code: 4006 }] },
  { name: 'voice socket cut', shows: 'joined', orders: ({ client }) => [{ do: 'drop_voice', user: client.user }] },
  { name: 'other voice server', shows: 'joined', orders: ({ channel }) => [{ do: 'change_voice_server', channel }] },
  {
    name: 'other voice server, null first',
    shows: 'joined',
    orders: ({ channel }) => [{ do: 'change_voice_server', channel, null_first: true }],
  },
  { name: 'moved, closed with 4014', shows: 'joined', orders: (table) => move(table, 4014) },
  { name: 'moved, socket left open', shows: 'joined', orders: (table) => move(table, 0) },
  { name: 'gateway cut', shows: 'gateway', orders: ({ client }) => [{ do: 'drop_gateway', bot: client.user }] },
  { name: 'gateway, op 7', shows: 'gateway', orders: ({ client }) => [{ do: 'ask_reconnect', bot: client.user }] },
  {
    name: 'gateway, op 9',
    // dysnomia takes every op 9 for one that forbids to resume: another session, and joins anew.
    shows: ({ client }) => (client.kind === 'dysnomia' ? 'joined' : 'gateway'),
    orders: ({ client }) => [{ do: 'invalidate', bot: client.user, resumable: true }],
  },
];

function move(table, code) {
  const { voice_channel_id: here, other_voice_channel_id: there } = table.world;
  table.channel = table.channel === here ? there : here;
  return table.peers.map(({ user }) => ({ do: 'move', user, channel: table.channel, code }));
}

const kBurst = 5; // frames
const kPool = 200 * kBurst; // said again when all were said

/// Both talk in bursts until one of each was heard whole and right. Fails when that takes too long.
async function flows(table, deadline) {
  const [a, b] = table.peers;
  for (;;) {
    const [from, to] = [table.next, table.next + kBurst];
    table.next = (table.next + 2 * kBurst) % kPool;
    const before = [b.heardOf(a).length, a.heardOf(b).length];
    await Promise.all([a.talk(from, kBurst), b.talk(to, kBurst)]);
    const heard = () => [b.heardOf(a).slice(before[0]), a.heardOf(b).slice(before[1])];
    await until(() => heard().every((list) => list.length >= kBurst), () => heard().flat().length, 200);
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
  const { client, sandbox } = table;
  const noted = client.notes.length;
  const row = [client.kind, trouble.name];
  const started = Date.now();
  try {
    const through = client.event(typeof trouble.shows === 'string' ? trouble.shows : trouble.shows(table));
    await Promise.all([through, (async () => {
      for (const order of trouble.orders(table)) await sandbox.ask(order);
    })()]);
    const back = Date.now() - started;
    await flows(table, started + kMost);
    const { what, resumed } = await through;
    const did = [...client.notes.slice(noted).map((text) => text.split('\n')[0]), what ?? (resumed ? 'resumed' : 'new session')].join('; ');
    return { row: [...row, back, Date.now() - started, did.slice(0, 120)] };
  } catch (error) {
    return { row: [...row, '-', '-', error.message.split('\n')[0]], error };
  }
}

async function ofKind(options, kind) {
  const troubles = Array.from({ length: options.rounds }, () => kTroubles).flat();
  return withTable({ ...options, kinds: [kind, 'ours'], pool: kPool }, async (table) => {
    table.next = 0; // frame to say
    table.client = table.peers[0];
    table.channel = table.world.voice_channel_id;
    await Promise.all(table.peers.map((peer) => peer.join(table.world)));
    await flows(table, Date.now() + kMost);
    const results = [];
    for (const trouble of troubles) {
      results.push(await suffer(table, trouble));
      if (options.verbose) console.log(results.at(-1).row.join(' | '));
    }
    return results;
  });
}

export async function trouble(options) {
  const kinds = options.kinds?.split(',') ?? kKinds;
  const results = (await Promise.all(kinds.map((kind) => ofKind(options, kind)))).flat();
  printTable(['client', 'trouble', 'client back after ms', 'audio both ways after ms', 'what it told'], results.map(({ row }) => row));
  for (const { error } of results) if (error) console.log(error.stack);
  return results.every(({ error }) => !error);
}
