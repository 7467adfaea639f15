//! Leak reports: tokens are marked, and by policy revoked, thousands in one report.

use super::audit::insert_events;
use super::tokens::RevokedBy;
use super::{Store, StoreError, change, read};
use crate::audit::{Actor, Event, name};
use crate::{id, time};
use ddpatrol_token::Uuid;
use subtle::ConstantTimeEq as _;

/// How many reports one transaction takes.
const AT_ONCE: usize = 500;

/// From how many revoked tokens on the other replicas are told to forget everything.
const TOLD_BY_NAME: usize = 16;

/// What happens to a live token that leaked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnLeak {
    /// It is revoked at once.
    #[default]
    Revoke,
    /// It is marked, and lives on.
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
    /// Where it stands there.
    pub location: String,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeakOutcome {
    /// The token was live, and is revoked now.
    Revoked,
    /// The token is marked, and lives on.
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
    digest: Vec<u8>,
    expires_at: i64,
    revoked_at: Option<i64>,
    leaked_at: Option<i64>,
}

impl StateRow {
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

impl Store {
    /// Takes reports: marks each token that was issued here, revokes the live ones if the policy
    /// says so, and records each change with its event. Returns an outcome for each report.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails; what was answered for earlier parts of a long report
    /// is kept, and reporting it again changes nothing.
    pub async fn report_leaks(
        &self,
        reports: &[LeakReport],
        policy: OnLeak,
        actor: &Actor,
    ) -> Result<Vec<LeakOutcome>, StoreError> {
        // Sorted by id, so that two replicas lock rows in the same order.
        let mut order: Vec<usize> = (0..reports.len()).collect();
        order.sort_unstable_by_key(|&index| reports[index].token.as_bytes());
        let mut outcomes = vec![LeakOutcome::Unknown; reports.len()];
        for part in order.chunks(AT_ONCE) {
            let known = self.known(reports, part).await?;
            if known.is_empty() {
                continue;
            }
            let taken = self.take(reports, &known, policy, actor).await?;
            let mut revoked = Vec::new();
            for (&index, &outcome) in known.iter().zip(&taken) {
                outcomes[index] = outcome;
                if outcome == LeakOutcome::Revoked {
                    revoked.push(reports[index].token);
                }
            }
            self.tell_all(&revoked).await;
        }
        Ok(outcomes)
    }

    /// Tells the other replicas of revoked tokens, by name while they are few.
    async fn tell_all(&self, revoked: &[Uuid]) {
        if revoked.len() > TOLD_BY_NAME {
            self.tell(None).await;
            return;
        }
        for &token in revoked {
            self.tell(Some(token)).await;
        }
    }

    /// Keeps of `part` the reports whose token was issued here.
    async fn known(
        &self,
        reports: &[LeakReport],
        part: &[usize],
    ) -> Result<Vec<usize>, StoreError> {
        let mut known = Vec::new();
        read!(self, |pool| {
            for &index in part {
                let report = &reports[index];
                let digest: Option<Vec<u8>> =
                    sqlx::query_scalar("SELECT digest FROM tokens WHERE id = $1")
                        .bind(report.token.as_bytes().as_slice())
                        .fetch_optional(pool)
                        .await?;
                if digest.is_some_and(|digest| bool::from(digest.ct_eq(&report.digest))) {
                    known.push(index);
                }
            }
        });
        Ok(known)
    }

    async fn take(
        &self,
        reports: &[LeakReport],
        known: &[usize],
        policy: OnLeak,
        actor: &Actor,
    ) -> Result<Vec<LeakOutcome>, StoreError> {
        let now = time::to_row(time::now());
        let outcomes = change!(self, |tx| {
            let mut outcomes = Vec::with_capacity(known.len());
            let mut events = Vec::new();
            for &index in known {
                let report = &reports[index];
                let token = report.token.as_bytes().as_slice();
                let state: StateRow = sqlx::query_as(
                    "SELECT digest, expires_at, revoked_at, leaked_at FROM tokens WHERE id = $1",
                )
                .bind(token)
                .fetch_one(&mut *tx)
                .await?;
                if !bool::from(state.digest.ct_eq(&report.digest)) {
                    outcomes.push(LeakOutcome::Unknown);
                    continue;
                }
                let mut outcome = state.outcome(now);
                if state.leaked_at.is_none() {
                    let mark = id::random()?;
                    let marked = sqlx::query("UPDATE tokens SET leak_id = $1, leaked_at = $2, leak_source = $3, leak_url = $4 WHERE id = $5 AND leaked_at IS NULL")
                        .bind(mark.as_bytes().as_slice())
                        .bind(now)
                        .bind(report.source.as_str())
                        .bind(report.url.as_str())
                        .bind(token)
                        .execute(&mut *tx)
                        .await?
                        .rows_affected()
                        == 1;
                    if marked {
                        events.push(leak_event(actor, report, name::LEAKED)?);
                    }
                }
                // An expired token too, because the clock may be wrong.
                if state.revoked_at.is_none() && policy == OnLeak::Revoke {
                    let revoked = sqlx::query("UPDATE tokens SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND revoked_at IS NULL")
                        .bind(now)
                        .bind(RevokedBy::Leak.word())
                        .bind(token)
                        .execute(&mut *tx)
                        .await?
                        .rows_affected()
                        == 1;
                    outcome = match outcome {
                        LeakOutcome::Expired => LeakOutcome::Expired,
                        _ if revoked => LeakOutcome::Revoked,
                        _ => LeakOutcome::AlreadyRevoked,
                    };
                    if revoked {
                        let event = leak_event(actor, report, name::REVOKED)?;
                        events.push(event.with("revoked_by", RevokedBy::Leak.word()));
                    }
                }
                outcomes.push(outcome);
            }
            insert_events!(tx, &events);
            outcomes
        });
        Ok(outcomes)
    }
}

fn leak_event(actor: &Actor, report: &LeakReport, name: &'static str) -> Result<Event, StoreError> {
    let event = actor.event(name, Some(report.token))?.with("leak_source", report.source.as_str());
    let places = [("leak_url", &report.url), ("leak_location", &report.location)];
    let known = places.into_iter().filter(|(_, place)| !place.is_empty());
    Ok(known.fold(event, |event, (key, place)| event.with(key, place.as_str())))
}
