//! Leak reports: records leaks of tokens and, by policy, revokes the tokens. Few statements process
//! thousands of tokens, so that a long report is fast on a remote database, too.

use super::events::insert_events;
use super::tokens::RevokedBy;
use super::{Dialect, Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::token_kind::TokenKind;
use crate::{id, time};
use ddpatrol_token::Uuid;
use sqlx::QueryBuilder;
use std::collections::HashMap;
use subtle::ConstantTimeEq as _;

/// Maximum number of reports per transaction.
const REPORTS_PER_TRANSACTION: usize = 500;
/// Maximum number of leaks recorded by one statement. With 500, SQLite would scan the whole table
/// of tokens.
const RECORDS_PER_STATEMENT: usize = 128;
/// Numbers of rows in a statement. There are few sizes, so that each statement is prepared only
/// once; missing rows are filled with copies of the last one.
const SIZES: [usize; 4] = [1, 16, 128, REPORTS_PER_TRANSACTION];

/// The policy for a live token that leaked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnLeak {
    /// Revoke the token.
    #[default]
    Revoke,
    /// Record the leak and leave the token live.
    Flag,
}

/// A report of one token, with proof that the reporter possesses it.
#[derive(Clone, Debug)]
pub struct LeakReport {
    /// The token.
    pub token: Uuid,
    /// The digest of the whole token.
    pub digest: [u8; 32],
    /// The reporter.
    pub source: String,
    /// The URL where the token was found.
    pub url: String,
    /// The location at that URL.
    pub location: String,
}

/// The result of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeakOutcome {
    /// The token was live and has been revoked.
    Revoked,
    /// The leak is recorded, and the token remains live.
    Flagged,
    /// The token was already revoked.
    AlreadyRevoked,
    /// The token was already expired.
    Expired,
    /// No such token was issued here.
    Unknown,
}

#[derive(sqlx::FromRow)]
struct StateRow {
    id: Vec<u8>,
    digest: Vec<u8>,
    kind: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    leaked_at: Option<i64>,
}

impl StateRow {
    fn matches(&self, report: &LeakReport) -> bool {
        self.digest.ct_eq(&report.digest).into()
    }

    /// Returns the outcome of a report that changes nothing.
    fn outcome(&self, now: i64) -> LeakOutcome {
        match self.revoked_at {
            // Rotated tokens are revoked at their expiry.
            Some(at) if self.expires_at >= at => LeakOutcome::AlreadyRevoked,
            None if self.expires_at > now => LeakOutcome::Flagged,
            Some(_) | None => LeakOutcome::Expired,
        }
    }
}

/// The tokens of a part of a report, by identifier.
type States = HashMap<Vec<u8>, StateRow>;

/// A leak to record.
#[derive(Debug)]
struct LeakRecord<'a> {
    /// The identifier of the leak.
    id: Uuid,
    report: &'a LeakReport,
}

/// The changes that a part of a report causes.
#[derive(Debug, Default)]
struct Changes<'a> {
    /// An outcome for each report of the part.
    outcomes: Vec<LeakOutcome>,
    /// The first report of each token without a recorded leak.
    records: Vec<LeakRecord<'a>>,
    revoked: Vec<Uuid>,
    events: Vec<Event>,
}

impl<'a> Changes<'a> {
    /// Determines the changes for the reports of a part, in order. A second report of a token takes
    /// the changes of the first into account.
    fn new(
        reports: impl Iterator<Item = &'a LeakReport>,
        mut states: States,
        context: &ReportContext<'_>,
    ) -> Result<Self, StoreError> {
        let mut changes = Self::default();
        for report in reports {
            let state = states.get_mut(report.token.as_bytes().as_slice());
            let outcome = match state.filter(|state| state.matches(report)) {
                Some(state) => changes.add(report, state, context)?,
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
        context: &ReportContext<'_>,
    ) -> Result<LeakOutcome, StoreError> {
        let outcome = state.outcome(context.now);
        let kind = TokenKind::from_row(state.kind);
        if state.leaked_at.is_none() {
            state.leaked_at = Some(context.now);
            self.records.push(LeakRecord { id: id::random()?, report });
            self.events.push(leak_event(context.actor, report, name::LEAKED)?.of(kind));
        }
        // An expired token is also revoked, because the clock may be wrong.
        if state.revoked_at.is_some() || context.policy != OnLeak::Revoke {
            return Ok(outcome);
        }
        state.revoked_at = Some(context.now);
        self.revoked.push(report.token);
        let event = leak_event(context.actor, report, name::REVOKED)?.of(kind);
        self.events.push(event.with("revoked_by", RevokedBy::Leak.as_str()));
        Ok(match outcome {
            LeakOutcome::Expired => LeakOutcome::Expired,
            _ => LeakOutcome::Revoked,
        })
    }
}

/// The parameters of a report.
#[derive(Debug)]
struct ReportContext<'a> {
    now: i64,
    policy: OnLeak,
    actor: &'a Actor,
}

/// Pads rows to one of [`SIZES`] with copies of the last one.
fn padded<T>(rows: &[T]) -> impl Iterator<Item = &T> {
    let size = SIZES.into_iter().find(|&size| size >= rows.len()).unwrap_or(rows.len());
    rows.iter().chain(rows.last().into_iter().cycle()).take(size)
}

/// Reads the states of tokens in an open transaction, which locks them in the order of their
/// identifiers.
macro_rules! read_states {
    ($executor:expr, $ids:expr, $dialect:expr) => {{
        let mut query = QueryBuilder::new(
            "SELECT id, digest, kind, expires_at, revoked_at, leaked_at FROM tokens WHERE id IN (",
        );
        let mut ids = query.separated(", ");
        for id in padded($ids) {
            ids.push_bind(id.as_bytes().as_slice());
        }
        query.push(") ORDER BY id");
        if $dialect == Dialect::Postgres {
            query.push(" FOR UPDATE");
        }
        let rows: Vec<StateRow> = query.build_query_as().fetch_all($executor).await?;
        rows.into_iter().map(|row| (row.id.clone(), row)).collect::<States>()
    }};
}

impl Store {
    /// Records reports: records the leak of each token that was issued here, revokes the live
    /// tokens if the policy requires it, and writes an event for each change. Returns an outcome
    /// for each report.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails. The changes of earlier parts of a long report remain;
    /// reporting them again changes nothing.
    pub async fn report_leaks(
        &self,
        reports: &[LeakReport],
        policy: OnLeak,
        actor: &Actor,
    ) -> Result<Vec<LeakOutcome>, StoreError> {
        // Sorted by identifier, so that all replicas lock rows in the same order. Reports of the
        // same token keep their order.
        let mut order: Vec<usize> = (0..reports.len()).collect();
        order.sort_by_key(|&index| reports[index].token.as_bytes());
        let mut outcomes = vec![LeakOutcome::Unknown; reports.len()];
        for part in order.chunks(REPORTS_PER_TRANSACTION) {
            let known = self.known(reports, part).await?;
            if known.is_empty() {
                continue;
            }
            let now = time::to_row(time::now());
            let changes =
                self.apply(reports, &known, &ReportContext { now, policy, actor }).await?;
            for (&index, &outcome) in known.iter().zip(&changes.outcomes) {
                outcomes[index] = outcome;
            }
            if !changes.revoked.is_empty() {
                self.notify_replicas(&changes.revoked).await;
            }
        }
        Ok(outcomes)
    }

    /// Returns the reports of `part` whose token was issued here. The database compares the digests,
    /// so that reports of known and of unknown identifiers take equally long.
    async fn known(
        &self,
        reports: &[LeakReport],
        part: &[usize],
    ) -> Result<Vec<usize>, StoreError> {
        let issued: HashMap<Vec<u8>, Vec<u8>> = read!(self, |pool| {
            let mut query = QueryBuilder::new("SELECT id, digest FROM tokens WHERE id IN (");
            let mut ids = query.separated(", ");
            for &index in padded(part) {
                ids.push_bind(reports[index].token.as_bytes().as_slice());
            }
            query.push(") AND digest IN (");
            let mut digests = query.separated(", ");
            for &index in padded(part) {
                digests.push_bind(reports[index].digest.as_slice());
            }
            query.push(")");
            query.build_query_as().fetch_all(pool).await?.into_iter().collect()
        });
        let is_known = |&index: &usize| {
            let report = &reports[index];
            let digest = issued.get(report.token.as_bytes().as_slice());
            digest.is_some_and(|digest| digest.ct_eq(report.digest.as_slice()).into())
        };
        Ok(part.iter().copied().filter(is_known).collect())
    }

    async fn apply<'a>(
        &self,
        reports: &'a [LeakReport],
        known: &[usize],
        context: &ReportContext<'_>,
    ) -> Result<Changes<'a>, StoreError> {
        let ids = ids(reports, known);
        let dialect = self.dialect();
        let changes = change!(self, |tx| {
            let states = read_states!(&mut *tx, &ids, dialect);
            let known = known.iter().map(|&index| &reports[index]);
            let changes = Changes::new(known, states, context)?;
            for records in changes.records.chunks(RECORDS_PER_STATEMENT) {
                let mut query = QueryBuilder::new("WITH leaks (token, mark, source, url) AS (");
                query.push_values(padded(records), |mut row, LeakRecord { id, report }| {
                    row.push_bind(report.token.as_bytes().as_slice())
                        .push_bind(id.as_bytes().as_slice())
                        .push_bind(report.source.as_str())
                        .push_bind(report.url.as_str());
                });
                query.push(") UPDATE tokens SET leak_id = leaks.mark, leak_source = leaks.source, leak_url = leaks.url, leaked_at = ");
                query.push_bind(context.now).push(" FROM leaks WHERE tokens.id = leaks.token");
                query.build().execute(&mut *tx).await?;
            }
            if !changes.revoked.is_empty() {
                let mut query = QueryBuilder::new("UPDATE tokens SET revoked_at = ");
                query.push_bind(context.now).push(", revoked_by = ");
                query.push_bind(RevokedBy::Leak.as_str()).push(" WHERE id IN (");
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

/// Returns the distinct identifiers of sorted reports.
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
