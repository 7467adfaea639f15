"""The npm packages, installed from packed tarballs without Rust."""

import platform
import signal
import subprocess

import pytest
from conftest import ROOT, assert_found, assert_sweeps, must

PLATFORM = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}[platform.machine()]


@pytest.fixture(scope="session")
def tarballs(programs, tmp_path_factory):
    """The packed packages: that of the platform, and the main one."""
    folder = tmp_path_factory.mktemp("npm")
    assemble = ROOT / "packaging" / "npm" / "assemble.mjs"
    must("node", str(assemble), str(folder / "out"), f"{PLATFORM}={programs['ddpatrol'].parent}")
    packages = [folder / "out" / "@ddpatrol" / PLATFORM, folder / "out" / "ddpatrol"]
    names = [must("npm", "pack", "--silent", "--pack-destination", str(folder), str(it)) for it in packages]
    return [str(folder / name.strip()) for name in names]


@pytest.fixture
def node(machine):
    """A machine with Node.js and npm."""
    made = machine("node", "npm", "npx")
    made.environment["npm_config_cache"] = str(made.home / "npm")
    return made


def install(node, *tarballs):
    project = node.repository()
    flags = ["--silent", "--no-audit", "--no-fund", "--offline", "--no-save", "--ignore-scripts"]
    node.must("npm", "install", *flags, *tarballs, cwd=project)
    return project


def test_npx_runs_the_scanner(node, tarballs, version):
    project = install(node, *tarballs)
    assert node.must("npx", "ddpatrol", "--version", cwd=project) == f"ddpatrol {version}\n"
    assert_found(node.run("npx", "ddpatrol", "scan", "--history-only", cwd=project))
    assert_sweeps(node, "node", str(project / "node_modules" / "ddpatrol" / "bin" / "ddpatrol.js"))


def test_a_missing_platform_package_is_an_error_that_names_it(node, tarballs):
    project = node.repository()
    modules = project / "node_modules" / "ddpatrol"
    modules.mkdir(parents=True)
    must("tar", "-xzf", tarballs[-1], "-C", str(modules), "--strip-components=1")
    done = node.run("node", str(modules / "bin" / "ddpatrol.js"), "scan", cwd=project)
    assert done.returncode == 2
    assert f"@ddpatrol/{PLATFORM} is not installed" in done.stderr


def test_a_termination_reaches_the_scanner(node, tarballs):
    project = install(node, *tarballs)
    script = project / "node_modules" / "ddpatrol" / "bin" / "ddpatrol.js"
    process = subprocess.Popen(
        ["node", str(script), "scan", "-"],
        cwd=project,
        env=node.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("x" * 1_000_000)
    process.stdin.flush()
    process.send_signal(signal.SIGTERM)
    # Standard input stays open until the program has ended: at its end, the scan would be complete.
    process.wait()
    output, errors = process.communicate()
    assert process.returncode == 130, (process.returncode, output, errors)
    assert "nterrupted" in output + errors


def test_the_main_package_depends_on_exactly_the_assembled_platforms(programs, tmp_path, version):
    assemble = str(ROOT / "packaging" / "npm" / "assemble.mjs")
    folder = tmp_path / "windows"
    folder.mkdir()
    (folder / "ddpatrol.exe").write_bytes(b"MZ")
    must("node", assemble, str(tmp_path), f"linux-x64={programs['ddpatrol'].parent}", f"win32-x64={folder}")
    manifest = (tmp_path / "ddpatrol" / "package.json").read_text()
    assert f'"@ddpatrol/linux-x64": "{version}"' in manifest
    assert f'"@ddpatrol/win32-x64": "{version}"' in manifest
    assert (tmp_path / "@ddpatrol" / "linux-x64" / "ddpatrol-sweep").is_file()
    assert (tmp_path / "@ddpatrol" / "win32-x64" / "ddpatrol.exe").is_file()
    done = subprocess.run(["node", assemble, str(tmp_path), f"linux-x64={folder}"], capture_output=True, text=True)
    assert done.returncode == 2 and "build the program for linux-x64 first" in done.stderr
    done = subprocess.run(["node", assemble, str(tmp_path), "plan9=x"], capture_output=True, text=True)
    assert done.returncode == 2 and 'invalid argument "plan9=x"' in done.stderr
