"""Every list of targets names what the release workflow builds, and how.

`packaging/install.sh` must work alone after a download, and so must the action, so that none of the lists
can be shared.
"""

import re
import tomllib

from conftest import ROOT

CASE = re.compile(r"^\s*[\w*| -]+\) target=(\S+) ;;$", re.MULTILINE)
WINDOWS = "x86_64-pc-windows-msvc"


def built():
    """The targets of the release workflow."""
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    targets = re.findall(r"^\s*- target: (\S+)$", workflow, re.MULTILINE)
    assert WINDOWS in targets and len(targets) == len(set(targets))
    return set(targets)


def test_the_action_knows_every_released_target():
    assert set(CASE.findall((ROOT / "scripts" / "action" / "binary.sh").read_text())) == built()


def test_the_install_script_knows_every_released_target_with_a_posix_shell():
    assert set(CASE.findall((ROOT / "packaging" / "install.sh").read_text())) == built() - {WINDOWS}


def test_binstall_is_redirected_only_to_released_targets():
    for crate in ["Cargo.toml", "crates/service/Cargo.toml", "crates/sweep/Cargo.toml"]:
        binstall = tomllib.loads((ROOT / crate).read_text())["package"]["metadata"]["binstall"]
        redirected = re.findall(r"\{ version \}-(\S+?)\{ archive", str(binstall["overrides"]))
        assert redirected and set(redirected) <= built(), crate


def test_every_released_program_is_built_with_the_profile_for_publishing():
    profiles = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]
    assert profiles["dist"]["lto"] == "thin"
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    commands = re.findall(r"(?:cargo|maturin) (?:build|deb) .*", workflow)
    assert len(commands) == 4 and all(" --profile dist " in it for it in commands), commands
    assert "/release/" not in re.sub(r"https?:\S+", "", workflow)
