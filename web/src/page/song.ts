/** A song on the page, from the drop to its answer. */

import type { Answer, Progress, Row } from "../adff";
import { PEAKS_HZ } from "../protocol";

/** A value may lie a little outside of [-1, 1]; pictures reach to here. */
export const EDGE = 1.15;

const MOST_LIVE_ROWS = 720; // of a microphone's curve; older ones are dropped, so that memory is constant
const MOST_LIVE_PEAKS = PEAKS_HZ * MOST_LIVE_ROWS;

export interface Song {
  name: string;
  /** Null for the microphone. */
  file: File | null;
  /** URL of the file for the player. */
  url: string;
  state: "waiting" | "working" | "done" | "failed" | "live";
  /** Seconds done, and of the song where known. */
  seconds: number;
  total: number | null;
  rows: Row[];
  /** The greatest |sample| of each 1/20 s from `firstSecond` on. */
  peaks: number[];
  /** Where the curve begins: 0, but for a microphone that has run for long. */
  firstSecond: number;
  answer: (Answer & { isSilent: boolean }) | null;
  error: string;
}

export function newSong(name: string, file: File | null): Song {
  return {
    name,
    file,
    url: file ? URL.createObjectURL(file) : "",
    state: file ? "waiting" : "live",
    seconds: 0,
    total: null,
    rows: [],
    peaks: [],
    firstSecond: 0,
    answer: null,
    error: "",
  };
}

/** Add the part of a song that is done. */
export function extend(song: Song, { seconds, total, rows, peaks }: Progress): void {
  song.seconds = seconds;
  song.total = total;
  for (const row of rows) song.rows.push(row);
  for (const peak of peaks) song.peaks.push(peak);
  if (song.state !== "live") return;
  song.rows.splice(0, song.rows.length - MOST_LIVE_ROWS);
  song.peaks.splice(0, song.peaks.length - MOST_LIVE_PEAKS);
  song.firstSecond = seconds - song.peaks.length / PEAKS_HZ;
}

/** Return the seconds that the curve spans. */
export function spanOf(song: Song): [number, number] {
  const end = song.answer?.seconds ?? Math.max(song.seconds, song.total ?? 0);
  return [song.firstSecond, Math.max(end, song.firstSecond + 1)];
}

/** Return the values at a time, between the middles of the two nearest windows. */
export function valuesAt(song: Song, seconds: number, name: "valence" | "arousal"): number | null {
  const { rows } = song;
  if (!rows.length || rows[0][name] === undefined) return null;
  const next = rows.findIndex((row) => middle(row) >= seconds);
  if (next === 0) return rows[0][name]!;
  if (next < 0) return rows[rows.length - 1][name]!;
  const [a, b] = [rows[next - 1], rows[next]];
  const share = (seconds - middle(a)) / (middle(b) - middle(a));
  return a[name]! + share * (b[name]! - a[name]!);
}

/** Return a window's middle in seconds. */
export function middle(row: Row): number {
  return (row.start + row.end) / 2;
}
