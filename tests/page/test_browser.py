"""The built page in Chromium, with the model that ships, against `adff-predict`'s answers."""

import base64
import contextlib
import csv
import functools
import http.server
import io
import json
import os
import shutil
import threading
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
import soundfile as sf

from adff_tf import EmotionModel
from adff_tf.datasets import synthetic
from adff_tf.model import shipped
from adff_tf.page.built import BUILD, find_static
from adff_tf.page.built import STATIC as BUILT
from adff_tf.page.server import PageServer

from ..real_data import needs_real_data, real_data

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = os.environ.get("ADFF_CHROMIUM") or shutil.which("chromium")
if not CHROMIUM:
    pytest.skip("chromium is not installed: the page was not tried", allow_module_level=True)
if not (BUILT / "index.html").is_file():
    pytest.skip(f"the page is not built ({BUILD}): it was not tried", allow_module_level=True)

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SONG = 0.02  # the most by which the page's answer for a song may differ
WINDOW = 0.1  # and that for a window: decoders and resamplers differ a little
RATE = 44_100
DROP = """async (files) => {
  const data = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name));
  }
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""
SLOW_MICROPHONE = """() => {
  const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
  window.opened = [];
  devices.getUserMedia = async (wish) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stream = await open(wish);
    opened.push(...stream.getTracks());
    return stream;
  };
}"""
ENDED = """(name) => [...document.querySelectorAll("#songs tbody tr")].some((row) =>
  row.cells[0]?.textContent === name && /done|failed/.test(row.className))"""


# === Recordings ===


@pytest.fixture(scope="session")
def songs(tmp_path_factory) -> dict[str, Path]:
    """The same 25 s of composed music as wav, mp3 and m4a, stereo at 44.1 kHz."""
    folder = tmp_path_factory.mktemp("songs")
    _, mono = synthetic.clip(0, 3, 25.0, RATE)
    stereo = np.stack([mono, 0.5 * mono], axis=1).astype("float32")
    sf.write(folder / "song.wav", stereo, RATE)
    sf.write(folder / "song.mp3", stereo, RATE)
    write_m4a(folder / "song.m4a", stereo)
    return {path.suffix[1:]: path for path in sorted(folder.iterdir())}


def write_m4a(path: Path, stereo: np.ndarray) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=RATE, layout="stereo", bit_rate=192_000)
        planes = np.ascontiguousarray(stereo.T)
        for at in range(0, planes.shape[1], 1024):
            block = np.ascontiguousarray(planes[:, at : at + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


# === Browser ===


@pytest.fixture(scope="module")
def host():
    with serve(shipped.SMALL) as url:
        yield url


@contextlib.contextmanager
def serve(model: Path):
    with PageServer(model, port=0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.url
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def play():
    with sync_api.sync_playwright() as started:
        yield started


def launch(play, *arguments):
    """Return a new browser."""
    return play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])


@pytest.fixture(scope="module")
def browser(play):
    started = launch(play)
    yield started
    started.close()


def open_page(browser, url: str, **options):
    """Return a page whose model is ready; its requests and errors are kept on it."""
    page = browser.new_page(**options)
    page.asked, page.broken = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.broken.append(str(error)))
    page.goto(url)
    page.wait_for_selector("html[data-state]", timeout=60_000)
    return page


@pytest.fixture
def page(browser, host):
    page = open_page(browser, host)
    yield page
    assert not page.broken
    assert all(url.startswith((host, "blob:", "data:")) for url in page.asked), page.asked
    page.close()


def choose(page, *paths: Path) -> None:
    """Choose files, and wait until each has its answer or its reason."""
    page.set_input_files("#files", [str(path) for path in paths])
    for path in paths:
        page.wait_for_function(ENDED, arg=path.name, timeout=120_000)


def row_of(page, name: str) -> str:
    rows = page.locator("#songs tbody tr").all()
    return next(row.inner_text() for row in rows if row.inner_text().startswith(name))


def saved(page, button: str) -> bytes:
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def assert_close(found: dict, wanted: dict) -> None:
    """Compare the page's JSON with Python's."""
    assert found.keys() == wanted.keys()
    assert found["seconds"] == pytest.approx(wanted["seconds"], abs=0.05)
    assert len(found["curve"]) == len(wanted["curve"])
    for name in ("valence", "arousal"):
        assert found[name] == pytest.approx(wanted[name], abs=SONG)
        assert found["interval"][name] == pytest.approx(wanted["interval"][name], abs=SONG)
        for row, known in zip(found["curve"], wanted["curve"], strict=True):
            assert row[name] == pytest.approx(known[name], abs=WINDOW)
    assert found["quadrant"] == wanted["quadrant"]
    assert found["percentile"] == pytest.approx(wanted["percentile"], abs=5)


# === The page ===


@pytest.mark.parametrize("kind", ["wav", "mp3", "m4a"])
def test_its_answer_is_that_of_adff_predict(page, songs, kind):
    choose(page, songs[kind])
    found = json.loads(saved(page, "#json"))
    assert found["path"] == songs[kind].name
    wanted = EmotionModel.load(shipped.SMALL).predict(songs[kind]).as_dict()
    assert_close(found, wanted | {"path": found["path"]})


@needs_real_data
def test_its_answer_on_real_music_is_that_of_adff_predict(page):
    choruses = sorted(real_data("pmemo", "chorus").glob("*.mp3"))
    clips = sorted(real_data("panda4q").rglob("*.opus"))[::180]
    choose(page, *choruses, *clips)
    model = EmotionModel.load(shipped.SMALL)
    table = csv.DictReader(io.StringIO(saved(page, "#csv").decode()))
    for row, path in zip(table, [*choruses, *clips], strict=True):
        wanted = model.predict(path)
        assert row["path"] == path.name
        for name, value in wanted.values.items():
            assert float(row[name]) == pytest.approx(value, abs=SONG), path.name


def test_dropped_files_stand_on_one_plane_and_are_saved(page, songs):
    files = [[f"{k}.wav", base64.b64encode(songs["wav"].read_bytes()).decode()] for k in "ab"]
    page.evaluate(DROP, files)
    for name, _ in files:
        page.wait_for_function(ENDED, arg=name, timeout=60_000)
    label = page.get_attribute("#plane", "aria-label")
    assert "a.wav: valence" in label and "b.wav: valence" in label
    assert page.inner_text("#title") == "a.wav"
    page.click("#songs button >> text=b.wav")
    assert page.inner_text("#title") == "b.wav"
    assert saved(page, "#png").startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(saved(page, "#csv").decode())))
    assert [row["path"] for row in rows] == ["a.wav", "b.wav"]


def test_files_that_are_dropped_while_the_model_loads(browser, host, songs):
    page = browser.new_page()
    held = []
    page.route("**/model.tflite", lambda route: held.append(route))
    with page.expect_request("**/model.tflite"):
        page.goto(host)
    page.evaluate(DROP, [["a.wav", base64.b64encode(songs["wav"].read_bytes()).decode()]])
    held[0].continue_()
    page.wait_for_function(ENDED, arg="a.wav", timeout=60_000)
    page.close()


def test_a_short_mp3_at_a_low_rate_is_whole(page, tmp_path):
    """The encoder's silence is 0.2 s there, which the length in the file includes."""
    sf.write(tmp_path / "low.mp3", 0.1 * np.sin(np.arange(3 * 8000) / 5), 8000)
    choose(page, tmp_path / "low.mp3")
    assert "0:03" in row_of(page, "low.mp3")


def test_click_and_keys_move_the_player(page, songs):
    choose(page, songs["wav"])
    player = "document.getElementById('player')"
    box = page.locator("#curve").bounding_box()
    page.mouse.click(box["x"] + 34 + (box["width"] - 34) * 0.6, box["y"] + 60)
    page.wait_for_function(f"() => !{player}.paused && {player}.currentTime > 14.5")
    page.focus("#curve")
    page.keyboard.press("Space")
    page.wait_for_function(f"() => {player}.paused")
    now = page.evaluate(f"{player}.currentTime")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{player}.currentTime") == pytest.approx(now - 5, abs=0.1)
    page.keyboard.press("Home")
    page.wait_for_function(
        "() => document.getElementById('curve').getAttribute('aria-valuenow') === '0'"
    )
    assert "valence" in page.get_attribute("#curve", "aria-valuetext")


def test_what_is_no_recording_has_a_line_and_the_rest_goes_on(page, songs, tmp_path):
    (tmp_path / "text.mp3").write_text("no music " * 1000)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "cut.wav").write_bytes(songs["wav"].read_bytes()[:2_000_000])
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    sf.write(tmp_path / "silence.wav", np.zeros(12 * RATE), RATE)
    sf.write(tmp_path / "short.wav", 0.1 * np.sin(np.arange(RATE) / 5), RATE)
    choose(page, *sorted(tmp_path.iterdir()), songs["wav"])
    assert "is no recording that this browser can decode" in row_of(page, "text.mp3")
    assert "is no recording that this browser can decode" in row_of(page, "picture.png")
    assert "is empty (0 bytes)" in row_of(page, "empty.wav")
    assert "states 25.0 s and holds 11.3 s: it is cut off or damaged" in row_of(page, "cut.wav")
    assert "The recording is silent" in row_of(page, "silence.wav")
    assert "Shorter than 10 s, so silence was added" in row_of(page, "short.wav")
    assert "0:25" in row_of(page, "song.wav")


def test_a_page_that_is_opened_twice(browser, host, songs):
    pages = [open_page(browser, host) for _ in range(2)]
    for page in pages:
        page.set_input_files("#files", str(songs["wav"]))
    for page in pages:
        page.wait_for_function(ENDED, arg="song.wav", timeout=120_000)
    assert len({row_of(page, "song.wav") for page in pages}) == 1
    for page in pages:
        page.close()


@contextlib.contextmanager
def static_host(folder: Path):
    """Serve a folder as a plain static host does."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain:
        thread = threading.Thread(target=plain.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{plain.server_port}/"
        plain.shutdown()
        thread.join()


def test_it_works_from_a_sub_path(browser, host, songs, tmp_path):
    place = tmp_path / "music" / "mood"
    shutil.copytree(find_static(), place)
    shutil.copyfile(shipped.SMALL, place / "model.tflite")
    with static_host(tmp_path) as url:
        page = open_page(browser, f"{url}music/mood/")
        choose(page, songs["wav"])
        assert "0:25" in row_of(page, "song.wav")
        page.close()


def test_the_page_of_ones_own_in_the_docs(browser, songs, tmp_path):
    text = (AXE.parents[3] / "docs" / "web.md").read_text()
    shutil.copytree(find_static(), tmp_path / "own")
    shutil.copyfile(shipped.SMALL, tmp_path / "own" / "model.tflite")
    own = text.partition("```html\n")[2].partition("```")[0]
    (tmp_path / "own" / "index.html").write_text(own)
    with static_host(tmp_path) as url:
        page = browser.new_page()
        page.goto(f"{url}own/")
        page.wait_for_selector("#file:enabled", timeout=60_000)
        assert page.inner_text("#answer") == "takes windows of 10 s"
        page.set_input_files("#file", str(songs["wav"]))
        page.wait_for_function(
            "() => /valence/.test(document.getElementById('answer').textContent)"
        )
        page.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:100_000], "no readable adff.json at its end: it was cut off"),
        (lambda content: b"<!doctype html>", "The model is no .tflite file"),
        (lambda content: content[:9000] + b"????" + content[9004:], "(SHA-256)"),
        (
            lambda content: content.replace(b'"window": 160000', b'"window": 160001'),
            "says otherwise",
        ),
    ],
    ids=["cut off", "no model", "damaged", "another window"],
)
def test_a_model_that_cannot_be_used(browser, tmp_path, change, message):
    (tmp_path / "model.tflite").write_bytes(change(shipped.SMALL.read_bytes()))
    with serve(tmp_path / "model.tflite") as url:
        page = open_page(browser, url)
        assert message in page.inner_text("#problem")
        assert page.is_disabled("#choose")
        page.close()


def test_a_browser_without_webassembly(browser, host):
    context = browser.new_context()
    context.route("**/worker.js", without_webassembly)
    page = open_page(context, host)
    assert "This browser has no WebAssembly" in page.inner_text("#problem")
    context.close()


def without_webassembly(route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body="delete globalThis.WebAssembly;" + answer.text())


def test_a_browser_without_webcodecs_decodes_whole_files(browser, host, songs):
    context = browser.new_context()
    context.route("**/worker.js", without_webcodecs)
    page = open_page(context, host)
    choose(page, songs["mp3"])
    found = json.loads(saved(page, "#json"))
    wanted = EmotionModel.load(shipped.SMALL).predict(songs["mp3"]).as_dict()
    for name in ("valence", "arousal"):
        assert found[name] == pytest.approx(wanted[name], abs=2 * SONG)  # its own resampler
    context.close()


def without_webcodecs(route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body="delete globalThis.AudioDecoder;" + answer.text())


# === Microphone ===


def launch_with_microphone(play, *arguments):
    """Return a new browser with a fake microphone, and permission for it."""
    fake = "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"
    return launch(play, *fake, *arguments)


def test_the_microphone(play, host, songs):
    browser = launch_with_microphone(play, f"--use-file-for-fake-audio-capture={songs['wav']}")
    page = open_page(browser, host)
    page.click("#listen")
    now = "() => document.getElementById('verdict').textContent.startsWith('Now: valence')"
    page.wait_for_function(now, timeout=40_000)
    assert page.get_attribute("#listen", "aria-pressed") == "true"
    page.click("#listen")
    off = "() => document.getElementById('status').textContent === 'The microphone is off.'"
    page.wait_for_function(off)
    assert not page.broken
    browser.close()


def test_a_second_click_opens_no_second_microphone(play, host, songs):
    browser = launch_with_microphone(play)
    page = open_page(browser, host)
    choose(page, songs["wav"])
    page.click("#curve")
    page.wait_for_function("() => !document.getElementById('player').paused")
    page.evaluate(SLOW_MICROPHONE)
    page.dblclick("#listen")
    page.wait_for_selector("#listen[aria-pressed=true]")
    assert page.evaluate("document.getElementById('player').paused")  # it is hidden now
    page.dblclick("#listen")
    page.wait_for_selector("#listen[aria-pressed=false]")
    assert page.evaluate("opened.map((track) => track.readyState)") == ["ended"]
    assert not page.broken
    browser.close()


def test_a_muted_microphone(play, host, tmp_path):
    sf.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    silence = tmp_path / "silence.wav"
    browser = launch_with_microphone(play, f"--use-file-for-fake-audio-capture={silence}")
    page = open_page(browser, host)
    page.click("#listen")
    silent = "() => /silent/.test(document.getElementById('verdict').textContent)"
    page.wait_for_function(silent, timeout=40_000)
    browser.close()


def test_a_refused_microphone(page, songs):
    page.click("#listen")  # no fake device, no permission
    page.wait_for_selector("#problem:not([hidden])")
    assert "microphone" in page.inner_text("#problem")
    choose(page, songs["wav"])
    assert "0:25" in row_of(page, "song.wav")


# === Everyone ===


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_by_axe(browser, host, songs, scheme):
    if not AXE.is_file():
        pytest.skip("npm ci has not run in web/: axe-core is not there")
    page = open_page(browser, host, color_scheme=scheme)
    choose(page, songs["wav"])
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    page.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, host, songs):
    page = open_page(browser, host, viewport={"width": 360, "height": 740})
    choose(page, songs["wav"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


@pytest.mark.slow
def test_two_hours_take_no_more_memory_than_ten_minutes(browser, host, songs, tmp_path):
    """1440 windows: two to five minutes."""
    block, _ = sf.read(songs["wav"], dtype="int16")
    with sf.SoundFile(tmp_path / "long.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(2 * 3600 // 25):
            file.write(block[:, 0])
    page = open_page(browser, host)
    page.set_input_files("#files", str(tmp_path / "long.wav"))
    memory = []
    for minutes in (10, 115):
        page.wait_for_function(
            f"() => document.getElementById('progress').value > {minutes / 120}", timeout=600_000
        )
        memory.append(resident(browser))
    page.wait_for_function(ENDED, arg="long.wav", timeout=600_000)
    assert "2:00:00" in row_of(page, "long.wav")
    assert memory[1] < 1.2 * memory[0], memory
    page.close()


def resident(browser) -> int:
    """Return the bytes of all processes of the browser."""
    processes = psutil.Process().children(recursive=True)
    return sum(p.memory_info().rss for p in processes if "chrom" in p.name())
