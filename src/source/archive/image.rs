//! Container images: which layer a blob is, and what created it.
//!
//! In come the manifests and configurations of what `docker save` writes and of OCI layouts, packed or
//! as folders; out comes, for a layer's blob, a sentence that names the layer and the command that
//! created it. The layers' files are read like those of any other tar, those too that a later layer
//! deletes; this only says what they belong to.

use super::walker::Walker;
use super::{Bytes, Fault, tar};
use crate::regular::{self, Links};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Component, Path};
use std::sync::Arc;

/// The longest manifest or configuration that is read. Docker Hub takes manifests of 4 MiB.
const LONGEST: u64 = 4 << 20;
/// How many of them are held of one image file.
const MOST: usize = 4_096;
/// How much of a command is told.
const COMMAND: usize = 500;

/// The layers of the images in one file or folder: by the name of the member that holds each.
#[derive(Debug, Default)]
pub(super) struct Layers(HashMap<Vec<u8>, Arc<str>>);

impl Layers {
    /// Says what a member is, if it is a layer.
    pub(super) fn layer(&self, name: &[u8]) -> Option<Arc<str>> {
        self.0.get(name.strip_prefix(b"./").unwrap_or(name)).cloned()
    }
}

/// Tells whether a tar whose first member has this name may be an image.
pub(super) fn is_like(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"sha256:").unwrap_or(name);
    let is_digest = || name.len() >= 64 && name[..64].iter().all(u8::is_ascii_hexdigit);
    let known: [&[u8]; 5] =
        [b"oci-layout", b"index.json", b"manifest.json", b"repositories", b"blobs/"];
    name == b"blobs" || known.iter().any(|it| name.starts_with(it)) || is_digest()
}

/// Finds the layers of an image that is a tar.
pub(super) fn of_tar(walker: &Walker<'_>, bytes: &mut dyn Bytes) -> Result<Option<Layers>, Fault> {
    let mut documents = HashMap::new();
    let listed = tar::list(walker, bytes, &mut |header, content| {
        if header.len == 0 || header.len > LONGEST || documents.len() == MOST {
            return Ok(());
        }
        let mut first = [0];
        if content.read(&mut first)? == 0 || !matches!(first[0], b'{' | b'[') {
            return Ok(());
        }
        let mut text = first.to_vec();
        content.read_to_end(&mut text)?;
        if let Ok(value) = serde_json::from_slice::<Value>(&text) {
            let name = header.name.strip_prefix(b"./").unwrap_or(&header.name);
            documents.insert(name.to_vec(), value);
        }
        Ok(())
    });
    if listed.is_err() {
        // Reading the members meets the same failure and tells it.
        return Ok(None);
    }
    Ok(layers(&|name| documents.get(name).cloned()))
}

/// Says which layer a file of an OCI layout's folder is: `blobs/sha256/DIGEST` beside `oci-layout`.
#[must_use]
pub fn of_folder(path: &Path) -> Option<Arc<str>> {
    let algorithm = path.parent()?;
    let blobs = algorithm.parent().filter(|it| it.file_name().is_some_and(|it| it == "blobs"))?;
    let root = blobs.parent()?;
    if !root.join("oci-layout").is_file() {
        return None;
    }
    let read = |name: &[u8]| {
        let name = Path::new(std::str::from_utf8(name).ok()?);
        let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
        let path = is_below.then(|| root.join(name))?;
        let mut text = Vec::new();
        let file = regular::open(&path, Links::Refuse).ok()?;
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    };
    let name = path.strip_prefix(root).ok()?;
    layers(&read)?.layer(name.to_str()?.as_bytes())
}

/// Reads a document of the image by its name.
type Document<'a> = &'a dyn Fn(&[u8]) -> Option<Value>;

fn layers(document: Document<'_>) -> Option<Layers> {
    let mut layers = Layers::default();
    for image in document(b"manifest.json").iter().filter_map(Value::as_array).flatten() {
        let tags: Vec<&str> = list(&image["RepoTags"]).filter_map(Value::as_str).collect();
        let names = list(&image["Layers"]).filter_map(Value::as_str).map(str::to_owned).collect();
        let config = image["Config"].as_str().and_then(|name| document(name.as_bytes()));
        layers.add(names, (config.as_ref(), &tags.join(", ")));
    }
    if let Some(index) = document(b"index.json") {
        layers.index(document, &index, 0);
    }
    (!layers.0.is_empty()).then_some(layers)
}

impl Layers {
    /// Follows an OCI index to its manifests. Indices may name indices; more than three deep they do
    /// not in practice.
    fn index(&mut self, document: Document<'_>, index: &Value, depth: usize) {
        for entry in list(&index["manifests"]).take(MOST) {
            let Some(manifest) = digest(entry).and_then(|name| document(name.as_bytes())) else {
                continue;
            };
            if depth < 3 && manifest["manifests"].is_array() {
                self.index(document, &manifest, depth + 1);
            }
            let names = list(&manifest["layers"]).filter_map(digest).collect();
            let config = digest(&manifest["config"]).and_then(|name| document(name.as_bytes()));
            let annotations = &entry["annotations"];
            let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
            let name = name.iter().find_map(|key| annotations[*key].as_str()).unwrap_or_default();
            self.add(names, (config.as_ref(), name));
        }
    }

    /// Notes the layers of one image.
    fn add(&mut self, names: Vec<String>, (config, image): (Option<&Value>, &str)) {
        let none = Value::Null;
        let config = config.unwrap_or(&none);
        let commands: Vec<&str> = list(&config["history"])
            .filter(|step| step["empty_layer"] != true)
            .map(|step| step["created_by"].as_str().unwrap_or_default())
            .collect();
        let ids: Vec<&str> =
            list(&config["rootfs"]["diff_ids"]).filter_map(Value::as_str).collect();
        let count = names.len();
        for (at, name) in names.into_iter().enumerate() {
            let id = ids.get(at).copied().unwrap_or(&name);
            let mut text = format!("layer {} of {count}, {id}", at + 1);
            if !image.is_empty() {
                text.push_str(&format!(", of the image {image}"));
            }
            if let Some(command) = commands.get(at).filter(|it| !it.is_empty()) {
                let short: String = command.chars().take(COMMAND).collect();
                let more = if short.len() < command.len() { "…" } else { "" };
                text.push_str(&format!(", created by `{short}{more}`"));
            }
            self.0.entry(name.into_bytes()).or_insert_with(|| text.into());
        }
    }
}

/// Names the blob of a descriptor: `blobs/sha256/DIGEST`.
fn digest(descriptor: &Value) -> Option<String> {
    let (algorithm, digest) = descriptor["digest"].as_str()?.split_once(':')?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_named = is_plain(algorithm) && is_plain(digest) && !digest.is_empty();
    is_named.then(|| format!("blobs/{algorithm}/{digest}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
