"""Sweeps on a Spark cluster with two workers, of which one is killed, and later the driver."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import pyspark
import pytest
from conftest import DDPATROL, ENVIRONMENT, PROGRAM, ROOT, Sweeper, repository

HOME = pathlib.Path(pyspark.__file__).parent
SCRIPT = ROOT / "integrations/spark/ddpatrol_sweep.py"
COUNT = 40
PORT = 17077


class Cluster:
    """A standalone cluster: a master and workers, each in a process group of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            **ENVIRONMENT,
            "SPARK_HOME": str(HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_WORKER_DIR": str(folder / "work"),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        }
        self.processes = []
        self.start("org.apache.spark.deploy.master.Master", "-h", "127.0.0.1", "-p", PORT, "--webui-port", PORT + 1)
        self.wait_for(lambda: self.state() is not None)

    def start(self, name, *words):
        """Starts a daemon of the cluster."""
        log = (self.folder / f"{len(self.processes)}.log").open("w")
        line = [HOME / "bin/spark-class", name, *words]
        process = subprocess.Popen(
            list(map(str, line)), env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        self.processes.append(process)
        return process

    def add_worker(self):
        """Starts a worker with one core, and waits until the master knows it."""
        before = len(self.alive())
        url = f"spark://127.0.0.1:{PORT}"
        worker = self.start("org.apache.spark.deploy.worker.Worker", "-h", "127.0.0.1", "-c", 1, "-m", "600M", url)
        self.wait_for(lambda: len(self.alive()) > before)
        return worker

    def state(self):
        """Returns the state of the master, or nothing before it answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT + 1}/json/", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def alive(self):
        """Returns the workers that the master knows."""
        return [it for it in (self.state() or {}).get("workers", []) if it["state"] == "ALIVE"]

    def wait_for(self, condition):
        """Waits until a condition holds."""
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError("the cluster does not start: see the logs in " + str(self.folder))

    def submit(self, sweeper, *words, options=()):
        """Submits the job."""
        line = [
            HOME / "bin/spark-submit",
            "--master", f"spark://127.0.0.1:{PORT}",
            "--conf", "spark.executor.memory=512m",
            "--conf", "spark.ui.enabled=false",
            "--files", f"{DDPATROL},{PROGRAM}",
            SCRIPT, "--store", sweeper.store, "--sweep", "spark", *words, "--", *options,
        ]  # fmt: skip
        return subprocess.Popen(
            list(map(str, line)),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"driver{time.time()}.log").open("w"),
            text=True,
            start_new_session=True,
        )

    def stop(self):
        """Ends all daemons."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    """A master without workers."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.stop()


def slow_scanner(folder):
    """Returns a scanner that writes a line for each scan, and takes a moment."""
    log = folder / "starts.log"
    scanner = folder / "scanner"
    scanner.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {DDPATROL} --version\n'
        f'git config remote.origin.url >> {log}\nsleep 0.3\nexec {DDPATROL} "$@"\n'
    )
    scanner.chmod(0o755)
    log.touch()
    return scanner, lambda: log.read_text().splitlines()


def test_a_killed_worker_and_a_killed_driver_cost_only_what_was_in_flight(cluster, tmp_path):
    repositories = [repository(tmp_path / f"estate/r{at:03}", seeds=[at] * (at % 4 == 0)) for at in range(COUNT)]
    listed = tmp_path / "repositories.txt"
    listed.write_text("".join(f"{it}\n" for it in repositories))
    scanner, starts = slow_scanner(tmp_path)
    sweeper = Sweeper(tmp_path / "sweep")
    options = ["--scanner", scanner, "--cache", sweeper.folder / "cache"]
    first, _ = cluster.add_worker(), cluster.add_worker()

    driver = cluster.submit(sweeper, listed, "--partitions", 8, options=options)
    cluster.wait_for(lambda: len(starts()) >= 6)
    # A kill between two tasks proves nothing: a scanner is alive now.
    before = len(sweeper.results())
    os.killpg(first.pid, signal.SIGKILL)
    cluster.wait_for(lambda: len(sweeper.results()) >= before + 6)
    assert driver.poll() is None, "the job survives its worker"
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    cluster.wait_for(lambda: not cluster.state()["activeapps"])
    assert 0 < len(sweeper.results()) < COUNT

    driver = cluster.submit(sweeper, listed, "--partitions", 8, "--tables", tmp_path / "tables", options=options)
    output = driver.communicate(timeout=240)[0]
    assert driver.returncode == 0, output
    # spark-submit merges both outputs of the script.
    (counts,) = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    assert counts == {"complete": COUNT}
    assert len(sweeper.results()) == COUNT
    assert COUNT <= len(starts()) <= COUNT + 4

    serial = Sweeper(tmp_path / "serial")
    assert serial.run(repositories).returncode == 0
    assert sweeper.fingerprints() == serial.fingerprints()
    assert (tmp_path / "tables/tokens/sweep=spark/_SUCCESS").exists()
