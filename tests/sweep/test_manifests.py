"""The manifest for Kubernetes: it is valid by the schema of Kubernetes, and its command fails when it should."""

import os
import pathlib
import subprocess

import pytest
import yaml

from conftest import DDPATROL, ENVIRONMENT, PROGRAM, ROOT, repository


def test_the_job_is_valid():
    done = subprocess.run(
        ["kubernetes-validate", "--strict", str(ROOT / "integrations/kubernetes/job.yaml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", ["complete", "incomplete", "no list", "no store"])
def test_the_command_fails_only_if_nothing_was_swept(tmp_path, case):
    job = yaml.safe_load((ROOT / "integrations/kubernetes/job.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    (tmp_path / "list").mkdir()
    if case != "no list":
        urls = [str(repository(tmp_path / "r", seeds=[1]))] + [str(tmp_path / "none")] * (case == "incomplete")
        (tmp_path / "list/repositories.jsonl").write_text("".join(f"{url}\n" for url in urls))
    store = tmp_path / "store"
    if case == "no store":
        store.write_text("a file")
    [text] = container["args"]
    for old, new in [("/list/", f"{tmp_path}/list/"), ("s3://BUCKET/sweeps", str(store)), ("/cache", f"{tmp_path}/cache")]:
        assert old in text
        text = text.replace(old, new)
    programs = {str(pathlib.Path(it).parent) for it in (PROGRAM, DDPATROL)}
    path = os.pathsep.join([*programs, ENVIRONMENT.get("PATH", os.defpath)])
    environment = {**ENVIRONMENT, "JOB_COMPLETION_INDEX": "0", "PATH": path}
    text = text.replace("/8", "/1")
    done = subprocess.run([*container["command"], text], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode == 0) == (case in ("complete", "incomplete")), done
