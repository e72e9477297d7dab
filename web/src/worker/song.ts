/** One recording on its way through the worker: blocks in; windows, curve and answer out. */

import { answerOf, curveRow, type Answer, type Row } from "../answer";
import { PEAKS_HZ, type Progress } from "../protocol";
import { AudioError } from "./decoding";
import type { Model } from "./model";
import { Resampler } from "./resampling";
import { WindowCutter, type Window } from "./windows";

const MAX_PEAK = 100; // lossy decoding may pass full scale, but not by this much

export class Song {
  isSilent = true;
  private readonly rateHz: number; // the model's
  private readonly cutter: WindowCutter;
  private readonly rows: Row[] = [];
  private readonly distances: number[] = [];
  private resampler: Resampler | null = null;
  private sourceHz = 0;
  private peak = 0;
  private inPeak = 0; // samples

  /** @param keeps whether the curve is kept for `answer`; a stream without end keeps none */
  constructor(
    private readonly model: Model,
    private readonly hop: number,
    private readonly keeps = true,
  ) {
    this.rateHz = model.description.sample_rate_hz;
    this.cutter = new WindowCutter(model.description.window, hop);
  }

  /** Seconds of the recording so far. */
  get seconds(): number {
    return this.cutter.total / this.rateHz;
  }

  /** Predict the windows that a block completes. Throws AudioError for samples that are none. */
  async write(samples: Float32Array, sourceHz: number): Promise<Progress> {
    if (this.sourceHz && sourceHz !== this.sourceHz) {
      throw new AudioError(`changes its sample rate from ${this.sourceHz} to ${sourceHz} Hz`);
    }
    this.sourceHz = sourceHz;
    if (sourceHz === this.rateHz) return this.take(samples);
    this.resampler ??= new Resampler(sourceHz, this.rateHz);
    return this.take(this.resampler.write(samples));
  }

  /** Predict the windows at the recording's end. Throws AudioError where there is no sample. */
  async end(): Promise<Progress> {
    const progress = await this.take(this.resampler?.end() ?? new Float32Array(0));
    if (!this.cutter.total) throw new AudioError("holds no samples");
    for (const window of this.cutter.end()) progress.rows.push(await this.predict(window));
    if (this.inPeak) progress.peaks.push(this.peak);
    return progress;
  }

  answer(name: string): Answer {
    const { description } = this.model;
    return answerOf(description, name, this.cutter.total, this.hop, this.rows, this.distances);
  }

  private async take(samples: Float32Array): Promise<Progress> {
    const peaks = this.measure(samples);
    const rows: Row[] = [];
    for (const window of this.cutter.write(samples)) rows.push(await this.predict(window));
    return { seconds: this.seconds, total: null, rows, peaks };
  }

  private async predict({ start, end, samples }: Window): Promise<Row> {
    const outputs = await this.model.predict(samples);
    const row = curveRow(this.model.description, start, end, outputs);
    if (this.keeps) {
      this.rows.push(row);
      if (outputs.distance) this.distances.push(outputs.distance[0]);
    }
    return row;
  }

  private measure(samples: Float32Array): number[] {
    const step = Math.floor(this.rateHz / PEAKS_HZ);
    const peaks: number[] = [];
    for (let k = 0; k < samples.length; k += 1) {
      const size = Math.abs(samples[k]);
      if (!(size <= MAX_PEAK))
        throw new AudioError("holds samples that are no numbers, or far beyond full scale");
      if (size > this.peak) this.peak = size;
      this.inPeak += 1;
      if (this.inPeak === step) {
        peaks.push(this.peak);
        if (this.peak > 0) this.isSilent = false;
        this.peak = this.inPeak = 0;
      }
    }
    if (this.peak > 0) this.isSilent = false;
    return peaks;
  }
}
