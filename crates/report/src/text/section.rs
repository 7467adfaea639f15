//! Sections of the text report: findings of the same urgency and whereabouts.
//!
//! Input: the listed findings of a document. Output: sections in the order of urgency.

use super::line::{Line, Role};
use super::options::TextOptions;
use crate::document::Document;
use crate::next_steps::{HookKind, Surface};
use crate::places::Whereabouts;
pub(super) use crate::urgency::{Item, Urgency};
use ddpatrol_scan::quantity::number;
use std::collections::BTreeMap;

/// Findings of the same urgency and whereabouts.
pub(super) struct Section<'a> {
    pub(super) urgency: Urgency,
    /// Where the tokens are, for the heading.
    place: Option<&'static str>,
    pub(super) items: Vec<Item<'a>>,
    /// The number of findings, including those that are not listed.
    pub(super) len: usize,
}

impl Urgency {
    const fn heading(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Shaped => "shaped, without a valid checksum",
            Self::Suppressed => "suppressed, at a new place",
            Self::Dead => "dead",
        }
    }

    pub(super) const fn role(self) -> Role {
        match self {
            Self::Live => Role::Live,
            Self::Unknown => Role::Warning,
            Self::Revoked | Self::Shaped | Self::Suppressed => Role::Strong,
            Self::Dead => Role::Dim,
        }
    }
}

/// Groups the listed findings of a document.
pub(super) fn sections<'a>(document: &'a Document, options: &TextOptions<'_>) -> Vec<Section<'a>> {
    let surface = options.context.surface;
    let mut groups: BTreeMap<_, Vec<Item<'_>>> = BTreeMap::new();
    let mut hidden = 0;
    for record in document.findings.iter().filter(|it| it.is_listed()) {
        let urgency = Urgency::of(record);
        if urgency == Urgency::Dead && !options.show_dead {
            hidden += 1;
            continue;
        }
        let item = Item::new(record);
        let Some(first) = item.places.first() else { continue };
        groups.entry((urgency, first.whereabouts)).or_default().push(item);
    }
    let mut sections: Vec<Section<'_>> = groups
        .into_iter()
        .map(|((urgency, whereabouts), items)| Section {
            urgency,
            place: Some(heading_place(whereabouts, surface)),
            len: items.len(),
            items,
        })
        .collect();
    if hidden > 0 {
        let items = Vec::new();
        sections.push(Section { urgency: Urgency::Dead, place: None, items, len: hidden });
    }
    sections
}

const fn heading_place(whereabouts: Whereabouts, surface: Surface) -> &'static str {
    match (whereabouts, surface) {
        // The file that git passes to the hook is not part of the project.
        (Whereabouts::Files, Surface::Hook(HookKind::CommitMsg)) => "in the commit message",
        _ => whereabouts.words(),
    }
}

impl Section<'_> {
    /// Returns the heading: `LIVE, in HEAD (1)`.
    pub(super) fn heading(&self) -> Line {
        let place = self.place.map(|it| format!(", {it}")).unwrap_or_default();
        let text = format!("{}{place} ({})", self.urgency.heading(), number(self.len));
        let mut line = Line::of(self.urgency.role(), &text);
        if self.items.is_empty() {
            line.push(Role::Dim, " not listed (--show-dead)");
        }
        line
    }
}
