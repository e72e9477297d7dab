/**
 * Windows of a waveform: where the model predicts, by the rule of `adff_tf.inference.windows`.
 *
 * Windows start every `hop` samples. The rest behind the last whole window, if it is half a hop or
 * more, is covered by a window that ends with the recording. A recording shorter than a window is
 * padded with silence.
 */

export interface Window {
  /** Samples from the recording's start; `end` is within the recording. */
  start: number;
  end: number;
  /** `(window,)`, full scale ±1. */
  samples: Float32Array;
}

/** Cuts a waveform that comes in blocks. Memory holds one window, whatever the length. */
export class WindowCutter {
  /** Samples that were written. */
  total = 0;
  private readonly ring: Float32Array;
  private due: number;

  constructor(
    private readonly window: number,
    private readonly hop: number,
  ) {
    this.ring = new Float32Array(window);
    this.due = window;
  }

  /** Write a block, and yield each window as soon as it is complete. */
  *write(block: Float32Array): Generator<Window> {
    let at = 0;
    while (at < block.length) {
      const taken = Math.min(block.length - at, this.due - this.total);
      this.copy(block.subarray(at, at + taken));
      at += taken;
      if (this.total === this.due) {
        yield this.last(this.due - this.window, this.due);
        this.due += this.hop;
      }
    }
  }

  /** Yield the window at the recording's end, where the rule asks for one. */
  *end(): Generator<Window> {
    if (this.total > 0 && this.total < this.window) {
      yield { start: 0, end: this.total, samples: this.ring.slice() }; // silence behind
    } else if (this.total) {
      const rest = this.total - (this.due - this.hop);
      if (rest > 0 && this.hop <= 2 * rest) yield this.last(this.total - this.window, this.total);
    }
  }

  private copy(taken: Float32Array): void {
    const place = this.total % this.window;
    const head = Math.min(taken.length, this.window - place);
    this.ring.set(taken.subarray(0, head), place);
    this.ring.set(taken.subarray(head), 0);
    this.total += taken.length;
  }

  private last(start: number, end: number): Window {
    const place = this.total % this.window;
    const samples = new Float32Array(this.window);
    samples.set(this.ring.subarray(place));
    samples.set(this.ring.subarray(0, place), this.window - place);
    return { start, end, samples };
  }
}
