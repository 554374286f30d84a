// Opus packets that say which they are.

const kBases = 32;
const kMostBase = 250; // bytes: it is about keys, not about bandwidth
const kMark = '4108'; // one frame, with 8 bytes of padding

/// A packet of one frame made into one with padding (RFC 6716, 3.2.5), which decodes the same. What stands in the
/// padding is nobody's business, so it can say which packet this is.
export function number(packet, visit, n) {
  const padding = Buffer.alloc(8);
  padding.writeUInt32BE(visit, 0);
  padding.writeUInt32BE(n, 4);
  return Buffer.concat([Buffer.from([packet[0] | 3, 0x41, padding.length]), packet.subarray(1), padding]);
}
/// What number() was told: hex in, or nothing when it is no such packet.
export function numberOf(opus) {
  if (opus.slice(2, 6) !== kMark) return undefined;
  return { visit: Number.parseInt(opus.slice(-16, -8), 16), n: Number.parseInt(opus.slice(-8), 16) };
}
export function basesOf(frames) {
  return frames.filter((frame) => (frame[0] & 3) === 0 && frame.length < kMostBase).slice(0, kBases);
}
