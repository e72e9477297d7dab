/**
 * The answer for one recording: the song's values, their intervals, the curve.
 *
 * The rules are those of `adff_tf.inference.emotion` and `adff_tf.inference.calibration`, and the
 * result is the object that `adff-predict --format json` prints. `tests/vectors.json`, written by
 * Python, holds both to the same numbers.
 */

/** The scores of a model's held-out songs, ascending (`calibration.json`). */
export interface Calibration {
  scores: Record<string, number[]>;
  spread: Record<string, number>;
  distances: number[];
}

/** The description that every artifact carries (`adff_tf.inference.description`). */
export interface Description {
  format: number;
  adff_tf: string;
  task: string;
  outputs: string[];
  classes: string[];
  scale: [number, number];
  sample_rate_hz: number;
  window: number;
  terms: string;
  calibration: Calibration | null;
  input?: string;
  size: number;
  sha256: string;
}

/** One window of the curve: targets, or `label` and `probabilities`. Seconds. */
export interface Row {
  start: number;
  end: number;
  valence?: number;
  arousal?: number;
  label?: string;
  probabilities?: Record<string, number>;
}

type Ends = [number | null, number | null];

/** An object as `adff-predict --format json` prints it. */
export interface Answer {
  path: string;
  seconds: number;
  valence?: number;
  arousal?: number;
  quadrant?: string;
  std?: Record<string, number | null>;
  scale?: [number, number];
  label?: string;
  probabilities?: Record<string, number>;
  interval?: { level: number; valence?: Ends; arousal?: Ends };
  prediction_set?: { level: number; classes: string[] };
  interval_note?: string;
  unfamiliar?: boolean | null;
  percentile?: number;
  window_s: number;
  hop_s: number;
  padded: boolean;
  curve: Row[];
}

/** A window's outputs by name; `probabilities` has a number a class. */
export type Outputs = Record<string, number[]>;

export type Target = "valence" | "arousal";

export const LEVEL = 0.9;
const FAMILIAR = 0.95;
const MARGIN = 1e-9; // so that 10 · 0.9 is 9 and not a little more

/** Return the targets of a model, none for classes. */
export function targets(description: Description): Target[] {
  const isClasses = description.classes.length > 0;
  return isClasses
    ? []
    : (["valence", "arousal"] as const).filter((name) => description.outputs.includes(name));
}

/** Return one window of the curve. `start` and `end` in samples. */
export function curveRow(
  description: Description,
  start: number,
  end: number,
  outputs: Outputs,
): Row {
  const rate = description.sample_rate_hz;
  const row: Row = { start: round(start / rate, 3), end: round(end / rate, 3) };
  for (const name of targets(description)) row[name] = outputs[name][0];
  if (description.classes.length) {
    row.probabilities = byClass(description, outputs.probabilities);
    row.label = mostProbable(row.probabilities);
  }
  return row;
}

/**
 * Return the answer of a recording.
 *
 * @param name of the recording
 * @param samples its length, at the model's rate
 * @param hop samples from one window to the next
 * @param rows of all windows
 * @param distances of all windows; none for a model without the output `distance`
 */
export function answerOf(
  description: Description,
  name: string,
  samples: number,
  hop: number,
  rows: Row[],
  distances: number[],
  level = LEVEL,
): Answer {
  const rate = description.sample_rate_hz;
  const answer = { path: name, seconds: round(samples / rate, 3) } as Answer;
  for (const target of targets(description)) answer[target] = mean(rows.map((row) => row[target]!));
  if (description.classes.length) {
    const shares = description.classes.map((c) => mean(rows.map((row) => row.probabilities![c])));
    answer.probabilities = byClass(description, shares);
    answer.label = mostProbable(answer.probabilities);
  } else {
    answer.std = {};
    for (const target of targets(description))
      answer.std[target] = std(rows.map((row) => row[target]!));
    answer.scale = description.scale;
  }
  const quadrant = quadrantOf(description, answer);
  if (quadrant) answer.quadrant = quadrant;
  const { calibration } = description;
  if (calibration) addCertainty(answer, description, calibration, distances, level);
  answer.window_s = description.window / rate;
  answer.hop_s = hop / rate;
  answer.padded = samples < description.window;
  answer.curve = rows;
  return answer;
}

/** Return Q1 (+V +A), Q2 (-V +A), Q3 (-V -A) or Q4 (+V -A), where a model tells quadrants. */
export function quadrantOf(description: Description, values: Row | Answer): string | undefined {
  if (description.task === "quadrant") return values.label;
  if (values.valence === undefined || values.arousal === undefined) return undefined;
  if (values.arousal >= 0) return values.valence >= 0 ? "Q1" : "Q2";
  return values.valence < 0 ? "Q3" : "Q4";
}

function addCertainty(
  answer: Answer,
  description: Description,
  calibration: Calibration,
  distances: number[],
  level: number,
): void {
  if (description.classes.length) {
    const classes = predictionSet(calibration, answer.probabilities!, level);
    answer.prediction_set = { level, classes };
  } else {
    answer.interval = { level };
    for (const target of targets(description)) {
      const half =
        quantile(calibration.scores[target], level) *
        width(answer.std![target], calibration.spread[target]);
      const ends = [answer[target]! - half, answer[target]! + half];
      answer.interval[target] = ends.map((end) => (Number.isFinite(end) ? end : null)) as Ends;
    }
  }
  const note = tooFew(calibration, level);
  if (note) answer.interval_note = note;
  if (distances.length && calibration.distances.length) {
    const distance = mean(distances);
    const bound = quantile(calibration.distances, FAMILIAR);
    answer.unfamiliar = Number.isFinite(bound) ? distance > bound : null;
    const nearer = calibration.distances.filter((known) => known < distance).length;
    answer.percentile = round((100 * nearer) / calibration.distances.length, 1);
  }
}

/** Return the classes of a song's set, the most probable first; at least one. */
function predictionSet(
  calibration: Calibration,
  probabilities: Record<string, number>,
  level: number,
): string[] {
  const q = quantile(calibration.scores.probabilities, level);
  const ranked = Object.keys(probabilities).sort((a, b) => probabilities[b] - probabilities[a]);
  return ranked.filter((name, k) => k === 0 || 1 - probabilities[name] <= q);
}

/** Return why intervals of a level are infinite; undefined where they are finite. */
function tooFew(calibration: Calibration, level: number): string | undefined {
  const songs = Math.min(...Object.values(calibration.scores).map((scores) => scores.length));
  if (rank(songs, level) <= songs) return undefined;
  let needed = songs;
  while (rank(needed, level) > needed) needed += 1;
  return `${songs} held-out songs are too few for ${level}: ${needed} are needed`;
}

function quantile(ascending: number[], level: number): number {
  const place = rank(ascending.length, level);
  return place <= ascending.length ? ascending[Math.max(place, 1) - 1] : Infinity;
}

function rank(songs: number, level: number): number {
  return Math.ceil((songs + 1) * level - MARGIN);
}

/** Return s for a std over windows; null, of one window, counts as the median. */
function width(deviation: number | null, spread: number): number {
  return spread ? 1 + (deviation ?? spread) / spread : 1;
}

function byClass(description: Description, probabilities: number[]): Record<string, number> {
  return Object.fromEntries(description.classes.map((name, k) => [name, probabilities[k]]));
}

function mostProbable(probabilities: Record<string, number>): string {
  return Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Return the sample standard deviation, null of one value. */
function std(values: number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
