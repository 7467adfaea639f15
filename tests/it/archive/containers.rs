//! Creates archives of all formats with programs that share no code with ddpatrol.

use crate::support::tree::Tree;
use std::path::PathBuf;
use std::process::Command;

/// Runs a shell script in a tree.
pub(super) fn shell(tree: &Tree, script: &str) {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(tree.path())
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a Python script in a tree.
pub(crate) fn python(tree: &Tree, script: &str) {
    let output = Command::new("python3").args(["-c", script]).current_dir(tree.path()).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A container: its file name, the script that creates it from `b/s.env`, and the end of the member's path.
pub(super) struct Container {
    pub(super) file: &'static str,
    script: &'static str,
    pub(super) member: &'static str,
}

impl Container {
    /// Packs `content` and returns the path of the archive.
    pub(super) fn pack(&self, content: &str) -> (Tree, PathBuf) {
        let tree = Tree::new();
        tree.write("in/b/s.env", content);
        tree.write("rpm.sh", RPM);
        std::fs::create_dir(tree.path().join("out")).expect("a folder");
        let out = format!("OUT=\"$PWD/out/{}\"; cd in; {}", self.file, self.script);
        shell(&tree, &out);
        let path = tree.path().join("out").join(self.file);
        (tree, path)
    }
}

const fn it(file: &'static str, script: &'static str) -> Container {
    Container { file, script, member: "!/b/s.env" }
}

const fn single(file: &'static str, script: &'static str) -> Container {
    Container { file, script, member: "!/s.env" }
}

const ZIP: &[Container] = &[
    it("a.zip", "zip -qr $OUT b"),
    it("stored.jar", "zip -q0r $OUT b"),
    it("bzip2.zip", "zip -qr -Z bzip2 $OUT b"),
    it("deflate64.zip", "7z a -bd -tzip -mm=Deflate64 $OUT b > /dev/null"),
    it("lzma.zip", "7z a -bd -tzip -mm=LZMA $OUT b > /dev/null"),
    it("seven.zip", "7z a -bd -tzip $OUT b > /dev/null"),
    it("streamed.whl", "zip -qr - b | cat > $OUT"),
    it("streamed-stored.zip", "zip -qr -0 - b | cat > $OUT"),
    it("comment.nupkg", "zip -qr $OUT b; echo 'a comment' | zip -qz $OUT"),
    it(
        "python.docx",
        "python3 -c 'import zipfile, sys; zipfile.ZipFile(sys.argv[1], \"w\", zipfile.ZIP_LZMA).write(\"b/s.env\")' $OUT",
    ),
    it(
        "large.zip",
        "python3 -c 'import zipfile, sys
z = zipfile.ZipFile(sys.argv[1], \"w\", zipfile.ZIP_DEFLATED)
z.open(\"b/s.env\", \"w\", force_zip64=True).write(open(\"b/s.env\", \"rb\").read())
z.close()' $OUT",
    ),
    it("program", "zip -qr a.zip b; cat /bin/true a.zip > $OUT"),
    it("script.pyz", "zip -qr a.zip b; (echo '#!/usr/bin/python3'; cat a.zip) > $OUT"),
    it("adjusted", "zip -qr a.zip b; cat /bin/true a.zip > $OUT; zip -qA $OUT"),
];

const TAR: &[Container] = &[
    it("v7.tar", "tar --format=v7 -cf $OUT b"),
    it("ustar.tar", "tar --format=ustar -cf $OUT b"),
    it("gnu.tar", "tar --format=gnu -cf $OUT b"),
    it("pax.tar", "tar --format=pax -cf $OUT b"),
    it("dot.tar", "tar -cf $OUT ./b"),
    it(
        "python.tar",
        "python3 -c 'import tarfile, sys; tarfile.open(sys.argv[1], \"w\").add(\"b\")' $OUT",
    ),
    it("a.tar.gz", "tar -czf $OUT b"),
    it(
        "a.tgz",
        "python3 -c 'import tarfile, sys; tarfile.open(sys.argv[1], \"w:gz\").add(\"b\")' $OUT",
    ),
    it("a.tar.bz2", "tar -cjf $OUT b"),
    it("a.tar.xz", "tar -cJf $OUT b"),
    it("a.tar.lzma", "tar -c b | xz --format=lzma > $OUT"),
    it("a.tar.zst", "tar -c b | zstd -q > $OUT"),
    it("a.tar.lz4", "tar -c b | lz4 -q > $OUT"),
];

const STREAM: &[Container] = &[
    single("s.env.gz", "gzip -9c b/s.env > $OUT"),
    Container {
        file: "other.gz",
        script: "(cd b; gzip s.env; cp s.env.gz $OUT)",
        member: "!/s.env",
    },
    single("s.env.bz2", "bzip2 -c b/s.env > $OUT"),
    single("s.env.xz", "xz -9c b/s.env > $OUT"),
    single("s.env.lzma", "xz --format=lzma -c b/s.env > $OUT"),
    single("s.env.zst", "zstd -qc b/s.env > $OUT"),
    single("s.env.lz4", "lz4 -qc b/s.env > $OUT"),
    single(
        "members.gz",
        "(head -c 3000 b/s.env | gzip; tail -c +3001 b/s.env | gzip; head -c 999 /dev/zero) > $OUT",
    )
    .named("!/members"),
    single(
        "frames.zst",
        "(head -c 7300 b/s.env | zstd -q; tail -c +7301 b/s.env | zstd -q) > $OUT",
    )
    .named("!/frames"),
    single("frames.lz4", "(head -c 7300 b/s.env | lz4 -q; tail -c +7301 b/s.env | lz4 -q) > $OUT")
        .named("!/frames"),
    single("legacy.lz4", "lz4 -qlc b/s.env > $OUT").named("!/legacy"),
    single("streams.xz", "(head -c 7300 b/s.env | xz; tail -c +7301 b/s.env | xz) > $OUT")
        .named("!/streams"),
    single("streams.bz2", "(head -c 7300 b/s.env | bzip2; tail -c +7301 b/s.env | bzip2) > $OUT")
        .named("!/streams"),
];

const OTHER: &[Container] = &[
    it("a.7z", "7z a -bd $OUT b > /dev/null"),
    it("lzma.7z", "7z a -bd -m0=LZMA $OUT b > /dev/null"),
    it("ppmd.7z", "7z a -bd -m0=PPMd $OUT b > /dev/null"),
    it("bzip2.7z", "7z a -bd -m0=BZip2 $OUT b > /dev/null"),
    it("deflate.7z", "7z a -bd -m0=Deflate $OUT b > /dev/null"),
    it("copy.7z", "7z a -bd -mx0 $OUT b > /dev/null"),
    it("bcj.7z", "7z a -bd -m0=BCJ2 -m1=LZMA:d23 -m2=LZMA:d19 -m3=LZMA:d19 -mb0:1 -mb0s1:2 -mb0s2:3 $OUT b > /dev/null"),
    single("a.a", "ar rc $OUT b/s.env"),
    it("newc.cpio", "find b | cpio -oH newc --quiet > $OUT"),
    it("crc.cpio", "find b | cpio -oH crc --quiet > $OUT"),
    it("odc.cpio", "find b | cpio -oH odc --quiet > $OUT"),
    it("bin.cpio", "find b | cpio -oH bin --quiet > $OUT"),
    it("initrd", "mkdir e; (cd e; touch x; echo x | cpio -oH newc --quiet) > $OUT; find b | cpio -oH newc --quiet | gzip >> $OUT")
        .named("!/next!/b/s.env"),
    it("a.cpio.xz", "find b | cpio -oH newc --quiet | xz > $OUT"),
    it("a.deb", "mkdir -p p/DEBIAN; cp -r b p; printf 'Package: a\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@a>\\nDescription: a\\n' > p/DEBIAN/control; dpkg-deb -Zxz --root-owner-group -b p $OUT > /dev/null")
        .named("!/data.tar.xz!/b/s.env"),
    it("gzip.rpm", RPM_GZIP),
    it("xz.rpm", RPM_XZ),
    it("zstd.rpm", RPM_ZSTD),
];

/// Builds a package of `b/s.env` with `rpmbuild`.
const RPM: &str = r#"
cat > a.spec <<END
Name: a
Version: 1
Release: 1
Summary: a
License: MIT
BuildArch: noarch
%define _binary_payload $PAYLOAD
%description
a
%install
mkdir -p %{buildroot}/b
cp $PWD/b/s.env %{buildroot}/b/s.env
%files
/b/s.env
END
rpmbuild -bb --quiet --define "_topdir $PWD/top" --define "_rpmdir $PWD/rpms" a.spec 2> rpm.log
cp rpms/noarch/a-1-1.noarch.rpm "$OUT"
"#;
const RPM_GZIP: &str = "PAYLOAD=w9.gzdio; source ../rpm.sh";
const RPM_XZ: &str = "PAYLOAD=w6.xzdio; source ../rpm.sh";
const RPM_ZSTD: &str = "PAYLOAD=w3.zstdio; source ../rpm.sh";

impl Container {
    const fn named(mut self, member: &'static str) -> Self {
        self.member = member;
        self
    }
}

/// Returns all containers that keep the name of the file.
pub(super) fn containers() -> impl Iterator<Item = &'static Container> {
    ZIP.iter().chain(TAR).chain(STREAM).chain(OTHER)
}
