//! Container images: every layer, the command that created it, and files deleted by a later layer.

use super::containers::{python, shell};
use super::{JSON, text, token};
use crate::support::tree::Tree;

/// Writes an image of two layers in three forms; the second layer deletes the secret.
const IMAGE: &str = r##"
import gzip, hashlib, io, json, os, tarfile

def layer(files):
    out = io.BytesIO()
    t = tarfile.open(fileobj=out, mode="w")
    for name, data in files:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    t.close()
    return out.getvalue()

digest = lambda data: hashlib.sha256(data).hexdigest()
layers = [layer([("app/s.env", open("s", "rb").read())]), layer([("app/.wh.s.env", b"")])]
history = [
    {"created_by": "COPY s.env /app/ # buildkit"},
    {"created_by": "ENV KEY=" + open("env").read(), "empty_layer": True},
    {"created_by": "RUN rm /app/s.env"},
]
config = json.dumps({
    "architecture": "amd64",
    "config": {"Env": ["KEY=" + open("env").read()]},
    "history": history,
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(it) for it in layers]},
}).encode()

# docker save, the old form
t = tarfile.open("old.tar", "w")
def add(t, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    t.addfile(info, io.BytesIO(data))
for it in layers:
    add(t, digest(it) + "/layer.tar", it)
add(t, digest(config) + ".json", config)
manifest = [{"Config": digest(config) + ".json", "RepoTags": ["app:1"], "Layers": [digest(it) + "/layer.tar" for it in layers]}]
add(t, "manifest.json", json.dumps(manifest).encode())
t.close()

# an OCI layout, layers compressed
os.makedirs("oci/blobs/sha256")
blobs = {}
def blob(data):
    open("oci/blobs/sha256/" + digest(data), "wb").write(data)
    return {"digest": "sha256:" + digest(data), "size": len(data)}
packed = [blob(gzip.compress(it, mtime=0)) for it in layers]
manifest = blob(json.dumps({"config": blob(config), "layers": packed}).encode())
manifest["annotations"] = {"org.opencontainers.image.ref.name": "app:2"}
open("oci/index.json", "w").write(json.dumps({"manifests": [manifest]}))
open("oci/oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
"##;

fn image() -> Tree {
    let tree = Tree::new();
    tree.write("s", text(&token(1)));
    tree.write("env", token(2));
    python(&tree, IMAGE);
    shell(&tree, "tar -C oci -cf oci.tar .; gzip -k old.tar; rm s env");
    tree
}

/// Returns the path and layer of the token in the deleted file.
fn found(ran: &crate::support::tree::RunOutput) -> (String, String) {
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), 2, "one in the deleted file, one in the environment");
    let is_file = |it: &&serde_json::Value| it["locations"][0]["line"] == 401;
    let finding = findings.iter().find(is_file).expect("the file's token");
    let place = &finding["locations"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    assert_eq!(finding["locations"].as_array().map(Vec::len), Some(1), "{finding}");
    (text(&place["path"]), text(&place["layer"]))
}

#[test]
fn a_finding_in_a_saved_image_names_its_layer_and_the_command_that_created_it() {
    let tree = image();
    for archive in ["old.tar", "old.tar.gz"] {
        let (path, layer) = found(&tree.run(&[&JSON[..], &[archive]].concat()));
        assert!(path.starts_with(&format!("{archive}!/")), "{path}");
        assert!(path.ends_with("/layer.tar!/app/s.env"), "{path}");
        assert!(layer.starts_with("layer 1 of 2, sha256:"), "{layer}");
        assert!(layer.ends_with("of the image app:1, created by `COPY s.env /app/ # buildkit`"));
    }
    let input = std::fs::read(tree.path().join("old.tar")).expect("the archive exists");
    let ran = tree.run_with_input(&[&JSON[..], &["-"]].concat(), &input);
    let (path, layer) = found(&ran);
    assert!(path.starts_with("stdin!/") && layer.contains("created by `COPY"), "{path} {layer}");
    let printed = tree.run(&["scan", "--files-only", "old.tar"]).stdout();
    assert!(printed.contains("    in layer 1 of 2, sha256:"), "{printed}");
    let sarif = tree.run(&["scan", "--files-only", "--report", "sarif", "old.tar"]).stdout();
    assert!(sarif.contains("in layer 1 of 2, sha256:"), "{sarif}");
}

#[test]
fn an_oci_layout_is_scanned_as_a_folder_and_as_a_tar() {
    let tree = image();
    for (path, begins) in [("oci", "oci/blobs/sha256/"), ("oci.tar", "oci.tar!/blobs/sha256/")] {
        let (place, layer) = found(&tree.run(&[&JSON[..], &[path]].concat()));
        assert!(place.starts_with(begins) && place.ends_with("!/app/s.env"), "{place}");
        assert!(layer.contains("of the image app:2, created by `COPY s.env"), "{layer}");
    }
}

#[test]
fn a_token_in_a_build_command_is_masked_in_the_layer_description() {
    let tree = Tree::new();
    let secret = token(7);
    tree.write("s", text(&token(1)));
    tree.write("env", "nothing");
    let script = IMAGE.replace("COPY s.env /app/ # buildkit", &format!("RUN KEY={secret} make"));
    python(&tree, &script);
    let ran = tree.run(&[&JSON[..], &["old.tar"]].concat());
    assert!(!ran.stdout().contains(&secret[29..]), "{ran:?}");
    let (_, layer) = found(&ran);
    assert!(layer.contains("created by `RUN KEY=ddpat_"), "{layer}");
}
