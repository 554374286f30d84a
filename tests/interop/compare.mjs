// What was sent against what was heard, and how it is shown.

export const kModes = ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'];
export const kSilence = 'f8fffe';

/// @discordjs/voice 0.19.2 takes a datagram for one with a header extension when bytes 12 and 13 are BE DE, even if the
/// header has no X bit: one packet of 65,536, by the chance of the ciphertext, loses its front (4 bytes a word) or all.
const cutAtTheFront = (sent, heard) =>
  heard.length < sent.length && sent.endsWith(heard) && (heard === '' || (sent.length - heard.length) % 8 === 0);

/// Both are packets in hex, in order; silence frames are the clients' own business and left out before.
export function compare(sent, heard, cuts = false) {
  const counts = { sent: sent.length, exact: 0, cut: 0, wrong: 0, missing: 0, extra: 0 };
  let at = 0;
  for (const opus of heard) {
    const found = sent.indexOf(opus, at);
    if (found >= 0) {
      counts.exact += 1;
      counts.missing += found - at;
      at = found + 1;
    } else if (cuts && at < sent.length && cutAtTheFront(sent[at], opus)) {
      counts.cut += 1;
      console.log(`cut by the listener: ${sent[at].length / 2} bytes to ${opus.length / 2}`);
      at += 1;
    } else if (sent.includes(opus)) {
      counts.extra += 1; // again, or out of order
    } else {
      counts.wrong += 1;
    }
  }
  counts.missing += sent.length - at;
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
