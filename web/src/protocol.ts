/** Messages between a page and the worker. Every request has an `id`, and its replies have it too. */

import type { Answer, Description, Row } from "./answer";

export type Request =
  /** Load the model; its URL is absolute. The reply is `loaded`. */
  | { type: "load"; id: number; model: string }
  /** Predict a file. Replies: `progress`, then `answer`; or `undecodable`, if `samples` should come. */
  | { type: "predict"; id: number; file: Blob; name: string; hop?: number }
  /** Predict decoded samples, mono `(samples,)`. Replies as for `predict`. */
  | {
      type: "samples";
      id: number;
      samples: Float32Array;
      rateHz: number;
      name: string;
      hop?: number;
    }
  /** Begin a stream; `block`s follow until `stop`. Replies: `progress`, then `answer`. */
  | { type: "listen"; id: number; rateHz: number; hop: number }
  | { type: "block"; id: number; samples: Float32Array }
  /** End a stream, or give a prediction up. */
  | { type: "stop"; id: number };

/** The part of a recording that is done. */
export interface Progress {
  /** Seconds done, and of the recording where known. */
  seconds: number;
  total: number | null;
  /** New windows of the curve. */
  rows: Row[];
  /** The greatest |sample| of each 1/20 s that is new. */
  peaks: number[];
}

export type Reply =
  | { type: "loaded"; id: number; description: Description; milliseconds: number }
  | ({ type: "progress"; id: number } & Progress)
  | { type: "answer"; id: number; answer: Answer; isSilent: boolean }
  | { type: "undecodable"; id: number }
  | { type: "error"; id: number; message: string };

export const PEAKS_HZ = 20;
