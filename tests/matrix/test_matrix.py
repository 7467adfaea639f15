"""Every encoding in every container from every source, created by independent code.

Encodings are Python's codecs; containers are made by the real zip, tar, gzip, bzip2, xz, zstd, lz4 and 7z;
image layouts are written here. The variable DDPATROL is the path of the program.
"""

import base64
import gzip
import hashlib
import html
import io
import json
import os
import pathlib
import quopri
import re
import subprocess
import sys
import tarfile
import textwrap
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402


def b64(content):
    return base64.b64encode(content).decode()


def document(text):
    """Returns JSON that is long enough to be recognized as text within base64."""
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "data": {"token": text}})


def escape_punctuation(text, escape):
    return "".join(c if c.isalnum() else escape(c) for c in text)


def b64_lines(text):
    return base64.encodebytes(text.encode()).decode().split()


def behind(lines, prefix, suffix=""):
    """Returns lines with prefixes by number, between two other lines."""
    return "".join(f"{prefix(n)}{line}{suffix}\n" for n, line in enumerate(["start", *lines, "end"]))


#: File name, encoding in the report, encoding function.
ENCODINGS = {
    "plain": (None, lambda t: f"key={t}\n"),
    "base64-0": ("base64", lambda t: b64(t.encode())),
    "base64-1": ("base64", lambda t: b64(f"x{t}".encode())),
    "base64-2": ("base64", lambda t: b64(f"xy{t}".encode())),
    "base64-url": ("base64", lambda t: base64.urlsafe_b64encode(f"\u00ff\u00fe>{t}?".encode()).decode()),
    "base64-unpadded": ("base64", lambda t: b64(f"a:{t}".encode()).rstrip("=")),
    "basic": ("base64", lambda t: f"Authorization: Basic {b64(f'git:{t}'.encode())}\r\n"),
    "base64-utf16": ("base64 of UTF-16LE", lambda t: f"powershell -enc {b64(t.encode('utf-16-le'))}"),
    "mime": ("base64", lambda t: base64.encodebytes(f"{'text ' * 20}{t}{' text' * 20}".encode()).decode()),
    "yaml": (
        "base64",
        lambda t: "k: |\n" + textwrap.indent("\n".join(textwrap.wrap(b64((t * 3).encode()), 64)), "    "),
    ),
    "hex": ("hex", lambda t: t.encode().hex()),
    "hex-upper": ("hex", lambda t: t.encode().hex().upper()),
    "utf16le": ("UTF-16LE", lambda t: f"\ufeffset KEY={t}\r\n".encode("utf-16-le")),
    "utf16be": ("UTF-16BE", lambda t: f"\ufeffset KEY={t}\r\n".encode("utf-16-be")),
    "percent": ("percent-encoding", lambda t: "?k=" + escape_punctuation(t, lambda c: f"%{ord(c):02X}")),
    "percent-all": ("percent-encoding", lambda t: "".join(f"%{byte:02x}" for byte in t.encode())),
    "unicode": ("\\u escapes", lambda t: '"' + escape_punctuation(t, lambda c: f"\\u{ord(c):04x}") + '"'),
    "unicode-all": ("\\u escapes", lambda t: "".join(f"\\u{ord(c):04X}" for c in t)),
    "hex-escape": ("\\x escapes", lambda t: "".join(f"\\x{ord(c):02x}" for c in t)),
    "html": ("HTML entities", lambda t: escape_punctuation(html.escape(t), lambda c: f"&#{ord(c)};")),
    "html-all": ("HTML entities", lambda t: "".join(f"&#x{ord(c):x};" for c in t)),
    "quoted-printable": (
        "quoted-printable",
        lambda t: quopri.encodestring(f"{'word ' * 9}{t} {'word ' * 9}".encode()).decode(),
    ),
    "split": ("split string literals", lambda t: f'k = "{t[:30]}" +\n    "{t[30:]}"\n'),
    "implicit": ("split string literals", lambda t: f"k = ('{t[:40]}'\n     '{t[40:]}')\n"),
    "twice": ("base64 of base64", lambda t: b64(document(b64(t.encode())).encode())),
    "gzip": ("base64 of gzip", lambda t: b64(gzip.compress(document(t).encode(), mtime=0))),
    "helm": (
        "base64 of base64 of gzip",
        lambda t: b64(b64(gzip.compress(document(t).encode(), mtime=0)).encode()),
    ),
    "ci-log": ("base64", lambda t: behind(b64_lines(t), lambda n: f"2026-01-01T00:00:0{n}.1234567Z ")),
    "journal": ("base64", lambda t: behind(b64_lines(t), lambda n: f"Jan  1 00:00:0{n} host unit[{n}]: ")),
    "compose": ("base64", lambda t: behind(b64_lines(t), lambda n: "web-1  | ")),
    "json-log": ("base64", lambda t: behind(b64_lines(t), lambda n: '{"log":"', '\\n","stream":"stdout"}')),
    "grep": ("base64", lambda t: behind(b64_lines(t), lambda n: f"a/b-c.txt:{n + 8}:")),
    "patch": ("base64", lambda t: behind(b64_lines(t), lambda n: "+")),
    "table": ("base64", lambda t: behind(b64_lines(t), lambda n: "| ", " |")),
    "run-log": ("base64", lambda t: behind(b64_lines(t), lambda n: f"2026-01-01T00:00:0{n}.1Z \x1b[36;1m", "\x1b[0m")),
    "hex-log": ("hex", lambda t: behind(textwrap.wrap(t.encode().hex(), 60), lambda n: f"{n + 8}: ")),
    "escaped-base64": ("base64", lambda t: json.dumps(b64(f"\u00fb\u00ff>{t}".encode())).replace("/", "\\/")),
    "query-base64": ("base64", lambda t: "a=" + urllib.parse.quote(b64(f"~\u00ff>{t}?>".encode()), safe="")),
    "markdown": ("backslash escapes", lambda t: f"the key {escape_punctuation(t, lambda c: chr(92) + c)} now\n"),
    "calendar": ("folded lines", lambda t: f"DESCRIPTION:{t[:40]}\r\n {t[40:]}\r\n"),
    "runs": ("markup", lambda t: f"<w:r><w:t>{t[:3]}</w:t></w:r><w:r><w:t>{t[3:50]}</w:t></w:r><w:t>{t[50:]}</w:t>"),
    "colours": ("ANSI escapes", lambda t: f"\x1b[1m{t[:2]}\x1b[31m{t[2:30]}\x1b[0m{t[30:]}"),
    "zero-width": ("invisible characters", lambda t: "\u200b".join(t)),
    "utf32le": ("UTF-32LE", lambda t: f"\ufeffset KEY={t}\n".encode("utf-32-le")),
    "utf32be": ("UTF-32BE", lambda t: f"set KEY={t}\n".encode("utf-32-be")),
    "query": ("percent-encoding", lambda t: "a=" + urllib.parse.quote(t, safe="").replace("_", "%5F")),
}

TOKENS = {name: token(at) for at, name in enumerate(ENCODINGS)}


def members(folder):
    """Writes a file for each encoding."""
    folder.mkdir()
    for name, (_, encode) in ENCODINGS.items():
        content = encode(TOKENS[name])
        content = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.txt").write_bytes(content)


def shell(command, folder):
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, check=True)


def layer(folder):
    """Returns a layer of an image: a tar with the files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as out:
        out.add(folder / "in", arcname="in")
    return content.getvalue()


def add(out, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    out.addfile(entry, io.BytesIO(content))


def docker(folder):
    """Writes an image as `docker save` does."""
    content = layer(folder)
    digest = hashlib.sha256(content).hexdigest()
    config = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}, "history": [{"created_by": "COPY in /in"}]}
    text = json.dumps(config).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["app:1"], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(folder / "image.tar", "w") as out:
        add(out, f"{digest}/layer.tar", content)
        add(out, name, text)
        add(out, "manifest.json", json.dumps(manifest).encode())


def oci(folder):
    """Writes an OCI layout with a compressed layer in a tar."""
    content = gzip.compress(layer(folder), mtime=0)
    blobs = {}

    def blob(content):
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    inner = hashlib.sha256(layer(folder)).hexdigest()
    config = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{inner}"]}, "history": [{"created_by": "COPY in /in"}]}
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(content)}],
    }
    descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **blob(json.dumps(manifest).encode())}
    with tarfile.open(folder / "oci.tar", "w") as out:
        add(out, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        add(out, "index.json", json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode())
        for digest, content in blobs.items():
            add(out, f"blobs/sha256/{digest}", content)


#: Creates a repository `r` with the folder `in` in its history, but not in HEAD.
REPOSITORY = (
    "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1; mkdir r; cp -r in r; git -C r init -q -b main; "
    "g='git -C r -c user.name=A -c user.email=a@example.org'; "
    "$g add -A; $g commit -qm add; $g rm -qr in; $g commit -qm remove;"
)

#: File name of the archive and the script that creates it from the folder `in`.
CONTAINERS = {
    "zip": ("a.zip", "zip -qr a.zip in"),
    "tar": ("a.tar", "tar cf a.tar in"),
    "tar.gz": ("a.tgz", "tar czf a.tgz in"),
    "tar.bz2": ("a.tar.bz2", "tar cjf a.tar.bz2 in"),
    "tar.xz": ("a.tar.xz", "tar cf - in | xz > a.tar.xz"),
    "tar.zst": ("a.tar.zst", "tar cf - in | zstd -q > a.tar.zst"),
    "tar.lz4": ("a.tar.lz4", "tar cf - in | lz4 -q > a.tar.lz4"),
    "7z": ("a.7z", "7z a -bd a.7z in > /dev/null"),
    "tar.lzma": ("a.tar.lzma", "tar cf - in | xz --format=lzma > a.tar.lzma"),
    "tar.br": ("a.tar.br", "tar cf - in | brotli -c > a.tar.br"),
    "ar": ("a.a", "ar rc a.a in/*"),
    "cpio": ("a.cpio", "find in | cpio -o -H newc --quiet > a.cpio"),
    "deb": (
        "a.deb",
        "mkdir -p pkg/DEBIAN; cp -r in pkg; printf '%s\\n' 'Package: a' 'Version: 1' 'Architecture: all' "
        "'Maintainer: A <a@example.org>' 'Description: a' > pkg/DEBIAN/control; dpkg-deb -b pkg a.deb > /dev/null",
    ),
    "zip in tar.gz": ("b.tgz", "zip -qr a.zip in; tar czf b.tgz a.zip"),
    "git bundle": ("a.bundle", f"{REPOSITORY} git -C r bundle create -q ../a.bundle --all"),
    "git folder in tar.gz": ("a.tgz", f"{REPOSITORY} tar czf a.tgz -C r .git"),
    "packed bare repository in zip": ("a.zip", f"{REPOSITORY} git clone -q --bare r r.git; zip -qr a.zip r.git"),
    "docker save": ("image.tar", docker),
    "OCI layout": ("oci.tar", oci),
}


def make_text(make):
    return make if isinstance(make, str) else ""


@pytest.fixture(scope="session")
def program():
    path = pathlib.Path(os.environ.get("DDPATROL", ROOT / "target" / "debug" / "ddpatrol"))
    assert path.is_file(), f"{path} is not built"
    return path.resolve()


def scan(program, folder, *arguments, stdin=None):
    done = subprocess.run(
        [program, "scan", "--report", "json", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=open(stdin, "rb") if stdin else subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.returncode == 1, done.stderr.decode()
    for secret in TOKENS.values():
        assert secret[30:].encode() not in done.stdout + done.stderr
    return json.loads(done.stdout)


def check(report, is_member, is_named=True):
    """Asserts that each encoding's token is found in its file, with the right encoding.

    A repository inside a git object has no file names: its blobs are reported by id.
    """
    assert report["complete"], report["diagnostics"]
    findings = {it["token"]["redacted"]: it for it in report["findings"]}
    for name, (encoding, _) in ENCODINGS.items():
        finding = findings.pop(TOKENS[name][:29] + "***", None)
        assert finding, f"{name} is not found"
        end = f"{name}.txt" if is_named else r"/blob/[0-9a-f]{40}|/blob"
        places = [it for it in finding["locations"] if re.search(f"({end})$", it["path"] or "")]
        assert places, f"{name} is not found in its file: {finding['locations']}"
        encodings = {it.get("encoding") for it in places}
        assert encoding in encodings, f"{name}: {encodings}"
        assert all(("!/" in it["path"]) == is_member for it in places), places
    assert not findings, "unexpected findings"


def git(folder, *arguments):
    who = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def from_git(program, folder, name):
    """Commits, deletes and packs a file, so that only the history contains it."""
    repository = folder / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    (folder / name).rename(repository / name)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "add")
    git(repository, "rm", "-q", "-r", name)
    git(repository, "commit", "-q", "-m", "remove")
    git(repository, "gc", "-q")
    report = scan(program, repository, "--history-only")
    for finding in report["findings"]:
        for place in finding["locations"]:
            assert place["git"]["introduced"]["subject"] == "add", place
            assert [it["subject"] for it in place["git"]["removed"]] == ["remove"], place
    return report


@pytest.mark.parametrize("source", ["file", "git"])
def test_files(program, tmp_path, source):
    members(tmp_path / "in")
    if source == "git":
        check(from_git(program, tmp_path, "in"), False)
    else:
        check(scan(program, tmp_path, "in"), False)


@pytest.mark.parametrize("name", ENCODINGS)
def test_standard_input(program, tmp_path, name):
    members(tmp_path / "in")
    report = scan(program, tmp_path, "-", stdin=tmp_path / "in" / f"{name}.txt")
    encoding = ENCODINGS[name][0]
    places = [(it["path"], it.get("encoding")) for it in report["findings"][0]["locations"]]
    assert (None, encoding) in places and len(report["findings"]) == 1, places


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("source", ["file", "stdin", "git"])
def test_containers(program, tmp_path, container, source):
    if container == "tar.br" and source != "file":
        return  # Brotli has no signature and is recognized by its file name, which stdin and blobs lack.
    members(tmp_path / "in")
    name, make = CONTAINERS[container]
    shell(make, tmp_path) if isinstance(make, str) else make(tmp_path)
    if source == "file":
        report = scan(program, tmp_path, name)
    elif source == "stdin":
        report = scan(program, tmp_path, "-", stdin=tmp_path / name)
    else:
        report = from_git(program, tmp_path, name)
    check(report, True, is_named=not (source == "git" and "git" in make_text(make)))
    if container in ("docker save", "OCI layout") and source != "git":
        layers = {it.get("layer") for finding in report["findings"] for it in finding["locations"]}
        assert all(layer and "COPY in /in" in layer for layer in layers), layers


@pytest.mark.parametrize("source", ["file", "stdin", "git"])
def test_archives_in_base64(program, tmp_path, source):
    """An archive that is attached to a mail is opened; its members are named."""
    members(tmp_path / "in")
    shell("zip -qr a.zip in", tmp_path)
    mail = "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes((tmp_path / "a.zip").read_bytes()).decode()
    (tmp_path / "a.eml").write_text(mail)
    if source == "file":
        report = scan(program, tmp_path, "a.eml")
    elif source == "stdin":
        report = scan(program, tmp_path, "-", stdin=tmp_path / "a.eml")
    else:
        report = from_git(program, tmp_path, "a.eml")
    check(report, True)
    paths = {it["path"] or "" for finding in report["findings"] for it in finding["locations"]}
    # Members that are stored are also found in the base64 itself.
    assert all("base64 at 35!/in/" in path for path in paths if path not in ("", "a.eml")), paths
