// Whoever commits, everybody follows: epoch after epoch with the winner chosen in turn among all kinds of clients, while
// clients of all kinds come and go, one at a time and several at once. After each change all who are in the call show the
// same code; at the end all hear all.
import { printTable } from './compare.mjs';
import { flows, kPool } from './flows.mjs';
import { kPatience, sleep } from './process.mjs';
import { kKinds, together, withTable } from './table.mjs';

/// Milliseconds: a client may send 120 messages a minute to the main gateway; dysnomia waits for the next minute.
const kLeastStep = 450;

/// What happens in a step: who of the guests comes or goes. Alone, or one out and one in as one commit.
function* steps(guests) {
  const inside = new Set();
  for (let number = 0; ; ++number) {
    const guest = guests[number % guests.length];
    const other = guests[(number + 1) % guests.length];
    if (number % 4 === 3 && inside.has(other) !== inside.has(guest)) {
      const [out, into] = inside.has(guest) ? [guest, other] : [other, guest];
      inside.delete(out);
      inside.add(into);
      yield { out: [out], into: [into], inside: [...inside] };
    } else if (inside.delete(guest)) {
      yield { out: [guest], into: [], inside: [...inside] };
    } else {
      inside.add(guest);
      yield { out: [], into: [guest], inside: [...inside] };
    }
  }
}

export async function epochs(options) {
  const kinds = [...kKinds, ...kKinds]; // those who stay, and guests
  return withTable({ ...options, kinds, pool: kPool }, async (table) => {
    const { sandbox, world, peers } = table;
    const stay = peers.slice(0, kKinds.length);
    const settings = { batch_ms: 30 }; // so that out and in are one commit
    await sandbox.ask({ do: 'encryption', ...settings });
    for (const peer of stay) await peer.join(world);
    await together(stay);

    const won = new Map(stay.map((peer) => [peer.user, 0]));
    const waits = [];
    let failures = 0;
    const plan = steps(peers.slice(kKinds.length));
    let inside = [];
    for (let number = 0; number < options.epochs; ++number) {
      const winner = stay[number % stay.length];
      await sandbox.ask({ do: 'encryption', ...settings, winner: winner.user });
      const before = (await sandbox.ask({ do: 'call' })).epoch;
      const step = plan.next().value;
      const started = Date.now();
      await Promise.all([...step.out.map((peer) => peer.leave()), ...step.into.map((peer) => peer.join(world))]);
      inside = step.inside;
      const there = [...stay, ...inside];
      const call = await settled(sandbox, before, there);
      waits.push(Date.now() - started);
      if (call.committer !== winner.user) {
        failures += 1;
        console.log(`step ${number}: epoch ${before} to ${call.epoch} committed by ${call.committer}, wanted ${winner.name} ${winner.user}`);
      }
      won.set(call.committer, (won.get(call.committer) ?? 0) + 1);
      await sleep(started + kLeastStep - Date.now());
    }
    await flows(table, Date.now() + kPatience, [...stay, ...inside]);
    const { counts } = await sandbox.ask({ do: 'call' });
    const troubles = peers.flatMap(({ name, notes }) => notes.filter((text) => /errored|Invalidating|failed/.test(text)).map((text) => `${name}: ${text}`));
    for (const text of troubles) console.log(text);
    waits.sort((a, b) => a - b);
    printTable(
      ['epochs', ...stay.map(({ kind }) => `committed by ${kind}`), 'transitions', 'refused', 'op 31', 'timeouts', 'ms: median', 'most', 'failures'],
      [[counts.epochs, ...stay.map(({ user }) => won.get(user)), counts.transitions, counts.refused, counts.invalid, counts.timeouts,
        waits[Math.floor(waits.length / 2)], waits.at(-1), failures + troubles.length]],
    );
    return failures === 0 && troubles.length === 0 && counts.refused + counts.invalid + counts.timeouts === 0;
  });
}

/// What the sandbox says of the call, and those who are there, once nothing is under way after epoch `before`. Who leaves
/// and who comes may be two changes.
async function settled(sandbox, before, there) {
  for (const end = Date.now() + kPatience; ; await sleep(10)) {
    const { epoch } = await together(there);
    const call = await sandbox.ask({ do: 'call' });
    if (call.settled && call.epoch > before && call.epoch === epoch) return call;
    if (Date.now() > end) throw new Error(`the call does not settle: ${JSON.stringify(call)}, they have epoch ${epoch}`);
  }
}
