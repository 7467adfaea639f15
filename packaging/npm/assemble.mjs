#!/usr/bin/env node
// Assembles the npm packages from built programs:
//
//   node packaging/npm/assemble.mjs OUT PLATFORM=FOLDER...
//
// For example `node packaging/npm/assemble.mjs out linux-x64=target/dist`. A platform is named as Node.js names
// it: `process.platform`-`process.arch`. FOLDER has the programs: ddpatrol and ddpatrol-sweep, on Windows
// ddpatrol.exe. OUT gets one package per platform, `OUT/@ddpatrol/PLATFORM`, and the package `OUT/ddpatrol`, which
// depends on exactly these. All get the version of Cargo.toml.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const PLATFORM = /^(linux|darwin|win32)-(x64|arm64)$/;

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(2);
}

function version() {
  const found = /^\[workspace\.package\]\nversion = "([^"]+)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"));
  return found ? found[1] : fail("Cargo.toml has no version under [workspace.package]");
}

function write(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) {
    cpSync(join(root, name), join(folder, name));
  }
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

const [out, ...platforms] = process.argv.slice(2);
if (!out || platforms.length === 0) fail("usage: assemble.mjs OUT PLATFORM=FOLDER...");
const template = JSON.parse(readFileSync(join(here, "ddpatrol", "package.json"), "utf8"));
const main = { ...template, version: version() };

for (const argument of platforms) {
  const [, platform, folder] = /^([^=]*)=(.*)$/.exec(argument) ?? [];
  if (!PLATFORM.test(platform ?? "")) fail(`invalid argument "${argument}": expected PLATFORM=FOLDER, such as linux-x64=target/dist`);
  const [os, cpu] = platform.split("-");
  const name = `@ddpatrol/${platform}`;
  // Sweeps need Unix.
  const files = os === "win32" ? ["ddpatrol.exe"] : ["ddpatrol", "ddpatrol-sweep"];
  const { repository, homepage, license, version } = main;
  const description = `The programs of ddpatrol for ${os} on ${cpu}`;
  write(join(out, name), { name, version, description, homepage, repository, license, os: [os], cpu: [cpu], files });
  for (const file of files) {
    const program = join(folder, file);
    if (!existsSync(program)) fail(`"${program}" does not exist: build the program for ${platform} first`);
    cpSync(program, join(out, name, file));
    chmodSync(join(out, name, file), 0o755);
  }
  main.optionalDependencies[name] = version;
}
cpSync(join(here, "ddpatrol"), join(out, "ddpatrol"), { recursive: true });
write(join(out, "ddpatrol"), main);
