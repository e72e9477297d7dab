/** The page: files and microphone in, pictures and words out. */

import { Adff, type Progress, type Row } from "../adff";
import { targets, type Description } from "../answer";
import { PEAKS_HZ } from "../protocol";
import { paced } from "./canvas";
import { drawCurve, fillLegend, placeOf, secondsAt } from "./curve";
import { Microphone } from "./microphone";
import { describePlane, drawPlane, place } from "./plane";
import { csvOf, jsonOf, offer, pngOf, stem } from "./save";
import { extend, newSong, spanOf, valuesAt, type Song } from "./song";
import { fillHeader, fillRow } from "./table";
import { clock, notes, signed, verdict } from "./words";

const SEEK_S = 5; // by an arrow key
const DRAW_MS = 200; // between two pictures of a song that is being predicted

function element<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

const player = element<HTMLAudioElement>("player");
const curve = element("curve");
const plane = element("plane");
const picker = element<HTMLInputElement>("files");
const bar = element<HTMLProgressElement>("progress");
const listen = element<HTMLButtonElement>("listen");
const choose = element<HTMLButtonElement>("choose");

const songs: Song[] = [];
const rows = new Map<Song, HTMLTableRowElement>();
let selected: Song | null = null;
let microphone: Microphone | null = null;
let isSwitching = false; // the microphone is about to be on or off
const early: File[] = []; // dropped before the model was there
let adff: Adff;

// === The model ===

async function start(): Promise<void> {
  try {
    adff = await Adff.load();
  } catch (error) {
    element("status").textContent = "";
    document.documentElement.dataset.state = "failed";
    return complain(error);
  }
  const { description } = adff;
  const hasPlane =
    description.outputs.includes("valence") && description.outputs.includes("arousal");
  element("view").classList.toggle("no-plane", !hasPlane);
  plane.hidden = !hasPlane;
  fillLegend(element("legend"), description);
  fillHeader(document.querySelector("#songs thead tr")!, description);
  element("model").textContent = `Model: ${description.terms || "its terms are not stated"}`;
  await warmUp(description);
  choose.disabled = listen.disabled = false;
  say("Ready. Drop songs anywhere on the page.");
  document.documentElement.dataset.state = "ready";
  if (early.length) add(early);
}

/** Lay everything out once: a browser's first picture takes 0.1 s, in which a drop would stall. */
async function warmUp(description: Description): Promise<void> {
  const view = element("view");
  view.style.visibility = "hidden";
  view.hidden = false;
  drawCurve(curve.querySelector("canvas")!, newSong("", null), description);
  drawPlane(plane.querySelector("canvas")!, [], null);
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  view.hidden = true;
  view.style.visibility = "";
}

function say(text: string): void {
  element("status").textContent = text;
}

function complain(error: unknown): void {
  const line = element("problem");
  line.textContent = error instanceof Error ? error.message : String(error);
  line.hidden = false;
}

// === Songs ===

function add(files: Iterable<File>): void {
  element("problem").hidden = true;
  for (const file of files) {
    const song = newSong(file.name, file);
    songs.push(song);
    void predict(song, file);
    if (!selected || selected.state === "failed") select(song);
  }
  showTable();
}

async function predict(song: Song, file: File): Promise<void> {
  const onProgress = (progress: Progress) => {
    song.state = "working";
    extend(song, progress);
    bar.hidden = false;
    bar.value = progress.total ? Math.min(1, progress.seconds / progress.total) : 0;
    say(
      `${song.name}: ${clock(progress.seconds)}${progress.total ? ` of ${clock(progress.total)}` : ""}`,
    );
    if (song === selected) drawSoon();
  };
  try {
    song.answer = await adff.predict(file, { onProgress });
    song.state = "done";
    say(`${song.name}: done.`);
  } catch (error) {
    song.state = "failed";
    song.error = error instanceof Error ? error.message : String(error);
    say(`${song.name} ${song.error}`);
  }
  bar.hidden = songs.every(
    ({ state }) => state === "done" || state === "failed" || state === "live",
  );
  if (selected?.state === "failed" && song.state === "done") select(song);
  showTable();
  if (song === selected) show();
  drawSoon();
}

function select(song: Song): void {
  selected = song;
  if (song.url) player.src = song.url;
  else {
    player.pause(); // it would play on, hidden
    player.removeAttribute("src");
  }
  show();
  showTable();
}

// === Showing ===

const drawSoon = paced(draw, DRAW_MS);

function draw(): void {
  if (!selected || !adff) return;
  drawCurve(curve.querySelector("canvas")!, selected, adff.description);
  if (!plane.hidden) drawPlane(plane.querySelector("canvas")!, songs, selected);
  moveCursor();
}

/** Show the selected song's words. */
function show(): void {
  if (!selected) return;
  const { answer, state, name, error } = selected;
  player.hidden = !selected.url || state === "failed";
  element("view").hidden = false;
  element("title").textContent = name;
  const isListening = state === "live" ? "Listening: the first values come after one window." : "";
  element("verdict").textContent = answer ? verdict(adff.description, answer) : isListening;
  element("note").textContent = answer
    ? notes(answer)
    : state === "failed"
      ? `${name} ${error}`
      : "";
  element("save").hidden = !answer;
  curve.setAttribute("aria-valuemax", String(Math.round(spanOf(selected)[1])));
  drawSoon();
}

function showTable(): void {
  const body = document.querySelector("#songs tbody")!;
  element("songs").hidden = !songs.length;
  plane.setAttribute("aria-label", describePlane(songs));
  for (const song of songs) {
    let row = rows.get(song);
    if (!row) {
      row = document.createElement("tr");
      rows.set(song, row);
      body.append(row);
    }
    row.setAttribute("aria-current", String(song === selected));
    fillRow(row, song, adff.description, select);
  }
}

/** Show where the player is: a line in the curve, a dot on the plane. */
function moveCursor(): void {
  const cursor = curve.querySelector<HTMLElement>(".cursor")!;
  const dot = plane.querySelector<HTMLElement>(".dot")!;
  const isLive = selected?.state === "live";
  cursor.hidden = !selected || isLive;
  const seconds = isLive ? selected!.seconds : player.currentTime;
  const values =
    selected && (["valence", "arousal"] as const).map((name) => valuesAt(selected!, seconds, name));
  dot.hidden = !values || values.includes(null);
  if (!selected) return;
  cursor.style.transform = `translateX(${placeOf(selected, seconds, curve.clientWidth)}px)`;
  if (!dot.hidden) {
    const [x, y] = place(plane.clientWidth, plane.clientHeight, values![0]!, values![1]!);
    dot.style.transform = `translate(${x}px, ${y}px)`;
  }
  curve.setAttribute("aria-valuenow", String(Math.round(seconds)));
  curve.setAttribute("aria-valuetext", positionText(seconds, values));
}

function positionText(seconds: number, values: (number | null)[] | null): string {
  const names = ["valence", "arousal"];
  const known = (values ?? []).map((value, k) =>
    value === null ? "" : `, ${names[k]} ${signed(value)}`,
  );
  return clock(seconds) + known.join("");
}

function play(): void {
  player.play().catch((error: DOMException) => {
    if (error.name !== "AbortError") complain(`The player failed: ${error.message}`); // paused meanwhile
  });
}

function follow(): void {
  moveCursor();
  if (!player.paused) requestAnimationFrame(follow);
}

// === Microphone ===

async function toggleMicrophone(): Promise<void> {
  if (isSwitching) return; // a second click, while the browser asks for permission
  isSwitching = true;
  await switchMicrophone().catch(complain);
  isSwitching = false;
}

async function switchMicrophone(): Promise<void> {
  element("problem").hidden = true;
  if (microphone) {
    await microphone.close();
    microphone = null;
    listen.setAttribute("aria-pressed", "false");
    listen.textContent = "Listen by microphone";
    say("The microphone is off.");
    if (selected?.state === "live" && !selected.rows.length) element("verdict").textContent = "";
    return;
  }
  const song = newSong("Microphone", null);
  const onProgress = (progress: Progress) => {
    extend(song, progress);
    const last = progress.rows.at(-1);
    if (last && song === selected)
      element("verdict").textContent = liveText(adff.description, song, last);
    if (song === selected) drawSoon();
  };
  microphone = await Microphone.open(adff, onProgress, complain);
  songs.push(song);
  listen.setAttribute("aria-pressed", "true");
  listen.textContent = "Stop the microphone";
  say("Listening.");
  select(song);
}

function liveText(description: Description, song: Song, row: Row): string {
  const heard = song.peaks.slice(-PEAKS_HZ * (row.end - row.start));
  if (!heard.some(Boolean)) return "The microphone is silent: is it muted?";
  const values = targets(description).map((name) => `${name} ${signed(row[name]!)}`);
  return `Now: ${values.join(", ") || row.label}`;
}

// === Events ===

choose.addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  add(picker.files ?? []);
  picker.value = "";
});
listen.addEventListener("click", () => void toggleMicrophone());
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const files = event.dataTransfer?.files ?? [];
  if (document.documentElement.dataset.state === "ready") add(files);
  else early.push(...files);
});
curve.addEventListener("click", (event) => {
  if (!selected?.url) return;
  player.currentTime = secondsAt(selected, event.offsetX, curve.clientWidth);
  play();
});
curve.addEventListener("keydown", (event) => {
  if (!selected?.url) return;
  const step = {
    ArrowRight: SEEK_S,
    ArrowLeft: -SEEK_S,
    PageUp: 6 * SEEK_S,
    PageDown: -6 * SEEK_S,
  }[event.key];
  if (step) player.currentTime = Math.max(0, player.currentTime + step);
  else if (event.key === "Home") player.currentTime = 0;
  else if (event.key === " ") (player.paused ? play : () => player.pause())();
  else return;
  event.preventDefault();
});
player.addEventListener("play", follow);
player.addEventListener("timeupdate", moveCursor);
player.addEventListener("seeked", moveCursor);
element("png").addEventListener("click", () => {
  const song = selected!;
  pngOf(song, adff.description).then((blob) => offer(blob, `${stem(song.name)}.png`), complain);
});
element("csv").addEventListener("click", () => offer(csvOf(answers()), "songs.csv"));
element("json").addEventListener("click", () =>
  offer(jsonOf([selected!.answer!]), `${stem(selected!.name)}.json`),
);
new ResizeObserver(drawSoon).observe(curve);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);

function answers() {
  return songs.flatMap(({ answer }) => (answer ? [answer] : []));
}

void start();
