//! Lists of tokens: which, in which order, a page at a time.

use super::tokens::{COLUMNS, Token, TokenRow, fold};
use super::{Store, StoreError, read};
use crate::time;
use ddpatrol_token::Uuid;
use sqlx::QueryBuilder;

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The name, without regard to case.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it ends.
    ExpiresAt,
    /// When it was used last; never used comes first.
    LastUsedAt,
    /// When it was reported as leaked; never comes first.
    Leaked,
}

impl Order {
    const fn column(self) -> &'static str {
        match self {
            Self::Name => "folded_name",
            Self::CreatedAt => "created_at",
            Self::ExpiresAt => "expires_at",
            Self::LastUsedAt => "COALESCE(last_used_at, -1)",
            Self::Leaked => "COALESCE(leaked_at, -1)",
        }
    }
}

/// Which tokens to list, in which order.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Part of the name, without regard to case; or the whole id or alias.
    pub text: Option<String>,
    /// Whose; everybody's if empty.
    pub owners: Vec<Uuid>,
    /// Only those that leaked, revoked ones included.
    pub leaked: bool,
    /// The order.
    pub order: Order,
    /// Last first.
    pub descending: bool,
    /// How many at most.
    pub size: u32,
    /// How many to leave out before.
    pub offset: u64,
}

/// Adds a listing's conditions to a query that ends in `FROM tokens`.
macro_rules! push_conditions {
    ($query:ident, $listing:expr, $now:expr) => {
        if $listing.leaked {
            $query.push(" WHERE leaked_at IS NOT NULL");
        } else {
            $query.push(" WHERE revoked_at IS NULL AND expires_at > ").push_bind($now);
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

/// Makes the pattern of a text anywhere in a folded name.
fn pattern(text: &str) -> String {
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

impl Store {
    /// Lists a page of tokens, and counts all that the listing's conditions let through.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds a faulty row.
    pub async fn tokens(&self, listing: &Listing) -> Result<(Vec<Token>, i64), StoreError> {
        let now = time::to_row(time::now());
        let direction = if listing.descending { "DESC" } else { "ASC" };
        let (rows, count): (Vec<TokenRow>, i64) = read!(self, |pool| {
            let mut query = QueryBuilder::new(COLUMNS);
            push_conditions!(query, listing, now);
            let column = listing.order.column();
            query.push(format!(" ORDER BY {column} {direction}, id {direction} LIMIT "));
            query.push_bind(i64::from(listing.size)).push(" OFFSET ");
            query.push_bind(i64::try_from(listing.offset).unwrap_or(i64::MAX));
            let rows = query.build_query_as().fetch_all(pool).await?;
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM tokens");
            push_conditions!(query, listing, now);
            (rows, query.build_query_scalar().fetch_one(pool).await?)
        });
        let tokens = rows.into_iter().map(TokenRow::token).collect::<Result<_, _>>()?;
        Ok((tokens, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texts_wildcards_are_letters() {
        assert_eq!(pattern("A%b_\\"), "%a\\%b\\_\\\\%");
    }
}
