#!/usr/bin/env node
// Runs the ddpatrol program of the package for this platform, with the same arguments, streams and exit code.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `${process.platform}-${process.arch}`;
const program = process.platform === "win32" ? "ddpatrol.exe" : "ddpatrol";

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(2);
}

function find() {
  try {
    return require.resolve(`@ddpatrol/${platform}/${program}`);
  } catch {
    return fail(
      `the package @ddpatrol/${platform} is not installed. Install without --omit=optional; if there is no such ` +
        "package, build ddpatrol from source: https://github.com/ddpatrol/ddpatrol",
    );
  }
}

const child = spawn(find(), process.argv.slice(2), { stdio: "inherit" });
// Ctrl-C reaches the whole process group: ddpatrol writes its partial reports, then both end.
process.on("SIGINT", () => {});
for (const name of ["SIGTERM", "SIGHUP"]) {
  process.on(name, () => child.kill(name));
}
child.on("error", (error) => fail(`cannot run ${child.spawnfile}: ${error.message}`));
child.on("exit", (code, signal) => {
  process.exitCode = signal ? 128 + constants.signals[signal] : code;
});
