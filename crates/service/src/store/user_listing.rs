//! Lists of users: filtered, sorted, one page at a time.

use super::listing::pattern;
use super::search::search;
use super::users::{COLUMNS, User, UserRow};
use super::{Store, StoreError};
use crate::sort::Direction;
use crate::token_kind::TokenKind;
use sqlx::QueryBuilder;

/// The sort key of a list of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserOrder {
    /// The name, ignoring case.
    Name,
    /// The email address.
    Email,
    /// The time of creation.
    CreatedAt,
}

impl UserOrder {
    const fn column(self) -> &'static str {
        match self {
            Self::Name => "LOWER(name)",
            Self::Email => "folded_email",
            Self::CreatedAt => "created_at",
        }
    }
}

/// The state of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// The user's tokens are accepted.
    Active,
    /// The user's tokens are rejected.
    Disabled,
}

/// The criteria, the order and the page of a list of users.
#[derive(Clone, Debug)]
pub struct UserListing {
    /// Part of the name or the email address, ignoring case.
    pub text: Option<String>,
    /// The state.
    pub state: Option<UserState>,
    /// The kind of tokens that the users have; any if absent.
    pub kind: Option<TokenKind>,
    /// The sort key.
    pub order: UserOrder,
    /// The direction of the order.
    pub direction: Direction,
    /// Maximum number of users.
    pub size: u32,
    /// Number of users to skip.
    pub offset: u64,
}

/// A page of a list of users.
#[derive(Clone, Debug)]
pub struct UserPage {
    /// The users of the page.
    pub users: Vec<User>,
    /// The number of all users.
    pub total: i64,
    /// The number of users that match the listing.
    pub filtered: i64,
}

/// Adds the conditions of a listing to a query.
macro_rules! push_conditions {
    ($query:ident, $listing:expr) => {
        $query.push(match $listing.state {
            None => " WHERE 1 = 1",
            Some(UserState::Active) => " WHERE disabled_at IS NULL",
            Some(UserState::Disabled) => " WHERE disabled_at IS NOT NULL",
        });
        if let Some(kind) = $listing.kind {
            $query.push(" AND service_account = ").push_bind(kind.to_row());
        }
        if let Some(text) = &$listing.text {
            let pattern = pattern(text);
            $query.push(" AND (folded_email LIKE ").push_bind(pattern.clone());
            $query.push(" ESCAPE '\\' OR LOWER(name) LIKE ").push_bind(pattern);
            $query.push(" ESCAPE '\\')");
        }
    };
}

impl Store {
    /// Returns a page of users, the number of all users, and of those that match the listing.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn user_page(&self, listing: &UserListing) -> Result<UserPage, StoreError> {
        let direction = listing.direction.sql();
        let (rows, total, filtered): (Vec<UserRow>, i64, i64) = search!(self, |connection| {
            let mut query = QueryBuilder::new(COLUMNS);
            push_conditions!(query, listing);
            query.push(format!(
                " ORDER BY {} {direction}, id {direction} LIMIT ",
                listing.order.column()
            ));
            query.push_bind(i64::from(listing.size)).push(" OFFSET ");
            query.push_bind(i64::try_from(listing.offset).unwrap_or(i64::MAX));
            let rows = query.build_query_as().fetch_all(&mut *connection).await?;
            let total = sqlx::query_scalar("SELECT COUNT(*) FROM users")
                .fetch_one(&mut *connection)
                .await?;
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM users");
            push_conditions!(query, listing);
            (rows, total, query.build_query_scalar().fetch_one(&mut *connection).await?)
        });
        let users = rows.into_iter().map(UserRow::user).collect::<Result<_, _>>()?;
        Ok(UserPage { users, total, filtered })
    }
}
