//! The end of the text report: counts, what was scanned, what was not, and the next steps.
//!
//! Input: a document. Output: lines.

use super::line::{Line, Role, wrap};
use super::options::TextOptions;
use crate::document::Document;
use crate::next_steps::NextStep;
use ddpatrol_scan::quantity::number;

/// Maximum numbers of listed issues and notes on a terminal.
const MAX_ISSUES: usize = 8;
/// The same, if there are findings, which are more urgent.
const MAX_ISSUES_AFTER_FINDINGS: usize = 3;
const MAX_NOTES: usize = 3;

/// Returns the lines after the findings. A quiet report has none, except for the next steps of a hook.
pub(super) fn lines(document: &Document, options: &TextOptions<'_>) -> Vec<Line> {
    let width = options.width;
    let steps = next_steps(&document.next_steps(options.context), width);
    if options.quiet {
        return if options.context.surface.is_hook() { steps } else { Vec::new() };
    }
    let role = if document.summary.proven == 0 { Role::Strong } else { Role::Live };
    let mut lines = headline(&document.headline(), role, width);
    let mut paragraph = |sentences: &[String]| {
        if !sentences.is_empty() {
            lines.extend(wrap(Role::Plain, &sentences.join(" "), 2, width));
        }
    };
    paragraph(&document.sentences());
    let elapsed = options.elapsed.map(|it| format!(", in {:.2} s", it.as_secs_f64()));
    let scanned = format!("{}{}.", document.reading(), elapsed.unwrap_or_default());
    let unpacked = document.unpacked().into_iter().chain(document.skipped());
    let scanned: Vec<String> = std::iter::once(scanned).chain(unpacked).collect();
    paragraph(&scanned);
    let notes = document.notes.iter().map(|it| format!("Note: {}.", it.text()));
    let unused = document.unused.iter().map(|it| it.line());
    let unused = unused.chain(document.unused_acknowledgments.iter().map(|it| it.line()));
    let notes: Vec<String> = unused.chain(notes).collect();
    lines.extend(capped(&notes, MAX_NOTES, options, |note| wrap(Role::Plain, note, 2, width)));
    lines.extend(issues(document, options));
    lines.extend(steps);
    lines
}

/// Returns the first line of the summary; the authors follow on a line of their own if it is too long.
fn headline(text: &str, role: Role, width: Option<usize>) -> Vec<Line> {
    match text.split_once(" · ") {
        Some((counts, authors)) if Line::of(role, text).rows(width) > 1 => {
            let authors = format!("  {authors}");
            wrap(role, counts, 2, width).into_iter().chain(wrap(role, &authors, 2, width)).collect()
        }
        _ => wrap(role, text, 2, width),
    }
}

/// Returns the lines of at most `most` items; a report with a limit counts the others.
fn capped(
    items: &[String],
    most: usize,
    options: &TextOptions<'_>,
    lines_of: impl Fn(&str) -> Vec<Line>,
) -> Vec<Line> {
    // One more item needs as many lines as its count.
    let most = if options.limit.is_none() || items.len() <= most + 1 { items.len() } else { most };
    let mut lines: Vec<Line> = items[..most].iter().flat_map(|it| lines_of(it)).collect();
    if most < items.len() {
        let more = number(items.len() - most);
        lines.push(Line::of(Role::Dim, &format!("  … {more} more (--limit 0 lists all)")));
    }
    lines
}

/// Returns the lines on content that was not scanned.
fn issues(document: &Document, options: &TextOptions<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let role = if document.complete { Role::Warning } else { Role::Live };
    if document.interrupted {
        let mut line = Line::of(role, "Interrupted");
        line.push(Role::Plain, ": this report is partial.");
        lines.push(line);
    }
    let listed = || document.diagnostics.iter().filter(|it| it.acknowledged.is_none());
    if listed().next().is_none() {
        return lines;
    }
    let is_strict = !document.diagnostics.iter().any(|it| it.is_unread());
    let word = match (document.complete, is_strict) {
        (true, _) => "Not scanned",
        (false, true) => "Incomplete (--strict), not scanned",
        (false, false) => "Incomplete, not scanned",
    };
    let mut heading = Line::of(role, word);
    heading.push(Role::Plain, &format!(" ({}):", number(listed().count())));
    lines.push(heading);
    let texts: Vec<String> = listed().map(|it| format!("  {}", it.line())).collect();
    let wrapped = |text: &str| wrap(Role::Plain, text, 4, options.width);
    let most = if document.summary.proven > 0 { MAX_ISSUES_AFTER_FINDINGS } else { MAX_ISSUES };
    lines.extend(capped(&texts, most, options, wrapped));
    lines
}

fn next_steps(steps: &[NextStep], width: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    if steps.is_empty() {
        return lines;
    }
    lines.push(Line::of(Role::Strong, "Next steps"));
    for (at, step) in steps.iter().enumerate() {
        let start = format!("  {} {:8} ", at + 1, step.label);
        match &step.command {
            // A command is not broken, so that it can be copied.
            Some(command) => {
                let mut line = Line::of(Role::Plain, &start);
                line.push(Role::Strong, &command.text());
                if let Some(limitation) = step.limitation {
                    line.push(Role::Plain, &format!("   {limitation}"));
                }
                lines.push(line);
            }
            None => {
                let text = format!("{start}{}", step.text.text());
                lines.extend(wrap(Role::Plain, &text, start.len(), width));
            }
        }
    }
    lines
}
