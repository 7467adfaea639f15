"""Sweeps repositories with ddpatrol on Apache Spark 3.5 or 4.

    spark-submit --files ddpatrol,ddpatrol-sweep ddpatrol_sweep.py \\
        --store s3://bucket/sweeps --sweep 2026-11-23 repositories.jsonl -- --timeout 30m
    spark-submit ddpatrol_sweep.py --store s3://bucket/sweeps --sweep 2026-11-23 --tables s3a://bucket/tables

The first form runs `ddpatrol-sweep task` on the workers. Each repository has one result in the store, however
often a task is repeated, so a job that failed or was killed is simply submitted again. Speculation only costs
time and is off; nothing is shuffled. The second form writes the tables `tokens`, `places`, `repositories` and
`issues` as Parquet. The programs come from `--files`, or from the search path of the workers. Credentials come
from the environment of the workers (`spark.executorEnv.NAME`).
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys

from pyspark import SparkFiles
from pyspark.sql import SparkSession

# Finds the programs of --files, which lie in the working folder of the executor, or those of the search path.
RUN = 'PATH=$PWD:$PATH; chmod +x ddpatrol ddpatrol-sweep 2>/dev/null; exec ddpatrol-sweep "$@"'


def arguments():
    """Returns the arguments and the options for `ddpatrol-sweep task`."""
    words, options = sys.argv[1:], []
    if "--" in words:
        at = words.index("--")
        words, options = words[:at], words[at + 1 :]
    parser = argparse.ArgumentParser(description="Sweeps repositories with ddpatrol on Apache Spark.")
    parser.add_argument("repositories", nargs="?", type=pathlib.Path, help="list of repositories, one per line")
    parser.add_argument("--store", required=True, help="store of the results, as for ddpatrol-sweep")
    parser.add_argument("--sweep", required=True, help="name of the sweep")
    parser.add_argument("--partitions", type=int, help="number of tasks; by default one for every 10 repositories")
    parser.add_argument("--tables", help="write the results of the sweep as Parquet below this URL")
    found = parser.parse_args(words)
    if not found.repositories and not found.tables:
        parser.error("a list of repositories or --tables is required")
    return found, options


def sweep(spark, found, options):
    """Processes the repositories, and returns the number of repositories by status."""
    lines = [line for line in found.repositories.read_text().splitlines() if line.strip()]
    # Repositories of one owner are often of one size: mix them.
    random.Random(0).shuffle(lines)
    partitions = found.partitions or max(1, len(lines) // 10)
    command = ["sh", "-c", RUN, "sh", "task", "--store", found.store, "--sweep", found.sweep, *options]
    answers = spark.sparkContext.parallelize(lines, min(partitions, len(lines))).pipe(shlex.join(command), checkCode=True)
    counts = answers.map(lambda line: json.loads(line)["status"]).countByValue()
    return collections.Counter(counts)


def tables(spark, found):
    """Writes the merged report of the sweep as tables."""
    program = shutil.which("ddpatrol-sweep") or SparkFiles.get("ddpatrol-sweep")
    if not os.access(program, os.X_OK):
        os.chmod(program, 0o755)
    line = [program, "report", "--format", "json", "--store", found.store, "--sweep", found.sweep]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        sys.exit(done.returncode)
    report = json.loads(done.stdout)
    urls = [it["url"] for it in report["repositories"]]
    places = [
        {"fingerprint": token["fingerprint"], "repository": urls[at["repository"]], **place}
        for token in report["tokens"]
        for at in token["repositories"]
        for place in at["places"]
    ]
    tokens = [{**it, "repositories": len(it["repositories"])} for it in report["tokens"]]
    issues = [{**it, "repository": urls[it["repository"]]} for it in report["issues"]]
    rows = {"tokens": tokens, "places": places, "repositories": report["repositories"], "issues": issues}
    for name, content in rows.items():
        if content:
            lines = spark.sparkContext.parallelize([json.dumps({"sweep": found.sweep, **it}) for it in content])
            spark.read.json(lines).write.mode("overwrite").parquet(f"{found.tables}/{name}/sweep={found.sweep}")


def main():
    """Runs the job; the exit code is 2 if some repositories were not scanned completely."""
    found, options = arguments()
    builder = SparkSession.builder.appName(f"ddpatrol-sweep {found.sweep}")
    spark = builder.config("spark.speculation", "false").getOrCreate()
    code = 0
    try:
        if found.repositories:
            counts = sweep(spark, found, options)
            print(json.dumps(counts))
            code = 0 if set(counts) <= {"complete"} else 2
        if found.tables:
            tables(spark, found)
    finally:
        spark.stop()
    sys.exit(code)


if __name__ == "__main__":
    main()
