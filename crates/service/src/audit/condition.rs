//! Conditions on events, and their SQL as parts that both databases share. Does not parse queries.

use super::{method, name};
use ddpatrol_token::Uuid;

/// A condition on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventCondition {
    /// All conditions hold; every event if there is none.
    All(Vec<Self>),
    /// At least one condition holds.
    Any(Vec<Self>),
    /// The condition does not hold.
    Not(Box<Self>),
    /// A column equals a text.
    Text(TextColumn, String),
    /// A column matches a `LIKE` pattern, ignoring case.
    Like(TextColumn, String),
    /// A column equals an identifier.
    Id(IdColumn, Uuid),
    /// The status of the response compares in this way with a number.
    Status(Comparison, i64),
    /// The event was caused by a request with a token in a header.
    ByToken,
    /// The event's name, the user's address or name, or the token's name matches a `LIKE` pattern.
    Free(String),
}

/// A column with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextColumn {
    Name,
    AuthMethod,
    Action,
    Actor,
    Email,
    AssetType,
    Method,
    Path,
    Host,
    Status,
    UserAgent,
    Ip,
}

impl TextColumn {
    /// Returns the SQL before and after the alias of the table.
    const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Name => ("", ".name"),
            Self::AuthMethod => ("", ".auth_method"),
            Self::Action => ("", ".action"),
            Self::Actor => ("", ".actor"),
            Self::Email => ("", ".user_email"),
            Self::AssetType => ("", ".asset_type"),
            Self::Method => ("", ".method"),
            Self::Path => ("", ".path"),
            Self::Host => ("", ".host"),
            Self::Status => ("CAST(", ".status AS TEXT)"),
            Self::UserAgent => ("", ".user_agent"),
            Self::Ip => ("", ".ip"),
        }
    }
}

/// A column with an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdColumn {
    Asset,
    User,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl Comparison {
    const fn sql(self) -> &'static str {
        match self {
            Self::Less => ".status < ",
            Self::AtMost => ".status <= ",
            Self::Equal => ".status = ",
            Self::AtLeast => ".status >= ",
            Self::Greater => ".status > ",
        }
    }
}

/// A part of a condition's SQL.
#[derive(Clone, Debug)]
pub(crate) enum SqlPart<'a> {
    /// Literal SQL.
    Sql(&'static str),
    /// The alias of the table of events.
    Alias,
    /// A parameter.
    Text(&'a str),
    /// A parameter.
    Id(&'a Uuid),
    /// A parameter.
    Number(i64),
}

/// How the names of tokens are searched for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameSearch {
    /// Once, in all names: fast for many events.
    AllNames,
    /// By the token of each event: fast for few events, however many tokens there are.
    EachEvent,
}

impl EventCondition {
    /// Returns the SQL of the condition, an expression in parentheses.
    pub(crate) fn sql(&self, names: NameSearch) -> Vec<SqlPart<'_>> {
        let mut parts = Vec::new();
        self.push_sql(&mut parts, names);
        parts
    }

    fn push_sql<'a>(&'a self, parts: &mut Vec<SqlPart<'a>>, names: NameSearch) {
        use SqlPart::{Alias, Id, Number, Sql, Text};
        parts.push(Sql("("));
        match self {
            Self::All(all) => {
                push_joined(parts, all, Joint { empty: "1 = 1", with: " AND ", names });
            }
            Self::Any(any) => {
                push_joined(parts, any, Joint { empty: "1 = 0", with: " OR ", names });
            }
            Self::Not(inner) => {
                // A comparison with a missing value is null, and its negation must match.
                parts.push(Sql("NOT COALESCE("));
                inner.push_sql(parts, names);
                parts.push(Sql(", FALSE)"));
            }
            Self::Text(column, value) => {
                let (before, after) = column.sql();
                parts.extend([Sql(before), Alias, Sql(after), Sql(" = "), Text(value)]);
            }
            Self::Like(column, pattern) => {
                let (before, after) = column.sql();
                parts.extend([Sql("LOWER("), Sql(before), Alias, Sql(after), Sql(") LIKE ")]);
                parts.extend([Text(pattern), Sql(" ESCAPE '\\'")]);
            }
            Self::Id(column, id) => {
                let column = match column {
                    IdColumn::Asset => ".asset_id = ",
                    IdColumn::User => ".user_id = ",
                };
                parts.extend([Alias, Sql(column), Id(id)]);
            }
            Self::Status(comparison, number) => {
                parts.extend([Alias, Sql(comparison.sql()), Number(*number)]);
            }
            Self::ByToken => {
                parts.extend([Alias, Sql(".auth_method IN ("), Text(method::BEARER), Sql(", ")]);
                parts.extend([Text(method::APPLICATION_KEY), Sql(")")]);
            }
            Self::Free(pattern) => {
                let like = || [Text(pattern), Sql(" ESCAPE '\\'")];
                parts.extend([Sql("LOWER("), Alias, Sql(".name) LIKE ")]);
                parts.extend(like());
                parts.extend([Sql(" OR LOWER("), Alias, Sql(".user_email) LIKE ")]);
                parts.extend(like());
                match names {
                    NameSearch::AllNames => {
                        parts.extend([Sql(" OR "), Alias]);
                        parts
                            .push(Sql(".user_id IN (SELECT id FROM users WHERE LOWER(name) LIKE "));
                        parts.extend(like());
                        parts.extend([Sql(") OR "), Alias]);
                        parts.push(Sql(
                            ".asset_id IN (SELECT id FROM tokens WHERE folded_name LIKE ",
                        ));
                    }
                    NameSearch::EachEvent => {
                        parts.push(Sql(" OR EXISTS (SELECT 1 FROM users WHERE id = "));
                        parts.extend([Alias, Sql(".user_id AND LOWER(name) LIKE ")]);
                        parts.extend(like());
                        parts.push(Sql(") OR EXISTS (SELECT 1 FROM tokens WHERE id = "));
                        parts.extend([Alias, Sql(".asset_id AND folded_name LIKE ")]);
                    }
                }
                parts.extend(like());
                parts.push(Sql(")"));
            }
        }
        parts.push(Sql(")"));
    }

    /// Iterates over the conditions that every matching event fulfils.
    pub(super) fn required(&self) -> impl Iterator<Item = &Self> {
        match self {
            Self::All(all) => all.iter(),
            other => std::slice::from_ref(other).iter(),
        }
    }

    /// Returns the text that a column of every matching event equals.
    pub(super) fn required_text(&self, wanted: TextColumn) -> Option<&str> {
        self.required().find_map(|condition| match condition {
            Self::Text(column, value) if *column == wanted => Some(value.as_str()),
            _ => None,
        })
    }

    /// Returns the identifier that a column of every matching event equals.
    pub(super) fn required_id(&self, wanted: IdColumn) -> Option<Uuid> {
        self.required().find_map(|condition| match condition {
            Self::Id(column, id) if *column == wanted => Some(*id),
            _ => None,
        })
    }

    /// Returns `true` if no use of a live token can match, because of a required condition.
    pub(super) fn excludes_uses(&self) -> bool {
        /// Authentication methods without a live token.
        const OTHERS: [&str; 7] = [
            method::POSSESSION,
            method::GITHUB_SIGNATURE,
            method::COMMAND_LINE,
            method::SESSION,
            method::SIGN_IN_LINK,
            method::OPENID,
            method::SYSTEM,
        ];
        let text = |column| self.required_text(column);
        text(TextColumn::Name).is_some_and(|value| value != name::USED)
            || text(TextColumn::Action).is_some_and(|value| value != super::action(name::USED))
            || text(TextColumn::AuthMethod).is_some_and(|value| OTHERS.contains(&value))
            || self.required().any(|condition| match condition {
                Self::Not(inner) => {
                    matches!(&**inner, Self::Text(TextColumn::Name, value) if value == name::USED)
                }
                _ => false,
            })
    }

    /// Calls a function for each email address that a condition compares.
    pub(super) fn for_each_email(&mut self, change: &mut impl FnMut(&mut String)) {
        match self {
            Self::All(inner) | Self::Any(inner) => {
                inner.iter_mut().for_each(|condition| condition.for_each_email(change));
            }
            Self::Not(inner) => inner.for_each_email(change),
            Self::Text(TextColumn::Email, value) => change(value),
            _ => {}
        }
    }
}

/// The SQL between conditions, and instead of none.
struct Joint {
    empty: &'static str,
    with: &'static str,
    names: NameSearch,
}

fn push_joined<'a>(parts: &mut Vec<SqlPart<'a>>, conditions: &'a [EventCondition], joint: Joint) {
    for (index, condition) in conditions.iter().enumerate() {
        if index > 0 {
            parts.push(SqlPart::Sql(joint.with));
        }
        condition.push_sql(parts, joint.names);
    }
    if conditions.is_empty() {
        parts.push(SqlPart::Sql(joint.empty));
    }
}
