//! Query parameters of the token API and the audit trail.

use super::error::ApiError;
use super::jsonapi::Include;
use crate::sort::Direction;
use crate::store::listing::{Listing, Order, StateFilter};
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;

/// Maximum number of tokens per page.
const MAX_PAGE: u32 = 100;
/// Default number of tokens per page.
const DEFAULT_PAGE: u32 = 10;
/// Maximum length of a text filter, in characters.
const MAX_TEXT: usize = 255;

/// The decoded parameters of a query.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query. Rejects unknown parameters that would narrow the result.
    ///
    /// # Errors
    /// [`ApiError`] 400 with the parameter.
    pub fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|_| {
                ApiError::bad_request(vec!["query: must be form-encoded UTF-8".to_owned()])
            })?;
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
            let name = crate::audit::clean(name);
            return Err(ApiError::bad_request(vec![format!(
                "{name}: must not contain NUL characters"
            )]));
        }
        let unknown = pairs.iter().find(|(name, _)| {
            (name.starts_with("filter") || name.starts_with("page"))
                && !known.contains(&name.as_str())
        });
        match unknown {
            Some((name, _)) => {
                let name = crate::audit::clean(name);
                let known = known.join(", ");
                Err(ApiError::bad_request(vec![format!(
                    "{name}: unknown parameter; expected one of {known}"
                )]))
            }
            None => Ok(Self(pairs)),
        }
    }

    /// Returns the value of a parameter; the last one if it occurs more than once.
    #[must_use]
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// Parses `include`.
    ///
    /// # Errors
    /// [`ApiError`] 400 if the value is not `leak_information`.
    pub fn include(&self) -> Result<Include, ApiError> {
        match self.get("include") {
            None | Some("") => Ok(Include::Nothing),
            Some("leak_information") => Ok(Include::LeakInformation),
            Some(_) => {
                Err(ApiError::bad_request(vec!["include: must be leak_information".to_owned()]))
            }
        }
    }
}

/// The parameters that narrow a list.
const LISTING: [&str; 6] =
    ["page[size]", "page[number]", "filter", "filter[owned_by]", "filter[leaked]", "filter[state]"];

/// The parameters of a list of tokens.
#[derive(Debug)]
pub struct ListQuery {
    /// The tokens to list.
    pub listing: Listing,
    /// The optional content of the response.
    pub include: Include,
    /// `true` if the response shows the state of each token.
    pub states: bool,
}

/// A sort key with its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sort {
    order: Order,
    direction: Direction,
}

/// The page of a list, and its text filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListPage<'a> {
    /// Maximum number of entries.
    pub(super) size: u32,
    /// Number of entries to skip.
    pub(super) offset: u64,
    /// The text filter.
    pub(super) text: Option<&'a str>,
}

/// Parses the parameters that every list has.
pub(super) fn page<'a>(query: &'a Query, max: u32, errors: &mut Vec<String>) -> ListPage<'a> {
    let size = match query.get("page[size]").map(str::parse) {
        None => DEFAULT_PAGE,
        Some(Ok(size)) if (1..=max).contains(&size) => size,
        Some(_) => {
            errors.push(format!("page[size]: must be a number from 1 to {max}"));
            DEFAULT_PAGE
        }
    };
    let number: u32 = query.get("page[number]").map_or(Ok(0), str::parse).unwrap_or_else(|_| {
        errors.push(format!(
            "page[number]: must be a number from 0, the first page, to {}",
            u32::MAX
        ));
        0
    });
    let text = query.get("filter").filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > MAX_TEXT) {
        errors.push(format!("filter: must have at most {MAX_TEXT} characters"));
    }
    ListPage { size, offset: u64::from(size) * u64::from(number), text }
}

/// Parses the parameters of a list of tokens.
///
/// # Errors
/// [`ApiError`] 400 with every invalid parameter and its allowed values.
pub fn listing(query: Option<&str>) -> Result<ListQuery, ApiError> {
    let query = Query::parse(query, &LISTING)?;
    let include = query.include()?;
    let mut errors = Vec::new();
    let page = page(&query, MAX_PAGE, &mut errors);
    let mut owners = Vec::new();
    for owner in query.all("filter[owned_by]") {
        match Uuid::parse(owner) {
            Some(owner) => owners.push(owner),
            None => errors.push("filter[owned_by]: must be a user's UUID".to_owned()),
        }
    }
    if owners.len() > MAX_PAGE as usize {
        errors.push(format!("filter[owned_by]: must occur at most {MAX_PAGE} times"));
    }
    let leaked = match query.get("filter[leaked]") {
        None | Some("false" | "False") => false,
        Some("true" | "True") => true,
        Some(_) => {
            errors.push("filter[leaked]: must be true or false".to_owned());
            false
        }
    };
    let named = query.get("filter[state]").filter(|name| !name.is_empty());
    let mut state = if leaked { StateFilter::Leaked } else { StateFilter::Live };
    if let Some(name) = named {
        match StateFilter::from_name(name) {
            Some(named) if leaked && named != StateFilter::Leaked => {
                errors.push("filter[state]: must be leaked with filter[leaked]=true".to_owned());
            }
            Some(named) => state = named,
            None => {
                let names = StateFilter::NAMES.join(", ");
                errors.push(format!("filter[state]: must be one of {names}"));
            }
        }
    }
    let Sort { order, direction } = sort(query.get("sort")).unwrap_or_else(|| {
        errors.push("sort: must be one of name, created_at, expires_at, last_used_at, leaked, optionally preceded by -".to_owned());
        Sort { order: Order::Name, direction: Direction::Ascending }
    });
    if !errors.is_empty() {
        return Err(ApiError::bad_request(errors));
    }
    let ListPage { size, offset, text } = page;
    let text = text.map(str::to_owned);
    let kind = Some(TokenKind::Personal);
    let listing = Listing { text, kind, owners, state, order, direction, size, offset };
    Ok(ListQuery { listing, include, states: leaked || named.is_some() })
}

fn sort(text: Option<&str>) -> Option<Sort> {
    let text = text.filter(|text| !text.is_empty()).unwrap_or("name");
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    let order = match name {
        "name" => Order::Name,
        "created_at" => Order::CreatedAt,
        "expires_at" => Order::ExpiresAt,
        "last_used_at" => Order::LastUsedAt,
        "leaked" => Order::Leaked,
        _ => return None,
    };
    Some(Sort { order, direction })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_may_be_encoded() {
        for query in ["page[size]=7&page[number]=2", "page%5Bsize%5D=7&page%5Bnumber%5D=2"] {
            let ListQuery { listing, .. } = listing(Some(query)).expect("the query is valid");
            assert_eq!((listing.size, listing.offset), (7, 14));
        }
    }

    #[test]
    fn an_unknown_filter_is_rejected_rather_than_ignored() {
        assert!(listing(Some("filter[owner]=x")).is_err());
        assert!(listing(Some("page=2")).is_err());
        assert!(listing(Some("trace=1")).is_ok());
    }

    #[test]
    fn a_sort_is_a_known_name_with_an_optional_minus() {
        let (order, direction) = (Order::Name, Direction::Ascending);
        assert_eq!(sort(None), Some(Sort { order, direction }));
        let (order, direction) = (Order::Leaked, Direction::Descending);
        assert_eq!(sort(Some("-leaked")), Some(Sort { order, direction }));
        assert_eq!(sort(Some("--name")), None);
        assert_eq!(sort(Some("id")), None);
    }
}
