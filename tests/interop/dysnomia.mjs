// @projectdysnomia/dysnomia, a library of another family (Eris) with a voice stack of its own.
import { Readable } from 'node:stream';
import { createRequire } from 'node:module';
import { apiBase, framesOf, note, obey, tell, token } from './peer.mjs';

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

/// One set of listeners: the library keeps its connection object for as long as one does not leave.
function watch() {
  connection.on('ready', () => tell('joined'));
  connection.on('resumed', () => tell('joined', { resumed: true }));
  connection.on('warn', note);
  connection.on('error', (error) => note(error.stack));
  connection.on('disconnect', (error) => {
    note(`disconnected: ${error?.message ?? 'no error'}`);
    // It gives up on a lost session and has told the gateway so; coming back is left to the application.
    if (channelId) enter();
  });
  connection.receive('opus').on('data', (opus, user) => tell('heard', { user, opus: opus.toString('hex') }));
}

async function enter() {
  try {
    const joined = await client.joinVoiceChannel(channelId, { opusOnly: true });
    if (joined === connection) return;
    connection = joined;
    watch();
    tell('joined');
  } catch (error) {
    note(error.stack);
  }
}

function join({ channel }) {
  channelId = channel;
  return enter();
}

function leave() {
  channelId = null;
  client.leaveVoiceChannel(connection.channelID);
  connection = undefined;
  tell('left');
}

async function talk(order) {
  const talked = (error) => tell('talked', { from: order.from, count: order.count, ...(error && { error }) });
  if (!connection?.ready) return talked('not connected');
  const ended = new Promise((resolve) => connection.once('end', resolve));
  connection.play(Readable.from(framesOf(order)), { format: 'opusPackets' });
  await ended;
  talked();
}

obey({ join, leave, talk });
await client.connect();
