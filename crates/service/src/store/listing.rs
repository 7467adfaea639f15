//! Lists of tokens: filtered, sorted, one page at a time.

use super::search::search;
use super::token_rows::{COLUMNS, Token, TokenRow, fold};
use super::{Dialect, Store, StoreError};
use crate::sort::Direction;
use crate::time;
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;
use jiff::SignedDuration;
use sqlx::QueryBuilder;

/// The sort key of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The name, ignoring case.
    Name,
    /// The time of creation.
    CreatedAt,
    /// The time of expiry.
    ExpiresAt,
    /// The time of the last use; tokens without a use come first.
    LastUsedAt,
    /// The time of the leak report; tokens without a report come first.
    Leaked,
}

impl Order {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Name => "folded_name",
            Self::CreatedAt => "created_at",
            Self::ExpiresAt => "expires_at",
            Self::LastUsedAt => "COALESCE(last_used_at, -1)",
            Self::Leaked => "COALESCE(leaked_at, -1)",
        }
    }
}

/// The states of the tokens of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// Neither revoked nor expired.
    #[default]
    Live,
    /// Live, and expiring within [`EXPIRING_WITHIN`].
    Expiring,
    /// Expired, and not revoked.
    Expired,
    /// Revoked.
    Revoked,
    /// Reported as leaked, whether live or not.
    Leaked,
    /// Any state.
    Any,
}

impl StateFilter {
    /// Every state that has a name.
    pub const NAMES: [&str; 5] = ["live", "expiring", "expired", "revoked", "leaked"];

    /// Finds a filter by the name of the state.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "live" => Self::Live,
            "expiring" => Self::Expiring,
            "expired" => Self::Expired,
            "revoked" => Self::Revoked,
            "leaked" => Self::Leaked,
            _ => return None,
        })
    }
}

/// Time before its expiry in which a token is expiring.
pub const EXPIRING_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Returns the name of a token's state. A live token that leaked is `leaked`.
#[must_use]
pub fn state_name(token: &Token) -> &'static str {
    let now = time::now();
    if token.revoked_at.is_some() {
        "revoked"
    } else if token.expires_at.is_reached(now) {
        "expired"
    } else if token.leak.is_some() {
        "leaked"
    } else if token.expires_at.time().is_some_and(|at| at.duration_since(now) <= EXPIRING_WITHIN) {
        "expiring"
    } else {
        "live"
    }
}

/// The criteria, the order and the page of a list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Part of the name, ignoring case; or the whole identifier or alias.
    pub text: Option<String>,
    /// The kind of the tokens; any if absent.
    pub kind: Option<TokenKind>,
    /// The owners; all users if empty.
    pub owners: Vec<Uuid>,
    /// The state.
    pub state: StateFilter,
    /// The sort key.
    pub order: Order,
    /// The direction of the order.
    pub direction: Direction,
    /// Maximum number of tokens.
    pub size: u32,
    /// Number of tokens to skip.
    pub offset: u64,
}

impl Listing {
    /// Returns the index hint for SQLite where the planner, without statistics, may select another
    /// index.
    pub(super) const fn hint(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => "",
            Dialect::Sqlite if !self.owners.is_empty() => " INDEXED BY tokens_by_owner",
            Dialect::Sqlite => match self.state {
                StateFilter::Leaked => " INDEXED BY tokens_leaked",
                StateFilter::Revoked | StateFilter::Any => "",
                // The index contains the names, and is smaller than the table.
                _ if self.text.is_some() => " INDEXED BY tokens_by_name",
                _ => "",
            },
        }
    }
}

/// Adds the tokens of a listing to a query, starting with `FROM`.
macro_rules! push_conditions {
    ($query:ident, $listing:expr, $now:expr, $dialect:expr) => {
        $query.push(" FROM tokens").push($listing.hint($dialect));
        match $listing.state {
            StateFilter::Any => $query.push(" WHERE 1 = 1"),
            StateFilter::Leaked => $query.push(" WHERE leaked_at IS NOT NULL"),
            StateFilter::Revoked => $query.push(" WHERE revoked_at IS NOT NULL"),
            StateFilter::Expired => {
                $query.push(" WHERE revoked_at IS NULL AND expires_at <= ").push_bind($now)
            }
            StateFilter::Live => {
                $query.push(" WHERE revoked_at IS NULL AND expires_at > ").push_bind($now)
            }
            StateFilter::Expiring => {
                let end = i64::try_from(EXPIRING_WITHIN.as_micros()).unwrap_or(0);
                $query.push(" WHERE revoked_at IS NULL AND expires_at > ").push_bind($now);
                $query.push(" AND expires_at <= ").push_bind($now + end)
            }
        };
        if let Some(kind) = $listing.kind {
            $query.push(" AND kind = ").push_bind(kind.to_row());
        }
        if let Some(text) = &$listing.text {
            $query.push(" AND (folded_name LIKE ").push_bind(pattern(text)).push(" ESCAPE '\\'");
            let id = Uuid::parse(text).or_else(|| Uuid::from_alias(text.as_bytes()));
            if let Some(id) = id {
                $query.push(" OR id = ").push_bind(id.as_bytes().to_vec());
            }
            $query.push(")");
        }
        if !$listing.owners.is_empty() {
            $query.push(" AND owner IN (");
            let mut owners = $query.separated(", ");
            for owner in &$listing.owners {
                owners.push_bind(owner.as_bytes().as_slice());
            }
            $query.push(")");
        }
    };
}

pub(super) use push_conditions as push_listing_conditions;

/// Adds the query for the page of a listing. The identifiers of the page are read from an index in
/// the order of the list, if there is one, so that a late page does not read the rows of earlier
/// pages.
macro_rules! push_page {
    ($query:ident, $listing:expr, $now:expr, $dialect:expr) => {{
        let listing: &Listing = $listing;
        let direction = listing.direction.sql();
        let order = format!(" ORDER BY {} {direction}, id {direction}", listing.order.column());
        $query.push(COLUMNS).push(" WHERE id IN (SELECT id");
        push_conditions!($query, listing, $now, $dialect);
        $query.push(&order).push(" LIMIT ").push_bind(i64::from(listing.size)).push(" OFFSET ");
        $query.push_bind(i64::try_from(listing.offset).unwrap_or(i64::MAX));
        $query.push(")").push(&order);
    }};
}

/// Returns the pattern for a text anywhere in a folded name.
pub(super) fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in fold(text).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct TokenPage {
    /// The tokens of the page.
    pub tokens: Vec<Token>,
    /// The number of tokens on all pages.
    pub total: i64,
}

impl Store {
    /// Returns a page of tokens, and the number of all tokens that match the listing.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn tokens(&self, listing: &Listing) -> Result<TokenPage, StoreError> {
        let now = time::to_row(time::now());
        let dialect = self.dialect();
        let (rows, total): (Vec<TokenRow>, i64) = search!(self, |connection| {
            let mut query = QueryBuilder::new("");
            push_page!(query, listing, now, dialect);
            let rows = query.build_query_as().fetch_all(&mut *connection).await?;
            let mut query = QueryBuilder::new("SELECT COUNT(*)");
            push_conditions!(query, listing, now, dialect);
            (rows, query.build_query_scalar().fetch_one(&mut *connection).await?)
        });
        let tokens = rows.into_iter().map(TokenRow::token).collect::<Result<_, _>>()?;
        Ok(TokenPage { tokens, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lists_in_an_indexed_order_or_of_an_owner_do_not_scan_the_table_on_sqlite() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", dir.path().join("unit.db").display());
        let store = Store::open(&url, crate::store::Missing::Create).await.expect("a new database");
        let Store::Sqlite(pools) = &store else { panic!("not SQLite") };
        let all = Listing {
            text: None,
            kind: Some(TokenKind::Personal),
            owners: Vec::new(),
            state: StateFilter::Live,
            order: Order::Name,
            direction: Direction::Ascending,
            size: 100,
            offset: 100_000,
        };
        let owners = vec![Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16])];
        let mut lists = vec![
            Listing { owners: owners.clone(), ..all.clone() },
            Listing { owners, text: Some("ci".to_owned()), ..all.clone() },
            Listing { state: StateFilter::Leaked, ..all.clone() },
            Listing { text: Some("ci".to_owned()), ..all.clone() },
        ];
        for order in [Order::Name, Order::CreatedAt, Order::ExpiresAt, Order::Leaked] {
            for direction in [Direction::Ascending, Direction::Descending] {
                lists.push(Listing { order, direction, ..all.clone() });
            }
        }
        for list in &lists {
            let mut query = QueryBuilder::new("EXPLAIN QUERY PLAN ");
            push_page!(query, list, 1_i64, Dialect::Sqlite);
            let rows: Vec<(i64, i64, i64, String)> =
                query.build_query_as().fetch_all(&pools.reader).await.expect("a plan");
            let steps: Vec<_> = rows.into_iter().map(|row| row.3).collect();
            let reads_table =
                |step: &String| step.starts_with("SCAN") && !step.contains("COVERING INDEX");
            assert!(!steps.iter().any(reads_table), "{list:?}: {steps:#?}");
        }
    }

    #[test]
    fn wildcards_in_a_text_are_literal() {
        assert_eq!(pattern("A%b_\\"), "%a\\%b\\_\\\\%");
    }
}
