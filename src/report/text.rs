//! Text report for terminals: each location as `path:line:column` at the start of a line, then a summary.
//!
//! Input: a document. Output: text in which scanned content is escaped.

use super::document::{ChangeStatusWord, Document, LocationRecord, Record};
use super::escape::{self, terminal};
use super::next_steps::NextStepsContext;
use super::status::ALSO_UNPUSHED;
use crate::detect::Evidence;
use anstyle::{AnsiColor, Style};
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::quantity::count;
use std::io::{self, Write};
use std::time::Duration;

/// Maximum number of further places of a finding.
const MAX_PLACES: usize = 20;

/// Options of the text report.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions<'a> {
    /// Whether to use colours.
    pub color: bool,
    /// Whether to omit the summary.
    pub quiet: bool,
    /// Duration of the scan, if one ran.
    pub elapsed: Option<Duration>,
    /// What the next steps depend on, apart from the document.
    pub context: &'a NextStepsContext,
}

struct Styles {
    path: Style,
    proven: Style,
    shaped: Style,
    dim: Style,
}

impl Styles {
    fn plain() -> Self {
        let plain = Style::new();
        Self { path: plain, proven: plain, shaped: plain, dim: plain }
    }

    fn colored() -> Self {
        let plain = Style::new();
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
/// Returns the error of writing to `out`.
pub fn write(document: &Document, options: TextOptions<'_>, out: &mut dyn Write) -> io::Result<()> {
    let styles = if options.color { Styles::colored() } else { Styles::plain() };
    for record in document.findings.iter().filter(|it| it.is_listed()) {
        write_record(record, &styles, out)?;
    }
    if !options.quiet {
        if document.findings.iter().any(Record::is_listed) {
            writeln!(out)?;
        }
        write_summary(document, options.elapsed, &styles, out)?;
    }
    if !options.quiet || options.context.surface.is_hook() {
        write_next_steps(document, options.context, out)?;
    }
    Ok(())
}

fn write_record(record: &Record, styles: &Styles, out: &mut dyn Write) -> io::Result<()> {
    let Styles { dim, .. } = styles;
    let evidence = if record.evidence == Evidence::Proven { styles.proven } else { styles.shaped };
    let Some((first, rest)) = record.locations.split_first() else {
        return Ok(());
    };
    let token = terminal(record.shown_token());
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
    for also in rest.iter().take(MAX_PLACES) {
        // If a history also contains the path, this location is in the current file.
        let is_now = also.git.is_none()
            && also.path.is_some()
            && record.locations.iter().any(|it| it.git.is_some() && it.path == also.path);
        let what = if is_now { "in the current file" } else { "the same token again" };
        writeln!(out, "{}: {what}", place(also, styles))?;
        write_origin(also, styles, out)?;
    }
    let more = record.count() - 1 - rest.len().min(MAX_PLACES);
    if more > 0 {
        writeln!(out, "    … and {}; --report json lists them all", count(more, "more place"))?;
    }
    for line in record.response_lines() {
        let style = if record.is_dead_or_revoked() { styles.dim } else { styles.proven };
        writeln!(out, "    {style}{}{style:#}", terminal(&line))?;
    }
    Ok(())
}

fn write_next_steps(
    document: &Document,
    context: &NextStepsContext,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (at, step) in document.next_steps(context).iter().enumerate() {
        if at == 0 {
            writeln!(out, "Next steps")?;
        }
        let line = step.command.as_ref().unwrap_or(&step.text);
        writeln!(out, "  {} {:8} {}", at + 1, step.label, terminal(&line.text()))?;
    }
    Ok(())
}

/// Writes where the token was before, which commit introduced it, and whether it is still there.
fn write_origin(place: &LocationRecord, styles: &Styles, out: &mut dyn Write) -> io::Result<()> {
    let Styles { dim, .. } = styles;
    if let Some(path) = &place.moved_from {
        writeln!(out, "    moved here from {}", terminal(&path.text()))?;
    } else if place.change_status == Some(ChangeStatusWord::Preexisting) {
        writeln!(out, "    existed before the change")?;
    } else if place.change_status == Some(ChangeStatusWord::AlsoUnpushed) {
        writeln!(out, "    {ALSO_UNPUSHED}")?;
    }
    if let Some(encoding) = &place.encoding {
        writeln!(out, "    encoded: {}", terminal(encoding))?;
    }
    if place.new_place {
        writeln!(out, "    new place: the baseline does not list the token here")?;
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
    if place.change_status.is_none() {
        writeln!(out, "    {dim}{}{dim:#}", terminal(&git.fate()))?;
    }
    Ok(())
}

/// Formats a location: `path:line:column`, or only the path if its name contains the token.
fn place(place: &LocationRecord, styles: &Styles) -> String {
    let style = styles.path;
    let path = match (&place.path, &place.git) {
        (Some(path), _) => path.text(),
        (None, Some(git)) => match &git.introduced {
            Some(commit) if git.kind == "commit" => format!("commit {}", commit.line()).into(),
            _ => format!("{} {}", git.kind, git.object).into(),
        },
        (None, None) => "<stdin>".into(),
    };
    let path = escape::line(&path);
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
    let style = if document.summary.proven == 0 { Style::new() } else { styles.proven };
    writeln!(out, "{style}{}{style:#}", document.verdict())?;
    for line in document.sentences() {
        writeln!(out, "{line}")?;
    }
    for unused in &document.unused {
        writeln!(out, "{}", terminal(&unused.line()))?;
    }
    for note in &document.notes {
        writeln!(out, "Note: {}.", terminal(&note.text()))?;
    }
    let elapsed = elapsed.map(|it| format!(", in {:.2} s", it.as_secs_f64())).unwrap_or_default();
    writeln!(out, "{}{elapsed}.", document.reading())?;
    for line in document.unpacked().into_iter().chain(document.skipped()) {
        writeln!(out, "{line}")?;
    }
    let strict = !document.complete && !document.diagnostics.iter().any(|it| it.is_unread());
    if document.interrupted {
        let style = styles.proven;
        writeln!(out, "{style}Interrupted{style:#}: this report is partial.")?;
    }
    if !document.diagnostics.is_empty() {
        let style = if document.complete { styles.shaped } else { styles.proven };
        let word = if document.complete {
            "Not scanned"
        } else if strict {
            "Incomplete (--strict), not scanned"
        } else {
            "Incomplete, not scanned"
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
