//! Authentication: from the bytes that a caller presents to who it is, through a cache whose
//! entries live so briefly that a revocation on another replica holds within a second.

use crate::permission::Permissions;
use crate::store::credentials::Credential;
use crate::store::tokens::NewToken;
use crate::store::{Store, StoreError};
use crate::{audit, time};
use ddpatrol_token::datadog::{PERSONAL_PREFIX, access_token};
use ddpatrol_token::{Check, Format, FormatError, Uuid};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// What precedes a token in its digest, so that the digest equals no other hash of the token (a
/// scanner's fingerprint, GitHub's `token_hash`).
const DOMAIN: &[u8] = b"ddpatrold token digest 1\0";
/// How long an answer of the database is believed, from the moment it was asked. Together with
/// [`SLOWEST`] it bounds how long another replica's revocation can go unnoticed: a second.
const LIFETIME: Duration = Duration::from_millis(500);
/// An answer that took longer than this is asked for again: what it says may be as old as that.
const SLOWEST: Duration = Duration::from_millis(900);
/// How often the database is asked before the caller is told to come back.
const ATTEMPTS: u32 = 3;
/// The most tokens in one generation of the memory; two are kept.
const GENERATION: usize = 50_000;

/// Makes the digest of a token, the only trace of it that is kept.
///
/// A plain SHA-256 suffices, since the token itself holds 256 random bits.
#[must_use]
pub fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(token).finalize().into()
}

/// A token that proves itself: well-formed, with a correct checksum. Nobody has looked yet whether
/// it was issued.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    /// The identifier that its alias spells.
    pub id: Uuid,
    /// Its digest.
    pub digest: [u8; 32],
}

/// Reads presented tokens.
#[derive(Debug)]
pub struct Reader(Format);

impl Reader {
    /// Makes a reader of personal access tokens.
    ///
    /// # Errors
    /// [`FormatError`] if the built-in format is faulty.
    pub fn new() -> Result<Self, FormatError> {
        Ok(Self(access_token(PERSONAL_PREFIX)?))
    }

    /// Reads a token; `None` for what does not prove itself, which needs no database to refuse.
    #[must_use]
    pub fn read(&self, token: &[u8]) -> Option<Presented> {
        let Check::Proven { split, .. } = self.0.check(token) else { return None };
        let (id, _) = self.0.uuid(split, token)?;
        Some(Presented { id, digest: digest(token) })
    }
}

/// A credential as the cache remembers it.
#[derive(Debug)]
pub struct Entry {
    /// The token.
    pub id: Uuid,
    /// Its owner.
    pub user: audit::User,
    /// Their permissions, cut down to the token's scopes.
    pub permissions: Permissions,
    /// What the token may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    digest: [u8; 32],
    dead: bool,
    asked: Instant,
}

impl Entry {
    /// Returns `true` if the token was revoked or its owner disabled, whatever the time is.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.dead
    }
}

/// What is known of a presented token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is live.
    Live(Arc<Entry>),
    /// It was issued, and is revoked or expired, or its owner is disabled.
    Dead(Arc<Entry>),
    /// It was never issued here.
    Unknown,
}

/// Why a presented token could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database is too slow for its answers to be current.
    #[error("the database takes too long")]
    Slow,
}

/// The remembered state of a presented token.
#[derive(Clone, Debug)]
pub enum Recall {
    /// An answer of the database that is still current, or of a dead token is still believed.
    Current(Verdict),
    /// The token was live when the database was last asked.
    WasLive,
    /// The token was dead when the database was last asked, and it is time to ask again.
    WasDead(Arc<Entry>),
    /// Nothing.
    Nothing,
}

/// The answers of the database, in two generations: when the younger one is full, the older one is
/// dropped, so that neither memory nor the work for one answer grows.
#[derive(Debug, Default)]
struct Remembered {
    young: Generation,
    old: Generation,
    /// Counts what was forgotten, so that an answer that was asked for before is not remembered
    /// after.
    epoch: u64,
    /// When everything was forgotten.
    cleared: Option<Instant>,
}

type Generation = HashMap<[u8; 16], Slot>;

#[derive(Clone, Debug)]
struct Slot {
    entry: Arc<Entry>,
    /// Set when the token has changed: the entry says only what it was.
    outdated: bool,
    /// When a caller was last sent to the database about the token although it was dead.
    rechecked: Option<Instant>,
}

impl Slot {
    const fn new(entry: Arc<Entry>) -> Self {
        Self { entry, outdated: false, rechecked: None }
    }
}

impl Remembered {
    fn get(&self, id: Uuid) -> Option<&Slot> {
        self.young.get(id.as_bytes()).or_else(|| self.old.get(id.as_bytes()))
    }

    fn get_mut(&mut self, id: Uuid) -> Option<&mut Slot> {
        self.young.get_mut(id.as_bytes()).or_else(|| self.old.get_mut(id.as_bytes()))
    }

    fn is_current(&self, slot: &Slot) -> bool {
        let asked = slot.entry.asked;
        !slot.outdated && asked.elapsed() < LIFETIME && self.cleared.is_none_or(|at| at < asked)
    }

    /// Inserts an entry; returns what was dropped for it.
    fn insert(&mut self, slot: Slot) -> Generation {
        let mut dropped = Generation::new();
        if self.young.len() >= GENERATION {
            let young = std::mem::take(&mut self.young);
            dropped = std::mem::replace(&mut self.old, young);
        }
        self.young.insert(*slot.entry.id.as_bytes(), slot);
        dropped
    }

    /// Returns the entry of a token if it is current.
    fn current(&self, id: Uuid) -> Option<Arc<Entry>> {
        self.get(id).filter(|slot| self.is_current(slot)).map(|slot| Arc::clone(&slot.entry))
    }
}

/// Judges presented tokens.
#[derive(Debug)]
pub struct Authenticator {
    store: Store,
    remembered: Mutex<Remembered>,
}

impl Authenticator {
    /// Makes one that remembers nothing yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, remembered: Mutex::default() }
    }

    /// Judges a presented token.
    ///
    /// # Errors
    /// [`AuthError`] where the database fails or is too slow.
    pub async fn judge(&self, presented: Presented) -> Result<Verdict, AuthError> {
        let remembered = self.lock().current(presented.id);
        let entry = match remembered {
            Some(entry) => entry,
            None => match self.ask(presented.id).await? {
                Some(entry) => entry,
                None => return Ok(Verdict::Unknown),
            },
        };
        Ok(verdict(entry, &presented))
    }

    /// Judges again the token of a request that has waited since it was judged. Asks the database
    /// only if what is remembered is not current.
    ///
    /// # Errors
    /// [`AuthError`] where the database fails or is too slow.
    pub async fn judge_again(&self, entry: &Entry) -> Result<Verdict, AuthError> {
        self.judge(Presented { id: entry.id, digest: entry.digest }).await
    }

    /// Returns what is remembered of a presented token, without asking the database.
    #[must_use]
    pub fn recall(&self, presented: &Presented) -> Recall {
        let remembered = self.lock();
        let Some(slot) = remembered.get(presented.id) else { return Recall::Nothing };
        let (entry, current) = (Arc::clone(&slot.entry), remembered.is_current(slot));
        drop(remembered);
        match verdict(entry, presented) {
            verdict if current => Recall::Current(verdict),
            Verdict::Live(_) => Recall::WasLive,
            Verdict::Dead(entry) if self.recheck(presented.id) => Recall::WasDead(entry),
            dead @ Verdict::Dead(_) => Recall::Current(dead),
            Verdict::Unknown => Recall::Nothing,
        }
    }

    /// Returns `true` for one caller each half second. A token that died hardly ever comes back, so
    /// in between nobody else asks the database about it, however many requests show it at once.
    fn recheck(&self, id: Uuid) -> bool {
        let mut remembered = self.lock();
        let Some(slot) = remembered.get_mut(id) else { return true };
        let due = slot.rechecked.is_none_or(|at| at.elapsed() >= LIFETIME);
        if due {
            slot.rechecked = Some(Instant::now());
        }
        due
    }

    async fn ask(&self, id: Uuid) -> Result<Option<Arc<Entry>>, AuthError> {
        for _ in 0..ATTEMPTS {
            let epoch = self.lock().epoch;
            let asked = Instant::now();
            let answer = tokio::time::timeout(SLOWEST, self.store.credential(id)).await;
            let Ok(credential) = answer else { continue };
            let Some(credential) = credential? else { return Ok(None) };
            if asked.elapsed() >= SLOWEST {
                continue;
            }
            let entry = Arc::new(entry(id, credential, asked));
            self.remember(epoch, &entry);
            return Ok(Some(entry));
        }
        Err(AuthError::Slow)
    }

    fn remember(&self, epoch: u64, entry: &Arc<Entry>) {
        let mut remembered = self.lock();
        if remembered.epoch != epoch {
            return;
        }
        let dropped = remembered.insert(Slot::new(Arc::clone(entry)));
        // Freeing many entries takes a while; nobody waits for it.
        drop(remembered);
        drop(dropped);
    }

    /// Remembers that a token has just been created, as one that was live: the database is asked
    /// about it whatever limit its holder's address has reached.
    pub fn created(&self, token: &NewToken, owner: &Entry) {
        let entry = Arc::new(Entry {
            id: token.id,
            user: owner.user.clone(),
            permissions: owner.permissions,
            scopes: token.scopes.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            digest: token.digest,
            dead: false,
            asked: Instant::now(),
        });
        let mut remembered = self.lock();
        if remembered.get(token.id).is_none() {
            let dropped = remembered.insert(Slot { outdated: true, ..Slot::new(entry) });
            drop(remembered);
            drop(dropped);
        }
    }

    /// Forgets what a token may do, since it has just changed.
    pub fn forget(&self, id: Uuid) {
        let mut remembered = self.lock();
        let Remembered { young, old, epoch, .. } = &mut *remembered;
        *epoch += 1;
        for slot in [young, old].into_iter().filter_map(|slots| slots.get_mut(id.as_bytes())) {
            slot.outdated = true;
        }
    }

    /// Forgets what every token may do.
    pub fn forget_all(&self) {
        let mut remembered = self.lock();
        remembered.epoch += 1;
        remembered.cleared = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges a presented token by what the database says of its identifier.
fn verdict(entry: Arc<Entry>, presented: &Presented) -> Verdict {
    if !bool::from(entry.digest.ct_eq(&presented.digest)) {
        Verdict::Unknown
    } else if entry.dead || entry.expires_at <= time::now() {
        Verdict::Dead(entry)
    } else {
        Verdict::Live(entry)
    }
}

fn entry(id: Uuid, credential: Credential, asked: Instant) -> Entry {
    Entry {
        id,
        user: audit::User { id: credential.owner, email: credential.email.into() },
        permissions: credential.permissions,
        scopes: credential.scopes,
        created_at: credential.created_at,
        expires_at: credential.expires_at,
        digest: credential.digest,
        dead: credential.dead,
        asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_token::datadog::mint_personal_access_token;

    #[test]
    fn a_minted_token_is_read_and_one_with_a_wrong_checksum_is_not() {
        let reader = Reader::new().expect("the format is sound");
        let minted = mint_personal_access_token().expect("random bytes");
        let presented = reader.read(minted.token.expose()).expect("it proves itself");
        assert_eq!(presented.id, minted.id);
        let mut wrong = minted.token.expose().to_vec();
        let last = wrong.len() - 1;
        wrong[last] = if wrong[last] == b'0' { b'1' } else { b'0' };
        assert!(reader.read(&wrong).is_none());
        assert!(reader.read(b"").is_none());
    }

    #[test]
    fn a_digest_is_not_the_plain_hash_of_the_token() {
        let plain: [u8; 32] = Sha256::digest(b"ddpat_x").into();
        assert_ne!(digest(b"ddpat_x"), plain);
    }
}
