// Members join and leave every two seconds among clients that talk all the time, and the bot records: not a packet of
// anybody who was in the group together with the recorder may be missing in its journal, and every client goes on
// hearing every other. Once the recorder creates the group, once it comes when the others are there.
//
// Packets are numbered (drone.mjs), so that the senders' accounts can be compared with the journal one by one.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { printTable } from './compare.mjs';
import { basesOf, number, numberOf } from './numbered.mjs';
import { JsonProcess, kPatience, sleep, until } from './process.mjs';
import { together, withTable } from './table.mjs';

const kChange = 2_000; // milliseconds
const kHush = 300; // between the last word and leaving
const kClosed = ['unknown', 'no_user', 'no_key', 'forged', 'plain', 'overflow'];

/// `lestapenna run`, with commands typed by a person of the sandbox.
class Bot extends JsonProcess {
  constructor(options, world, folder, started) {
    const environment = {
      DISCORD_TOKEN: world.bot_tokens.at(-1),
      LESTAPENNA_DISCORD_API_BASE: world.api_base,
      LESTAPENNA_DISCORD_CA_FILE: world.ca_file,
      LESTAPENNA_DATA_DIR: join(folder, 'data'),
      LESTAPENNA_WEB_LISTEN: '127.0.0.1:0',
      LESTAPENNA_WEB_ADMIN_LISTEN: '127.0.0.1:0',
    };
    super('the bot', [options.sandbox, 'run'], environment);
    Object.assign(this, { options, world, environment, data: environment.LESTAPENNA_DATA_DIR });
    this.user = world.bot_user_ids.at(-1);
    started.push(this);
  }

  /// Types, and waits for a message of the bot's that holds `answer`.
  async command(sandbox, text, answer) {
    const { text_channel_id: channel, player_user_ids: [user] } = this.world;
    while (!(await sandbox.ask({ do: 'where', user })).channel_id) await sleep(50); // it gets its voice first
    await sandbox.ask({ do: 'type', user, channel, text });
    await this.says(sandbox, answer, kPatience);
  }
  async says(sandbox, answer, patience) {
    const posts = async () => (await sandbox.ask({ do: 'posted' })).posted.filter(({ author_id: author }) => author === this.user);
    for (const end = Date.now() + patience; ; await sleep(200)) {
      const said = (await posts()).map(({ content }) => content);
      if (said.some((content) => content.includes(answer))) return;
      if (Date.now() > end) throw new Error(`the bot did not say "${answer}" but ${JSON.stringify(said)}\n${this.tail()}`);
    }
  }

  sessions() {
    const out = execFileSync(this.options.sandbox, ['--json', 'sessions'], { env: { ...process.env, ...this.environment } });
    return JSON.parse(out);
  }

  /// What the journal of its only session holds, for each line of `voice_peer journal`.
  readJournal(take) {
    const [{ session }] = this.sessions();
    const words = ['journal', join(this.data, 'journal', session)];
    const printed = execFileSync(this.options.peer, words, { maxBuffer: 2 ** 30, encoding: 'latin1' });
    for (const line of printed.split('\n')) if (line) take(JSON.parse(line));
  }
}

// ---- who was there, what they said and heard

class Visits {
  #next = 1;
  all = new Map(); // number => {peer, from, to, sent, heard: number of who talked => Set}

  begin(peer) {
    const visit = { peer, number: this.#next++, from: Date.now(), to: Infinity, sent: 0, heard: new Map() };
    this.all.set(visit.number, visit);
    peer.visit = visit;
    peer.sent = ({ visit: of, from, count }) => (this.all.get(of).sent = from + count);
    peer.hear = ({ opus }) => {
      const told = numberOf(opus);
      if (!told) return; // somebody who has no account
      if (!visit.heard.has(told.visit)) visit.heard.set(told.visit, new Set());
      visit.heard.get(told.visit).add(told.n);
    };
    return visit;
  }
}

/// The longest run of numbers from..to that are not in `heard`, and how many those are.
function gaps(heard, from, to) {
  let [missing, run, longest] = [0, 0, 0];
  for (let n = from; n < to; ++n) {
    run = heard.has(n) ? 0 : run + 1;
    missing += heard.has(n) ? 0 : 1;
    longest = Math.max(longest, run);
  }
  return { missing, longest };
}

const kOverlap = 3_000; // together for that long: something must have been heard
const kMostGap = 100; // frames: who changes keys at another moment than the others loses some, but goes on hearing

/// Every client hears every other: from the first to the last of its packets that it heard.
function whoHeardWhom(visits, stay) {
  const cells = new Map();
  for (const listener of visits.all.values()) {
    for (const talker of visits.all.values()) {
      if (listener.peer === talker.peer) continue;
      const name = `${talker.peer.kind} ${listener.peer.kind}`;
      if (!cells.has(name)) cells.set(name, { talker: talker.peer.kind, listener: listener.peer.kind, pairs: 0, said: 0, heard: 0, gap: 0, deaf: 0 });
      const cell = cells.get(name);
      const heard = listener.heard.get(talker.number) ?? new Set();
      if (heard.size === 0) {
        cell.deaf += Math.min(listener.to, talker.to) - Math.max(listener.from, talker.from) > kOverlap ? 1 : 0;
        continue;
      }
      const stayed = stay.includes(listener.peer);
      const from = stayed ? 0 : Math.min(...heard);
      const to = stayed ? talker.sent : Math.max(...heard) + 1;
      const { missing, longest } = gaps(heard, from, to);
      cell.pairs += 1;
      cell.said += to - from;
      cell.heard += to - from - missing;
      cell.gap = Math.max(cell.gap, longest);
    }
  }
  printTable(['talker', 'listener', 'visits', 'frames', 'heard', 'longest gap', 'heard nothing'], [...cells.values()].map((cell) => Object.values(cell)));
  return [...cells.values()].every(({ pairs, gap, deaf }) => pairs > 0 && gap <= kMostGap && deaf === 0);
}

/// Every packet of every visit is in the journal, bit for bit, once; of who was there before the recorder, from the first
/// that it could open on.
function whatWasRecorded(bot, visits, before, bases) {
  const journaled = new Map([...visits.all.keys()].map((number) => [number, new Set()]));
  const users = new Map(); // SSRC => user
  const closed = new Map(); // user and reason => how many
  let [wrong, again, others, parked] = [0, 0, 0, 0];
  bot.readJournal((line) => {
    if (line.user) return users.set(line.ssrc, line.user);
    if (line.closed !== undefined) {
      const name = `${users.get(line.ssrc) ?? line.ssrc} ${kClosed[line.closed]}`;
      return closed.set(name, (closed.get(name) ?? 0) + 1);
    }
    parked += line.parked ? 1 : 0;
    const told = numberOf(line.opus);
    if (!told || !journaled.has(told.visit)) return (others += 1);
    const set = journaled.get(told.visit);
    again += set.has(told.n) ? 1 : 0;
    set.add(told.n);
    const { peer } = visits.all.get(told.visit);
    const base = bases[told.n % bases.length];
    if (users.get(line.ssrc) !== peer.user || line.opus !== number(base, told.visit, told.n).toString('hex')) wrong += 1;
  });

  const rows = [];
  let good = wrong + again === 0;
  for (const kind of ['discord.js', 'dysnomia']) {
    const row = { kind, visits: 0, sent: 0, exact: 0, missing: 0, unheard: 0 };
    for (const visit of visits.all.values()) {
      if (visit.peer.kind !== kind) continue;
      const set = journaled.get(visit.number);
      const from = before.includes(visit) ? Math.min(visit.sent, ...set) : 0;
      const { missing } = gaps(set, from, visit.sent);
      row.visits += 1;
      row.sent += visit.sent - from;
      row.exact += visit.sent - from - missing;
      row.missing += missing;
      row.unheard += from; // said before the recorder was in the group
      if (missing) console.log(`${visit.peer.name}, visit ${visit.number}: ${missing} of ${visit.sent - from} missing`);
    }
    good &&= row.missing === 0 && row.exact > 0;
    rows.push(Object.values(row));
  }
  printTable(['talker', 'visits', 'frames sent', 'journaled bit for bit', 'missing', 'said before we were in'], rows);
  const name = (user) => [...visits.all.values()].find(({ peer }) => peer.user === user)?.peer.name ?? user;
  const shut = [...closed].map(([what, count]) => `${name(what.split(' ')[0])} ${what.split(' ')[1]}: ${count}`);
  console.log(`journal: wrong ${wrong}, twice ${again}, of others ${others}, parked ${parked}, closed ${shut.join(', ') || 'none'}`);
  // Who came after the recorder has no packet that it could not open.
  const later = [...visits.all.values()].filter((visit) => !before.some(({ peer }) => peer === visit.peer)).map(({ peer }) => peer.user);
  const mayBeClosed = (user) => before.length > 0 && !later.includes(user);
  return good && [...closed.keys()].every((what) => mayBeClosed(what.split(' ')[0]));
}

// ---- the table

async function comeAndGo(guests, visits, world, until_) {
  const inside = new Set();
  for (let turn = 0; Date.now() < until_; ++turn) {
    const due = Date.now() + kChange;
    const guest = guests[turn % guests.length];
    if (inside.delete(guest)) {
      await hush([guest]);
      guest.visit.to = Date.now();
      await sleep(kHush);
      await guest.leave();
    } else {
      inside.add(guest);
      const visit = visits.begin(guest);
      await guest.join(world);
      guest.order({ do: 'drone', visit: visit.number });
    }
    await sleep(Math.max(0, due - Date.now()));
  }
  return [...inside];
}

async function hush(peers) {
  const hushed = peers.map((peer) => peer.event('hushed'));
  for (const peer of peers) peer.order({ do: 'hush' });
  await Promise.all(hushed);
}

async function startTalking(peers, visits, world) {
  for (const peer of peers) {
    visits.begin(peer);
    await peer.join(world);
  }
  await together(peers);
  for (const peer of peers) peer.order({ do: 'drone', visit: peer.visit.number });
}

/// `role`: creator or joiner, of the recorder.
async function withRecorder(options, role) {
  const kinds = ['discord.js', 'dysnomia', 'discord.js', 'dysnomia'];
  return withTable({ ...options, kinds, players: 1, pool: 1_000 }, async (table) => {
    const { sandbox, world, peers, frames } = table;
    const stay = peers.slice(0, 2);
    const visits = new Visits();
    const bot = new Bot(options, world, table.folder, table.started);
    if (!(await until(() => bot.tail().includes('logged in'), () => 0, kPatience))) throw new Error('the bot did not log in');

    let before = [];
    if (role === 'creator') {
      await sandbox.ask({ do: 'encryption', winner: bot.user });
      await bot.command(sandbox, '$ascolta', 'Vi ascolto');
      for (let call = {}; call.committer !== bot.user; await sleep(50)) call = await sandbox.ask({ do: 'call' });
      await sandbox.ask({ do: 'encryption' });
      await startTalking(stay, visits, world);
    } else {
      await startTalking(stay, visits, world);
      await sleep(kChange);
      before = stay.map(({ visit }) => visit);
      await bot.command(sandbox, '$ascolta', 'Vi ascolto');
    }
    const left = await comeAndGo(peers.slice(2), visits, world, Date.now() + options.seconds * 1_000);
    await hush([...stay, ...left]);
    for (const { visit } of [...stay, ...left]) visit.to = Date.now();
    await sleep(1_000);
    const { counts } = await sandbox.ask({ do: 'call' });
    await bot.command(sandbox, '$termina', 'chiusa dopo');

    console.log(`recorder as ${role}, ${options.seconds} s: ${counts.epochs} epochs, refused ${counts.refused}, op 31 ${counts.invalid}, timeouts ${counts.timeouts}`);
    const recorded = whatWasRecorded(bot, visits, before, basesOf(frames.map((frame) => Buffer.from(frame, 'hex'))));
    const heard = whoHeardWhom(visits, stay);
    await bot.says(sandbox, "L'audio è pronto", kPatience + options.seconds * 1_000); // other tests use all cores
    const [session] = bot.sessions();
    const lost = session.tracks.map(({ name, packets_lost: packets, packets_undecryptable: shut }) => `${name} ${packets}/${shut}`);
    console.log(`session ${session.status}, master ${session.master?.duration_ms} ms, lost/undecryptable: ${lost.join(', ')}`);
    return recorded && heard && counts.invalid + counts.refused === 0 && session.master?.path != null;
  });
}

/// Each role at a table of its own, at the same time.
export async function churn(options) {
  const roles = options.role?.split(',') ?? ['creator', 'joiner'];
  const good = await Promise.all(roles.map((role) => withRecorder(options, role)));
  return good.every(Boolean);
}
