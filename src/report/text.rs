//! Text for people: each place as `path:line:column` at the start of a line, then a summary.

use super::advice::Step;
use super::document::{Document, LeftOut, Place, Record, StandingWord};
use super::escape::terminal;
use super::response;
use crate::detect::Evidence;
use crate::finding::Part;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

/// How many further places of a finding are shown.
const MOST_PLACES: usize = 20;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions {
    /// Whether to colour.
    pub color: bool,
    /// Whether to leave the summary out.
    pub quiet: bool,
    /// How long the scan took, where one ran.
    pub elapsed: Option<Duration>,
}

struct Styles {
    path: Style,
    proven: Style,
    shaped: Style,
    dim: Style,
}

impl Styles {
    fn new(color: bool) -> Self {
        let plain = Style::new();
        if !color {
            return Self { path: plain, proven: plain, shaped: plain, dim: plain };
        }
        Self {
            path: plain.fg_color(Some(AnsiColor::Magenta.into())),
            proven: plain.bold().fg_color(Some(AnsiColor::Red.into())),
            shaped: plain.fg_color(Some(AnsiColor::Yellow.into())),
            dim: plain.dimmed(),
        }
    }
}

/// Writes the report.
///
/// # Errors
/// What writing to `out` fails with.
pub fn write(document: &Document, options: TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let styles = Styles::new(options.color);
    let counts = |record: &&Record| record.suppression.is_none() || record.has_news();
    for record in document.findings.iter().filter(counts) {
        write_record(record, &styles, out)?;
    }
    if !options.quiet {
        if document.findings.iter().any(|record| counts(&record)) {
            writeln!(out)?;
        }
        write_summary(document, options.elapsed, &styles, out)?;
    }
    Ok(())
}

fn write_record(record: &Record, styles: &Styles, out: &mut dyn Write) -> io::Result<()> {
    let Styles { dim, .. } = styles;
    let evidence = if record.evidence == Evidence::Proven { styles.proven } else { styles.shaped };
    let Some((first, rest)) = record.locations.split_first() else {
        return Ok(());
    };
    let token = record.secret.as_deref().map_or_else(
        || terminal(&record.token.redacted).into_owned(),
        |secret| terminal(secret).into_owned(),
    );
    writeln!(
        out,
        "{}: {evidence}{}{evidence:#} {} {token}",
        place(first, styles),
        record.evidence.name(),
        terminal(&record.name),
    )?;
    writeln!(out, "    {dim}|{dim:#} {}", terminal(&first.snippet.text()))?;
    let mut facts = Vec::new();
    if let Some(uuid) = &record.token.uuid {
        facts.push(format!("id {uuid}"));
    }
    facts.push(format!("rule {}", record.rule));
    facts.push(format!("fingerprint {}", record.fingerprint));
    writeln!(out, "    {dim}{}{dim:#}", facts.join(", "))?;
    if let Some(suppression) = &record.suppression {
        writeln!(out, "    {}", terminal(&suppression.line()))?;
    }
    write_origin(first, styles, out)?;
    for also in rest.iter().take(MOST_PLACES) {
        // Where a history has the path, too, this place is what lies there now.
        let is_now = also.git.is_none()
            && also.path.is_some()
            && record.locations.iter().any(|it| it.git.is_some() && it.path == also.path);
        let what = if is_now { "in the file as it is now" } else { "the same token again" };
        writeln!(out, "{}: {what}", place(also, styles))?;
        write_origin(also, styles, out)?;
    }
    if rest.len() > MOST_PLACES {
        writeln!(out, "    and in {} more places", number(rest.len() - MOST_PLACES))?;
    }
    for line in record.response_lines() {
        let style = if record.is_over() { styles.dim } else { styles.proven };
        writeln!(out, "    {style}{}{style:#}", terminal(&line))?;
    }
    if record.evidence == Evidence::Proven && !record.is_over() && record.suppression.is_none() {
        write_steps(&record.steps, out)?;
    }
    Ok(())
}

fn write_steps(steps: &[Step], out: &mut dyn Write) -> io::Result<()> {
    for (at, step) in steps.iter().enumerate() {
        writeln!(out, "    {}. {}", at + 1, terminal(&step.text.text()))?;
        for command in &step.commands {
            writeln!(out, "       {}", terminal(&command.text()))?;
        }
    }
    Ok(())
}

/// Writes where the token was before, which commit brought it, and what became of it.
fn write_origin(place: &Place, styles: &Styles, out: &mut dyn Write) -> io::Result<()> {
    let Styles { dim, .. } = styles;
    if let Some(path) = &place.moved_from {
        writeln!(out, "    moved here from {}", terminal(&path.text()))?;
    } else if place.standing == Some(StandingWord::AlreadyThere) {
        writeln!(out, "    it was already there")?;
    }
    if place.new_place {
        writeln!(out, "    a new place: the baseline does not know the token here")?;
    }
    if let Some(inline) = &place.inline {
        writeln!(out, "    {}", terminal(&inline.line()))?;
    }
    if let Some(layer) = &place.layer {
        writeln!(out, "    in {}", terminal(&layer.text()))?;
    }
    let Some(git) = &place.git else { return Ok(()) };
    if place.part != Part::Commit
        && let Some(commit) = &git.introduced
    {
        writeln!(out, "    introduced by {}", terminal(&commit.line()))?;
    }
    if place.standing.is_none() {
        writeln!(out, "    {dim}{}{dim:#}", terminal(&git.fate()))?;
    }
    Ok(())
}

/// Spells a place: `path:line:column`, or the path alone where its name holds the token.
fn place(place: &Place, styles: &Styles) -> String {
    let style = styles.path;
    let path = match (&place.path, &place.git) {
        (Some(path), _) => path.text(),
        (None, Some(git)) => match &git.introduced {
            Some(commit) if git.kind == "commit" => format!("commit {}", commit.line()).into(),
            _ => format!("{} {}", git.kind, git.object).into(),
        },
        (None, None) => "<stdin>".into(),
    };
    let path = terminal(&path);
    match place.part {
        Part::Name => format!("{style}{path}{style:#}: in the name"),
        Part::Ref => format!(
            "{style}{path}{style:#}: in the name of the reference {}",
            terminal(&place.snippet.text())
        ),
        Part::Commit => format!("{style}{path}{style:#}: line {}", place.line),
        _ => format!("{style}{path}:{}:{}{style:#}", place.line, place.column),
    }
}

fn write_summary(
    document: &Document,
    elapsed: Option<Duration>,
    styles: &Styles,
    out: &mut dyn Write,
) -> io::Result<()> {
    let summary = &document.summary;
    if summary.proven == 0 {
        writeln!(out, "No proven tokens.")?;
    } else {
        let style = styles.proven;
        writeln!(
            out,
            "{style}{} proven{style:#} in {}.",
            count(summary.proven, "token"),
            count(summary.proven_locations, "place"),
        )?;
    }
    for line in response::summary(&document.findings) {
        writeln!(out, "{line}")?;
    }
    if summary.shaped_candidates > 0 {
        let listed = document.findings.iter().any(|record| record.evidence == Evidence::Shaped);
        writeln!(
            out,
            "{} of a token's shape without proof{}.",
            count(summary.shaped_candidates, "look-alike"),
            if listed { "" } else { " (--show-shaped lists them)" },
        )?;
    }
    write_suppressed(document, out)?;
    if summary.already_there > 0 {
        let tokens = count(summary.already_there, "token");
        let them = if summary.already_there == 1 { "it" } else { "them" };
        writeln!(out, "{tokens} already there before the change (--all lists {them}).")?;
    }
    for note in &document.notes {
        writeln!(out, "Note: {}.", terminal(&note.text()))?;
    }
    write_read(document, elapsed, out)?;
    write_left_out(&summary.left_out, out)?;
    let strict = !document.complete && !document.diagnostics.iter().any(|it| it.is_unread());
    if document.interrupted {
        let style = styles.proven;
        writeln!(out, "{style}Interrupted{style:#}: this report is partial.")?;
    }
    if !document.diagnostics.is_empty() {
        let style = if document.complete { styles.shaped } else { styles.proven };
        let word = if document.complete {
            "Not looked at"
        } else if strict {
            "Incomplete (--strict), not looked at"
        } else {
            "Incomplete, not looked at"
        };
        writeln!(out, "{style}{word}{style:#}:")?;
        for note in &document.diagnostics {
            match &note.path {
                Some(path) => {
                    let (path, message) = (path.text(), note.message.text());
                    writeln!(out, "    {}: {}", terminal(&path), terminal(&message))?;
                }
                None => writeln!(out, "    {}", terminal(&note.message.text()))?,
            }
        }
    }
    Ok(())
}

/// Says how much was read.
fn write_read(
    document: &Document,
    elapsed: Option<Duration>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let summary = &document.summary;
    let mut read = Vec::new();
    let has_objects = summary.objects > 0 || !document.repositories.is_empty();
    if summary.files > 0 || !has_objects {
        read.push(count(summary.files, "file"));
    }
    if has_objects {
        let objects = count(summary.objects, "git object");
        let of = match document.repositories.len() {
            0 | 1 => String::new(),
            len => format!(" of {}", count(len, "repository")),
        };
        read.push(format!("{objects}{of}"));
    }
    let elapsed = elapsed.map(|it| format!(", in {:.2} s", it.as_secs_f64())).unwrap_or_default();
    writeln!(out, "Scanned {}, {}{elapsed}.", read.join(", "), bytes(summary.bytes))?;
    if summary.archives > 0 {
        writeln!(
            out,
            "Unpacked {} with {}, {}.",
            count(summary.archives, "archive"),
            count(summary.members, "member"),
            bytes(summary.unpacked),
        )?;
    }
    Ok(())
}

/// Says what does not count, and what was decided for nothing.
fn write_suppressed(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let suppressed = &document.summary.suppressed;
    let parts = [
        (suppressed.inline, "by ddpatrol:allow in its line"),
        (suppressed.allowed, "by the allow list"),
        (suppressed.baseline, "by the baseline"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, by)| format!("{amount} {by}"))
        .collect();
    if !parts.is_empty() {
        let tokens = count(suppressed.total(), "token");
        let verb = if suppressed.total() == 1 { "does" } else { "do" };
        writeln!(out, "{tokens} {verb} not count: {}.", parts.join(", "))?;
    }
    if suppressed.new_places > 0 {
        let places = count(suppressed.new_places, "new place");
        writeln!(out, "Tokens of the baseline stand in {places}.")?;
    }
    for unused in &document.unused {
        writeln!(out, "{}", terminal(&unused.line()))?;
    }
    Ok(())
}

fn write_left_out(left_out: &LeftOut, out: &mut dyn Write) -> io::Result<()> {
    let mut parts = Vec::new();
    if left_out.ignored_files > 0 {
        let files = count(left_out.ignored_files, "file");
        parts.push(format!("{files} by .gitignore (--no-ignore reads them)"));
    }
    if left_out.excluded > 0 {
        parts.push(format!("{} by --exclude", count(left_out.excluded, "path")));
    }
    if left_out.too_large > 0 {
        parts.push(format!("{} by --max-file-size", count(left_out.too_large, "file")));
    }
    if left_out.symlinks > 0 {
        parts.push(format!("{} (not followed)", count(left_out.symlinks, "symbolic link")));
    }
    if left_out.special > 0 {
        parts.push(count(left_out.special, "device, socket or pipe"));
    }
    if left_out.git_folders > 0 {
        parts.push(count(left_out.git_folders, ".git folder"));
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "Left out: {}.", parts.join("; "))
}

/// Spells a count with its noun: `1 file`, `1,204 files`.
pub(crate) fn count<N: TryInto<u64>>(amount: N, noun: &str) -> String {
    let amount = amount.try_into().unwrap_or(u64::MAX);
    match (amount, noun) {
        (1, noun) => format!("1 {noun}"),
        (_, "repository") => format!("{} repositories", number(amount)),
        (_, "device, socket or pipe") => format!("{} devices, sockets or pipes", number(amount)),
        (_, noun) => format!("{} {noun}s", number(amount)),
    }
}

pub(crate) fn number(amount: impl Display) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Spells an amount of bytes in decimal units: `35.1 MB`.
pub(crate) fn bytes(amount: u64) -> String {
    let mut value = amount as f64;
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        if value < 999.95 || unit == "TB" {
            return if amount < 1000 {
                count(amount, "byte")
            } else {
                format!("{value:.1} {unit}")
            };
        }
    }
    count(amount, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_spelled_for_people() {
        assert_eq!(count(0_u64, "file"), "0 files");
        assert_eq!(count(1_u64, "file"), "1 file");
        assert_eq!(count(1_234_567_u64, "file"), "1,234,567 files");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(35_149_000), "35.1 MB");
        assert_eq!(bytes(4_294_967_296), "4.3 GB");
    }
}
