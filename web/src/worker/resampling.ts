/**
 * One sample rate to another by windowed sincs, block by block.
 *
 * The output has all below PASS of the lower Nyquist frequency, and nothing above it but for STOP_DB,
 * nearly as by soxr's quality HQ, which Python uses. High rates are halved first: a filter with a
 * wide transition has few taps.
 */

const PASS = 0.913; // of the lower Nyquist frequency
const STOP_DB = 90; // the model's front end hears nothing 70 dB below full scale

export class Resampler {
  private readonly stages: Stage[] = [];
  private written = 0; // input samples
  private made = 0; // output samples

  constructor(
    private readonly fromHz: number,
    private readonly toHz: number,
  ) {
    const heard = (PASS * Math.min(fromHz, toHz)) / 2;
    let rateHz = fromHz;
    for (; rateHz % 2 === 0 && rateHz / 2 >= toHz; rateHz /= 2) {
      this.stages.push(new Stage(1, 2, heard, (rateHz - toHz) / 2, rateHz));
    }
    if (rateHz === toHz && this.stages.length) return;
    const shared = gcd(rateHz, toHz);
    const stop = Math.min(rateHz, toHz) / 2;
    this.stages.push(new Stage(toHz / shared, rateHz / shared, heard, stop, rateHz));
  }

  /** Return the output samples that a block completes. */
  write(block: Float32Array): Float32Array {
    this.written += block.length;
    const out = this.stages.reduce((samples: Float32Array, stage) => stage.write(samples), block);
    this.made += out.length;
    return out;
  }

  /** Return the rest, so that the output is as long as the input. */
  end(): Float32Array {
    const wanted = Math.round((this.written * this.toHz) / this.fromHz) - this.made;
    const none: Float32Array = new Float32Array(0);
    const rest = this.stages.reduce((samples, stage) => stage.end(samples), none);
    return rest.subarray(0, Math.max(0, wanted));
  }
}

/** One filter: `up` output samples for `down` input samples. */
class Stage {
  private readonly half: number; // taps on each side, in input samples
  private readonly table: Float32Array; // (up, 2 * half): taps for each fraction of a sample
  private held: Float32Array; // input that later outputs need
  private position: number; // of the next output: in input samples · up, from the beginning of `held`

  constructor(
    private readonly up: number,
    private readonly down: number,
    passHz: number,
    stopHz: number,
    rateHz: number,
  ) {
    const transition = (2 * Math.PI * (stopHz - passHz)) / rateHz; // radians a sample
    this.half = Math.ceil((STOP_DB - 7.95) / (2.285 * transition) / 2); // Kaiser's formula
    this.table = makeTable(up, this.half, (passHz + stopHz) / rateHz);
    this.held = new Float32Array(this.half - 1); // silence before the recording
    this.position = (this.half - 1) * up;
  }

  write(block: Float32Array): Float32Array {
    const input = new Float32Array(this.held.length + block.length);
    input.set(this.held);
    input.set(block, this.held.length);
    return this.convolve(input);
  }

  /** Return the outputs of the last block with silence behind it. */
  end(block: Float32Array): Float32Array {
    const padded = new Float32Array(block.length + this.half);
    padded.set(block);
    return this.write(padded);
  }

  private convolve(input: Float32Array): Float32Array {
    const { up, down, half, table } = this;
    const last = (input.length - half) * up; // positions before it have all their taps
    const out = new Float32Array(Math.max(0, Math.ceil((last - this.position) / down)));
    const taps = 2 * half;
    let position = this.position;
    for (let k = 0; k < out.length; k += 1) {
      const whole = Math.floor(position / up);
      const row = (position - whole * up) * taps;
      const from = whole - half + 1;
      let sum = 0;
      for (let t = 0; t < taps; t += 1) sum += table[row + t] * input[from + t];
      out[k] = sum;
      position += down;
    }
    const drop = Math.max(0, Math.min(Math.floor(position / up) - half + 1, input.length));
    this.held = input.slice(drop);
    this.position = position - drop * up;
    return out;
  }
}

/** Return the taps for each of `up` fractions of a sample, `(up, 2 · half)`; `cutoff` of Nyquist's. */
function makeTable(up: number, half: number, cutoff: number): Float32Array {
  const beta = 0.1102 * (STOP_DB - 8.7);
  const norm = bessel0(beta);
  const table = new Float32Array(up * 2 * half);
  for (let phase = 0; phase < up; phase += 1) {
    for (let t = 0; t < 2 * half; t += 1) {
      const x = t - half + 1 - phase / up; // input samples from the output's time
      const edge = 1 - (x / half) ** 2;
      const kaiser = edge > 0 ? bessel0(beta * Math.sqrt(edge)) / norm : 0;
      const y = Math.PI * cutoff * x;
      table[phase * 2 * half + t] = cutoff * (y === 0 ? 1 : Math.sin(y) / y) * kaiser;
    }
  }
  return table;
}

/** The modified Bessel function of the first kind and order 0, by its series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b ? gcd(b, a % b) : a;
}
