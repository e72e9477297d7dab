/** Values in words, the same words as in the plots of Python (`adff_tf.reports.song_pictures`). */

import { quadrantOf, type Answer, type Description } from "../answer";

export const QUADRANTS: Record<string, { words: string; colour: string; signs: [number, number] }> =
  {
    Q1: { words: "happy, excited", colour: "--q1", signs: [1, 1] },
    Q2: { words: "tense, angry", colour: "--q2", signs: [-1, 1] },
    Q3: { words: "sad, gloomy", colour: "--q3", signs: [-1, -1] },
    Q4: { words: "calm, content", colour: "--q4", signs: [1, -1] },
  };

/** Return "+0.20"; the minus sign is as wide as the plus. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return `${value < 0 && Number(text) !== 0 ? "−" : "+"}${text}`;
}

/** Return "3:05". */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Return a target's value with its interval. */
export function valueText(answer: Answer, name: "valence" | "arousal"): string {
  const value = signed(answer[name]!);
  const ends = answer.interval?.[name];
  if (!ends || ends[0] === null || ends[1] === null) return value;
  return `${value} (${signed(ends[0])} to ${signed(ends[1])})`;
}

/** Return the answer in one sentence. */
export function verdict(description: Description, answer: Answer): string {
  const quadrant = quadrantOf(description, answer);
  const words = quadrant ? `${QUADRANTS[quadrant].words} (${quadrant}): ` : "";
  const parts: string[] = [];
  for (const name of ["valence", "arousal"] as const) {
    if (answer[name] !== undefined) parts.push(`${name} ${valueText(answer, name)}`);
  }
  if (answer.probabilities) {
    const shares = Object.entries(answer.probabilities);
    parts.push(...shares.map(([name, share]) => `${name} ${Math.round(100 * share)} %`));
  }
  const sentence = `${words}${parts.join(", ")}.${certainty(answer)}`;
  return sentence[0].toUpperCase() + sentence.slice(1);
}

/** Return how to read the interval or the set of classes, empty where the model has none. */
function certainty({ interval, interval_note, prediction_set }: Answer): string {
  if (interval && !interval_note)
    return ` In brackets: the interval for ${100 * interval.level} % of songs.`;
  if (!prediction_set) return "";
  const { level, classes } = prediction_set;
  return ` The set for ${100 * level} % of songs: ${classes.join(", ")}.`;
}

/** Return what limits the answer, empty where nothing does. */
export function notes(answer: Answer & { isSilent: boolean }): string {
  const found: string[] = [];
  if (answer.isSilent) found.push("The recording is silent: its values mean nothing.");
  if (answer.unfamiliar)
    found.push("Unfamiliar: unlike the music that the model has learned from, so trust it less.");
  if (answer.padded) found.push(`Shorter than ${answer.window_s} s, so silence was added.`);
  if (answer.interval_note) found.push(`No interval: ${answer.interval_note}.`);
  return found.join(" ");
}
