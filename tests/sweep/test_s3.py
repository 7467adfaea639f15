"""Stores in S3, on a server that implements conditional writes."""

import json
import socket
import subprocess
import sys
import time

import boto3
import pytest
from conftest import ENVIRONMENT, Sweeper, repository


def free_port():
    """Returns a port that nobody uses."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


@pytest.fixture
def bucket():
    """A bucket, and the environment that leads to it."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test-secret-key",
    )
    for _ in range(200):
        try:
            client.create_bucket(Bucket="sweeps")
            break
        except Exception:
            time.sleep(0.1)
    yield {**ENVIRONMENT, **environment}, client
    server.terminate()
    server.wait()


class S3Sweeper(Sweeper):
    """A sweeper whose store is a bucket."""

    @property
    def store(self):
        return "s3://sweeps/team"


def test_two_machines_that_commit_the_same_repositories_both_succeed(tmp_path, bucket):
    environment, client = bucket
    repositories = [repository(tmp_path / f"r{at}", seeds=[at]) for at in range(4)]
    lines = "".join(f"{it}\n" for it in repositories)
    machines = [
        subprocess.Popen(
            S3Sweeper(tmp_path / f"m{at}").words("task", "--sweep", "t"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for at in range(2)
    ]
    for machine in machines:
        machine.stdin.write(lines)
        machine.stdin.close()
    for machine in machines:
        answers = [json.loads(line) for line in machine.stdout]
        assert machine.wait(120) == 0, machine.stderr.read()
        assert [it["status"] for it in answers] == ["complete"] * 4
    listed = client.list_objects_v2(Bucket="sweeps", Prefix="team/sweeps/t/repositories/")
    assert listed["KeyCount"] == 4

    sweeper = S3Sweeper(tmp_path / "m0")
    report = json.loads(sweeper.execute("report", "--format", "json", env=environment).stdout)
    assert report["summary"]["tokens"] == 4
    done = sweeper.run(repositories, "--sweep", "u", env=environment)
    assert done.returncode == 0 and "4 of 4" in done.stderr, done.stderr
    assert "test-secret-key" not in done.stderr + json.dumps(report)


def test_a_store_that_is_not_reachable_is_named(tmp_path, bucket):
    environment, _ = bucket
    environment = {**environment, "AWS_ENDPOINT": "http://127.0.0.1:1"}
    done = S3Sweeper(tmp_path).execute("status", env={**environment, "AWS_MAX_RETRIES": "0"})
    assert done.returncode == 2
    assert "s3://sweeps/team" in done.stderr and "test-secret-key" not in done.stderr
