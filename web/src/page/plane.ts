/** The plane of valence and arousal: every song's point, and the selected song's path. */

import { fill, type Surface } from "./canvas";
import { EDGE, type Song } from "./song";
import { QUADRANTS, signed } from "./words";

const MOST_STEPS = 400; // of a path

/** Draw songs into a canvas that fills its parent. */
export function drawPlane(canvas: HTMLCanvasElement, songs: Song[], selected: Song | null): void {
  paintPlane(fill(canvas), songs, selected);
}

/** Draw songs on a surface. */
export function paintPlane(on: Surface, songs: Song[], selected: Song | null): void {
  drawGround(on);
  if (selected) drawPath(on, selected);
  const known = songs.filter(
    (song) => song.answer?.valence !== undefined && song.answer.arousal !== undefined,
  );
  known.sort((song) => (song === selected ? -1 : 0)); // its name has the first choice of place
  for (const song of known) drawPoint(on, song, song === selected);
  const taken = known.map((song) => {
    const [x, y] = place(on.width, on.height, song.answer!.valence!, song.answer!.arousal!);
    return [x - 6, y, 12]; // left, middle, width
  });
  for (const song of known) drawName(on, song, song === selected, taken);
}

/** Return the place of a point of the plane in pixels. */
export function place(
  width: number,
  height: number,
  valence: number,
  arousal: number,
): [number, number] {
  const inside = (value: number) => Math.min(EDGE, Math.max(-EDGE, value)) / EDGE;
  return [((1 + inside(valence)) / 2) * width, ((1 - inside(arousal)) / 2) * height];
}

/** Return the songs' places in words, for a screen reader. */
export function describePlane(songs: Song[]): string {
  const known = songs.filter((song) => song.answer?.valence !== undefined);
  if (!known.length) return "The plane of valence and arousal; no song yet";
  const points = known.map(
    ({ name, answer }) =>
      `${name}: valence ${signed(answer!.valence!)}, arousal ${signed(answer!.arousal!)}`,
  );
  return `The plane of valence and arousal. ${points.join("; ")}`;
}

function drawGround(on: Surface): void {
  const { context, width, height } = on;
  for (const { words, colour, signs } of Object.values(QUADRANTS)) {
    const [x, y] = [signs[0] > 0 ? width / 2 : 0, signs[1] > 0 ? 0 : height / 2];
    context.fillStyle = on.colour(colour);
    context.fillRect(x, y, width / 2, height / 2);
    context.fillStyle = on.colour("--soft");
    context.textAlign = "center";
    context.fillText(words, x + width / 4, signs[1] > 0 ? 20 : height - 12);
  }
  context.strokeStyle = on.colour("--soft");
  context.strokeRect(width / 2, -1, 0, height + 2);
  context.strokeRect(-1, height / 2, width + 2, 0);
  context.fillStyle = on.colour("--ink");
  context.textAlign = "right";
  context.fillText("valence →", width - 6, height / 2 - 6);
  context.textAlign = "left";
  context.fillText("↑ arousal", width / 2 + 6, 40);
}

function drawPath(on: Surface, { rows }: Song): void {
  if (!rows.length || rows[0].valence === undefined || rows[0].arousal === undefined) return;
  const step = Math.ceil(rows.length / MOST_STEPS);
  on.context.strokeStyle = on.colour("--ink");
  on.context.globalAlpha = 0.45;
  on.context.beginPath();
  rows.forEach((row, k) => {
    if (k % step === 0)
      on.context.lineTo(...place(on.width, on.height, row.valence!, row.arousal!));
  });
  on.context.stroke();
  on.context.globalAlpha = 1;
}

function drawPoint(
  { context, width, height, colour }: Surface,
  song: Song,
  isSelected: boolean,
): void {
  context.beginPath();
  const [x, y] = place(width, height, song.answer!.valence!, song.answer!.arousal!);
  context.arc(x, y, isSelected ? 7 : 5, 0, 2 * Math.PI);
  context.fillStyle = colour(isSelected ? "--ink" : "--soft");
  context.fill();
}

/** Draw a song's name beside its point, where no other name stands. */
function drawName(on: Surface, song: Song, isSelected: boolean, taken: number[][]): void {
  const { context } = on;
  const [x, y] = place(on.width, on.height, song.answer!.valence!, song.answer!.arousal!);
  const name = song.name.length > 24 ? `${song.name.slice(0, 23)}…` : song.name;
  const size = context.measureText(name).width;
  const sides = [x + 10, x - size - 10].filter((left) => left > 0 && left + size < on.width);
  const isFree = (left: number) =>
    taken.every(([l, t, w]) => left > l + w || left + size < l || Math.abs(y - t) > 14);
  const left = sides.find(isFree);
  if (left === undefined) return;
  taken.push([left, y, size]);
  context.textAlign = "left";
  context.fillStyle = on.colour(isSelected ? "--ink" : "--soft");
  context.fillText(name, left, y + 4);
}
