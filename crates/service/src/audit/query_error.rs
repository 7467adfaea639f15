//! Errors in queries of the audit trail, with the unsupported part, in which tokens are masked.

/// The fields that a query can use.
const FIELDS: &str = "@evt.name, @evt.actor.type, @auth_method, @action, @asset.id, @asset.type, @usr.id, @usr.email, @http.method, @http.status_code, @http.useragent, @http.url_details.path, @http.url_details.host, @network.client.ip";
/// Maximum number of conditions in a query.
pub(super) const MAX_TERMS: usize = 64;
/// Maximum depth of parentheses.
pub(super) const MAX_DEPTH: usize = 16;

/// A query is invalid or not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parenthesis was never opened.
    #[error("unexpected `)`")]
    Unopened,
    /// A parenthesis is never closed.
    #[error("a parenthesis is not closed")]
    Unclosed,
    /// A quotation mark is never closed.
    #[error("a quotation mark is not closed")]
    UnclosedQuote,
    /// A side of `OR` or `AND` is missing.
    #[error("`{0}` needs a condition on both sides")]
    OneSided(&'static str),
    /// It has too many conditions.
    #[error("must have at most {MAX_TERMS} conditions")]
    TooManyTerms,
    /// Groups are nested too deeply.
    #[error("must have at most {MAX_DEPTH} nested groups")]
    TooDeep,
    /// A condition is missing, for example after `NOT`.
    #[error("a condition is missing")]
    NoCondition,
    /// A group has no condition.
    #[error("parentheses must contain a condition")]
    EmptyGroup,
    /// A field has no value.
    #[error("`{0}` has no value")]
    NoValue(String),
    /// A word that looks like a field has no value.
    #[error("`{0}` has no value; expected @FIELD:VALUE")]
    FieldOnly(String),
    /// The field is not supported.
    #[error("unsupported field `{0}`; expected one of {FIELDS}")]
    Field(String),
    /// The value is a range or a comparison.
    #[error(
        "unsupported comparison in `{field}:{value}`; expected a value, or a prefix followed by *"
    )]
    Comparison {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// The value is no identifier.
    #[error("`{field}:{value}` is not supported; expected a whole UUID")]
    Identifier {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// The value is no address.
    #[error("`{field}:{value}` is not supported; expected an address, or a part of one with *")]
    Address {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// The value is no status.
    #[error(
        "`@http.status_code:{0}` is not supported; expected a status, such as 403, 4* or >=400"
    )]
    Status(String),
    /// The text is a token, which is never stored.
    #[error("must not contain an access token; use @asset.id with its UUID or alias")]
    Token,
    /// The text starts with an operator of another query language.
    #[error("unsupported operator in `{0}`; put the text into quotes to search for it")]
    Operator(String),
    /// The text is empty.
    #[error("a text must not be empty")]
    EmptyText,
}
