/** The page's rules against the numbers that Python wrote (`tests/page/vectors.py`). */

import assert from "node:assert/strict";
import { test } from "node:test";

import { answerOf, curveRow, type Answer, type Description, type Outputs } from "../src/answer";
import { csvText } from "../src/page/save";
import { Resampler } from "../src/worker/resampling";
import { WindowCutter } from "../src/worker/windows";
import vectors from "./vectors.json";

for (const { total, window, hop, starts, ends } of vectors.windows) {
  test(`windows of ${total} samples, ${window} long, every ${hop}`, () => {
    for (const size of [1, 7, 480, total]) {
      const cutter = new WindowCutter(window, hop);
      const found = [];
      for (let at = 0; at < total; at += size) {
        const block = Float32Array.from(
          { length: Math.min(size, total - at) },
          (_, k) => at + k + 1,
        );
        found.push(...cutter.write(block));
      }
      found.push(...cutter.end());
      assert.deepEqual(
        found.map(({ start }) => start),
        starts,
      );
      assert.deepEqual(
        found.map(({ end }) => end),
        ends,
      );
      for (const { start, end, samples } of found) {
        assert.equal(samples.length, window);
        assert.equal(samples[0], start + 1);
        assert.equal(samples[end - start - 1], end);
        assert.ok(samples.subarray(end - start).every((sample) => sample === 0));
      }
    }
  });
}

vectors.answers.forEach((vector, k) => {
  test(`answer ${k}, task ${vector.description.task}`, () => {
    assertClose(answerFor(k), vector.json, "");
  });
});

test("a row of CSV has the columns and values of Python's", () => {
  const [header, row] = csvText([answerFor(0)]).split("\n");
  const [wantedHeader, wantedRow] = vectors.csv.split("\n");
  assert.equal(header, wantedHeader);
  assert.equal(row, wantedRow);
});

for (const { from_hz, to_hz, length, every, samples } of vectors.resampling) {
  test(`${from_hz} Hz to ${to_hz} Hz as soxr does, in blocks of any size`, () => {
    const whole = resample(from_hz, to_hz, Infinity);
    assert.equal(whole.length, length);
    const worst = samples.reduce(
      (far, sample, k) => Math.max(far, Math.abs(sample - whole[k * every])),
      0,
    );
    assert.ok(worst < 2e-4, `worst difference ${worst}`);
    for (const size of [1, 999]) assert.deepEqual(resample(from_hz, to_hz, size), whole);
  });
}

function answerFor(k: number): Answer {
  const { description, name, samples, hop, starts, ends, windows, distances } = vectors.answers[k];
  const known = description as unknown as Description;
  const rows = (windows as unknown as Outputs[]).map((outputs, i) =>
    curveRow(known, starts[i], ends[i], outputs),
  );
  return answerOf(known, name, samples, hop, rows, distances);
}

/** Assert that two values of JSON agree, numbers within 1e-6. */
function assertClose(found: unknown, wanted: unknown, where: string): void {
  if (typeof wanted === "number") {
    assert.ok(
      Math.abs((found as number) - wanted) < 1e-6,
      `${where}: ${found} instead of ${wanted}`,
    );
  } else if (wanted === null || typeof wanted !== "object") {
    assert.equal(found, wanted, where);
  } else {
    assert.deepEqual(Object.keys(found as object).sort(), Object.keys(wanted).sort(), where);
    for (const [key, value] of Object.entries(wanted)) {
      assertClose((found as Record<string, unknown>)[key], value, `${where}.${key}`);
    }
  }
}

/** Return the sweep of `vectors.py` at another rate. */
function resample(fromHz: number, toHz: number, size: number): number[] {
  const seconds = 0.25;
  const end = (0.85 * Math.min(fromHz, toHz)) / 2;
  const sweep = Float32Array.from({ length: Math.floor(seconds * fromHz) }, (_, k) => {
    const t = k / fromHz;
    const swell = 0.7 * Math.sin((Math.PI * t) / seconds) ** 2; // no edge, at which filters ring
    return swell * Math.sin(2 * Math.PI * (50 * t + ((end - 50) * t * t) / (2 * seconds)));
  });
  const resampler = new Resampler(fromHz, toHz);
  const found: number[] = [];
  for (let at = 0; at < sweep.length; at += size)
    found.push(...resampler.write(sweep.subarray(at, at + size)));
  found.push(...resampler.end());
  return found;
}
