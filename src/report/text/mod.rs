//! Text report: findings by urgency, each with `path:line:column`, then a summary and the next steps.
//!
//! Input: a document, and the size of the terminal. Output: text in which scanned content is escaped, cut to
//! the terminal if there is one.

mod finding;
mod line;
mod link;
mod options;
mod section;
mod source_line;
mod summary;
#[cfg(test)]
mod tests;

use super::document::Document;
pub use finding::place_name;
pub use options::TextOptions;

use finding::Detail;
use line::{Line, Paint, Role};
use section::{DeadTokens, Section, sections};
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
    let end = summary::lines(document, options);
    let dead = if options.show_dead { DeadTokens::Listed } else { DeadTokens::Counted };
    let sections = sections(document, dead);
    let gap = usize::from(!sections.is_empty() && !options.quiet);
    let used = rows(&end, options.width) + gap;
    let room = options.limit.map(|limit| limit.saturating_sub(used));
    for line in listing(document, &sections, options, room) {
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
        return whole(Detail::Full);
    }
    if len <= MAX_SOURCES {
        let lines = whole(Detail::Source);
        if room.is_none_or(|room| rows(&lines, width) <= room) {
            return lines;
        }
    }
    let Some(mut room) = room else { return whole(Detail::Compact) };
    let mut lines = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        // Each later section gets room for its heading, its first finding and the count of the others.
        let later = &sections[at + 1..];
        let reserved: usize = later.iter().map(|it| 1 + 3 * usize::from(it.len > 0)).sum();
        let own = room.saturating_sub(reserved).max(room.min(4).saturating_sub(later.len()));
        let fitted = fitted(section, document, width, own);
        room = room.saturating_sub(rows(&fitted, width));
        lines.extend(fitted);
    }
    lines
}

/// Returns the lines of a section, in at most `room` rows, but at least its heading.
fn fitted(
    section: &Section<'_>,
    document: &Document,
    width: Option<usize>,
    room: usize,
) -> Vec<Line> {
    let mut lines = vec![section.heading()];
    let mut used = 1;
    // Rows at which the listing can end with the count of the findings that follow.
    let mut end = (1, 0);
    for (at, item) in section.items.iter().enumerate() {
        let entry = finding::lines(item, document, Detail::Compact, width);
        used += rows(&entry, width);
        if used > room {
            let (kept, listed) = end;
            lines.truncate(kept);
            let more = section.len - listed;
            if listed == 0 {
                lines[0].push(Role::Dim, " not listed (--limit 0 lists all)");
            } else {
                lines.push(Line::of(Role::Dim, &format!("  … {more} more (--limit 0 lists all)")));
            }
            return lines;
        }
        lines.extend(entry);
        if used < room {
            end = (lines.len(), at + 1);
        }
    }
    lines
}
