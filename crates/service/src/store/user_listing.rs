//! Lists of users: filtered, one page at a time, by number or from the last user of another page.

use super::listing::pattern;
use super::search::search;
use super::users::{COLUMNS, User, UserRow};
use super::{Store, StoreError};
use crate::sort::Direction;
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;
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

/// The criteria of a list of users.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Part of the name or the email address, ignoring case.
    pub text: Option<String>,
    /// The state.
    pub state: Option<UserState>,
    /// The kind of tokens that the users have; any if absent.
    pub kind: Option<TokenKind>,
}

/// The criteria, the order and the page of a list of users.
#[derive(Clone, Debug)]
pub struct UserListing {
    /// The criteria.
    pub filter: UserFilter,
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

/// The position of a page in the list of users by email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPosition {
    /// The page that follows a user.
    After(Uuid),
    /// The page that precedes a user.
    Before(Uuid),
}

/// A page of the list of users by email address, which continues from the last user of another page:
/// a late page is as fast as the first one.
#[derive(Clone, Debug)]
pub struct UserSlice {
    /// The users, in order.
    pub users: Vec<User>,
    /// `true` if users precede the page.
    pub has_previous: bool,
    /// `true` if users follow the page.
    pub has_next: bool,
}

/// Adds the conditions of a filter to a query.
macro_rules! push_conditions {
    ($query:ident, $filter:expr) => {
        $query.push(match $filter.state {
            None => " WHERE 1 = 1",
            Some(UserState::Active) => " WHERE disabled_at IS NULL",
            Some(UserState::Disabled) => " WHERE disabled_at IS NOT NULL",
        });
        if let Some(kind) = $filter.kind {
            $query.push(" AND service_account = ").push_bind(kind.to_row());
        }
        if let Some(text) = &$filter.text {
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
            push_conditions!(query, listing.filter);
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
            push_conditions!(query, listing.filter);
            (rows, total, query.build_query_scalar().fetch_one(&mut *connection).await?)
        });
        let users = rows.into_iter().map(UserRow::user).collect::<Result<_, _>>()?;
        Ok(UserPage { users, total, filtered })
    }

    /// Returns a page of users by email address.
    ///
    /// # Errors
    /// [`StoreError::SearchTime`] if the search takes too long; another [`StoreError`] if the
    /// database fails or contains an invalid row.
    pub async fn user_slice(
        &self,
        filter: &UserFilter,
        position: Option<UserPosition>,
        size: u32,
    ) -> Result<UserSlice, StoreError> {
        let backward = matches!(position, Some(UserPosition::Before(_)));
        let (beyond, direction) = if backward {
            (" AND folded_email < ", Direction::Descending)
        } else {
            (" AND folded_email > ", Direction::Ascending)
        };
        let rows: Vec<UserRow> = search!(self, |connection| {
            let mut query = QueryBuilder::new(COLUMNS);
            push_conditions!(query, filter);
            if let Some(UserPosition::After(user) | UserPosition::Before(user)) = position {
                query.push(beyond).push("(SELECT folded_email FROM users WHERE id = ");
                query.push_bind(user.as_bytes().to_vec()).push(")");
            }
            query.push(" ORDER BY folded_email ").push(direction.sql());
            query.push(" LIMIT ").push_bind(i64::from(size) + 1);
            query.build_query_as().fetch_all(&mut *connection).await?
        });
        let mut users = rows.into_iter().map(UserRow::user).collect::<Result<Vec<_>, _>>()?;
        let more = users.len() > size as usize;
        users.truncate(size as usize);
        if backward {
            users.reverse();
        }
        let (has_previous, has_next) = match position {
            None => (false, more),
            Some(UserPosition::After(_)) => (true, more),
            Some(UserPosition::Before(_)) => (more, true),
        };
        Ok(UserSlice { users, has_previous, has_next })
    }
}
