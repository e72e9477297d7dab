/** The microphone as a stream of samples. */

import type { Adff, Listener, Progress } from "../adff";

const HOP_S = 1;

export class Microphone {
  private constructor(
    private readonly context: AudioContext,
    private readonly stream: MediaStream,
    private readonly listener: Listener,
  ) {}

  /** Begin to listen. Throws Error with a sentence where there is no microphone, or no permission. */
  static async open(
    adff: Adff,
    onProgress: (progress: Progress) => void,
    onError: (message: string) => void,
  ): Promise<Microphone> {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error(
        "This page has no microphone: browsers give it to pages on https or localhost alone.",
      );
    }
    let stream: MediaStream;
    try {
      // as it is: the browser's changes for speech would change how music sounds
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(reasonOf(error));
    }
    const context = new AudioContext();
    await context.audioWorklet.addModule("capture.js");
    const listener = adff.listen(context.sampleRate, HOP_S, onProgress, onError);
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    capture.port.onmessage = ({ data }: MessageEvent<Float32Array>) => listener.push(data);
    context.createMediaStreamSource(stream).connect(capture);
    await context.resume();
    return new Microphone(context, stream, listener);
  }

  async close(): Promise<void> {
    this.listener.stop();
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
  }
}

function reasonOf(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "The microphone was refused. Allow it in the browser's settings of this page.";
  if (name === "NotFoundError") return "There is no microphone. Connect one, and try again.";
  return `The microphone cannot be opened (${error}).`;
}
