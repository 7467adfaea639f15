//! The roff of a manual page.
//!
//! Input: a command, and the texts of its sections. Output: roff for `man`.

use super::sections::{PageEntry, Sections};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::io;

/// Returns the title of a page: `ddpatrol-hook-install`.
pub(super) fn title(names: &[String]) -> String {
    let names = names.iter().map(String::as_str);
    std::iter::once("ddpatrol").chain(names).collect::<Vec<_>>().join("-")
}

/// Renders the page of a command that `names` lead to.
pub(super) fn render(command: &Command, names: &[String]) -> io::Result<Vec<u8>> {
    let has_subcommands = command.get_subcommands().any(|it| !it.is_hide_set());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let man = Man::new(command.clone().override_usage(usage))
        .title(title(names))
        .source(concat!("ddpatrol ", env!("CARGO_PKG_VERSION")))
        .manual("ddpatrol Manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    options(&man, &mut page)?;
    if has_subcommands {
        man.render_subcommands_section(&mut page)?;
    }
    extra(&Sections::of(names)).to_writer(&mut page)?;
    Ok(with_one_preamble(&page))
}

/// Keeps the first of the preambles that all parts of a page begin with.
fn with_one_preamble(page: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = Vec::new();
    for line in page.split_inclusive(|&byte| byte == b'\n') {
        let is_preamble = line.starts_with(b".ie ") || line.starts_with(b".el ");
        if !(is_preamble && lines.contains(&line)) {
            lines.push(line);
        }
    }
    lines.concat()
}

/// Renders the options as one section with a subsection for each group.
fn options(man: &Man, page: &mut Vec<u8>) -> io::Result<()> {
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    page.extend_from_slice(b".SH OPTIONS\n");
    for line in options.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_prefix(b".SH ") {
            Some([first, rest @ ..]) => {
                page.extend_from_slice(b".SS ");
                page.push(*first);
                page.extend(rest.iter().map(u8::to_ascii_lowercase));
            }
            _ => page.extend_from_slice(line),
        }
    }
    Ok(())
}

fn extra(sections: &Sections) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    entries(&mut roff, sections.exit);
    roff.control("SH", ["ENVIRONMENT"]);
    if sections.environment.is_empty() {
        roff.text([roman("No environment variable affects the command.")]);
    }
    for list in sections.environment {
        entries(&mut roff, list);
    }
    roff.control("SH", ["FILES"]);
    if sections.files.is_empty() {
        roff.text([roman("The command reads no file of its own.")]);
    }
    entries(&mut roff, sections.files);
    roff.control("SH", ["EXAMPLES"]);
    for PageEntry { term, text } in &sections.examples {
        roff.control("PP", []);
        roff.text([roman(*text)]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([bold(*term)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut pages: Vec<Inline> = Vec::new();
    for (at, page) in sections.see_also.iter().enumerate() {
        pages.extend([roman(if at == 0 { "" } else { ", " }), bold(*page), roman("(1)")]);
    }
    roff.text(pages);
    roff
}

fn entries(roff: &mut Roff, entries: &[PageEntry]) {
    for PageEntry { term, text } in entries {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}
