/**
 * The worker: decodes, resamples and predicts, so that the page never waits.
 *
 * Files are predicted one after the other, and a microphone's stream meanwhile. `protocol.ts` has
 * the messages.
 */

import type { Reply, Request } from "../protocol";
import { AudioError, open, type Block } from "./decoding";
import { Model, ModelError } from "./model";
import { Song } from "./song";

let model: Promise<Model>;
let queue: Promise<void> = Promise.resolve();
const stopped = new Set<number>();
const streams = new Map<number, Stream>();

interface Stream {
  song: Song;
  rateHz: number;
  work: Promise<void>;
  /** Samples that wait; a slow device leaves blocks out instead of keeping more. */
  waiting: number;
}

const MOST_WAITING_S = 10;

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.type === "load") void guard(data.id, () => load(data.id, data.model));
  else if (data.type === "listen")
    void guard(data.id, () => listen(data.id, data.rateHz, data.hop));
  else if (data.type === "block") follow(data.id, data.samples);
  else if (data.type === "stop") stop(data.id);
  else queue = queue.then(() => guard(data.id, () => predict(data)));
};

function reply(message: Reply): void {
  self.postMessage(message);
}

/** Do a request's work, and reply with the reason where it fails. */
async function guard(id: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isKnown = error instanceof AudioError || error instanceof ModelError;
    reply({ type: "error", id, message: isKnown ? error.message : `The page failed: ${error}` });
    if (!isKnown) console.error(error);
  } finally {
    stopped.delete(id);
  }
}

async function load(id: number, url: string): Promise<void> {
  const began = performance.now();
  model = (async () => {
    const response = await fetch(url).catch((error) => error);
    if (!response.ok)
      throw new ModelError(`The model ${url} cannot be fetched (${response.status ?? response}).`);
    return Model.load(new Uint8Array(await response.arrayBuffer()));
  })();
  const { description } = await model;
  reply({ type: "loaded", id, description, milliseconds: performance.now() - began });
}

async function predict(request: Request & { type: "predict" | "samples" }): Promise<void> {
  const { id, name, hop } = request;
  const ready = await model;
  if (stopped.has(id)) return;
  const song = new Song(ready, hop ?? Math.floor(ready.description.window / 2));
  if (request.type === "samples") {
    const total = request.samples.length / request.rateHz;
    await feed(id, song, split(request.samples, request.rateHz), total);
  } else {
    const recording = await open(request.file);
    if (!recording) return reply({ type: "undecodable", id });
    try {
      await feed(id, song, recording.blocks(), recording.statedSeconds);
      checkWhole(song.seconds, recording.statedSeconds);
    } finally {
      recording.close();
    }
  }
  if (stopped.has(id)) return;
  reply({ type: "answer", id, answer: song.answer(name), isSilent: song.isSilent });
}

/** Write blocks into a song, and reply with each part's progress. */
async function feed(
  id: number,
  song: Song,
  blocks: AsyncIterable<Block> | Iterable<Block>,
  total: number | null,
): Promise<void> {
  for await (const { samples, rateHz } of blocks) {
    if (stopped.has(id)) return;
    reply({ type: "progress", id, ...(await song.write(samples, rateHz)), total });
  }
  reply({ type: "progress", id, ...(await song.end()), total });
}

function* split(samples: Float32Array, rateHz: number): Generator<Block> {
  const size = Math.ceil(rateHz / 2);
  for (let at = 0; at < samples.length; at += size)
    yield { rateHz, samples: samples.subarray(at, at + size) };
}

/** Throw AudioError where a recording lacks more than a damaged frame or a rounded length explains. */
function checkWhole(seconds: number, stated: number | null): void {
  if (stated !== null && seconds < 0.99 * stated - 0.1) {
    const parts = `states ${stated.toFixed(1)} s and holds ${seconds.toFixed(1)} s`;
    throw new AudioError(`${parts}: it is cut off or damaged`);
  }
}

async function listen(id: number, rateHz: number, hop: number): Promise<void> {
  const song = new Song(await model, hop, false);
  streams.set(id, { song, rateHz, work: Promise.resolve(), waiting: 0 });
}

function follow(id: number, samples: Float32Array): void {
  const stream = streams.get(id);
  if (!stream) return; // blocks that come before the model is ready
  if (stream.waiting > MOST_WAITING_S * stream.rateHz) return;
  stream.waiting += samples.length;
  stream.work = stream.work.then(() =>
    guard(id, async () => {
      stream.waiting -= samples.length;
      const progress = await stream.song.write(samples, stream.rateHz);
      reply({ type: "progress", id, ...progress });
    }),
  );
}

function stop(id: number): void {
  if (!streams.delete(id)) stopped.add(id);
}
