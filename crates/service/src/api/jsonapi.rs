//! The documents of the token API, in the format of the recorded Datadog traffic.

use crate::id;
use crate::store::tokens::{NewToken, Token};
use crate::token_kind::TokenKind;
use crate::tokens::Rotated;
use ddpatrol_token::{Secret, Uuid};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The type of a leak record.
const LEAKED_KEYS: &str = "leaked_keys";

/// A reference to a resource.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identifier {
    /// The identifier of the resource.
    #[schema(format = "uuid")]
    pub id: String,
    /// The type of the resource.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A relationship to a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnedBy {
    /// The owner of the token.
    pub data: Identifier,
}

/// A relationship to a leak record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakInformation {
    /// The leak record, or null if the token never leaked.
    #[schema(required)]
    pub data: Option<Identifier>,
}

/// A relationship to another token of a rotation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OtherToken {
    /// The other token.
    pub data: Identifier,
}

/// The relationships of a token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Relationships {
    /// The leak record; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub leak_information: Option<LeakInformation>,
    /// The owner.
    pub owned_by: OwnedBy,
    /// The token that replaced this one, if it was rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub replaced_by: Option<OtherToken>,
    /// The token that this one replaced; only in the response to the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub replaces: Option<OtherToken>,
}

/// The last use of a token.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum LastUsedAt {
    /// The member is absent.
    Omitted,
    /// The member is null.
    Never,
    /// The time.
    At(String),
}

impl LastUsedAt {
    fn is_omitted(&self) -> bool {
        matches!(self, Self::Omitted)
    }
}

/// The attributes of a token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attributes {
    /// The time of creation.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// The time of expiry; null if a token of a service account does not expire.
    #[schema(required, format = "date-time")]
    pub expires_at: Option<String>,
    /// The whole token; only in the response to its creation or to the rotation of its predecessor.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub key: Option<Secret>,
    /// The time of the last use, or null; absent in the response to the creation.
    #[serde(skip_serializing_if = "LastUsedAt::is_omitted")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_used_at: LastUsedAt,
    /// The time of the last change to the name or the scopes, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub modified_at: Option<String>,
    /// The name.
    pub name: String,
    /// The public part of the token: the identifier in 22 base62 characters, after `ddsat_` for a
    /// token of a service account.
    pub public_portion: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The state; only in lists with `filter[state]` or `filter[leaked]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^(live|expiring|expired|revoked|leaked)$")]
    pub state: Option<&'static str>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resource {
    /// The identifier.
    #[schema(format = "uuid")]
    pub id: String,
    /// `personal_access_tokens` or `service_access_tokens`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The attributes.
    pub attributes: Attributes,
    /// The relationships.
    pub relationships: Relationships,
}

/// A leak record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakedKey {
    /// The identifier of the record.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `leaked_keys`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The attributes.
    pub attributes: LeakedKeyAttributes,
}

/// The attributes of a leak record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeakedKeyAttributes {
    /// The time of the report.
    #[schema(format = "date-time")]
    pub date: String,
    /// The source of the report.
    pub leak_source: String,
}

/// A response with one token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenDocument {
    /// The token.
    pub data: Resource,
    /// The leak record; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub included: Option<Vec<LeakedKey>>,
}

/// A response with a page of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensDocument {
    /// The tokens.
    pub data: Vec<Resource>,
    /// The leak records; only with `include=leak_information`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub included: Option<Vec<LeakedKey>>,
    /// The size of the list.
    pub meta: Meta,
}

/// The size of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    /// The size of all pages.
    pub page: MetaPage,
}

/// The size of all pages of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetaPage {
    /// The number of tokens on all pages.
    pub total_filtered_count: i64,
}

/// The optional content of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// No optional content.
    #[default]
    Nothing,
    /// Leak records: `include=leak_information`.
    LeakInformation,
}

fn expose<S: Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = key.as_ref().and_then(|key| std::str::from_utf8(key.expose()).ok());
    text.unwrap_or_default().serialize(serializer)
}

fn owned_by(owner: Uuid, kind: TokenKind) -> OwnedBy {
    let kind = match kind {
        TokenKind::Personal => "users",
        TokenKind::ServiceAccount => "service_account",
    };
    OwnedBy { data: Identifier { id: owner.to_string(), kind } }
}

/// Returns the public part of a token, as recorded for each kind.
fn public_portion(id: Uuid, kind: TokenKind) -> String {
    match kind {
        TokenKind::Personal => id::alias(id),
        TokenKind::ServiceAccount => format!("{}{}", kind.prefix(), id::alias(id)),
    }
}

/// Returns the response for a new token, with its key.
#[must_use]
pub fn created_document(token: NewToken, key: Secret) -> TokenDocument {
    let data = Resource {
        id: token.id.to_string(),
        kind: token.kind.resource(),
        attributes: Attributes {
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.time().map(|time| time.to_string()),
            key: Some(key),
            last_used_at: LastUsedAt::Omitted,
            modified_at: None,
            name: token.name,
            public_portion: public_portion(token.id, token.kind),
            scopes: token.scopes,
            state: None,
        },
        relationships: Relationships {
            leak_information: None,
            owned_by: owned_by(token.owner, token.kind),
            replaced_by: None,
            replaces: None,
        },
    };
    TokenDocument { data, included: None }
}

/// Returns the response for a rotation: the new token, with its key.
#[must_use]
pub fn rotated_document(rotated: Rotated) -> TokenDocument {
    let Rotated { old, new } = rotated;
    let mut document = created_document(new.token, new.secret);
    document.data.relationships.replaces = Some(other_token(old.id, old.kind));
    document
}

fn other_token(id: Uuid, kind: TokenKind) -> OtherToken {
    OtherToken { data: Identifier { id: id.to_string(), kind: kind.resource() } }
}

fn resource(token: Token, include: Include) -> Resource {
    let time = |time: Timestamp| time.to_string();
    let record = |leak: &crate::store::tokens::Leak| Identifier {
        id: leak.id.to_string(),
        kind: LEAKED_KEYS,
    };
    Resource {
        id: token.id.to_string(),
        kind: token.kind.resource(),
        attributes: Attributes {
            created_at: time(token.created_at),
            expires_at: token.expires_at.time().map(time),
            key: None,
            last_used_at: token
                .last_used_at
                .map_or(LastUsedAt::Never, |at| LastUsedAt::At(time(at))),
            modified_at: token.modified_at.map(time),
            name: token.name,
            public_portion: public_portion(token.id, token.kind),
            scopes: token.scopes,
            state: None,
        },
        relationships: Relationships {
            leak_information: (include == Include::LeakInformation)
                .then(|| LeakInformation { data: token.leak.as_ref().map(record) }),
            owned_by: owned_by(token.owner, token.kind),
            replaced_by: token.replaced_by.map(|id| other_token(id, token.kind)),
            replaces: None,
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

/// Returns the response for a token.
#[must_use]
pub fn token_document(token: Token, include: Include) -> TokenDocument {
    let included =
        (include == Include::LeakInformation).then(|| leaked_key(&token).into_iter().collect());
    TokenDocument { data: resource(token, include), included }
}

/// Returns the response for a page of tokens.
#[must_use]
pub fn page_document(tokens: Vec<Token>, total: i64, include: Include) -> TokensDocument {
    let included = (include == Include::LeakInformation)
        .then(|| tokens.iter().filter_map(leaked_key).collect());
    let data = tokens.into_iter().map(|token| resource(token, include)).collect();
    TokensDocument { data, included, meta: Meta { page: MetaPage { total_filtered_count: total } } }
}
