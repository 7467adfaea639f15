//! The layers of a container image, from its manifests and configurations.
//!
//! Input: the JSON documents of an image. Output: a description of each layer, with the command that
//! created it. Layers themselves are not read.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

/// Maximum length of a manifest or configuration, in bytes. Docker Hub accepts manifests of 4 MiB.
pub(super) const MAX_DOCUMENT: u64 = 4 << 20;
/// Maximum number of documents kept from one image file.
const MAX_DOCUMENTS: usize = 4_096;
/// Maximum length of a command in the description of a layer, in characters.
const MAX_COMMAND: usize = 500;

/// The documents of an image stored in one file, by member name.
#[derive(Debug, Default)]
pub(super) struct Documents(HashMap<Vec<u8>, Value>);

impl Documents {
    /// Keeps a member if it is a JSON document of an acceptable length.
    ///
    /// # Errors
    /// Errors of reading the content.
    pub(super) fn take(&mut self, name: &[u8], len: u64, content: &mut dyn Read) -> io::Result<()> {
        if len == 0 || len > MAX_DOCUMENT || self.0.len() == MAX_DOCUMENTS {
            return Ok(());
        }
        let mut first = [0];
        if content.read(&mut first)? == 0 || !matches!(first[0], b'{' | b'[') {
            return Ok(());
        }
        let mut text = first.to_vec();
        content.read_to_end(&mut text)?;
        if let Ok(value) = serde_json::from_slice::<Value>(&text) {
            self.0.insert(name.strip_prefix(b"./").unwrap_or(name).to_vec(), value);
        }
        Ok(())
    }

    /// Returns the layers that the documents describe; `None` if there are none.
    pub(super) fn layers(&self) -> Option<Layers> {
        layers(&|name| self.0.get(name).cloned())
    }
}

/// Descriptions of the layers of the images in one file or folder, by member name.
#[derive(Debug, Default)]
pub(super) struct Layers(HashMap<Vec<u8>, Arc<str>>);

impl Layers {
    /// Returns the description of a member; `None` if it is not a layer.
    pub(super) fn layer(&self, name: &[u8]) -> Option<Arc<str>> {
        self.0.get(name.strip_prefix(b"./").unwrap_or(name)).cloned()
    }
}

/// Reads a document of the image by its name.
pub(super) type Document<'a> = &'a dyn Fn(&[u8]) -> Option<Value>;

/// Collects the layers of all images; `None` if there are none.
pub(super) fn layers(document: Document<'_>) -> Option<Layers> {
    let mut layers = Layers::default();
    for image in document(b"manifest.json").iter().filter_map(Value::as_array).flatten() {
        let tags: Vec<&str> = list(&image["RepoTags"]).filter_map(Value::as_str).collect();
        let names = list(&image["Layers"]).filter_map(Value::as_str).map(str::to_owned).collect();
        let config = image["Config"].as_str().and_then(|name| document(name.as_bytes()));
        layers.add(names, config.as_ref(), &tags.join(", "));
    }
    if let Some(index) = document(b"index.json") {
        layers.index(document, &index, 0);
    }
    (!layers.0.is_empty()).then_some(layers)
}

impl Layers {
    /// Follows an OCI index to its manifests. Indexes may refer to other indexes; in practice they nest at
    /// most three deep.
    fn index(&mut self, document: Document<'_>, index: &Value, depth: usize) {
        for entry in list(&index["manifests"]).take(MAX_DOCUMENTS) {
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
            self.add(names, config.as_ref(), name);
        }
    }

    /// Adds the layers of one image.
    fn add(&mut self, names: Vec<String>, config: Option<&Value>, image: &str) {
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
                let short: String = command.chars().take(MAX_COMMAND).collect();
                let more = if short.len() < command.len() { "…" } else { "" };
                text.push_str(&format!(", created by `{short}{more}`"));
            }
            self.0.entry(name.into_bytes()).or_insert_with(|| text.into());
        }
    }
}

/// Returns the member name of a descriptor's blob: `blobs/sha256/DIGEST`.
fn digest(descriptor: &Value) -> Option<String> {
    let (algorithm, digest) = descriptor["digest"].as_str()?.split_once(':')?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_named = is_plain(algorithm) && is_plain(digest) && !digest.is_empty();
    is_named.then(|| format!("blobs/{algorithm}/{digest}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
