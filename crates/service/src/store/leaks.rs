//! Leak reports: tokens are marked, and by policy revoked, thousands in one report with few
//! statements, so that a distant database does not make it slow.

use super::events::insert_events;
use super::tokens::RevokedBy;
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::{id, time};
use ddpatrol_token::Uuid;
use sqlx::QueryBuilder;
use std::collections::HashMap;
use subtle::ConstantTimeEq as _;

/// Reports in one transaction.
const AT_ONCE: usize = 500;
/// Tokens that one statement marks. With 500, SQLite would read the whole table of tokens.
const MARKED_AT_ONCE: usize = 128;
/// Numbers of rows in a statement; few, so that each statement is prepared once. Fewer rows are
/// filled up with copies of the last.
const SIZES: [usize; 4] = [1, 16, 128, AT_ONCE];

/// The policy for a live token that leaked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnLeak {
    /// Revoke it at once.
    #[default]
    Revoke,
    /// Mark it and leave it live.
    Flag,
}

/// A report of one token, with proof that the reporter holds it.
#[derive(Clone, Debug)]
pub struct LeakReport {
    /// The token.
    pub token: Uuid,
    /// The digest of the whole token.
    pub digest: [u8; 32],
    /// Who found it.
    pub source: String,
    /// Where it can be seen.
    pub url: String,
    /// The location there.
    pub location: String,
}

/// The result of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeakOutcome {
    /// The token was live, and is revoked now.
    Revoked,
    /// The token is marked and stays live.
    Flagged,
    /// The token had been revoked before.
    AlreadyRevoked,
    /// The token had expired before.
    Expired,
    /// No such token was issued here.
    Unknown,
}

#[derive(sqlx::FromRow)]
struct StateRow {
    id: Vec<u8>,
    digest: Vec<u8>,
    expires_at: i64,
    revoked_at: Option<i64>,
    leaked_at: Option<i64>,
}

impl StateRow {
    fn proves(&self, report: &LeakReport) -> bool {
        self.digest.ct_eq(&report.digest).into()
    }

    /// Returns the outcome of a report that changes nothing.
    fn outcome(&self, now: i64) -> LeakOutcome {
        if self.expires_at <= self.revoked_at.unwrap_or(now) {
            LeakOutcome::Expired
        } else if self.revoked_at.is_some() {
            LeakOutcome::AlreadyRevoked
        } else {
            LeakOutcome::Flagged
        }
    }
}

/// The tokens of a part of a report, by id.
type States = HashMap<Vec<u8>, StateRow>;

/// A report whose token is to be marked.
#[derive(Debug)]
struct Marked<'a> {
    /// The mark's identifier.
    mark: Uuid,
    report: &'a LeakReport,
}

/// The changes that a part of a report causes.
#[derive(Debug, Default)]
struct Changes<'a> {
    /// An outcome for each report of the part.
    outcomes: Vec<LeakOutcome>,
    /// The first report of each token that is not marked yet.
    marked: Vec<Marked<'a>>,
    revoked: Vec<Uuid>,
    events: Vec<Event>,
}

impl<'a> Changes<'a> {
    /// Decides about the reports of a part, in order: of two reports of a token, the second finds
    /// what the first has done.
    fn new(
        reports: impl Iterator<Item = &'a LeakReport>,
        mut states: States,
        rules: &Rules<'_>,
    ) -> Result<Self, StoreError> {
        let mut changes = Self::default();
        for report in reports {
            let state = states.get_mut(report.token.as_bytes().as_slice());
            let outcome = match state.filter(|state| state.proves(report)) {
                Some(state) => changes.add(report, state, rules)?,
                None => LeakOutcome::Unknown,
            };
            changes.outcomes.push(outcome);
        }
        Ok(changes)
    }

    fn add(
        &mut self,
        report: &'a LeakReport,
        state: &mut StateRow,
        rules: &Rules<'_>,
    ) -> Result<LeakOutcome, StoreError> {
        let outcome = state.outcome(rules.now);
        if state.leaked_at.is_none() {
            state.leaked_at = Some(rules.now);
            self.marked.push(Marked { mark: id::random()?, report });
            self.events.push(leak_event(rules.actor, report, name::LEAKED)?);
        }
        // An expired token is revoked too, because the clock may be wrong.
        if state.revoked_at.is_some() || rules.policy != OnLeak::Revoke {
            return Ok(outcome);
        }
        state.revoked_at = Some(rules.now);
        self.revoked.push(report.token);
        let event = leak_event(rules.actor, report, name::REVOKED)?;
        self.events.push(event.with("revoked_by", RevokedBy::Leak.word()));
        Ok(match outcome {
            LeakOutcome::Expired => LeakOutcome::Expired,
            _ => LeakOutcome::Revoked,
        })
    }
}

/// The rules for a report.
#[derive(Debug)]
struct Rules<'a> {
    now: i64,
    policy: OnLeak,
    actor: &'a Actor,
}

/// Fills rows up to one of [`SIZES`] with copies of the last.
fn padded<T>(rows: &[T]) -> impl Iterator<Item = &T> {
    let size = SIZES.into_iter().find(|&size| size >= rows.len()).unwrap_or(rows.len());
    rows.iter().chain(rows.last().into_iter().cycle()).take(size)
}

/// Reads the states of tokens with a pool, or with an open transaction, which locks them in the
/// order of their ids.
macro_rules! read_states {
    ($executor:expr, $ids:expr, $lock:expr) => {{
        let mut query = QueryBuilder::new(
            "SELECT id, digest, expires_at, revoked_at, leaked_at FROM tokens WHERE id IN (",
        );
        let mut ids = query.separated(", ");
        for id in padded($ids) {
            ids.push_bind(id.as_bytes().as_slice());
        }
        query.push(") ORDER BY id");
        if $lock == Some(Dialect::Postgres) {
            query.push(" FOR UPDATE");
        }
        let rows: Vec<StateRow> = query.build_query_as().fetch_all($executor).await?;
        rows.into_iter().map(|row| (row.id.clone(), row)).collect::<States>()
    }};
}

impl Store {
    /// Takes reports: marks each token that was issued here, revokes the live ones if the policy
    /// says so, and records each change with its event. Returns an outcome for each report.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the changes of earlier parts of a long report are
    /// kept, and reporting them again changes nothing.
    pub async fn report_leaks(
        &self,
        reports: &[LeakReport],
        policy: OnLeak,
        actor: &Actor,
    ) -> Result<Vec<LeakOutcome>, StoreError> {
        // Sorted by id, so that two replicas lock rows in the same order; reports of the same
        // token keep theirs.
        let mut order: Vec<usize> = (0..reports.len()).collect();
        order.sort_by_key(|&index| reports[index].token.as_bytes());
        let mut outcomes = vec![LeakOutcome::Unknown; reports.len()];
        for part in order.chunks(AT_ONCE) {
            let known = self.known(reports, part).await?;
            if known.is_empty() {
                continue;
            }
            let now = time::to_row(time::now());
            let changes = self.take(reports, &known, &Rules { now, policy, actor }).await?;
            for (&index, &outcome) in known.iter().zip(&changes.outcomes) {
                outcomes[index] = outcome;
            }
            if !changes.revoked.is_empty() {
                self.tell(&changes.revoked).await;
            }
        }
        Ok(outcomes)
    }

    /// Keeps of `part` the reports whose token was issued here.
    async fn known(
        &self,
        reports: &[LeakReport],
        part: &[usize],
    ) -> Result<Vec<usize>, StoreError> {
        let ids = ids(reports, part);
        let states = read!(self, |pool| read_states!(pool, &ids, None));
        let is_known = |&index: &usize| {
            let report = &reports[index];
            states.get(report.token.as_bytes().as_slice()).is_some_and(|state| state.proves(report))
        };
        Ok(part.iter().copied().filter(is_known).collect())
    }

    async fn take<'a>(
        &self,
        reports: &'a [LeakReport],
        known: &[usize],
        rules: &Rules<'_>,
    ) -> Result<Changes<'a>, StoreError> {
        let ids = ids(reports, known);
        let lock = Some(self.dialect());
        let changes = change!(self, |tx| {
            let states = read_states!(&mut *tx, &ids, lock);
            let known = known.iter().map(|&index| &reports[index]);
            let changes = Changes::new(known, states, rules)?;
            for marked in changes.marked.chunks(MARKED_AT_ONCE) {
                let mut query = QueryBuilder::new("WITH leaks (token, mark, source, url) AS (");
                query.push_values(padded(marked), |mut row, Marked { mark, report }| {
                    row.push_bind(report.token.as_bytes().as_slice())
                        .push_bind(mark.as_bytes().as_slice())
                        .push_bind(report.source.as_str())
                        .push_bind(report.url.as_str());
                });
                query.push(") UPDATE tokens SET leak_id = leaks.mark, leak_source = leaks.source, leak_url = leaks.url, leaked_at = ");
                query.push_bind(rules.now).push(" FROM leaks WHERE tokens.id = leaks.token");
                query.build().execute(&mut *tx).await?;
            }
            if !changes.revoked.is_empty() {
                let mut query = QueryBuilder::new("UPDATE tokens SET revoked_at = ");
                query.push_bind(rules.now).push(", revoked_by = ");
                query.push_bind(RevokedBy::Leak.word()).push(" WHERE id IN (");
                let mut ids = query.separated(", ");
                for id in padded(&changes.revoked) {
                    ids.push_bind(id.as_bytes().as_slice());
                }
                query.push(")");
                query.build().execute(&mut *tx).await?;
            }
            insert_events!(tx, &changes.events);
            changes
        });
        Ok(changes)
    }
}

/// The ids of sorted reports, each once.
fn ids(reports: &[LeakReport], part: &[usize]) -> Vec<Uuid> {
    let mut ids: Vec<_> = part.iter().map(|&index| reports[index].token).collect();
    ids.dedup();
    ids
}

fn leak_event(actor: &Actor, report: &LeakReport, name: &'static str) -> Result<Event, StoreError> {
    let event = actor.event(name, Some(report.token))?.with("leak_source", report.source.as_str());
    let places = [("leak_url", &report.url), ("leak_location", &report.location)];
    let known = places.into_iter().filter(|(_, place)| !place.is_empty());
    Ok(known.fold(event, |event, (key, place)| event.with(key, place.as_str())))
}
