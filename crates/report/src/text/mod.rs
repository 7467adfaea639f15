//! Text report: findings by urgency, each with `path:line:column`, then a summary and the next steps.
//!
//! Input: a document, and the size of the terminal. Output: text in which scanned content is escaped, cut to
//! the terminal if there is one.

mod explain;
mod finding;
mod line;
mod link;
mod options;
mod refusal;
mod section;
mod source_line;
mod summary;
#[cfg(test)]
mod tests;

use super::document::Document;
use super::shared_steps::SharedSteps;
pub use finding::place_name;
pub use options::{StoppedCommand, TextOptions};

use ddpatrol_scan::quantity::{count, number};
use finding::Detail;
use line::{Line, Paint, Role};
use section::{Section, sections};
use std::io::{self, Write};

/// Maximum number of findings that are shown with their source line.
const MAX_SOURCES: usize = 3;

/// Writes the report.
///
/// # Errors
/// Returns the error of writing to `out`.
pub fn write(
    document: &Document,
    options: &TextOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = Paint { color: options.color, links: options.links };
    let start = refusal::first_line(document, options);
    let mut end = summary::lines(document, options);
    end.extend(refusal::last_lines(document, options));
    let sections = sections(document, options);
    let gap = usize::from(!sections.is_empty() && !options.quiet);
    let used = rows(&start, options.width) + rows(&end, options.width) + gap;
    let room = options.limit.map(|limit| limit.saturating_sub(used));
    for line in start.into_iter().chain(listing(document, &sections, options, room)) {
        line.write(paint, out)?;
    }
    if gap > 0 {
        writeln!(out)?;
    }
    end.iter().try_for_each(|line| line.write(paint, out))
}

fn rows(lines: &[Line], width: Option<usize>) -> usize {
    lines.iter().map(|it| it.rows(width)).sum()
}

/// Returns the lines of the sections, in at most `room` rows if possible.
fn listing(
    document: &Document,
    sections: &[Section<'_>],
    options: &TextOptions<'_>,
    room: Option<usize>,
) -> Vec<Line> {
    let len: usize = sections.iter().map(|it| it.items.len()).sum();
    let width = options.width;
    let whole = |detail| {
        let mut lines = Vec::new();
        for section in sections {
            lines.push(section.heading());
            for item in &section.items {
                lines.extend(finding::lines(item, document, detail, width));
            }
        }
        lines
    };
    if options.explain {
        return explained(document, sections, width);
    }
    if len <= MAX_SOURCES {
        let lines = whole(Detail::Source);
        if room.is_none_or(|room| rows(&lines, width) <= room) {
            return lines;
        }
    }
    match room {
        None => whole(Detail::Compact),
        Some(room) => fitted(document, sections, width, room),
    }
}

/// Returns the lines of the sections with all facts, and the steps: those that several findings share follow
/// the sections.
fn explained(document: &Document, sections: &[Section<'_>], width: Option<usize>) -> Vec<Line> {
    let items = sections.iter().flat_map(|it| &it.items);
    let shared = SharedSteps::new(items.map(|it| it.record));
    let mut lines = Vec::new();
    for section in sections {
        lines.push(section.heading());
        for item in &section.items {
            lines.extend(finding::lines(item, document, Detail::Full, width));
            lines.extend(explain::own(item.record, &shared, width));
        }
    }
    lines.extend(explain::shared(&shared, width));
    lines
}

/// Returns the lines of the sections in at most `room` rows, the most urgent findings first. One line
/// counts all findings that do not fit.
fn fitted(
    document: &Document,
    sections: &[Section<'_>],
    width: Option<usize>,
    room: usize,
) -> Vec<Line> {
    // Hidden dead tokens have only a heading, which stays.
    let (hidden, listed): (Vec<&Section<'_>>, Vec<_>) =
        sections.iter().partition(|it| it.items.is_empty());
    let hidden: Vec<Line> = hidden.into_iter().map(Section::heading).collect();
    let room = room.saturating_sub(rows(&hidden, width));
    let mut lines = Vec::new();
    let mut used = 0;
    // The state before the last finding that leaves room for the count of the others.
    let mut end = (0, Rest::of(&listed));
    let mut rest = end.1;
    for section in &listed {
        for (at, item) in section.items.iter().enumerate() {
            let mut entry = finding::lines(item, document, Detail::Compact, width);
            if at == 0 {
                entry.insert(0, section.heading());
            }
            used += rows(&entry, width);
            if used > room {
                let (kept, rest) = end;
                lines.truncate(kept);
                lines.push(rest.line(kept));
                lines.extend(hidden);
                return lines;
            }
            lines.extend(entry);
            rest.findings -= 1;
            rest.sections -= usize::from(at + 1 == section.items.len());
            if used < room {
                end = (lines.len(), rest);
            }
        }
    }
    lines.extend(hidden);
    lines
}

/// Findings that are not listed, and the sections that contain them.
#[derive(Clone, Copy, Debug)]
struct Rest {
    findings: usize,
    sections: usize,
}

impl Rest {
    fn of(sections: &[&Section<'_>]) -> Self {
        let findings = sections.iter().map(|it| it.items.len()).sum();
        Self { findings, sections: sections.len() }
    }

    /// Returns the line that counts them after `listed` other findings.
    fn line(self, listed: usize) -> Line {
        let findings = if listed > 0 {
            format!("{} more", number(self.findings))
        } else {
            count(self.findings, "finding")
        };
        let place = if self.sections > 1 {
            format!(" in {}", count(self.sections, "section"))
        } else {
            String::new()
        };
        Line::of(Role::Dim, &format!("  … {findings}{place} (--limit 0 lists all)"))
    }
}
