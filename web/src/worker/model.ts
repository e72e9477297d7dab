/**
 * An exported `.tflite` by LiteRT in WebAssembly.
 *
 * The file is a FlatBuffer with a zip archive behind it, which holds `adff.json`: the description,
 * and `size` and `sha256` of the FlatBuffer (`adff_tf.inference.backends.litert`).
 */

import { loadAndCompile, loadLiteRt, Tensor, type CompiledModel } from "@litertjs/core";

import type { Description, Outputs } from "../answer";

const FORMAT = 1;
const FILE = "adff.json";
const AGAIN = "Copy it from the export again";

/** A model that cannot be used. The message is a sentence for the user. */
export class ModelError extends Error {}

export class Model {
  private constructor(
    readonly description: Description,
    private readonly compiled: CompiledModel,
  ) {}

  /**
   * Return the model in a file's content, compiled and ready. LiteRT's files lie beside the worker.
   *
   * Throws ModelError for a damaged file, and for one that contradicts its description.
   */
  static async load(content: Uint8Array): Promise<Model> {
    const description = await readDescription(content);
    if (typeof WebAssembly === "undefined") {
      throw new ModelError(
        "This browser has no WebAssembly, or it is turned off: the model needs it.",
      );
    }
    await loadLiteRt(new URL(".", self.location.href).href);
    let compiled: CompiledModel;
    try {
      compiled = await loadAndCompile(content, { accelerator: "wasm" });
    } catch (error) {
      throw new ModelError(`The model does not load (${error}). Export it again.`);
    }
    const model = new Model(description, compiled);
    model.check();
    return model;
  }

  /** Return the outputs for one window, `(window,)` at the description's rate. */
  async predict(samples: Float32Array): Promise<Outputs> {
    const waveform = new Tensor(samples, [1, samples.length]);
    const tensors = await this.compiled.run({ waveform });
    waveform.delete();
    const outputs: Outputs = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      outputs[name] = Array.from(await tensor.data());
      tensor.delete();
    }
    if (
      Object.values(outputs)
        .flat()
        .some((value) => !Number.isFinite(value))
    ) {
      throw new ModelError(
        "The model predicts NaN or infinity: it was trained badly, or is damaged.",
      );
    }
    return outputs;
  }

  private check(): void {
    const { outputs, window } = this.description;
    const inputs = this.compiled
      .getInputDetails()
      .map(({ name, shape }) => `${name} (${[...shape]})`);
    const names = this.compiled.getOutputDetails().map(({ name }) => name);
    const isRight = String(inputs) === `waveform (1,${window})`;
    if (!isRight || String([...names].sort()) !== String([...outputs].sort())) {
      throw new ModelError(
        `The model takes ${inputs.join(", ")} and returns ${names.join(", ")}, and its description ` +
          `says otherwise (${window} samples; ${outputs.join(", ")}). Export it again.`,
      );
    }
  }
}

/** Return the description in a model file whose size and hash are right. Throws ModelError. */
export async function readDescription(content: Uint8Array): Promise<Description> {
  if (String.fromCharCode(...content.subarray(4, 8)) !== "TFL3") {
    throw new ModelError("The model is no .tflite file.");
  }
  let description: Description;
  try {
    description = JSON.parse(new TextDecoder().decode(readStored(content, FILE)));
  } catch {
    throw new ModelError(
      `The model has no readable ${FILE} at its end: it was cut off or damaged. ${AGAIN}.`,
    );
  }
  if (description.format !== FORMAT) {
    throw new ModelError(
      `The model's description has format ${description.format}, and this page reads ${FORMAT}.`,
    );
  }
  if (description.input === "log_mel") {
    throw new ModelError("The model takes log-mels. Use adff_int8.tflite or adff_float16.tflite.");
  }
  if (!(await hasHash(content.subarray(0, description.size), description.sha256))) {
    throw new ModelError(
      `The model is damaged: its content differs from the export (SHA-256). ${AGAIN}.`,
    );
  }
  return description;
}

/** Return whether bytes have a hash; true where the page is not served securely and cannot tell. */
async function hasHash(bytes: Uint8Array, sha256: string): Promise<boolean> {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** Return a file of a zip archive that is stored without compression. Throws where there is none. */
function readStored(content: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const end = content.length - 22; // of an archive without a comment
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error("no end of a zip archive");
  const size = view.getUint32(end + 12, true);
  let entry = end - size; // of the central directory; offsets are from the archive's beginning
  const shift = entry - view.getUint32(end + 16, true);
  while (entry < end) {
    const nameLength = view.getUint16(entry + 28, true);
    const name = new TextDecoder().decode(content.subarray(entry + 46, entry + 46 + nameLength));
    if (name === wanted && view.getUint16(entry + 10, true) === 0) {
      const local = shift + view.getUint32(entry + 42, true);
      const begin =
        local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      return content.subarray(begin, begin + view.getUint32(entry + 20, true));
    }
    entry += 46 + nameLength + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
  throw new Error(`no ${wanted}`);
}
