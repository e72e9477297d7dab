/** The audio worklet: hands the microphone's samples over, mono, in blocks of about 0.1 s. */

const BLOCK = 4096;

declare const registerProcessor: (name: string, processor: unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

class Capture extends AudioWorkletProcessor {
  private block = new Float32Array(BLOCK);
  private filled = 0;

  process([channels]: Float32Array[][]): boolean {
    if (!channels.length) return true;
    for (let k = 0; k < channels[0].length; k += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[k];
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === BLOCK) {
        this.port.postMessage(this.block, [this.block.buffer]);
        this.block = new Float32Array(BLOCK);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
