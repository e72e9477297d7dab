/**
 * A file's samples, block by block, by the browser's own decoders (WebCodecs) and Mediabunny.
 *
 * Memory holds a few blocks, whatever the length.
 */

import {
  ADTS,
  AudioSampleSink,
  BlobSource,
  FLAC,
  Input,
  MATROSKA,
  MP3,
  MP4,
  OGG,
  QTFF,
  WAVE,
  WEBM,
  type AudioSample,
  type InputAudioTrack,
} from "mediabunny";

import { gapless } from "./gapless";

/** Samples of one moment, mono. */
export interface Block {
  rateHz: number;
  samples: Float32Array;
}

/** A recording that is ready to be decoded. */
export interface Recording {
  /** Seconds that the file states; null where it states none. */
  statedSeconds: number | null;
  blocks(): AsyncGenerator<Block>;
  close(): void;
}

/** A recording that cannot be used. The message is a sentence for the user. */
export class AudioError extends Error {}

const FORMATS = [WAVE, MP3, FLAC, OGG, MP4, QTFF, WEBM, MATROSKA, ADTS];
const JOINED_S = 0.5; // decoders give 20 ms at once; larger blocks cost less

/** Open a file. Returns null where this way of decoding does not know it. Throws AudioError. */
export async function open(file: Blob): Promise<Recording | null> {
  if (!file.size) throw new AudioError("is empty (0 bytes)");
  const input = new Input({ formats: FORMATS, source: new BlobSource(file) });
  try {
    if (!(await input.canRead())) return null;
    const track = await input.getPrimaryAudioTrack();
    if (!track) throw new AudioError("holds no audio track");
    if (!(await track.canDecode())) return null;
    const isMp3 = (await input.getFormat()) === MP3;
    const heard = isMp3 ? await gapless(file) : null;
    const part = isMp3 ? heard : await presented(track);
    return {
      statedSeconds: heard // without the encoder's silence, which is 0.2 s at 8 kHz
        ? heard.length / (await track.getSampleRate())
        : await statedSeconds(file, await input.getDurationFromMetadata([track])),
      blocks: () => cut(join(new AudioSampleSink(track).samples()), part),
      close: () => input.dispose(),
    };
  } catch (error) {
    input.dispose();
    if (error instanceof AudioError) throw error;
    return null;
  }
}

/** Return the seconds that a file states. Mediabunny cuts those of a wav to the bytes that are there. */
async function statedSeconds(file: Blob, seconds: number | null): Promise<number | null> {
  const head = new DataView(await file.slice(0, 12).arrayBuffer());
  const isRiff =
    head.byteLength === 12 && head.getUint32(0) === 0x52494646 && head.getUint32(8) === 0x57415645;
  const size = isRiff ? head.getUint32(4, true) + 8 : 0;
  const isCut = size > file.size && size < 0xffff0000; // programs that stream write the greatest size
  return seconds !== null && isCut ? (seconds * size) / file.size : seconds;
}

/** The part of a recording that is heard; `skip` and `length` in samples. */
type Part = { skip: number; length: number } | null;

/** Return the part that a container says is to be heard. */
async function presented(track: InputAudioTrack): Promise<Part> {
  const rate = await track.getSampleRate();
  const skip = Math.round(Math.max(0, -(await track.getFirstTimestamp())) * rate);
  return { skip, length: Math.round((await track.computeDuration()) * rate) };
}

/** Yield the blocks of a part. */
async function* cut(blocks: AsyncGenerator<Block>, part: Part): AsyncGenerator<Block> {
  let [skip, left] = [part?.skip ?? 0, part?.length ?? Infinity];
  for await (const { rateHz, samples } of blocks) {
    const kept = samples.subarray(Math.min(skip, samples.length), skip + left);
    skip -= Math.min(skip, samples.length);
    left -= kept.length;
    if (kept.length) yield { rateHz, samples: kept };
    if (left <= 0) return;
  }
}

/** Yield mono blocks of JOINED_S. Throws AudioError where a decoder fails. */
async function* join(decoded: AsyncGenerator<AudioSample>): AsyncGenerator<Block> {
  let parts: Float32Array[] = [];
  let length = 0;
  let rateHz = 0;
  let seconds = 0;
  try {
    for await (const sample of decoded) {
      rateHz = sample.sampleRate;
      parts.push(toMono(sample));
      length += sample.numberOfFrames;
      seconds += sample.duration;
      sample.close();
      if (length >= JOINED_S * rateHz) {
        yield { rateHz, samples: concatenate(parts, length) };
        parts = [];
        length = 0;
      }
    }
  } catch (error) {
    throw new AudioError(
      `is damaged: its decoder stopped after ${seconds.toFixed(1)} s (${reason(error)})`,
    );
  }
  if (length) yield { rateHz, samples: concatenate(parts, length) };
}

/** Return the mean over channels, `(samples,)`. */
function toMono(sample: AudioSample): Float32Array {
  const channels = sample.numberOfChannels;
  const mono = new Float32Array(sample.numberOfFrames);
  sample.copyTo(mono, { planeIndex: 0, format: "f32-planar" });
  if (channels === 1) return mono;
  const plane = new Float32Array(sample.numberOfFrames);
  for (let channel = 1; channel < channels; channel += 1) {
    sample.copyTo(plane, { planeIndex: channel, format: "f32-planar" });
    for (let k = 0; k < mono.length; k += 1) mono[k] += plane[k];
  }
  for (let k = 0; k < mono.length; k += 1) mono[k] /= channels;
  return mono;
}

function concatenate(parts: Float32Array[], length: number): Float32Array {
  const joined = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message.split("\n")[0] : String(error);
}
