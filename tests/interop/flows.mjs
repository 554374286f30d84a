// Whether audio flows.
import { compare } from './compare.mjs';
import { until } from './process.mjs';

const kBurst = 5; // frames
export const kPool = 200 * kBurst; // frames that there must be; said again when all were said

/// All talk in bursts until one of each was heard by each, whole and right. Fails when that takes too long.
export async function flows(table, deadline, peers = table.peers) {
  for (;;) {
    const begin = table.next ?? 0;
    table.next = (begin + peers.length * kBurst) % (kPool - peers.length * kBurst);
    const talks = peers.map((talker, i) => ({ talker, from: begin + i * kBurst }));
    const ways = talks.flatMap(({ talker, from }) =>
      peers.filter((listener) => listener !== talker).map((listener) => ({ talker, listener, said: table.frames.slice(from, from + kBurst) })));
    const heard = ({ talker, listener, said }) => listener.heardOf(talker).filter((opus) => said.includes(opus));
    const arrived = (way) => compare(way.said, heard(way)).exact === kBurst;
    for (const listener of peers) listener.heard = [];
    await Promise.all(talks.map(({ talker, from }) => talker.talk(from, kBurst)));
    if (await until(() => ways.every(arrived), () => ways.map(heard).flat().length, 300)) return;
    if (Date.now() > deadline) {
      const deaf = ways.filter((way) => !arrived(way)).map(({ talker, listener }) => `${listener.name} does not hear ${talker.name}`);
      throw new Error(deaf.join(', '));
    }
  }
}
