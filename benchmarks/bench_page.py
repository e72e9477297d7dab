"""How fast the page answers in Chromium, and how much a visitor downloads.

    python benchmarks/bench_page.py SONG [--model MODEL] [--repeats N]

Prints medians: from the address to a model that is ready; from the drop to the first points of the
curve; from the drop to the answer; the longest time that the page's own thread was busy meanwhile;
and the bytes of a first visit, compressed by gzip. Needs the built page, Playwright and Chromium.
"""

import argparse
import gzip
import shutil
import statistics
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from adff_tf.model import shipped
from adff_tf.page.server import PageServer
from adff_tf.web import find_tflite

WATCH = """() => {
  window.busy = [0];
  new PerformanceObserver((list) => busy.push(...list.getEntries().map((e) => e.duration)))
    .observe({ type: "longtask" });
  const row = document.querySelector("#songs tbody");
  const input = document.getElementById("files");
  input.addEventListener("change", () => { window.dropped = performance.now(); }, true);
  new MutationObserver(() => {
    if (!window.done && row.querySelector(".done")) window.done = performance.now();
  }).observe(row, { subtree: true, childList: true, attributes: true });
  const context = CanvasRenderingContext2D.prototype;
  const arc = context.arc;
  context.arc = function (...rest) {
    if (!window.first) window.first = performance.now();
    return arc.apply(this, rest);
  };
}"""


def measure(page: Page, url: str, song: Path) -> dict[str, float]:
    """Return the milliseconds of one visit."""
    page.goto(url)
    page.wait_for_selector("html[data-state=ready]", timeout=120_000, state="attached")
    ready = page.evaluate("performance.now()")
    page.evaluate(WATCH)
    page.set_input_files("#files", str(song))
    page.wait_for_function("() => window.done", timeout=600_000)
    times = "({ first: first - dropped, done: done - dropped, busy: Math.max(...busy) })"
    return {"ready": ready} | page.evaluate(times)


def download_bytes(server: PageServer) -> dict[str, int]:
    """Return the compressed bytes of each file that a first visit fetches."""
    names = ["index.html", "page.css", "page.js", "worker.js"]
    names += [f"litert_wasm_internal.{suffix}" for suffix in ("js", "wasm")]
    files = [server.folder / name for name in names] + [server.model]
    return {file.name: len(gzip.compress(file.read_bytes())) for file in files}


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("song", type=Path)
    ask.add_argument("--model", type=Path, default=Path(shipped.NAME))
    ask.add_argument("--repeats", type=int, default=5)
    ask.add_argument("--chromium", default=shutil.which("chromium"))
    given = ask.parse_args()
    visits = []
    with PageServer(find_tflite(given.model), port=0) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = play.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        print("Chromium", browser.version)
        for _ in range(given.repeats + 1):  # the first one warms the disk
            context = browser.new_context()
            visits.append(measure(context.new_page(), server.url, given.song))
            context.close()
        sizes = download_bytes(server)
    for name, label in (
        ("ready", "address to ready model"),
        ("first", "drop to first points"),
        ("done", "drop to answer"),
        ("busy", "longest busy time of the page's thread"),
    ):
        median = statistics.median(visit[name] for visit in visits[1:])
        print(f"{label:<40}{median:>8.0f} ms")
    for name, size in sizes.items():
        print(f"{name:<40}{size / 1e6:>8.2f} MB")
    print(f"{'a first visit':<40}{sum(sizes.values()) / 1e6:>8.2f} MB")


if __name__ == "__main__":
    main()
