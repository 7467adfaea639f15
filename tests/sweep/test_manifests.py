"""The manifest for Kubernetes is valid by the schema of Kubernetes."""

import subprocess

from conftest import ROOT


def test_the_job_is_valid():
    done = subprocess.run(
        ["kubernetes-validate", "--strict", str(ROOT / "integrations/kubernetes/job.yaml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
