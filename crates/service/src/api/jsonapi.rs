//! The documents of the token API, in the shapes of the recorded traffic.

use crate::id;
use crate::store::tokens::{NewToken, Token};
use ddpatrol_token::{Secret, Uuid};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The type of a token.
pub const TOKENS: &str = "personal_access_tokens";
/// The type of a leak's mark.
const LEAKED_KEYS: &str = "leaked_keys";

/// What a resource points at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identifier {
    /// The resource.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A relationship to a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnedBy {
    /// Whose the token is.
    pub data: Identifier,
}

/// A relationship to a leak's mark.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakInformation {
    /// The mark, or null if the token never leaked.
    #[schema(required)]
    pub data: Option<Identifier>,
}

/// What a token is related to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Relationships {
    /// The mark of its leak; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub leak_information: Option<LeakInformation>,
    /// Its owner.
    pub owned_by: OwnedBy,
}

/// What a token is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attributes {
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it ends.
    #[schema(format = "date-time")]
    pub expires_at: String,
    /// The whole token: only in the answer to its creation, and never again.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub key: Option<Secret>,
    /// When it was used last, or null; absent in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_used_at: Option<Option<String>>,
    /// When its name or scopes changed last, if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub modified_at: Option<String>,
    /// What it is called.
    pub name: String,
    /// The alias: its identifier in 22 base62 characters, the public part of the token.
    pub public_portion: String,
    /// What it may do.
    pub scopes: Vec<String>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resource {
    /// The identifier.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `personal_access_tokens`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it is.
    pub attributes: Attributes,
    /// What it is related to.
    pub relationships: Relationships,
}

/// The mark of a leak.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakedKey {
    /// The mark's own identifier.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `leaked_keys`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is known of it.
    pub attributes: LeakedKeyAttributes,
}

/// What is known of a leak.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakedKeyAttributes {
    /// When it was reported.
    #[schema(format = "date-time")]
    pub date: String,
    /// Who reported it.
    pub leak_source: String,
}

/// One token as an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenDocument {
    /// The token.
    pub data: Resource,
    /// The mark of its leak; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub included: Option<Vec<LeakedKey>>,
}

/// A page of tokens as an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensDocument {
    /// The tokens.
    pub data: Vec<Resource>,
    /// The marks of their leaks; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub included: Option<Vec<LeakedKey>>,
    /// How many there are.
    pub meta: Meta,
}

/// What is known of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    /// Of its pages.
    pub page: MetaPage,
}

/// What is known of a list's pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetaPage {
    /// How many tokens all pages have together.
    pub total_filtered_count: i64,
}

/// Whether an answer tells of leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// It does not.
    #[default]
    Nothing,
    /// It does: `include=leak_information`.
    LeakInformation,
}

fn expose<S: Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = key.as_ref().and_then(|key| std::str::from_utf8(key.expose()).ok());
    text.unwrap_or_default().serialize(serializer)
}

fn owned_by(owner: Uuid) -> OwnedBy {
    OwnedBy { data: Identifier { id: owner.to_string(), kind: "users" } }
}

/// Shows a token that was just made, with its key.
#[must_use]
pub fn created(token: NewToken, key: Secret) -> TokenDocument {
    let data = Resource {
        id: token.id.to_string(),
        kind: TOKENS,
        attributes: Attributes {
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.to_string(),
            key: Some(key),
            last_used_at: None,
            modified_at: None,
            name: token.name,
            public_portion: id::alias(token.id),
            scopes: token.scopes,
        },
        relationships: Relationships { leak_information: None, owned_by: owned_by(token.owner) },
    };
    TokenDocument { data, included: None }
}

fn resource(token: Token, include: Include) -> Resource {
    let time = |time: Timestamp| time.to_string();
    let mark = |leak: &crate::store::tokens::Leak| Identifier {
        id: leak.id.to_string(),
        kind: LEAKED_KEYS,
    };
    Resource {
        id: token.id.to_string(),
        kind: TOKENS,
        attributes: Attributes {
            created_at: time(token.created_at),
            expires_at: time(token.expires_at),
            key: None,
            last_used_at: Some(token.last_used_at.map(time)),
            modified_at: token.modified_at.map(time),
            name: token.name,
            public_portion: id::alias(token.id),
            scopes: token.scopes,
        },
        relationships: Relationships {
            leak_information: (include == Include::LeakInformation)
                .then(|| LeakInformation { data: token.leak.as_ref().map(mark) }),
            owned_by: owned_by(token.owner),
        },
    }
}

fn leaked_key(token: &Token) -> Option<LeakedKey> {
    let leak = token.leak.as_ref()?;
    Some(LeakedKey {
        id: leak.id.to_string(),
        kind: LEAKED_KEYS,
        attributes: LeakedKeyAttributes {
            date: leak.date.to_string(),
            leak_source: leak.source.clone(),
        },
    })
}

/// Shows a token.
#[must_use]
pub fn shown(token: Token, include: Include) -> TokenDocument {
    let included =
        (include == Include::LeakInformation).then(|| leaked_key(&token).into_iter().collect());
    TokenDocument { data: resource(token, include), included }
}

/// Shows a page of tokens.
#[must_use]
pub fn listed(tokens: Vec<Token>, total: i64, include: Include) -> TokensDocument {
    let included = (include == Include::LeakInformation)
        .then(|| tokens.iter().filter_map(leaked_key).collect());
    let data = tokens.into_iter().map(|token| resource(token, include)).collect();
    TokensDocument { data, included, meta: Meta { page: MetaPage { total_filtered_count: total } } }
}
