// discord.js with @discordjs/voice, used as their guides say.
import { Readable } from 'node:stream';
import { Client, Events, GatewayIntentBits, MessageFlags } from 'discord.js';
import {
  AudioPlayerStatus,
  NetworkingStatusCode,
  StreamType,
  VoiceConnectionStatus,
  createAudioPlayer,
  createAudioResource,
  entersState,
  joinVoiceChannel,
} from '@discordjs/voice';
import { drone } from './drone.mjs';
import { apiBase, framesOf, note, obey, tell, token, watchEncryption } from './peer.mjs';

const client = new Client({
  intents: [
    GatewayIntentBits.Guilds,
    GatewayIntentBits.GuildVoiceStates,
    GatewayIntentBits.GuildMessages,
    GatewayIntentBits.MessageContent,
  ],
  rest: { api: `${apiBase.origin}/api` }, // it appends /v10 itself
});
client.on(Events.Error, (error) => note(error.stack));
client.on(Events.ClientReady, () => tell('ready', { user: client.user.id }));
client.on(Events.ShardResume, () => tell('gateway', { what: 'resumed' }));
client.on(Events.ShardReady, () => tell('gateway', { what: 'identified' }));
client.on(Events.ShardDisconnect, ({ code }) => note(`gateway gave up: ${code}`));

const player = createAudioPlayer();
player.on('error', (error) => note(error.stack));
let connection;

/// Each user's packets, from the first one on: 'start' comes before that packet is looked at. A packet that can not be
/// opened destroys the stream.
function hear(receiver) {
  const listenTo = (user) => {
    if (receiver.subscriptions.has(user)) return;
    const stream = receiver.subscribe(user);
    stream.on('data', (opus) => tell('heard', { user, opus: opus.toString('hex') }));
    stream.on('error', (error) => {
      note(`stream of ${user} destroyed: ${error.message}`);
      stream.once('close', () => listenTo(user));
    });
  };
  receiver.speaking.on('start', listenTo);
}

const networking = () => (connection?.state.status === VoiceConnectionStatus.Ready ? connection.state.networking : undefined);
const session = () => {
  const { dave } = networking()?.state ?? {};
  return dave?.protocolVersion > 0 ? dave.session : undefined;
};
watchEncryption(session);

function join({ guild, channel, dave = true }) {
  connection = joinVoiceChannel({
    guildId: guild,
    channelId: channel,
    daveEncryption: dave,
    debug: true,
    selfDeaf: false,
    selfMute: false,
    adapterCreator: client.guilds.cache.get(guild).voiceAdapterCreator,
  });
  connection.subscribe(player);
  connection.on('error', (error) => note(error.stack));
  connection.on('debug', (text) => {
    if (/errored|Invalidating|Failed to decrypt|Session (down|up)graded/.test(text)) note(text);
  });
  let resumed = false;
  connection.on('stateChange', (from, to) => {
    if (from.status === to.status) return;
    note(`${from.status} -> ${to.status}${to.closeCode ? ` (${to.closeCode})` : ''}`);
    if (to.status === VoiceConnectionStatus.Connecting) resumed = to.networking.state.code === NetworkingStatusCode.Resuming;
    if (to.status === VoiceConnectionStatus.Ready) tell('joined', { resumed });
    if (to.status === VoiceConnectionStatus.Destroyed) tell('left');
  });
  // The guide's recipe: a move reconnects by itself within 5 s, anything else was a kick.
  connection.on(VoiceConnectionStatus.Disconnected, async () => {
    const mine = connection;
    try {
      await Promise.race([
        entersState(mine, VoiceConnectionStatus.Signalling, 5_000),
        entersState(mine, VoiceConnectionStatus.Connecting, 5_000),
      ]);
    } catch {
      if (mine.state.status !== VoiceConnectionStatus.Destroyed) mine.destroy();
    }
  });
  hear(connection.receiver);
}

async function talk(order) {
  player.play(createAudioResource(Readable.from(framesOf(order)), { inputType: StreamType.Opus }));
  await entersState(player, AudioPlayerStatus.Idle, 600_000);
  tell('talked', { from: order.from, count: order.count });
}

/// Commands of the guild, with one that answers; and an answer to what people type.
async function serve({ guild, commands }) {
  const registered = await client.application.commands.set(commands, guild);
  tell('serving', { commands: registered.map(({ id, name }) => ({ id, name })) });
}
client.on(Events.InteractionCreate, async (interaction) => {
  if (!interaction.isChatInputCommand()) return;
  tell('command', { name: interaction.commandName, user: interaction.user.id, text: interaction.options.getString('text') });
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  await interaction.editReply(`echo: ${interaction.options.getString('text')}`);
  const more = await interaction.followUp({ content: 'and more', flags: MessageFlags.Ephemeral });
  tell('answered', { id: more.id });
});
client.on(Events.MessageCreate, async (message) => {
  if (message.author.bot) return;
  tell('typed', { user: message.author.id, text: message.content });
  const reply = await message.reply({
    content: `you said: ${message.content}`,
    files: [{ name: 'said.txt', attachment: Buffer.from(message.content) }],
  });
  await reply.edit(`you said, once: ${message.content}`);
  tell('replied', { id: reply.id });
});

const line = {
  ready: () => session()?.ready,
  speaking: (on) => networking() && connection.setSpeaking(on),
  send: (frame) => connection.playOpusPacket(frame),
};

obey({ join, talk, serve, ...drone(line), leave: () => connection.destroy() });
await client.login(token);
