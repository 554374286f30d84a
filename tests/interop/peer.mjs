// What every test client of this folder shares: it is a process of its own (several clients in one process stall each
// other for 50-100 ms), told what to do by JSON lines on standard input, telling what happens by JSON lines on standard
// output. voice_peer.cpp speaks the same protocol.
//
//   told:  {"do":"join","guild","channel","dave"?} {"do":"talk","from","count"} {"do":"leave"} {"do":"quit"}, more per client
//   tells: {"event":"ready","user"}        logged in
//          {"event":"joined","resumed"}    a voice connection stands: the old session, or a new one
//          {"event":"encryption","code","epoch","leaf"?}   the call's privacy code has changed; empty: we are in no group
//          {"event":"left"}
//          {"event":"gateway","what"}      the main gateway's session stands: identified or resumed
//          {"event":"talked","from","count","error"?}   all frames were handed over
//          {"event":"heard","user","opus"} one packet in hex; "ssrc" too where the client says it
//          {"event":"note","text"}         whatever helps to understand a failure
//
// Environment: API_BASE, BOT_TOKEN, FRAMES (a file with one Opus packet per line, in hex), NODE_EXTRA_CA_CERTS.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const token = process.env.BOT_TOKEN;
export const apiBase = new URL(process.env.API_BASE);
const frames = readFileSync(process.env.FRAMES, 'utf8').trim().split('\n').map((line) => Buffer.from(line, 'hex'));

/// The frames of a talk.
export const framesOf = ({ from, count }) => frames.slice(from, from + count);

/// Tells of the call's encryption each time it is another one. `look()`: the davey session, or nothing.
export function watchEncryption(look) {
  let last = '';
  setInterval(() => {
    const session = look();
    const code = session?.ready ? session.voicePrivacyCode : '';
    const epoch = code ? Number(session.epoch) : 0;
    if (last === code + epoch) return;
    last = code + epoch;
    tell('encryption', { code, epoch, leaf: code ? session.ownLeafIndex : undefined });
  }, 10);
}

export function tell(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}
export const note = (text) => tell('note', { text: String(text) });

/// Calls actions[order.do](order) for each line, until the input ends or says quit.
export function obey(actions) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const order = JSON.parse(line);
    if (order.do === 'quit') return process.exit(0);
    try {
      await actions[order.do](order);
    } catch (error) {
      note(`${order.do} failed: ${error.stack}`);
    }
  });
  lines.on('close', () => process.exit(0));
}
