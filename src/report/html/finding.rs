//! One finding: a line that says the most, and behind it everything that is known.

use super::filter;
use crate::detect::Evidence;
use crate::quantity::{count, number};
use crate::report::advice::Aim;
use crate::report::document::{Place, Record};
use crate::report::escape::html;
use crate::report::status::{Life, Presence, short};
use crate::report::trace::{CommitRecord, GitPlace};
use std::io::{self, Write};

/// How many places of a finding are told.
const MOST_PLACES: usize = 100;
/// How many of them are seen at once.
const MOST_SEEN: usize = 3;

/// How a finding is told.
pub(super) struct Form {
    /// Its number, from 0.
    pub(super) at: usize,
    /// Whether it is unfolded.
    pub(super) is_open: bool,
    /// Whether steps and places are told, or only what it is and where it first stands.
    pub(super) is_whole: bool,
    /// The number of its rule among the filters.
    pub(super) rule: usize,
}

/// Writes a finding.
pub(super) fn write(record: &Record, form: &Form, out: &mut dyn Write) -> io::Result<()> {
    let open = if form.is_open { " open" } else { "" };
    let number = form.at + 1;
    writeln!(
        out,
        "<details class=\"finding rule-{} {}\"{open}>\n<summary>",
        form.rule,
        filter::classes(record)
    )?;
    write_line(record, out)?;
    writeln!(out, "</summary>\n<div class=\"body\" id=\"f{number}\">")?;
    write_facts(record, out)?;
    if form.is_whole {
        write_steps(record, out)?;
        write_places(record, out)?;
    }
    writeln!(out, "</div>\n</details>")
}

/// Writes what is seen of a folded finding.
fn write_line(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<span class=\"head\"><h3>{} {}</h3><span class=\"tags\">",
        html(&record.name),
        token(record)
    )?;
    for (tone, words) in tags(record) {
        writeln!(out, "<span class=\"tag {tone}\">{words}</span>")?;
    }
    writeln!(out, "</span></span>\n<span class=\"sub\">")?;
    if let Some(first) = record.locations.first() {
        writeln!(out, "<code>{}</code>", html(&first.label()))?;
    }
    let more = record.count().saturating_sub(1);
    if more > 0 {
        writeln!(out, "<span>and {}</span>", count(more, "more place"))?;
    }
    if let Some(commit) = record.brought() {
        let (day, name) = (day(commit), commit.author.name.text());
        writeln!(out, "<span>since {}, by {}</span>", html(day), html(&name))?;
    }
    writeln!(out, "</span>")
}

fn tags(record: &Record) -> Vec<(&'static str, &'static str)> {
    let mut tags = Vec::new();
    if record.evidence == Evidence::Shaped {
        tags.push(("", "look-alike"));
    } else {
        let tone = match record.life() {
            Life::Live => "bad",
            Life::Dead => "good",
            Life::Unknown => "warn",
        };
        tags.push((tone, record.life_words()));
    }
    let presence = record.presence();
    let tone = match presence {
        Presence::Change | Presence::Here => "warn",
        Presence::Elsewhere | Presence::Removed | Presence::Unreachable => "",
    };
    tags.push((tone, presence.words()));
    if record.has_news() {
        tags.push(("warn", "new place"));
    }
    if let Some(suppression) = &record.suppression {
        tags.push(("", suppression.by.words()));
    }
    tags
}

fn token(record: &Record) -> String {
    let token = record.secret.as_deref().unwrap_or(&record.token.redacted);
    format!("<code class=\"token\">{}</code>", html(token))
}

fn write_facts(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<dl class=\"facts\">")?;
    let code = |text: &String| format!("<code>{}</code>", html(text));
    let evidence = match record.evidence {
        Evidence::Proven => "proven: its checksum holds",
        Evidence::Shaped => "a look-alike: no checksum proves it",
    };
    let life = match record.response_lines() {
        lines if lines.is_empty() => record.life_words().to_owned(),
        lines => lines.join("; "),
    };
    let facts = [
        ("Token id", record.token.uuid.as_ref().map(code)),
        ("Issuer", Some(html(&record.issuer))),
        ("Live or dead", Some(html(&life))),
        ("Since", record.brought().map(commit)),
        ("Does not count", record.suppression.as_ref().map(|it| html(&it.line()))),
        ("Alias", record.token.alias.as_ref().map(code)),
        ("Evidence", Some(evidence.to_owned())),
        ("Rule", Some(code(&record.rule))),
        ("Fingerprint", Some(code(&record.fingerprint))),
    ];
    for (what, fact) in facts {
        if let Some(fact) = fact {
            let wide = if what == "Since" { " class=\"wide\"" } else { "" };
            writeln!(out, "<div{wide}><dt>{what}</dt><dd>{fact}</dd></div>")?;
        }
    }
    writeln!(out, "</dl>")
}

fn write_steps(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    if record.is_over() {
        return writeln!(out, "<p class=\"done\">The token does no harm any more.</p>");
    }
    if !record.is_to_do() {
        return Ok(());
    }
    writeln!(out, "<h4>What to do</h4>")?;
    if record.steps.is_empty() {
        let advice = record.advice.as_deref().unwrap_or("Revoke it where it was issued.");
        return writeln!(out, "<p>{}</p>", html(advice));
    }
    writeln!(out, "<ol class=\"steps\">")?;
    for step in &record.steps {
        let aim = match step.aim {
            Aim::Revoke => "Revoke",
            Aim::Replace => "Replace",
            Aim::Clean => "Clean",
            Aim::Prevent => "Prevent",
        };
        write!(out, "<li><strong>{aim}.</strong> {}", html(&step.text.text()))?;
        if !step.commands.is_empty() {
            let commands: Vec<String> = step.commands.iter().map(|it| html(&it.text())).collect();
            write!(out, "<pre tabindex=\"0\"><code>{}</code></pre>", commands.join("\n"))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ol>")
}

fn write_places(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let (all, places) = (record.count(), &record.locations);
    writeln!(out, "<h4>Where it is: {}</h4>", count(all, "place"))?;
    let told = &places[..places.len().min(MOST_PLACES)];
    let (seen, folded) = told.split_at(told.len().min(MOST_SEEN));
    write_list(seen, out)?;
    if !folded.is_empty() {
        let more = count(folded.len(), "more place");
        writeln!(out, "<details class=\"fold\"><summary>{more}</summary>")?;
        write_list(folded, out)?;
        writeln!(out, "</details>")?;
    }
    let left = all - told.len();
    if left > 0 {
        let left = number(left);
        writeln!(
            out,
            "<p class=\"more\">And {left} more, which <code>--report json</code> lists.</p>"
        )?;
    }
    Ok(())
}

fn write_list(places: &[Place], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<ul class=\"places\">")?;
    for place in places {
        write!(out, "<li><code class=\"where\">{}</code>", html(&place.label()))?;
        for remark in place.remarks() {
            write!(out, " <span class=\"remark\">{}</span>", html(&remark))?;
        }
        writeln!(out, "<pre tabindex=\"0\"><code>{}</code></pre>", html(&place.snippet.text()))?;
        if let Some(git) = &place.git {
            write_origin(place, git, out)?;
        } else if place.standing.is_none() && place.path.is_some() {
            writeln!(out, "<p>In the file as it is now.</p>")?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul>")
}

fn write_origin(place: &Place, git: &GitPlace, out: &mut dyn Write) -> io::Result<()> {
    if let Some(introduced) = &git.introduced {
        writeln!(out, "<p>Introduced {}</p>", commit(introduced))?;
    }
    if place.standing.is_none() {
        let fate = git.fate();
        let mut letters = fate.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        let fate: String = first.into_iter().chain(letters).collect();
        writeln!(out, "<p>{}</p>", html(&fate))?;
    }
    Ok(())
}

/// Spells a commit: moment, id, author, subject.
fn commit(commit: &CommitRecord) -> String {
    format!(
        "<time>{}</time>, commit <code>{}</code> of {} &lt;{}&gt;: <q>{}</q>",
        html(&commit.author.date.replace('T', " ")),
        html(short(&commit.commit)),
        html(&commit.author.name.text()),
        html(&commit.author.email.text()),
        html(&commit.subject.text()),
    )
}

/// Returns the day of a commit.
fn day(commit: &CommitRecord) -> &str {
    commit.author.date.split('T').next().unwrap_or_default()
}

/// Writes a finding that does not count, in an entry of a list.
pub(super) fn write_suppressed(
    record: &Record,
    rule: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let why = record.suppression.as_ref().map(|it| it.line()).unwrap_or_default();
    writeln!(
        out,
        "<li class=\"finding rule-{rule} {}\"><strong>{}</strong> {}<p>{}</p><ul>",
        filter::classes(record),
        html(&record.name),
        token(record),
        html(&why)
    )?;
    for place in record.locations.iter().take(MOST_SEEN) {
        writeln!(out, "<li><code>{}</code></li>", html(&place.label()))?;
    }
    let more = record.count() - record.locations.len().min(MOST_SEEN);
    if more > 0 {
        writeln!(out, "<li>and {}</li>", count(more, "more place"))?;
    }
    writeln!(out, "</ul></li>")
}
