/** The curve over the waveform: values at the middle of each window, quadrants behind. */

import { quadrantOf, targets, type Description, type Row } from "../answer";
import { PEAKS_HZ } from "../protocol";
import { fill, type Surface } from "./canvas";
import { EDGE, middle, spanOf, type Song } from "./song";
import { clock, QUADRANTS } from "./words";

const LEFT = 34; // pixels for the labels
const BOTTOM = 20;
const COLOURS = ["--valence", "--arousal", "--third", "--fourth"];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const STEPS_S = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/** One line of the chart. */
interface Line {
  name: string;
  colour: string;
  dash: number[];
  value(row: Row): number;
}

/** Draw a song into a canvas that fills its parent. */
export function drawCurve(canvas: HTMLCanvasElement, song: Song, description: Description): void {
  paintCurve(fill(canvas), song, description);
}

/** Draw a song on a surface. */
export function paintCurve(on: Surface, song: Song, description: Description): void {
  const isRegression = targets(description).length > 0;
  const [lowest, highest] = isRegression ? [-EDGE, EDGE] : [0, 1];
  const [from, to] = spanOf(song);
  const x = (seconds: number) => LEFT + ((seconds - from) / (to - from)) * (on.width - LEFT);
  const y = (value: number) => {
    const share = (highest - Math.min(highest, Math.max(lowest, value))) / (highest - lowest);
    return 6 + share * (on.height - BOTTOM - 12);
  };
  drawQuadrants(on, song, description, x);
  drawWaveform(on, song, from, to);
  drawAxes(on, x, y, isRegression ? [-1, 0, 1] : [0, 0.5, 1], from, to);
  for (const line of linesOf(description)) drawLine(on, song.rows, line, x, y);
}

/** Write the lines' names, each in its colour. */
export function paintLegend(on: Surface, description: Description, x: number, y: number): void {
  for (const { name, colour, dash } of linesOf(description)) {
    const text = `${dash.length ? "┅" : "━"} ${name}`;
    on.context.fillStyle = on.colour(colour);
    on.context.fillText(text, x, y);
    x += on.context.measureText(text).width + 16;
  }
}

/** Return the seconds at a place in the curve, 0 to 1 of its width. */
export function secondsAt(song: Song, pixels: number, width: number): number {
  const [from, to] = spanOf(song);
  const share = (pixels - LEFT) / (width - LEFT);
  return from + Math.min(1, Math.max(0, share)) * (to - from);
}

/** Return the place of a time in the curve, in pixels. */
export function placeOf(song: Song, seconds: number, width: number): number {
  const [from, to] = spanOf(song);
  return LEFT + ((seconds - from) / (to - from)) * (width - LEFT);
}

/** Write the legend: each line's name and colour, and how to read the background. */
export function fillLegend(place: HTMLElement, description: Description): void {
  place.replaceChildren();
  for (const { name, colour, dash } of linesOf(description)) {
    const mark = document.createElement("b");
    mark.style.color = `var(${colour})`;
    mark.textContent = `${dash.length ? "┅" : "━"} ${name} `;
    place.append(mark);
  }
  const hasPlane = ["valence", "arousal"].every((name) => description.outputs.includes(name));
  if (hasPlane || description.task === "quadrant") {
    place.append(" · background: ");
    for (const { words, colour } of Object.values(QUADRANTS)) {
      const mark = document.createElement("span");
      mark.style.background = `var(${colour})`;
      mark.textContent = ` ${words} `;
      place.append(mark, " ");
    }
  }
}

function linesOf(description: Description): Line[] {
  const names = targets(description);
  if (names.length) {
    return names.map((name) => {
      const k = name === "valence" ? 0 : 1;
      return { name, colour: COLOURS[k], dash: DASHES[k], value: (row) => row[name]! };
    });
  }
  return description.classes.map((name, k) => {
    return { name, colour: COLOURS[k], dash: DASHES[k], value: (row) => row.probabilities![name] };
  });
}

function drawQuadrants(
  on: Surface,
  song: Song,
  description: Description,
  x: (s: number) => number,
): void {
  const { rows } = song;
  const end = spanOf(song)[1];
  rows.forEach((row, k) => {
    const quadrant = quadrantOf(description, row);
    if (!quadrant) return;
    const begin = k ? (middle(rows[k - 1]) + middle(row)) / 2 : row.start;
    const next =
      k + 1 < rows.length ? (middle(row) + middle(rows[k + 1])) / 2 : Math.min(row.end, end);
    on.context.fillStyle = on.colour(QUADRANTS[quadrant].colour);
    on.context.fillRect(x(begin), 0, x(next) - x(begin), on.height - BOTTOM);
  });
}

function drawWaveform(on: Surface, song: Song, from: number, to: number): void {
  const { peaks } = song;
  const width = on.width - LEFT;
  const zero = (on.height - BOTTOM) / 2;
  const loudest = peaks.reduce((a, b) => Math.max(a, b), 1e-3);
  on.context.fillStyle = on.colour("--wave");
  for (let k = 0; k < width; k += 1) {
    const at = (pixel: number) => Math.floor((pixel / width) * (to - from) * PEAKS_HZ);
    let peak = 0;
    for (let p = at(k); p < Math.max(at(k + 1), at(k) + 1) && p < peaks.length; p += 1) {
      peak = Math.max(peak, peaks[p]);
    }
    const half = (peak / loudest) * zero * 0.6;
    on.context.fillRect(LEFT + k, zero - half, 1, 2 * half);
  }
}

function drawAxes(
  on: Surface,
  x: (seconds: number) => number,
  y: (value: number) => number,
  values: number[],
  from: number,
  to: number,
): void {
  const { context } = on;
  context.fillStyle = on.colour("--soft");
  context.strokeStyle = on.colour("--line");
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of values) {
    context.fillText(value < 0 ? `−${-value}` : String(value), LEFT - 6, y(value));
    context.beginPath();
    context.moveTo(LEFT, y(value));
    context.lineTo(on.width, y(value));
    context.stroke();
  }
  context.textAlign = "center";
  const step = STEPS_S.find((seconds) => ((to - from) / seconds) * 60 <= on.width) ?? 36000;
  for (let tick = Math.ceil(from / step) * step; tick < to; tick += step) {
    if (x(tick) < LEFT + 14 || x(tick) > on.width - 20) continue;
    context.fillText(clock(tick), x(tick), on.height - BOTTOM / 2);
  }
}

function drawLine(
  on: Surface,
  rows: Row[],
  { colour, dash, value }: Line,
  x: (seconds: number) => number,
  y: (value: number) => number,
): void {
  const { context } = on;
  context.strokeStyle = context.fillStyle = on.colour(colour);
  context.lineWidth = 2.5;
  context.lineJoin = "round";
  context.setLineDash(dash);
  context.beginPath();
  for (const row of rows) context.lineTo(x(middle(row)), y(value(row)));
  context.stroke();
  context.setLineDash([]);
  context.lineWidth = 1;
  if (rows.length > 60) return;
  for (const row of rows) {
    context.beginPath();
    context.arc(x(middle(row)), y(value(row)), 3, 0, 2 * Math.PI);
    context.fill();
  }
}
