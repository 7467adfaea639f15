//! The style and the script of the pages, embedded in the program. Their paths contain a digest of
//! their content, so browsers can cache them forever.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The icon, as an URL with its data.
pub(super) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%3E%3Cpath fill='%236d28d9' d='M10 1 2.5 4v5.2c0 4.6 3.1 8 7.5 9.8 4.4-1.8 7.5-5.2 7.5-9.8V4z'/%3E%3C/svg%3E";

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| name("style", STYLE, "css"));
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| name("script", SCRIPT, "js"));

fn name(stem: &str, content: &str, extension: &str) -> String {
    let digest = Sha256::digest(content);
    format!("{stem}-{}.{extension}", hex::encode(&digest[..8]))
}

/// Returns the path of the style.
pub(super) fn style_path() -> String {
    format!("/assets/{}", *STYLE_NAME)
}

/// Returns the path of the script.
pub(super) fn script_path() -> String {
    format!("/assets/{}", *SCRIPT_NAME)
}

/// Serves an asset.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (media, content) = if name == *STYLE_NAME {
        ("text/css; charset=utf-8", STYLE)
    } else if name == *SCRIPT_NAME {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}
