// @projectdysnomia/dysnomia, a library of another family (Eris) with a voice stack of its own.
import { Readable } from 'node:stream';
import { createRequire } from 'node:module';
import { drone } from './drone.mjs';
import { apiBase, framesOf, note, obey, tell, token, watchEncryption } from './peer.mjs';

const { Client } = createRequire(import.meta.url)('@projectdysnomia/dysnomia');

const client = new Client(`Bot ${token}`, {
  gateway: { intents: ['guilds', 'guildVoiceStates'] },
  rest: {
    domain: apiBase.hostname,
    port: Number(apiBase.port),
    https: apiBase.protocol === 'https:',
    baseURL: apiBase.pathname,
  },
});
client.on('error', (error) => note(error.stack));
client.on('ready', () => tell('ready', { user: client.user.id }));

client.on('shardResume', () => tell('gateway', { what: 'resumed' }));
client.on('shardReady', () => tell('gateway', { what: 'identified' }));
client.on('warn', note);

let connection;
let channelId; // where we want to be; null: nowhere
let daveEncryption;

function watch() {
  connection.on('ready', () => tell('joined', { resumed: false }));
  connection.on('resumed', () => tell('joined', { resumed: true }));
  connection.on('warn', note);
  connection.on('error', (error) => note(error.stack));
  // It has given up the session and told the gateway that it leaves. Coming back is left to the application, and not at
  // once: the gateway's word that we left, when it comes, ends whatever connection there is then.
  connection.on('disconnect', (error) => {
    note(`disconnected: ${error?.message ?? 'no error'}`);
    clearTimeout(again);
    again = setTimeout(enter, 500);
  });
  connection.receive('opus').on('data', (opus, user) => tell('heard', { user, opus: opus.toString('hex') }));
}
let again;

async function enter() {
  if (!channelId) return;
  try {
    const joined = await client.joinVoiceChannel(channelId, { opusOnly: true, daveEncryption });
    if (joined === connection) return; // it tells of itself
    connection = joined;
    watch();
    tell('joined', { resumed: false });
  } catch (error) {
    note(error.stack);
  }
}

function join({ channel, dave = true }) {
  clearTimeout(again); // what ended before we left
  channelId = channel;
  daveEncryption = dave;
  return enter();
}

function leave() {
  channelId = null;
  client.leaveVoiceChannel(connection.channelID);
}
client.on('voiceChannelLeave', (member) => {
  if (member.id === client.user.id && !channelId) tell('left');
});

async function talk(order) {
  const talked = (error) => tell('talked', { from: order.from, count: order.count, ...(error && { error }) });
  if (!connection?.ready) return talked('not connected');
  const ended = new Promise((resolve) => connection.once('end', resolve));
  connection.play(Readable.from(framesOf(order)), { format: 'opusPackets' });
  await ended;
  talked();
}

const session = () => (connection?.ready && connection.daveProtocolVersion > 0 ? connection.daveSession : undefined);
watchEncryption(session);

const line = {
  ready: () => session()?.ready,
  speaking: (on) => connection.setSpeaking(on),
  send: (frame) => connection.sendAudioFrame(frame),
};

obey({ join, leave, talk, ...drone(line) });
await client.connect();
