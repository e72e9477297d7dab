/** Saving: a picture, a table, or the object that `adff-predict --format json` prints. */

import type { Answer, Description } from "../answer";
import { surface } from "./canvas";
import { paintCurve, paintLegend } from "./curve";
import { paintPlane } from "./plane";
import type { Song } from "./song";
import { notes, verdict } from "./words";

const [WIDTH, HEIGHT] = [1200, 480]; // of a picture, at twice as many pixels

/** Offer text or a picture as a file. */
export function offer(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return answers as JSON, an object a line. */
export function jsonOf(answers: Answer[]): Blob {
  const lines = answers.map((answer) => {
    const { isSilent: _, ...printed } = answer as Answer & { isSilent?: boolean };
    return `${JSON.stringify(printed)}\n`;
  });
  return new Blob(lines, { type: "application/json" });
}

/** Return answers as CSV with the columns of `adff-predict --format csv`. */
export function csvOf(answers: Answer[]): Blob {
  return new Blob([csvText(answers)], { type: "text/csv" });
}

/** Return the text of `csvOf`. */
export function csvText(answers: Answer[]): string {
  const rows = answers.map(flatten);
  const header = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => header.map((name) => field(row[name])).join(","));
  return [header.join(","), ...lines, ""].join("\n");
}

/** Return a song's curve and plane as a PNG. */
export function pngOf(song: Song, description: Description): Promise<Blob> {
  const canvas = document.createElement("canvas");
  const whole = surface(canvas, WIDTH, HEIGHT, 2);
  const { context } = whole;
  context.fillStyle = whole.colour("--ground");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = whole.colour("--ink");
  context.font = "600 18px system-ui, sans-serif";
  context.fillText(song.name, 16, 30);
  context.font = "13px system-ui, sans-serif";
  context.fillText(verdict(description, song.answer!), 16, 52);
  context.fillText(notes(song.answer!), 16, 70);
  paintLegend(whole, description, 16, HEIGHT - 4);
  const hasPlane = song.answer!.valence !== undefined && song.answer!.arousal !== undefined;
  const side = HEIGHT - 104;
  const width = hasPlane ? WIDTH - side - 48 : WIDTH - 32;
  context.save();
  context.translate(16, 84);
  paintCurve({ ...whole, width, height: side }, song, description);
  context.translate(width + 16, 0);
  if (hasPlane) paintPlane({ ...whole, width: side, height: side }, [song], song);
  context.restore();
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser makes no PNG"))));
  });
}

/** Return a file's name without its suffix. */
export function stem(name: string): string {
  return name.replace(/\.[^.]+$/, "") || "song";
}

type Cell = string | number | boolean | null | undefined;

function flatten(answer: Answer): Record<string, Cell> {
  const row: Record<string, Cell> = { path: answer.path, seconds: answer.seconds };
  for (const name of ["valence", "arousal"] as const)
    if (answer[name] !== undefined) row[name] = answer[name];
  if (answer.label) row.label = answer.label;
  for (const [name, share] of Object.entries(answer.probabilities ?? {})) row[`p_${name}`] = share;
  for (const [name, std] of Object.entries(answer.std ?? {})) row[`${name}_std`] = std;
  for (const name of ["valence", "arousal"] as const) {
    const ends = answer.interval?.[name];
    if (ends)
      [row[`${name}_low`], row[`${name}_high`]] = [ends[0] ?? -Infinity, ends[1] ?? Infinity];
  }
  if (answer.prediction_set) row.prediction_set = answer.prediction_set.classes.join(" ");
  if (answer.quadrant && !answer.label) row.quadrant = answer.quadrant;
  if (answer.unfamiliar !== undefined) row.unfamiliar = answer.unfamiliar;
  return { ...row, padded: answer.padded };
}

/** Return a cell as Python's csv writes it. */
function field(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
    return String(Number(value.toPrecision(6)));
  }
  return /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
