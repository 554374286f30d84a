// What each kind of client makes of each trouble, and how long until both it and the one it talks with hear each other
// again, bit for bit. The other one is always ours.
import { printTable } from './compare.mjs';
import { flows, kPool } from './flows.mjs';
import { kKinds, withTable } from './table.mjs';

const kMost = 30_000; // milliseconds until audio flows again

const self = (name, more) => ({ client }) => [{ do: name, user: client.user, ...more }];

// `orders` are the sandbox's (docs/sandbox.md). `way`: how the client comes back, by what the protocol reference says of
// the trouble. `both`: it is the other one's trouble as well.
const kTroubles = [
  { name: 'voice closed, 4015', way: 'voice resumed', orders: self('close_voice', { code: 4015 }) },
  { name: 'voice closed, 4006', way: 'new voice session', orders: self('close_voice', { code: 4006 }) },
  { name: 'voice socket cut', way: 'voice resumed', orders: self('drop_voice') },
  {
    name: 'other voice server',
    way: 'new voice session',
    both: true,
    orders: ({ channel }) => [{ do: 'change_voice_server', channel }],
  },
  {
    name: 'other voice server, null first',
    way: 'new voice session',
    both: true,
    orders: ({ channel }) => [{ do: 'change_voice_server', channel, null_first: true }],
  },
  { name: 'moved, closed with 4014', way: 'new voice session', both: true, orders: (table) => move(table, 4014) },
  { name: 'moved, socket left open', way: 'new voice session', both: true, orders: (table) => move(table, 0) },
  { name: 'gateway cut', way: 'gateway resumed', orders: self('drop_gateway') },
  { name: 'gateway, op 7', way: 'gateway resumed', orders: self('ask_reconnect') },
  { name: 'gateway, op 9', way: 'gateway resumed', orders: self('invalidate', { resumable: true }) },
];
// dysnomia takes every op 9 for one that forbids to resume; its new session is in no voice channel, and joins anew.
const wayOf = (kind, trouble) => (kind === 'dysnomia' && trouble.name === 'gateway, op 9' ? 'new voice session' : trouble.way);

/// Done when the client has come back, in whatever way; the way.
async function comesBack(client, way) {
  if (way.startsWith('gateway')) return `gateway ${(await client.event('gateway')).what}`;
  return (await client.event('joined')).resumed ? 'voice resumed' : 'new voice session';
}

function move(table, code) {
  const { voice_channel_id: here, other_voice_channel_id: there } = table.world;
  table.channel = table.channel === here ? there : here;
  return table.peers.map(({ user }) => ({ do: 'move', user, channel: table.channel, code }));
}

/// What came of one trouble: the way back and the milliseconds it took, or the error.
async function suffer(table, trouble) {
  const { client, sandbox, peers } = table;
  const wanted = wayOf(client.kind, trouble);
  const started = Date.now();
  try {
    const back = comesBack(client, wanted).then((way) => [way, Date.now() - started]);
    const otherBack = trouble.both && peers[1].event('joined');
    const ordered = (async () => {
      for (const order of trouble.orders(table)) await sandbox.ask(order);
    })();
    const [[way, after]] = await Promise.all([back, otherBack, ordered]);
    if (way !== wanted) throw new Error(`${way} instead of ${wanted}\n${client.tail()}`);
    await flows(table, started + kMost);
    return { way, back: after, audio: Date.now() - started };
  } catch (error) {
    return { error };
  }
}

/// All troubles, one after another. New clients each time: ours waits longer and longer before it comes back to where
/// it was thrown out again and again, as it should.
async function round(options, kind) {
  return withTable({ ...options, kinds: [kind, 'ours'], pool: kPool }, async (table) => {
    table.next = 0; // frame to say
    table.client = table.peers[0];
    table.channel = table.world.voice_channel_id;
    await Promise.all(table.peers.map((peer) => peer.join(table.world)));
    await flows(table, Date.now() + kMost);
    const results = [];
    for (const trouble of kTroubles) {
      const result = await suffer(table, trouble);
      results.push(result);
      if (result.error) console.log(`${kind}, ${trouble.name}: ${result.error.stack}`);
    }
    return results;
  });
}

async function ofKind(options, kind) {
  const rounds = [];
  for (let number = 0; number < options.rounds; ++number) rounds.push(await round(options, kind));
  return kTroubles.map((trouble, i) => {
    const good = rounds.map((results) => results[i]).filter(({ error }) => !error);
    const most = (what) => (good.length ? Math.max(...good.map((result) => result[what])) : '-');
    return [kind, trouble.name, wayOf(kind, trouble), options.rounds, most('back'), most('audio'), options.rounds - good.length];
  });
}

export async function trouble(options) {
  const kinds = options.kinds?.split(',') ?? kKinds;
  const rows = (await Promise.all(kinds.map((kind) => ofKind(options, kind)))).flat();
  printTable(['client', 'trouble', 'comes back', 'rounds', 'after ms, at most', 'audio both ways after ms, at most', 'failures'], rows);
  return rows.every((row) => row.at(-1) === 0);
}
