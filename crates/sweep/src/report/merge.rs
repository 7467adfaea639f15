//! Merges the results of a sweep.

use super::history::History;
use super::model::{
    Change, Counts, Coverage, FirstCommit, GoneToken, IssueRow, MAX_PLACES, MergedReport,
    Occurrence, PlaceRow, Reach, RepositoryRow, SCHEMA, TokenRow,
};
use super::resolved::{Resolved, add_verdicts, resolve_all};
use crate::repository::RepositoryKey;
use crate::result::{Finding, Location, Status, Verdict};
use crate::store::{Store, SweepName};
use jiff::Timestamp;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Merges the results of `sweep`. Its tokens are compared with those of `since` and of the sweeps before it.
///
/// # Errors
/// Returns an error if the store cannot be read, or a result is damaged.
pub async fn merge(
    store: &Store,
    sweep: &SweepName,
    since: Option<&SweepName>,
) -> anyhow::Result<MergedReport> {
    let sweeps = store.sweeps().await?;
    let listed = store.list(sweep).await?;
    let mut resolved = resolve_all(store, &sweeps, sweep).await?;
    resolved.sort_by(|one, two| one.repository.url.cmp(&two.repository.url));
    add_verdicts(store, &mut resolved).await?;
    let history = History::read(store, &sweeps, since).await?;
    let done = resolved.len();
    let total = listed.map_or(done, |it| it.len()).max(done);
    let mut merger = Merger::new(resolved.iter().map(|it| it.ended_at).max());
    let mut coverage = Coverage { total, left: total - done, ..Coverage::default() };
    let started_at = resolved.iter().map(|it| it.started_at).min();
    let ended_at = merger.end;
    for repository in resolved {
        *coverage.statuses.entry(repository.status).or_default() += 1;
        merger.add(repository);
    }
    let (tokens, suppressed) = merger.tokens(&history);
    let gone = merger.gone(&tokens, &history);
    let summary = count(&tokens, gone.len(), suppressed);
    let mut repositories = merger.repositories;
    for token in &tokens {
        for occurrence in &token.repositories {
            repositories[occurrence.repository].tokens += 1;
            repositories[occurrence.repository].live += usize::from(token.verdict == Verdict::Live);
        }
    }
    Ok(MergedReport {
        schema: SCHEMA,
        sweep: sweep.to_string(),
        since: since.map(ToString::to_string),
        started_at,
        ended_at,
        coverage,
        summary,
        repositories,
        tokens,
        gone,
        issues: merger.issues,
    })
}

/// Collects tokens of many repositories.
struct Merger {
    /// End of the sweep.
    end: Option<Timestamp>,
    repositories: Vec<RepositoryRow>,
    tokens: HashMap<String, TokenRow>,
    suppressed: HashSet<String>,
    /// The repositories that were scanned completely.
    complete: HashSet<RepositoryKey>,
    issues: Vec<IssueRow>,
}

impl Merger {
    fn new(end: Option<Timestamp>) -> Self {
        Self {
            end,
            repositories: Vec::new(),
            tokens: HashMap::new(),
            suppressed: HashSet::new(),
            complete: HashSet::new(),
            issues: Vec::new(),
        }
    }

    fn add(&mut self, resolved: Resolved) {
        let index = self.repositories.len();
        if resolved.status == Status::Complete {
            self.complete.insert(resolved.repository.key());
        }
        self.repositories.push(RepositoryRow {
            url: resolved.repository.url.to_string(),
            status: resolved.status,
            reason: resolved.reason,
            as_of: resolved.as_of,
            scanned_at: resolved.scanned_at,
            tokens: 0,
            live: 0,
            issues: resolved.issues.len(),
        });
        let issues = resolved.issues.into_iter();
        self.issues.extend(issues.map(|issue| IssueRow { repository: index, issue }));
        for finding in resolved.findings {
            if finding.suppression.is_some() {
                self.suppressed.insert(finding.fingerprint);
            } else {
                self.add_finding(finding, index, resolved.repository.owner.as_deref());
            }
        }
    }

    fn add_finding(&mut self, finding: Finding, repository: usize, owner: Option<&str>) {
        let reach = finding.locations.iter().map(reach).min().unwrap_or(Reach::Unreachable);
        let first = first_commit(&finding);
        let owners = owners(&finding, owner);
        let mut places = distinct_places(&finding);
        let places_total = places.len();
        places.truncate(MAX_PLACES);
        let age_days = self.age_days(first.as_ref());
        let occurrence = Occurrence {
            repository,
            reach,
            first: first.clone(),
            age_days,
            owners: owners.clone(),
            places_total,
            places,
        };
        let verdict = finding.verification.as_ref().map_or(Verdict::Unknown, |it| it.verdict);
        let token = self.tokens.entry(finding.fingerprint.clone()).or_insert_with(|| TokenRow {
            fingerprint: finding.fingerprint,
            rule: finding.rule,
            name: finding.name,
            issuer: finding.issuer,
            redacted: finding.token.redacted,
            token_id: finding.token.uuid.or(finding.token.alias),
            verdict: Verdict::Unknown,
            reason: None,
            login: None,
            reach,
            change: None,
            first: None,
            age_days: None,
            owners: Vec::new(),
            advice: finding.advice,
            repositories: Vec::new(),
        });
        // A conclusive answer counts more than none; `live` counts most.
        if token.reason.is_none() || is_stronger(verdict, token.verdict) {
            token.verdict = verdict;
            token.reason = finding.verification.as_ref().map(|it| it.reason.clone());
            token.login = finding.verification.and_then(|it| it.login);
        }
        token.reach = token.reach.min(reach);
        if first.as_ref().map(date) < token.first.as_ref().map(date) || token.first.is_none() {
            token.first = first.or(token.first.take());
        }
        token.owners.extend(owners);
        token.repositories.push(occurrence);
    }

    /// Returns the tokens in the order of urgency, and the number of those that are suppressed everywhere.
    fn tokens(&mut self, history: &History) -> (Vec<TokenRow>, usize) {
        let mut tokens: Vec<TokenRow> = std::mem::take(&mut self.tokens).into_values().collect();
        for token in &mut tokens {
            token.owners.sort_unstable();
            token.owners.dedup();
            token.change = history.change(&token.fingerprint);
            token.age_days = self.age_days(token.first.as_ref());
            token.repositories.sort_by_key(|it| (it.reach, it.repository));
        }
        tokens.sort_by(|one, two| {
            let rank = |it: &TokenRow| (it.verdict, it.reach, std::cmp::Reverse(it.age_days));
            rank(one).cmp(&rank(two)).then_with(|| one.fingerprint.cmp(&two.fingerprint))
        });
        let listed: HashSet<&str> = tokens.iter().map(|it| it.fingerprint.as_str()).collect();
        let suppressed = self.suppressed.iter().filter(|it| !listed.contains(it.as_str())).count();
        (tokens, suppressed)
    }

    /// Returns the tokens of the earlier sweep that are gone.
    fn gone(&self, tokens: &[TokenRow], history: &History) -> Vec<GoneToken> {
        let present: HashSet<&str> = tokens
            .iter()
            .map(|it| it.fingerprint.as_str())
            .chain(self.suppressed.iter().map(String::as_str))
            .collect();
        history.gone(&present, &self.complete)
    }

    /// Returns the days from a commit to the end of the sweep.
    fn age_days(&self, first: Option<&FirstCommit>) -> Option<i64> {
        let (since, end) = first.and_then(date).zip(self.end)?;
        Some((end.as_second() - since.as_second()).max(0) / (24 * 60 * 60))
    }
}

/// Returns `true` if `verdict` says more than `known`.
fn is_stronger(verdict: Verdict, known: Verdict) -> bool {
    let strength = |it| match it {
        Verdict::Live => 2,
        Verdict::Dead => 1,
        Verdict::Unknown => 0,
    };
    strength(verdict) > strength(known)
}

fn reach(location: &Location) -> Reach {
    match &location.git {
        Some(git) if git.in_head => Reach::Head,
        Some(git) if git.reachable => Reach::History,
        Some(_) => Reach::Unreachable,
        // The configuration or a hook of the repository itself.
        None => Reach::Head,
    }
}

/// Returns the distinct places of a finding, those in `HEAD` first. Several commits may contain the same place.
fn distinct_places(finding: &Finding) -> Vec<PlaceRow> {
    let mut seen: HashMap<(Option<&str>, &str, u64), PlaceRow> = HashMap::new();
    for location in &finding.locations {
        let new = place(location);
        let key = (location.path.as_deref(), location.part.as_str(), location.line);
        match seen.entry(key) {
            Entry::Occupied(mut known) if new.reach < known.get().reach => {
                known.insert(new);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
        }
    }
    let mut places: Vec<PlaceRow> = seen.into_values().collect();
    let rank = |it: &PlaceRow| (it.reach, it.path.clone(), it.line, it.commit.clone());
    places.sort_by_cached_key(rank);
    places
}

fn place(location: &Location) -> PlaceRow {
    let commit = location.git.as_ref().and_then(|it| it.introduced.as_ref());
    PlaceRow {
        path: location.path.clone(),
        part: location.part.clone(),
        line: location.line,
        column: location.column,
        commit: commit.map(|it| it.commit.clone()),
        reach: reach(location),
        url: location.url.clone(),
    }
}

fn first_commit(finding: &Finding) -> Option<FirstCommit> {
    let traces = finding.locations.iter().filter_map(|it| it.git.as_ref());
    let commits = traces.filter_map(|it| it.introduced.as_ref());
    let first = commits.min_by_key(|it| it.author.date.parse::<Timestamp>().ok())?;
    Some(FirstCommit {
        commit: first.commit.clone(),
        author: first.author.clone(),
        url: first.url.clone(),
    })
}

fn date(commit: &FirstCommit) -> Option<Timestamp> {
    commit.author.date.parse().ok()
}

/// Returns the owners by `CODEOWNERS`, else the last committer, else the owner of the repository.
fn owners(finding: &Finding, owner: Option<&str>) -> Vec<String> {
    let named: BTreeSet<&String> = finding.locations.iter().flat_map(|it| &it.owners).collect();
    if !named.is_empty() {
        return named.into_iter().cloned().collect();
    }
    let traces = finding.locations.iter().filter_map(|it| it.git.as_ref());
    let commits = traces.filter_map(|it| it.introduced.as_ref());
    let last = commits.max_by_key(|it| it.committer.date.parse::<Timestamp>().ok());
    let committer = last.map(|it| it.committer.email.clone()).filter(|it| !it.is_empty());
    committer.or(owner.map(str::to_owned)).into_iter().collect()
}

fn count(tokens: &[TokenRow], gone: usize, suppressed: usize) -> Counts {
    let mut counts = Counts { tokens: tokens.len(), gone, suppressed, ..Counts::default() };
    for token in tokens {
        match token.verdict {
            Verdict::Live => counts.live += 1,
            Verdict::Unknown => counts.unknown += 1,
            Verdict::Dead => counts.dead += 1,
        }
        match token.reach {
            Reach::Head => counts.in_head += 1,
            Reach::History => counts.in_history += 1,
            Reach::Unreachable => counts.unreachable += 1,
        }
        match token.change {
            Some(Change::New) => counts.new += 1,
            Some(Change::Open) => counts.open += 1,
            Some(Change::Back) => counts.back += 1,
            None => {}
        }
    }
    counts
}
