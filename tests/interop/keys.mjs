// What each kind of client, and the sandbox with it, makes of trouble with the group's messages: afterwards all are in one
// group again, show the same code and hear each other bit for bit. The other two are of other kinds.
import { printTable } from './compare.mjs';
import { flows, kPool } from './flows.mjs';
import { until } from './process.mjs';
import { kKinds, together, withTable } from './table.mjs';

const kMost = 30_000; // milliseconds until audio flows again

/// The client and its mates, of whom `mates[0]` always stays.
const others = (table) => [table.client, table.mates[0]];

/// Somebody else's commit reaches the client, or its own welcome, as `how` says.
async function commitGoesWrong(table, how) {
  const { client, mates } = table;
  await table.ask({ do: 'encryption', winner: mates[0].user });
  await table.ask({ do: 'misbehave', user: client.user, how });
  await mates[1].join(table.place());
  // Who missed a commit learns of it by packets that do not open.
  await flows(table, Date.now() + kMost, [client, ...mates]);
  await together([client, ...mates], kMost);
  await mates[1].leave();
}
async function welcomeGoesWrong(table, how) {
  const { client, mates } = table;
  await mates[1].join(table.place());
  await together([client, ...mates], kMost);
  await client.leave();
  await table.ask({ do: 'misbehave', user: client.user, how });
  await client.join(table.place());
  await together([client, ...mates], kMost);
  await mates[1].leave();
}

/// The client is alone for a while; then its mate is back.
async function isAlone(table, drops) {
  const { client, mates } = table;
  await table.ask({ do: 'encryption', sole_member_drops_to_zero: drops });
  await mates[0].leave();
  if (!(await until(() => client.call.code === '', () => 0, kMost))) throw new Error(`${client.name} still shows a code`);
  await mates[0].join(table.place());
}

/// One comes who knows nothing of DAVE, and all go on in the clear; then it leaves.
async function plainGuest(table) {
  const { plain } = table;
  await table.ask({ do: 'encryption', plain_clients: true });
  await plain.join(table.place(), { dave: false });
  if (!(await until(() => others(table).every(({ call }) => call.code === ''), () => 0, kMost))) throw new Error('still encrypted');
  await flows(table, Date.now() + kMost, [...others(table), plain]);
  await plain.leave();
}

/// Its websocket is cut while the group changes; what it missed comes when it resumes.
async function cutDuringChange(table) {
  const { client, mates } = table;
  await table.ask({ do: 'encryption', winner: mates[0].user, ready_within_ms: 500 });
  await table.ask({ do: 'drop_voice', user: client.user });
  await mates[1].join(table.place());
  await together([client, ...mates], kMost);
  await mates[1].leave();
}

async function move(table) {
  const { voice_channel_id: here, other_voice_channel_id: there } = table.world;
  table.channel = table.channel === here ? there : here;
  const back = others(table).map((peer) => peer.event('joined'));
  for (const { user } of others(table)) await table.ask({ do: 'move', user, channel: table.channel });
  await Promise.all(back);
}

async function allOutAndIn(table) {
  const packages = async () => (await table.ask({ do: 'call' })).counts.key_packages;
  const wanted = (await packages()) + others(table).length;
  await table.ask({ do: 'reset_group' });
  for (const end = Date.now() + kMost; (await packages()) !== wanted; ) {
    if (Date.now() > end) throw new Error('not everybody sent a key package');
  }
}

// `invalid`: how often the client reports (op 31); any: as often as it likes.
const kTroubles = [
  { name: 'commit spoiled', invalid: 1, run: (table) => commitGoesWrong(table, 'spoiled_commit') },
  { name: 'welcome spoiled', invalid: 1, run: (table) => welcomeGoesWrong(table, 'spoiled_welcome') },
  { name: 'welcome late', invalid: 0, run: (table) => welcomeGoesWrong(table, 'late_welcome') },
  { name: 'alone, new group', invalid: 0, run: (table) => isAlone(table, false) },
  { name: 'alone, version 0', invalid: 0, run: (table) => isAlone(table, true) },
  { name: 'guest without DAVE', invalid: 0, run: plainGuest },
  { name: 'cut off during a change', invalid: 'any', run: cutDuringChange },
  { name: 'all out and in again', invalid: 0, run: allOutAndIn },
  { name: 'moved to another channel', invalid: 0, elsewhere: true, run: move },
  // What makes others end the process or the connection (standin-findings.md): ours stays.
  ...['foreign_commit', 'duplicate_messages', 'reordered', 'forged_proposal', 'unknown_user', 'proposal_of_epoch_past', 'withheld_commit'].map(
    (how) => ({ name: how.replaceAll('_', ' '), invalid: 'any', ours: true, run: (table) => commitGoesWrong(table, how) }),
  ),
];

async function suffer(table, trouble) {
  const started = Date.now();
  try {
    const invalidBefore = (await table.ask({ do: 'call' })).counts.invalid;
    await trouble.run(table);
    const before = trouble.elsewhere ? 0 : invalidBefore;
    await table.ask({ do: 'encryption' });
    await together(others(table), kMost);
    await flows(table, started + 2 * kMost, others(table));
    const { counts } = await table.ask({ do: 'call' });
    const invalid = counts.invalid - before;
    if (trouble.invalid !== 'any' && invalid !== trouble.invalid) throw new Error(`op 31 ${invalid} times`);
    return { took: Date.now() - started };
  } catch (error) {
    return { error };
  }
}

/// All troubles, one after another, with new clients.
async function round(options, kind) {
  const kinds = [kind, ...kKinds.filter((other) => other !== kind), 'ours'];
  return withTable({ ...options, kinds, pool: kPool }, async (table) => {
    const [client, ...rest] = table.peers;
    Object.assign(table, { client, mates: rest.slice(0, 2), plain: rest[2], channel: table.world.voice_channel_id });
    table.ask = (order) => table.sandbox.ask({ channel: table.channel, ...order });
    table.place = () => ({ ...table.world, voice_channel_id: table.channel });
    for (const peer of others(table)) await peer.join(table.place());
    await together(others(table));
    const results = [];
    for (const trouble of kTroubles) {
      if (trouble.ours && kind !== 'ours') continue;
      const result = await suffer(table, trouble);
      results.push({ name: trouble.name, ...result });
      if (!result.error) continue;
      console.log(`${kind}, ${trouble.name}: ${result.error.stack}\n${table.peers.map((peer) => peer.tail()).join('\n')}`);
      break; // who is where now is anybody's guess
    }
    return results;
  });
}

async function ofKind(options, kind) {
  const results = [];
  for (let number = 0; number < options.rounds; ++number) results.push(...(await round(options, kind)));
  return kTroubles.filter(({ ours }) => !ours || kind === 'ours').map(({ name }) => {
    const mine = results.filter((result) => result.name === name);
    const good = mine.filter(({ error }) => !error);
    return [kind, name, options.rounds, good.length ? Math.max(...good.map(({ took }) => took)) : '-', options.rounds - good.length];
  });
}

export async function keys(options) {
  const kinds = options.kinds?.split(',') ?? kKinds;
  const rows = (await Promise.all(kinds.map((kind) => ofKind(options, kind)))).flat();
  printTable(['client', 'trouble', 'rounds', 'all well again after ms, at most', 'failures'], rows);
  return rows.every((row) => row.at(-1) === 0);
}
