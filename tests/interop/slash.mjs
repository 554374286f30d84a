// discord.js registers a command, answers it three times, reads a message and replies with a file: all over the
// sandbox's REST, which checks what it is sent; discord.js reads what the sandbox answers.
import { withTable } from './table.mjs';

const kCommand = {
  name: 'eco',
  description: 'Says it again',
  options: [{ type: 3, name: 'text', description: 'What to say', required: true }],
};

export async function slash(options) {
  return withTable({ ...options, kinds: ['discord.js'], pool: 1 }, async ({ sandbox, world, peers: [bot] }) => {
    const [person] = world.player_user_ids;
    const serving = bot.event('serving');
    bot.order({ do: 'serve', guild: world.guild_id, commands: [kCommand] });
    const { commands } = await serving;
    if (commands.length !== 1 || commands[0].name !== kCommand.name) throw new Error(`registered: ${JSON.stringify(commands)}`);

    const [asked, answered] = [bot.event('command'), bot.event('answered')];
    await sandbox.ask({ do: 'use_command', person, channel: world.text_channel_id, bot: bot.user, name: kCommand.name,
                    options: [{ name: 'text', type: 3, value: 'è pronto?' }] });
    const { user, text } = await asked;
    if (user !== person || text !== 'è pronto?') throw new Error(`asked by ${user}: ${text}`);
    await answered;

    const [typed, replied] = [bot.event('typed'), bot.event('replied')];
    await sandbox.ask({ do: 'type', person, channel: world.text_channel_id, text: '$ciao' });
    const message = await typed;
    if (message.user !== person || message.text !== '$ciao') throw new Error(`typed by ${message.user}: ${message.text}`);
    const { id } = await replied;
    const { posted } = await sandbox.ask({ do: 'posted' });
    const reply = posted.find((one) => one.id === id);
    if (reply?.content !== 'you said, once: $ciao' || reply.files.join() !== 'said.txt') {
      throw new Error(`posted: ${JSON.stringify(posted)}`);
    }
    for (const content of ['echo: è pronto?', 'and more']) {
      if (!posted.some((one) => one.content === content && one.ephemeral)) throw new Error(`no "${content}" in ${JSON.stringify(posted)}`);
    }
    console.log('slash command: registered, asked, deferred, answered, followed up; message: read, replied to with a file, edited');
    return true;
  });
}
