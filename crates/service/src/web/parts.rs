//! Parts that several pages share: visible text, times, states, scopes, pages of lists, and fields
//! of forms.

use super::params::Params;
use crate::expiry::Expiry;
use crate::redact::redact;
use crate::store::listing::state_name;
use crate::store::token_pages::Owner;
use crate::store::tokens::Token;
use crate::time;
use crate::tokens::fields::is_deceptive;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use std::borrow::Cow;

/// Number of scopes that a row of a list shows.
const SCOPES_IN_ROW: usize = 2;

/// Returns a text without access tokens, and with its control, bidirectional and invisible characters as code points.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let text = redact(text);
    if !text.chars().any(is_deceptive) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) {
            shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns a mark for the owner of a token if the owner is disabled.
pub(super) fn disabled_mark(owner: &Owner) -> Markup {
    html! {
        @if owner.is_disabled {
            " " span.badge.expired title="Requests with the tokens of a disabled user are rejected." { "disabled" }
        }
    }
}

/// Returns a time. The script shows it in the zone of the reader; the title is in UTC.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! {
        time datetime=(machine(at)) title=(utc(at)) data-local { (at.strftime("%-d %b %Y, %H:%M UTC").to_string()) }
    }
}

/// Returns the date of a time, which is in the title.
pub(super) fn day(at: Timestamp) -> Markup {
    html! {
        time datetime=(machine(at)) title=(utc(at)) data-local="date" { (at.strftime("%-d %b %Y").to_string()) }
    }
}

/// Returns a time with seconds.
pub(super) fn exact(at: Timestamp) -> Markup {
    html! {
        time datetime=(machine(at)) title=(utc(at)) data-local="exact" { (at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()) }
    }
}

/// Returns a time, or a dash.
pub(super) fn moment_or_dash(at: Option<Timestamp>) -> Markup {
    at.map_or_else(|| html! { span.soft { "–" } }, moment)
}

/// Returns a time relative to now, with the exact time as the title.
pub(super) fn relative(at: Timestamp) -> Markup {
    html! { time datetime=(machine(at)) title=(utc(at)) { (distance(at, time::now())) } }
}

fn machine(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns the distance between a time and now in words.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let ahead = at > now;
    let seconds = seconds.unsigned_abs();
    let (number, unit) = match seconds {
        0..45 => return if ahead { "in a moment".to_owned() } else { "just now".to_owned() },
        45..5_400 => ((seconds + 30) / 60, "minute"),
        5_400..129_600 => ((seconds + 1_800) / 3_600, "hour"),
        129_600..5_184_000 => ((seconds + 43_200) / 86_400, "day"),
        _ => ((seconds + 1_296_000) / 2_592_000, "month"),
    };
    let plural = if number == 1 { "" } else { "s" };
    if ahead {
        format!("in {number} {unit}{plural}")
    } else {
        format!("{number} {unit}{plural} ago")
    }
}

/// Returns an expiry relative to now.
pub(super) fn relative_expiry(expiry: Expiry) -> Markup {
    expiry.time().map_or_else(|| html! { span.soft { "never" } }, relative)
}

/// Returns an expiry with its distance from now.
pub(super) fn whole_expiry(expiry: Expiry) -> Markup {
    html! {
        @match expiry.time() {
            Some(at) => { (moment(at)) " " span.soft { "(" (relative(at)) ")" } },
            None => "never",
        }
    }
}

/// Returns a duration in words, to the second below a minute.
pub(super) fn duration(duration: SignedDuration) -> String {
    let millis = duration.as_millis();
    if millis < 0 {
        return "before".to_owned();
    }
    match millis / 1_000 {
        0 => format!("{millis} ms"),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Returns the badge of a token's state.
pub(super) fn state_badge(token: &Token) -> Markup {
    let state = state_name(token);
    html! { span class={ "badge " (state) } { (state) } }
}

/// Returns the badges of a token in a list: its state, unless it is plainly live, and its leak.
pub(super) fn badges(token: &Token) -> Markup {
    let state = state_name(token);
    html! {
        @if state != "live" { " " (state_badge(token)) }
        @if token.leak.is_some() && state != "leaked" { " " span.badge.leaked { "leaked" } }
    }
}

/// Returns the first scopes of a list and the number of the others.
pub(super) fn scopes_in_row(scopes: &[String]) -> Markup {
    let more = scopes.len().saturating_sub(SCOPES_IN_ROW);
    html! {
        span.scopes {
            @for scope in scopes.iter().take(SCOPES_IN_ROW) { code { (scope) } " " }
            @if more > 0 { span.soft { "+" (more) " more" } }
        }
    }
}

/// Returns all scopes.
pub(super) fn all_scopes(scopes: &[String]) -> Markup {
    html! {
        ul.scopes.all tabindex="0" aria-label="Scopes" {
            @for scope in scopes { li { code { (scope) } } }
        }
    }
}

/// Returns the heading of a sortable column.
pub(super) fn sort_heading(params: &Params, label: &str, key: &str, path: &str) -> Markup {
    let class = (key != "name").then_some("date");
    let current = match params.get("sort") {
        "" => "name",
        sort => sort,
    };
    let descending = format!("-{key}");
    let (state, next) = if current == key {
        (Some("ascending"), descending.as_str())
    } else if current == descending {
        (Some("descending"), key)
    } else {
        (None, key)
    };
    let query = params.with(&[("sort", next), ("after", ""), ("before", ""), ("done", "")]);
    html! {
        th class=[class] scope="col" aria-sort=[state] {
            a href={ (path) (query) } {
                (label)
                @match state {
                    Some("ascending") => span.arrow aria-hidden="true" { " ↑" },
                    Some(_) => span.arrow aria-hidden="true" { " ↓" },
                    None => {},
                }
            }
        }
    }
}

/// The links to the neighbours of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours {
    /// The first page, in lists that are read in one direction.
    pub(super) first: Option<String>,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

impl Neighbours {
    /// Returns the navigation between pages; nothing if there is only one.
    pub(super) fn markup(&self) -> Markup {
        html! {
            @if self.first.is_some() || self.previous.is_some() || self.next.is_some() {
                nav.pages aria-label="Pages" {
                    @if let Some(first) = &self.first { a.button href=(first) rel="first" { "⇤ First page" } }
                    @if let Some(previous) = &self.previous { a.button href=(previous) rel="prev" { "← Previous" } }
                    @if let Some(next) = &self.next { a.button href=(next) rel="next" { "Next →" } }
                }
            }
        }
    }
}

/// A field of a form with its problem, if any.
pub(super) fn field(id: &str, label: &str, problem: Option<&str>, control: Markup) -> Markup {
    html! {
        div.field.invalid[problem.is_some()] {
            label for=(id) { (label) }
            (control)
            (problem_text(id, problem))
        }
    }
}

/// Returns the problem of a field.
pub(super) fn problem_text(id: &str, problem: Option<&str>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            p.problem id={ (id) "-problem" } { (visible(problem)) }
        }
    }
}

/// Returns a selection of options.
pub(super) fn select(name: &str, options: &[(&str, &str)], current: &str) -> Markup {
    html! {
        select name=(name) id=(name) {
            @for &(value, label) in options {
                option value=(value) selected[value == current] { (label) }
            }
        }
    }
}

/// Returns a number of things.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_characters_are_visible() {
        assert_eq!(visible("a\u{202e}b\nc"), "a⟨U+202E⟩b⟨U+000A⟩c");
        assert_eq!(visible("مفتاح"), "مفتاح");
    }

    #[test]
    fn distances_are_rounded() {
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().expect("a time");
        let at = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).expect("a time");
        for (seconds, words) in [
            (10, "in a moment"),
            (-3, "just now"),
            (-120, "2 minutes ago"),
            (86_400, "in 24 hours"),
            (3 * 86_400, "in 3 days"),
            (-90 * 86_400, "3 months ago"),
            (3_600, "in 60 minutes"),
        ] {
            assert_eq!(distance(at(seconds), now), words);
        }
    }
}
