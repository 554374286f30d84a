// Talk by our own clock, a packet each 20 ms and no two alike, with an account of what was sent: for tests that want to
// know of each frame whether its sender was in the encrypted call when it was sent. It uses what the libraries offer
// beside their players: connection.playOpusPacket(), connection.sendAudioFrame().
//
//   told:  {"do":"drone","visit"}           talk from now on, in runs of 1.5 s with pauses of 0.3 s
//          {"do":"hush"}                    no more
//   tells: {"event":"sent","visit","from","count"}   these numbers were sent, one after another
//          {"event":"hushed"}
import { basesOf, number } from './numbered.mjs';
import { framesOf, tell } from './peer.mjs';

const kFrame = 20; // milliseconds
const kRun = 75; // frames
const kPause = 15;
const kSilence = Buffer.from([0xf8, 0xff, 0xfe]);

/// `line`: {ready(), speaking(on), send(packet)}.
export function drone(line) {
  let talk;

  function step() {
    if (!talk) return;
    const mine = talk;
    // One packet a turn: dysnomia has one send buffer.
    if (Date.now() >= mine.due) {
      mine.due += kFrame;
      say(mine);
    }
    setTimeout(step, Math.max(0, mine.due - Date.now()));
  }

  function say(mine) {
    if (!line.ready()) {
      mine.at = 0;
      return; // nothing goes out that could be meant to be encrypted
    }
    const at = mine.at++ % (kRun + kPause);
    if (at === 0) line.speaking(true);
    if (at < kRun) {
      line.send(number(mine.bases[mine.n % mine.bases.length], mine.visit, mine.n));
      mine.n += 1;
    } else if (at < kRun + 5) {
      line.send(kSilence);
    } else if (at === kRun + 5) {
      line.speaking(false);
    }
    if (at === kRun || mine.n - mine.told >= 50) account(mine);
  }

  function account(mine) {
    if (mine.n > mine.told) tell('sent', { visit: mine.visit, from: mine.told, count: mine.n - mine.told });
    mine.told = mine.n;
  }

  return {
    drone({ visit }) {
      talk = { visit, n: 0, told: 0, at: 0, due: Date.now(), bases: basesOf(framesOf({ from: 0, count: 1000 })) };
      step();
    },
    hush() {
      if (talk) account(talk);
      talk = undefined;
      tell('hushed');
    },
  };
}
