// What was sent against what was heard, and how it is shown.

export const kModes = ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'];
export const kSilence = 'f8fffe';

/// Both are packets in hex, in order; silence frames are the clients' own business and left out before. `undone`: how
/// often the listener said that it could not open a packet. @discordjs/voice 0.19.2 takes a datagram for one with a
/// header extension when bytes 12 and 13 are BE DE, even if the header has no X bit: one packet of 65,536, by the chance
/// of the ciphertext, loses its front, and then does not open.
export function compare(sent, heard, undone = 0) {
  const counts = { sent: sent.length, exact: 0, cut: 0, wrong: 0, missing: 0, extra: 0 };
  let at = 0;
  for (const opus of heard) {
    const found = sent.indexOf(opus, at);
    if (found >= 0) {
      counts.exact += 1;
      counts.missing += found - at;
      at = found + 1;
    } else if (sent.includes(opus)) {
      counts.extra += 1; // again, or out of order
    } else {
      counts.wrong += 1;
    }
  }
  counts.missing += sent.length - at;
  if (counts.missing === 1 && undone > 0) [counts.cut, counts.missing] = [1, 0];
  return counts;
}

export function printTable(head, rows) {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const print = (line) => console.log(`| ${line.map((text, i) => text.padEnd(widths[i])).join(' | ')} |`);
  print(head);
  console.log(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  lines.slice(1).forEach(print);
}
