/**
 * A model in a worker, for a page of one's own.
 *
 *     import { Adff } from "./adff.js";
 *
 *     const adff = await Adff.load();
 *     const answer = await adff.predict(file, { onProgress: ({ seconds }) => console.log(seconds) });
 *     console.log(answer.valence, answer.arousal, answer.curve);
 */

import type { Answer, Description } from "./answer";
import type { Progress, Reply, Request } from "./protocol";

export type { Answer, Calibration, Description, Row } from "./answer";
export type { Progress } from "./protocol";

export interface Places {
  /** URLs, of the page's own origin; relative to the page. */
  worker?: string;
  model?: string;
}

export interface PredictOptions {
  /** Replaces the file's name in the answer. */
  name?: string;
  /** Seconds from one window of the curve to the next; half a window by default. */
  hopSeconds?: number;
  onProgress?: (progress: Progress) => void;
  /** Gives the prediction up. */
  signal?: AbortSignal;
}

/** A stream of samples that is predicted as it comes. */
export interface Listener {
  /** Hand over samples of one moment, mono `(samples,)`, full scale ±1. */
  push(samples: Float32Array): void;
  stop(): void;
}

const MOST_BYTES_AT_ONCE = 2 ** 28; // of a file that can only be decoded whole

type Handler = (reply: Reply) => void;
type RequestBody<T = Request> = T extends Request ? Omit<T, "id"> : never;

export class Adff {
  /** Milliseconds that fetching and compiling took. */
  loadMilliseconds = 0;
  private readonly handlers = new Map<number, Handler>();
  private last = 0;

  private constructor(
    private readonly worker: Worker,
    public description: Description,
  ) {}

  /** Return a model, fetched and compiled. Throws Error with a sentence for the user. */
  static async load({ worker = "worker.js", model = "model.tflite" }: Places = {}): Promise<Adff> {
    const absolute = (place: string) => new URL(place, document.baseURI).href;
    const adff = new Adff(new Worker(absolute(worker)), null as unknown as Description);
    adff.worker.onmessage = ({ data }: MessageEvent<Reply>) => adff.handlers.get(data.id)?.(data);
    adff.worker.onerror = (event) =>
      adff.fail(`The worker failed: ${event.message || "it cannot be loaded"}`);
    const loaded = await adff.ask({ type: "load", model: absolute(model) });
    if (loaded.type !== "loaded")
      throw new Error("The worker is of another version: build the page again.");
    adff.description = loaded.description;
    adff.loadMilliseconds = loaded.milliseconds;
    return adff;
  }

  /** Return the answer for one file. Throws Error with a sentence, and AbortError after `signal`. */
  async predict(file: Blob, options: PredictOptions = {}): Promise<Answer & { isSilent: boolean }> {
    const name = options.name ?? (file instanceof File ? file.name : "recording");
    const { sample_rate_hz: rateHz } = this.description;
    const hop = options.hopSeconds ? Math.round(options.hopSeconds * rateHz) : undefined;
    let reply = await this.ask({ type: "predict", file, name, hop }, options);
    if (reply.type === "undecodable") {
      const samples = await decodeWhole(file, rateHz);
      reply = await this.ask({ type: "samples", samples, rateHz, name, hop }, options, [
        samples.buffer,
      ]);
    }
    if (reply.type !== "answer")
      throw new Error("The worker is of another version: build the page again.");
    return { ...reply.answer, isSilent: reply.isSilent };
  }

  /** Predict a stream, such as a microphone's, until `stop`. `onError` gets a sentence. */
  listen(
    rateHz: number,
    hopSeconds: number,
    onProgress: (progress: Progress) => void,
    onError: (message: string) => void = console.error,
  ): Listener {
    const id = this.next();
    this.handlers.set(id, (reply) => {
      if (reply.type === "progress") onProgress(reply);
      else if (reply.type === "error") onError(reply.message);
    });
    const hop = Math.round(hopSeconds * this.description.sample_rate_hz);
    this.post({ type: "listen", id, rateHz, hop });
    return {
      push: (samples) => this.post({ type: "block", id, samples }, [samples.buffer]),
      stop: () => {
        this.handlers.delete(id);
        this.post({ type: "stop", id });
      },
    };
  }

  close(): void {
    this.worker.terminate();
    this.fail("The model was closed.");
  }

  /** Send a request; resolve with its last reply. */
  private ask(
    body: RequestBody,
    options: PredictOptions = {},
    moved: Transferable[] = [],
  ): Promise<Reply> {
    const id = this.next();
    return new Promise((resolve, reject) => {
      const done = () => {
        this.handlers.delete(id);
        options.signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = () => {
        done();
        this.post({ type: "stop", id });
        reject(new DOMException("given up", "AbortError"));
      };
      this.handlers.set(id, (reply) => {
        if (reply.type === "progress") return options.onProgress?.(reply);
        done();
        return reply.type === "error" ? reject(new Error(reply.message)) : resolve(reply);
      });
      if (options.signal?.aborted) return giveUp();
      options.signal?.addEventListener("abort", giveUp);
      return this.post({ ...body, id } as Request, moved);
    });
  }

  private post(request: Request, moved: Transferable[] = []): void {
    this.worker.postMessage(request, moved);
  }

  private next(): number {
    this.last += 1;
    return this.last;
  }

  private fail(message: string): void {
    for (const [id, handler] of [...this.handlers]) handler({ type: "error", id, message });
  }
}

/** Return a file's samples by the browser's decoder for whole files, mono at `rateHz`. */
async function decodeWhole(file: Blob, rateHz: number): Promise<Float32Array<ArrayBuffer>> {
  if (file.size > MOST_BYTES_AT_ONCE) {
    throw new Error(
      "is too long for this browser's decoder; convert it to mp3, or use a newer browser",
    );
  }
  let buffer: AudioBuffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, rateHz).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error("is no recording that this browser can decode; try wav, mp3, flac, ogg or m4a");
  }
  const mono = buffer.getChannelData(0).slice();
  for (let channel = 1; channel < buffer.numberOfChannels; channel += 1) {
    buffer.getChannelData(channel).forEach((sample, k) => (mono[k] += sample));
  }
  return mono.map((sample) => sample / buffer.numberOfChannels);
}
