//! Authentication: resolves the bytes that a caller presents to the owner of a live token. Results
//! are cached so briefly that a revocation on another replica takes effect within a second.

use crate::expiry::Expiry;
use crate::lock::lock;
use crate::permission::Permissions;
use crate::store::credentials::Credential;
use crate::store::tokens::NewToken;
use crate::store::{Store, StoreError};
use crate::token_kind::TokenKind;
use crate::{audit, time};
use ddpatrol_token::datadog::access_token;
use ddpatrol_token::{Check, Format, FormatError, Uuid};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Domain separator that is hashed before a token, so that its digest differs from every other hash
/// of the token (a scanner's fingerprint, GitHub's `token_hash`).
const DOMAIN: &[u8] = b"ddpatrold token digest 1\0";
/// Maximum age of a cached database result, counted from the start of the query. Together with
/// [`MAX_QUERY_TIME`] it limits the delay of a revocation on another replica to one second.
const MAX_AGE: Duration = Duration::from_millis(500);
/// Maximum duration of a query. The result of a slower query is discarded, since it may be that
/// old.
const MAX_QUERY_TIME: Duration = Duration::from_millis(900);
/// Maximum number of queries for one token before the request fails.
const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of tokens in one generation of the cache, which holds two generations.
const MAX_GENERATION: usize = 50_000;

/// Computes the digest of a token. The token itself is never stored.
///
/// A plain SHA-256 suffices, since the token itself holds 256 random bits.
#[must_use]
pub fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(token).finalize().into()
}

/// A well-formed token with a correct checksum. The database has not confirmed yet that it was
/// issued.
#[derive(Clone, Copy, Debug)]
pub struct PresentedToken {
    /// The identifier that the alias encodes.
    pub id: Uuid,
    /// Its digest.
    pub digest: [u8; 32],
}

/// Parses presented tokens of every kind.
#[derive(Debug)]
pub struct TokenParser([Format; 2]);

impl TokenParser {
    /// Creates a parser.
    ///
    /// # Errors
    /// [`FormatError`] if the built-in format is invalid.
    pub fn new() -> Result<Self, FormatError> {
        let [personal, service_account] = TokenKind::ALL.map(|kind| access_token(kind.prefix()));
        Ok(Self([personal?, service_account?]))
    }

    /// Parses a token. Returns `None` if the token is malformed or its checksum is wrong; such a
    /// token is rejected without a query.
    #[must_use]
    pub fn parse(&self, token: &[u8]) -> Option<PresentedToken> {
        self.0.iter().find_map(|format| {
            let Check::Proven { split, .. } = format.check(token) else { return None };
            let (id, _) = format.uuid(split, token)?;
            Some(PresentedToken { id, digest: digest(token) })
        })
    }
}

/// A token in the cache, with its owner and permissions.
#[derive(Debug)]
pub struct CachedToken {
    /// The identifier.
    pub id: Uuid,
    /// The kind.
    pub kind: TokenKind,
    /// The owner.
    pub user: audit::UserRef,
    /// The owner's permissions, limited to the token's scopes.
    pub permissions: Permissions,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The expiry.
    pub expires_at: Expiry,
    digest: [u8; 32],
    dead: bool,
    queried_at: Instant,
}

impl CachedToken {
    /// Returns `true` if the token was revoked or its owner disabled. Expiry is not considered.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.dead
    }
}

/// The state of a presented token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The token is live.
    Live(Arc<CachedToken>),
    /// The token was issued and is revoked or expired, or its owner is disabled.
    Dead(Arc<CachedToken>),
    /// The token was never issued here.
    Unknown,
}

/// The reason why a presented token could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database is too slow for its results to be fresh.
    #[error("the database takes too long")]
    Slow,
}

/// The cached state of a presented token.
#[derive(Clone, Debug)]
pub enum CacheLookup {
    /// The cached state is fresh, or the token is dead and not due for another query.
    Fresh(Verdict),
    /// The token was live at the last query.
    StaleLive,
    /// The token was dead at the last query, and another query is due.
    StaleDead(Arc<CachedToken>),
    /// The token is not cached.
    Miss,
}

/// Query results in two generations. When the younger generation is full, the older one is dropped;
/// this limits both the memory and the work per insertion.
#[derive(Debug, Default)]
struct Cache {
    young: Generation,
    old: Generation,
    /// The number of invalidations. A query that started before an invalidation must not fill the
    /// cache after it.
    epoch: u64,
    /// The time of the last complete invalidation.
    cleared: Option<Instant>,
}

type Generation = HashMap<[u8; 16], Slot>;

#[derive(Clone, Debug)]
struct Slot {
    token: Arc<CachedToken>,
    /// Set when the token has changed since the query.
    outdated: bool,
    /// The time of the last query that was allowed although the token was dead.
    rechecked: Option<Instant>,
}

impl Slot {
    const fn new(token: Arc<CachedToken>) -> Self {
        Self { token, outdated: false, rechecked: None }
    }
}

impl Cache {
    fn get(&self, id: Uuid) -> Option<&Slot> {
        self.young.get(id.as_bytes()).or_else(|| self.old.get(id.as_bytes()))
    }

    fn get_mut(&mut self, id: Uuid) -> Option<&mut Slot> {
        self.young.get_mut(id.as_bytes()).or_else(|| self.old.get_mut(id.as_bytes()))
    }

    fn is_fresh(&self, slot: &Slot) -> bool {
        let queried_at = slot.token.queried_at;
        !slot.outdated
            && queried_at.elapsed() < MAX_AGE
            && self.cleared.is_none_or(|at| at < queried_at)
    }

    /// Inserts a token and returns the generation that was dropped, if any.
    fn insert(&mut self, slot: Slot) -> Generation {
        let mut dropped = Generation::new();
        if self.young.len() >= MAX_GENERATION {
            let young = std::mem::take(&mut self.young);
            dropped = std::mem::replace(&mut self.old, young);
        }
        self.young.insert(*slot.token.id.as_bytes(), slot);
        dropped
    }

    /// Returns a token if its cached state is fresh.
    fn fresh(&self, id: Uuid) -> Option<Arc<CachedToken>> {
        self.get(id).filter(|slot| self.is_fresh(slot)).map(|slot| Arc::clone(&slot.token))
    }
}

/// Verifies presented tokens.
#[derive(Debug)]
pub struct Authenticator {
    store: Store,
    cache: Mutex<Cache>,
}

impl Authenticator {
    /// Creates an authenticator with an empty cache.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, cache: Mutex::default() }
    }

    /// Verifies a presented token.
    ///
    /// # Errors
    /// [`AuthError`] if the database fails or is too slow.
    pub async fn verify(&self, presented: PresentedToken) -> Result<Verdict, AuthError> {
        let cached = self.lock().fresh(presented.id);
        let token = match cached.filter(|token| has_digest(token, &presented)) {
            Some(token) => token,
            None => match self.query(&presented).await? {
                Some(token) => token,
                None => return Ok(Verdict::Unknown),
            },
        };
        Ok(verdict(token, &presented))
    }

    /// Verifies the token of a request again after the request has waited. Queries the database
    /// only if the cached state is stale.
    ///
    /// # Errors
    /// [`AuthError`] if the database fails or is too slow.
    pub async fn reverify(&self, token: &CachedToken) -> Result<Verdict, AuthError> {
        self.verify(PresentedToken { id: token.id, digest: token.digest }).await
    }

    /// Returns the cached state of a presented token without a query.
    #[must_use]
    pub fn look_up_cache(&self, presented: &PresentedToken) -> CacheLookup {
        let cache = self.lock();
        let Some(slot) = cache.get(presented.id) else { return CacheLookup::Miss };
        let (token, fresh) = (Arc::clone(&slot.token), cache.is_fresh(slot));
        drop(cache);
        match verdict(token, presented) {
            // An identifier with another secret takes as long as an unknown identifier.
            Verdict::Unknown => CacheLookup::Miss,
            verdict if fresh => CacheLookup::Fresh(verdict),
            Verdict::Live(_) => CacheLookup::StaleLive,
            Verdict::Dead(token) if self.recheck(presented.id) => CacheLookup::StaleDead(token),
            dead @ Verdict::Dead(_) => CacheLookup::Fresh(dead),
        }
    }

    /// Returns `true` once per half second. A dead token hardly ever becomes live again, so the
    /// service queries it at this rate however many requests present it.
    fn recheck(&self, id: Uuid) -> bool {
        let mut cache = self.lock();
        let Some(slot) = cache.get_mut(id) else { return true };
        let due = slot.rechecked.is_none_or(|at| at.elapsed() >= MAX_AGE);
        if due {
            slot.rechecked = Some(Instant::now());
        }
        due
    }

    async fn query(
        &self,
        presented: &PresentedToken,
    ) -> Result<Option<Arc<CachedToken>>, AuthError> {
        let PresentedToken { id, digest } = *presented;
        for _ in 0..MAX_ATTEMPTS {
            let epoch = self.lock().epoch;
            let queried_at = Instant::now();
            let response =
                tokio::time::timeout(MAX_QUERY_TIME, self.store.credential(id, &digest)).await;
            let Ok(credential) = response else { continue };
            let Some(credential) = credential? else { return Ok(None) };
            if queried_at.elapsed() >= MAX_QUERY_TIME {
                continue;
            }
            let token = Arc::new(cached_token(id, credential, queried_at));
            self.insert(epoch, &token);
            return Ok(Some(token));
        }
        Err(AuthError::Slow)
    }

    fn insert(&self, epoch: u64, token: &Arc<CachedToken>) {
        let mut cache = self.lock();
        if cache.epoch != epoch {
            return;
        }
        let dropped = cache.insert(Slot::new(Arc::clone(token)));
        // Freeing many tokens takes a while, so it happens without the lock.
        drop(cache);
        drop(dropped);
    }

    /// Caches a new token as stale and live, so that the database is queried about it even if the
    /// address of its holder has reached its limit.
    pub fn created(&self, token: &NewToken, owner: audit::UserRef) {
        let token = Arc::new(CachedToken {
            id: token.id,
            kind: token.kind,
            user: owner,
            // Nothing is permitted before the query.
            permissions: Permissions::NONE,
            scopes: token.scopes.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            digest: token.digest,
            dead: false,
            queried_at: Instant::now(),
        });
        let mut cache = self.lock();
        if cache.get(token.id).is_none() {
            let dropped = cache.insert(Slot { outdated: true, ..Slot::new(token) });
            drop(cache);
            drop(dropped);
        }
    }

    /// Invalidates the cached state of a token that has changed.
    pub fn invalidate(&self, id: Uuid) {
        let mut cache = self.lock();
        let Cache { young, old, epoch, .. } = &mut *cache;
        *epoch += 1;
        for slot in [young, old].into_iter().filter_map(|slots| slots.get_mut(id.as_bytes())) {
            slot.outdated = true;
        }
    }

    /// Invalidates the cached state of every token.
    pub fn invalidate_all(&self) {
        let mut cache = self.lock();
        cache.epoch += 1;
        cache.cleared = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }
}

fn has_digest(token: &CachedToken, presented: &PresentedToken) -> bool {
    token.digest.ct_eq(&presented.digest).into()
}

/// Compares a presented token with the one in the database that has the same identifier.
fn verdict(token: Arc<CachedToken>, presented: &PresentedToken) -> Verdict {
    if !has_digest(&token, presented) {
        Verdict::Unknown
    } else if token.dead || token.expires_at.is_reached(time::now()) {
        Verdict::Dead(token)
    } else {
        Verdict::Live(token)
    }
}

fn cached_token(id: Uuid, credential: Credential, queried_at: Instant) -> CachedToken {
    CachedToken {
        id,
        kind: credential.kind,
        user: audit::UserRef { id: credential.owner, email: credential.email.into() },
        permissions: credential.permissions,
        scopes: credential.scopes,
        created_at: credential.created_at,
        expires_at: credential.expires_at,
        digest: credential.digest,
        dead: credential.dead,
        queried_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddpatrol_token::datadog::mint_access_token;

    #[test]
    fn a_minted_token_is_read_and_one_with_a_wrong_checksum_is_not() {
        let parser = TokenParser::new().expect("the built-in format is valid");
        for kind in TokenKind::ALL {
            let minted = mint_access_token(kind.prefix()).expect("random bytes");
            let presented = parser.parse(minted.token.expose()).expect("the token is valid");
            assert_eq!(presented.id, minted.id);
            let mut wrong = minted.token.expose().to_vec();
            let last = wrong.len() - 1;
            wrong[last] = if wrong[last] == b'0' { b'1' } else { b'0' };
            assert!(parser.parse(&wrong).is_none());
        }
        assert!(parser.parse(b"").is_none());
    }

    #[test]
    fn a_digest_is_not_the_plain_hash_of_the_token() {
        let plain: [u8; 32] = Sha256::digest(b"ddpat_x").into();
        assert_ne!(digest(b"ddpat_x"), plain);
    }
}
