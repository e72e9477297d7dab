/** The table of songs, a row each. */

import { targets, type Description } from "../answer";
import type { Song } from "./song";
import { clock, notes, QUADRANTS, valueText } from "./words";

/** Write the header for a model's task. */
export function fillHeader(row: HTMLTableRowElement, description: Description): void {
  row.replaceChildren();
  for (const name of columns(description)) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    row.append(cell);
  }
}

/** Write a song's cells into its row. */
export function fillRow(
  row: HTMLTableRowElement,
  song: Song,
  description: Description,
  onSelect: (song: Song) => void,
): void {
  const cells = [selector(song, onSelect)];
  if (song.state === "failed") {
    const reason = cell("", song.error);
    reason.colSpan = columns(description).length - 1;
    cells.push(reason);
  } else {
    cells.push(...texts(song, description).map(([name, text]) => cell(name, text)));
  }
  row.className = song.state;
  const hadFocus = row.contains(document.activeElement);
  row.replaceChildren(...cells);
  if (hadFocus) row.querySelector("button")?.focus();
}

function columns(description: Description): string[] {
  const values = targets(description).length ? targets(description) : ["probabilities"];
  return ["song", "length", ...values, "feels", "note"];
}

function texts(song: Song, description: Description): [string, string][] {
  const { answer } = song;
  if (!answer) return [["", STATES[song.state] ?? ""]];
  const names = targets(description);
  const values = names.length
    ? names.map((name): [string, string] => [name, valueText(answer, name)])
    : [["probabilities", shares(answer.probabilities!)] as [string, string]];
  const quadrant = answer.quadrant ?? answer.label ?? "";
  const feels = QUADRANTS[quadrant]?.words ?? quadrant;
  return [["length", clock(answer.seconds)], ...values, ["feels", feels], ["note", notes(answer)]];
}

const STATES: Record<string, string> = {
  waiting: "waiting …",
  working: "working …",
  live: "microphone",
};

function shares(probabilities: Record<string, number>): string {
  return Object.entries(probabilities)
    .map(([name, share]) => `${name} ${Math.round(100 * share)} %`)
    .join(", ");
}

function selector(song: Song, onSelect: (song: Song) => void): HTMLTableCellElement {
  const place = document.createElement("td");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = song.name;
  button.addEventListener("click", () => onSelect(song));
  place.append(button);
  return place;
}

function cell(name: string, text: string): HTMLTableCellElement {
  const place = document.createElement("td");
  if (name) place.dataset.name = name;
  if (/^[−+\d]/.test(text)) place.className = "number";
  place.textContent = text;
  return place;
}
