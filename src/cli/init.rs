//! `ddpatrol init`: writes a commented configuration.
//!
//! Input: the current folder. Output: `.ddpatrol.toml` at the top of its repository, or in the folder outside
//! of a repository. It does not change an existing file unless the user asks for it.

use super::args::InitArgs;
use super::exit::Exit;
use super::messages::print_line;
use super::policy::{repository_top, shown};
use crate::config::{NAME, TEMPLATE};
use anyhow::{Context, bail};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

pub(super) fn run(args: &InitArgs) -> anyhow::Result<Exit> {
    let here =
        std::env::current_dir().context("cannot read the current folder; was it removed?")?;
    let path = repository_top(&here).join(NAME);
    let failed = || format!("cannot write configuration {}", shown(&path));
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        // A link could lead out of the repository: it is replaced, not followed.
        if path.is_symlink() {
            std::fs::remove_file(&path).with_context(failed)?;
        }
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("configuration {} already exists: --force replaces it", shown(&path))
        }
        file => file.with_context(failed)?,
    };
    file.write_all(TEMPLATE.as_bytes()).with_context(failed)?;
    print_line(&format!(
        "{} written: all keys are commented out. Scans of this folder use it.",
        shown(&path)
    ))?;
    Ok(Exit::Clean)
}
