/**
 * The part of an mp3 that is music: encoders add silence at both ends, and note how much.
 *
 * The note is in the Xing frame's LAME extension. Decoders of whole files leave the silence out, as
 * Python's do; WebCodecs decodes frame by frame and does not.
 */

const DECODER_DELAY = 529; // samples that every decoder adds in front
const SEARCHED = 4096; // bytes behind the ID3 tag, of which the first frame is at most 1441
const FLAG_BYTES = [4, 4, 100, 4]; // sizes of the fields frames, bytes, table, quality

/** Return the samples to leave out in front, and the length; null where the file notes none. */
export async function gapless(file: Blob): Promise<{ skip: number; length: number } | null> {
  const start = await endOfId3(file);
  const bytes = new Uint8Array(await file.slice(start, start + SEARCHED).arrayBuffer());
  const frame = bytes.findIndex((byte, k) => byte === 0xff && (bytes[k + 1] & 0xe6) === 0xe2);
  if (frame < 0) return null;
  const tag = [36, 21, 13]
    .map((k) => frame + k)
    .find((at) => /^(Xing|Info)$/.test(text(bytes, at, 4)));
  if (tag === undefined) return null;
  const view = new DataView(bytes.buffer);
  const flags = view.getUint32(tag + 4);
  let at = tag + 8;
  FLAG_BYTES.forEach((size, k) => (at += flags & (1 << k) ? size : 0));
  if (!(flags & 1) || !/^La(vc|vf|me)|^LAME/.test(text(bytes, at, 4))) return null;
  const packed = (view.getUint16(at + 21) << 8) | view.getUint8(at + 23);
  const [delay, padding] = [packed >> 12, packed & 0xfff];
  const isMpeg1 = (bytes[frame + 1] & 0x18) === 0x18;
  const samples = view.getUint32(tag + 8) * (isMpeg1 ? 1152 : 576);
  return { skip: delay + DECODER_DELAY, length: samples - delay - padding };
}

async function endOfId3(file: Blob): Promise<number> {
  const head = new Uint8Array(await file.slice(0, 10).arrayBuffer());
  if (text(head, 0, 3) !== "ID3") return 0;
  return 10 + head.slice(6).reduce((size, byte) => size * 128 + byte, 0);
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
