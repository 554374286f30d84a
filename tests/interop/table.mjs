// A sandbox with clients logged in: what each test begins with.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kSilence } from './compare.mjs';
import { JsonProcess, kPatience, until } from './process.mjs';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

export const kKinds = ['discord.js', 'dysnomia', 'ours'];
const commandOf = (kind, options) =>
  ({ 'discord.js': ['node', here('discordjs.mjs')], dysnomia: ['node', here('dysnomia.mjs')], ours: [options.peer] })[kind];

class Peer extends JsonProcess {
  heard = []; // messages of that name, without silence
  hear = (message) => this.heard.push(message);
  sent = () => {}; // drone.mjs
  closed = []; // reasons of packets that ours could not open
  notes = [];
  call = { code: '', epoch: 0 }; // the encrypted call as it sees it
  #users = new Map(); // SSRC => user, where the client tells apart

  constructor(kind, number, options, environment) {
    super(`${kind} ${number}`, commandOf(kind, options), environment);
    this.kind = kind;
  }

  took(message) {
    if (message.event === 'note') this.notes.push(message.text);
    if (message.event === 'bound') this.#users.set(message.ssrc, message.user);
    if (message.event === 'encryption') this.call = message;
    if (message.event === 'sent') this.sent(message);
    if (message.event === 'closed') this.closed.push(message.reason);
    if (message.event === 'heard' && message.opus !== kSilence) this.hear(message);
  }

  /// Packets in order. One may be heard before it is known whose it is.
  heardOf(talker) {
    return this.heard.filter(({ user, ssrc }) => (user ?? this.#users.get(ssrc)) === talker.user).map(({ opus }) => opus);
  }

  askToEnd() {
    this.order({ do: 'quit' });
  }
  event(name) {
    return this.next((message) => message.event === name, name);
  }
  async ready() {
    this.user = (await this.event('ready')).user;
  }
  async join(world, more = {}) {
    const joined = this.event('joined');
    this.order({ do: 'join', guild: world.guild_id, channel: world.voice_channel_id, ...more });
    await joined;
  }
  async leave() {
    const left = this.event('left');
    this.order({ do: 'leave' });
    await left;
    this.call = { code: '', epoch: 0 };
  }
  async talk(from, count) {
    const talked = this.next((message) => message.event === 'talked' && message.from === from, 'the end of its talk');
    this.order({ do: 'talk', from, count });
    return talked;
  }
}

class Sandbox extends JsonProcess {
  async world() {
    return this.next((message) => 'api_base' in message, 'the line that says where it is');
  }
  /// One at a time: answers come in order and name no order.
  async ask(order) {
    const answered = this.next((message) => 'ok' in message || 'error' in message, `the answer to ${JSON.stringify(order)}`);
    this.order(order);
    const answer = await answered;
    if (!answer.ok) throw new Error(`${this.name}: ${answer.error}`);
    return answer;
  }
}

/// All are in one encrypted group: they show the same code.
export async function together(peers, patience = kPatience) {
  const [first] = peers;
  const settled = () => first.call.code !== '' && peers.every(({ call }) => call.code === first.call.code);
  if (await until(settled, () => 0, patience)) return first.call;
  throw new Error(`not in one group: ${peers.map(({ name, call }) => `${name} ${call.epoch} ${call.code}`).join(', ')}`);
}

/// The sandbox offers only `mode`; a client of each of `kinds` is logged in; `pool` different packets are there to be
/// said. Everything has ended when this returns; a client or a sandbox that did not end well is an error.
export async function withTable(options, test) {
  const folder = mkdtempSync(join(tmpdir(), 'lestapenna-interop-'));
  const started = [];
  let failure;
  let result;
  try {
    result = await test(await sitDown(options, folder, started));
    for (const one of started) {
      if (one.over) throw new Error(`${one.name} ended by itself: ${one.over}`);
    }
  } catch (error) {
    failure = error;
  }
  // Clients first: a sandbox that goes away is a trouble of its own.
  for (const some of [started.slice(1), started.slice(0, 1)]) {
    const ends = await Promise.all(some.map((one) => one.quit()));
    ends.forEach((how, i) => (failure ??= how === 'exit 0' ? undefined : new Error(`${some[i].name} did not end well: ${how}`)));
  }
  rmSync(folder, { recursive: true });
  if (!failure) return result;
  started.forEach((one) => console.log(one.tail()));
  throw failure;
}

async function sitDown(options, folder, started) {
  const framesFile = join(folder, 'frames');
  writeFileSync(framesFile, execFileSync(options.peer, ['frames', String(options.seed), String(options.pool)]));
  const frames = readFileSync(framesFile, 'utf8').trim().split('\n');

  const words = ['--players', String(options.players ?? 0), '--seed', String(options.seed)];
  if (options.mode) words.push('--modes', options.mode);
  if (options.clear) words.push('--no-dave');
  const sandbox = new Sandbox('sandbox', [options.sandbox, 'sandbox', ...words]);
  started.push(sandbox);
  const world = await sandbox.world();

  const peers = options.kinds.map((kind, i) => {
    const environment = {
      API_BASE: world.api_base,
      BOT_TOKEN: world.bot_tokens[i],
      FRAMES: framesFile,
      NODE_EXTRA_CA_CERTS: world.ca_file,
      CA_FILE: world.ca_file,
    };
    return new Peer(kind, i + 1, options, environment);
  });
  started.push(...peers);
  await Promise.all(peers.map((peer) => peer.ready()));
  return { sandbox, world, peers, frames, folder, started };
}
