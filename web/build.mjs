/**
 * Builds the page into ../adff_tf/page/static, or with --tests the tests into build/.
 *
 * The worker is a classic script beside LiteRT's files: LiteRT loads its glue by importScripts,
 * which a module worker does not have, and the glue looks for its WebAssembly beside the worker.
 */

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";

import { build } from "esbuild";

const OUT = "../adff_tf/page/static";
const LITERT = "node_modules/@litertjs/core";
const WASM = ["litert_wasm_internal", "litert_wasm_compat_internal"]; // without threads: hosts rarely allow them
const PACKAGES = ["@litertjs/core", "@litertjs/wasm-utils", "mediabunny"];
const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  logLevel: "warning",
  legalComments: "none",
};

async function buildPage() {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  await build({
    ...shared,
    entryPoints: { page: "src/page/main.ts", adff: "src/adff.ts" },
    format: "esm",
    outdir: OUT,
  });
  await build({
    ...shared,
    entryPoints: { worker: "src/worker/worker.ts", capture: "src/capture.ts" },
    format: "iife",
    outdir: OUT,
  });
  await build({ ...shared, entryPoints: { page: "src/page/page.css" }, outdir: OUT });
  await copyFile("index.html", `${OUT}/index.html`);
  for (const name of WASM) {
    for (const suffix of [".js", ".wasm"]) {
      await copyFile(`${LITERT}/wasm/${name}${suffix}`, `${OUT}/${name}${suffix}`);
    }
  }
  await writeFile(`${OUT}/licences.txt`, await licences());
}

async function licences() {
  const parts = ["This page is part of adff-tf, under the Apache License 2.0. It contains:"];
  for (const name of PACKAGES) {
    const { version, license, repository, homepage } = JSON.parse(
      await readFile(`node_modules/${name}/package.json`),
    );
    parts.push(`${name} ${version}: ${license}, source: ${repository?.url ?? homepage}`);
  }
  parts.push(await readFile("../LICENSE", "utf8")); // LiteRT's too
  parts.push(await readFile("node_modules/mediabunny/LICENSE", "utf8"));
  return `${parts.join("\n\n")}\n`;
}

async function buildTests() {
  await build({
    ...shared,
    entryPoints: ["tests/vectors.test.ts"],
    platform: "node",
    format: "esm",
    outdir: "build",
    outExtension: { ".js": ".mjs" },
    minify: false,
  });
}

await (process.argv.includes("--tests") ? buildTests() : buildPage());
