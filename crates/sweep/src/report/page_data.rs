//! The data of the HTML page: columns with an entry for each token, in which repeated texts are indices.
//!
//! The page of 100,000 tokens is read at once by a browser, so its size matters: each text and each form of URL is
//! written once, and a token without a value costs a digit.

use super::model::{
    Change, FirstCommit, MergedReport, Occurrence, PlaceRow, Reach, RepositoryRow, TokenRow,
};
use crate::result::Verdict;
use serde::Serialize;
use std::collections::HashMap;

/// Stands for the URL of the repository in a form of URLs.
const REPOSITORY: &str = "\u{1}";
/// Stands for the commit.
const COMMIT: &str = "\u{2}";
/// Stands for the path.
const PATH: &str = "\u{3}";
/// Stands for the line, at the end.
const LINE: &str = "\u{4}";

/// The index of a text that is absent.
const NONE: i64 = -1;

/// The data of the script. The fields up to `places` have an entry for each token.
#[derive(Default, Serialize)]
struct PageData<'a> {
    fingerprints: Vec<&'a str>,
    /// A digit for each token: live, unknown, dead.
    verdicts: String,
    /// A digit for each token: none, new, open, back.
    changes: String,
    /// Indices in `kinds`.
    kind: Vec<i64>,
    redacted: Vec<&'a str>,
    /// Public ids, or 0.
    ids: Vec<Optional<'a>>,
    /// Reason and account, indices in `texts`, or 0.
    answers: Vec<Answer>,
    /// Days since the first commit, or -1.
    ages: Vec<i64>,
    /// For each repository of the token: its index, first commit, owners, the number of places, the number of listed
    /// places, and for each of them path (or -2 and less: part), line, form of the URL, reach, commit. The most urgent
    /// reach comes first.
    places: Vec<Vec<i64>>,
    /// Commit, name and address of the author, day, form of the URL.
    firsts: Vec<[i64; 5]>,
    /// Indices in `texts`.
    owners: Vec<Vec<i64>>,
    /// URLs.
    repositories: Vec<&'a str>,
    /// For each repository, the earlier sweep that its tokens are from, if this one could not scan it; or 0.
    outdated: Vec<Optional<'a>>,
    /// Rule, name and advice.
    kinds: Vec<[i64; 3]>,
    texts: Vec<&'a str>,
    commits: Vec<&'a str>,
    urls: Vec<String>,
}

/// A text, or 0.
#[derive(Serialize)]
#[serde(untagged)]
enum Optional<'a> {
    Absent(u8),
    Text(&'a str),
}

/// The answer of an issuer, or 0.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Absent(u8),
    Indices([i64; 2]),
}

/// Numbers distinct values in the order of their first use.
struct Numbered<K>(HashMap<K, i64>);

impl<K: Eq + std::hash::Hash + Clone> Numbered<K> {
    /// Returns the number of `key`; `add` is called if it is new.
    fn index(&mut self, key: K, add: impl FnOnce(K)) -> i64 {
        let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        *self.0.entry(key.clone()).or_insert_with(|| {
            add(key);
            next
        })
    }
}

/// Collects the columns.
struct Columns<'a> {
    data: PageData<'a>,
    texts: Numbered<&'a str>,
    commits: Numbered<&'a str>,
    urls: Numbered<String>,
    kinds: Numbered<[i64; 3]>,
    firsts: Numbered<[i64; 5]>,
    owners: Numbered<Vec<i64>>,
}

/// Returns the data of the script as JSON that cannot end its element.
pub(super) fn data(report: &MergedReport) -> String {
    let mut columns = Columns {
        data: PageData::default(),
        texts: Numbered(HashMap::new()),
        commits: Numbered(HashMap::new()),
        urls: Numbered(HashMap::new()),
        kinds: Numbered(HashMap::new()),
        firsts: Numbered(HashMap::new()),
        owners: Numbered(HashMap::new()),
    };
    columns.data.repositories = report.repositories.iter().map(|it| it.url.as_str()).collect();
    let outdated = report.repositories.iter().map(RepositoryRow::outdated);
    columns.data.outdated =
        outdated.map(|it| it.map_or(Optional::Absent(0), Optional::Text)).collect();
    for token in &report.tokens {
        columns.add(token);
    }
    // All values are texts and numbers.
    serde_json::to_string(&columns.data).unwrap_or_default().replace('<', "\\u003c")
}

impl<'a> Columns<'a> {
    fn text(&mut self, text: &'a str) -> i64 {
        self.texts.index(text, |it| self.data.texts.push(it))
    }

    fn optional(&mut self, text: Option<&'a str>) -> i64 {
        text.map_or(NONE, |it| self.text(it))
    }

    fn commit(&mut self, commit: Option<&'a str>) -> i64 {
        commit.map_or(NONE, |it| self.commits.index(it, |it| self.data.commits.push(it)))
    }

    fn url(&mut self, form: Option<String>) -> i64 {
        form.map_or(NONE, |it| self.urls.index(it, |it| self.data.urls.push(it)))
    }

    fn add(&mut self, token: &'a TokenRow) {
        let kind = [
            self.text(&token.rule),
            self.text(&token.name),
            self.optional(token.advice.as_deref()),
        ];
        let kind = self.kinds.index(kind, |it| self.data.kinds.push(it));
        let (reason, login) = (token.reason.as_deref(), token.login.as_deref());
        let answer = match (reason, login) {
            (None, None) => Answer::Absent(0),
            _ => Answer::Indices([self.optional(reason), self.optional(login)]),
        };
        let places = token.repositories.iter().flat_map(|it| self.occurrence(it)).collect();
        let data = &mut self.data;
        data.fingerprints.push(&token.fingerprint);
        data.verdicts.push(match token.verdict {
            Verdict::Live => '0',
            Verdict::Unknown => '1',
            Verdict::Dead => '2',
        });
        data.changes.push(match token.change {
            None => '0',
            Some(Change::New) => '1',
            Some(Change::Open) => '2',
            Some(Change::Back) => '3',
        });
        data.kind.push(kind);
        data.redacted.push(&token.redacted);
        data.ids.push(token.token_id.as_deref().map_or(Optional::Absent(0), Optional::Text));
        data.answers.push(answer);
        data.ages.push(token.age_days.unwrap_or(NONE));
        data.places.push(places);
    }

    fn first(&mut self, first: &'a FirstCommit, base: &str) -> i64 {
        let url = first.url.as_deref().map(|url| form(url, Some(base), Some(&first.commit), None));
        let day = first.author.date.get(..10).unwrap_or(&first.author.date);
        let first = [
            self.commit(Some(&first.commit)),
            self.text(&first.author.name),
            self.text(&first.author.email),
            self.text(day),
            self.url(url),
        ];
        self.firsts.index(first, |it| self.data.firsts.push(it))
    }

    fn occurrence(&mut self, occurrence: &'a Occurrence) -> Vec<i64> {
        let base = base(self.data.repositories[occurrence.repository]);
        let owners = occurrence.owners.iter().map(|it| self.text(it)).collect();
        let mut indices = vec![
            index(occurrence.repository),
            occurrence.first.as_ref().map_or(NONE, |it| self.first(it, base)),
            self.owners.index(owners, |it| self.data.owners.push(it)),
            index(occurrence.places_total),
            index(occurrence.places.len()),
        ];
        for place in &occurrence.places {
            indices.extend(self.place(place, base));
        }
        indices
    }

    fn place(&mut self, place: &'a PlaceRow, base: &str) -> [i64; 5] {
        let name = match place.path.as_deref() {
            Some(path) => self.text(path),
            None => NONE - 1 - self.text(&place.part),
        };
        let line = i64::try_from(place.line).unwrap_or(i64::MAX);
        let url = place.url.as_deref().map(|url| {
            let commit = place.commit.as_deref();
            let mut form = form(url, Some(base), commit, place.path.as_deref());
            let end = line.to_string();
            let start = form.len().saturating_sub(end.len());
            let is_number =
                form.ends_with(&end) && !form[..start].ends_with(|it: char| it.is_ascii_digit());
            if is_number {
                form.truncate(start);
                form.push_str(LINE);
            }
            form
        });
        let url = self.url(url);
        [name, line, url, i64::from(reach(place.reach)), self.commit(place.commit.as_deref())]
    }
}

fn index(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn reach(reach: Reach) -> u8 {
    match reach {
        Reach::Head => 0,
        Reach::History => 1,
        Reach::Unreachable => 2,
    }
}

/// Returns the URL of a repository without `.git`: that of its web page.
fn base(url: &str) -> &str {
    url.strip_suffix(".git").unwrap_or(url)
}

/// Returns the form of a URL: repository, commit and path are replaced by their placeholders.
fn form(url: &str, base: Option<&str>, commit: Option<&str>, path: Option<&str>) -> String {
    let mut form = match base {
        Some(base) if url.starts_with(base) => url.replacen(base, REPOSITORY, 1),
        _ => url.to_owned(),
    };
    for (text, placeholder) in [(commit, COMMIT), (path, PATH)] {
        if let Some(text) = text.filter(|it| !it.is_empty()) {
            form = form.replacen(text, placeholder, 1);
        }
    }
    form
}
