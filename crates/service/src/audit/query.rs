//! Parses the supported subset of Datadog's search syntax. Everything else is rejected by name, so
//! that no search silently finds nothing.

use super::clean;
use super::condition::{Comparison, EventCondition, IdColumn, TextColumn};
use super::lexeme::{Lexeme, Word, lex};
use super::query_error::{MAX_DEPTH, MAX_TERMS, QueryError};
use crate::redact::holds_token;
use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// The value of `@auth_method` for both ways to present a token.
const PERSONAL_ACCESS_TOKEN: &str = "personal_access_token";
/// Characters that start an operator of other query languages or of other kinds of searches. A text
/// that starts with one must be in quotes.
const OPERATORS: [char; 11] = ['!', '+', '#', '<', '>', '=', '[', '{', '/', '~', '^'];

/// Parses a query.
///
/// # Errors
/// The problem, with the unsupported part.
pub(super) fn parse(query: &str) -> Result<EventCondition, QueryError> {
    let mut parser = Parser { lexemes: lex(query)?, at: 0, terms: 0, depth: 0 };
    let condition = parser.alternatives(None)?;
    match parser.next() {
        None => Ok(condition.unwrap_or(EventCondition::All(Vec::new()))),
        Some(_) => Err(QueryError::Unopened),
    }
}

struct Parser {
    lexemes: Vec<Lexeme>,
    at: usize,
    terms: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.at)
    }

    fn next(&mut self) -> Option<Lexeme> {
        let next = self.peek().cloned();
        self.at += 1;
        next
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Lexeme::Word(word)) if word.text == keyword && word.literal_from.is_none())
    }

    /// Parses conditions separated by `OR`; returns `None` if there is none. The terms of a group
    /// after `@field:` have no field of their own.
    fn alternatives(&mut self, field: Option<&str>) -> Result<Option<EventCondition>, QueryError> {
        let first = self.conjunction(field)?;
        if !self.is_keyword("OR") {
            return Ok(first);
        }
        let operand = |condition: Option<_>| condition.ok_or(QueryError::OneSided("OR"));
        let mut any = vec![operand(first)?];
        while self.is_keyword("OR") {
            self.at += 1;
            any.push(operand(self.conjunction(field)?)?);
        }
        Ok(Some(EventCondition::Any(any)))
    }

    /// Parses conditions that must all hold; returns `None` if there is none.
    fn conjunction(&mut self, field: Option<&str>) -> Result<Option<EventCondition>, QueryError> {
        let (start, mut all) = (self.at, Vec::new());
        while !self.is_end_of_conjunction() {
            if self.is_keyword("AND") {
                let is_first = self.at == start;
                self.at += 1;
                if is_first || self.is_end_of_conjunction() || self.is_keyword("AND") {
                    return Err(QueryError::OneSided("AND"));
                }
            }
            match self.term(field)? {
                EventCondition::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        let whole = if all.len() == 1 { all.remove(0) } else { EventCondition::All(all) };
        Ok((self.at > start).then_some(whole))
    }

    fn is_end_of_conjunction(&self) -> bool {
        matches!(self.peek(), None | Some(Lexeme::Close)) || self.is_keyword("OR")
    }

    fn term(&mut self, field: Option<&str>) -> Result<EventCondition, QueryError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(QueryError::TooManyTerms);
        }
        let negated = self.is_keyword("NOT");
        match self.next() {
            Some(Lexeme::Word(_)) if negated => self.negated(field),
            Some(Lexeme::Minus) => self.negated(field),
            Some(Lexeme::Open) => self.group(field),
            Some(Lexeme::Word(word)) => self.word(&word, field),
            Some(Lexeme::Close) | None => Err(QueryError::NoCondition),
        }
    }

    fn negated(&mut self, field: Option<&str>) -> Result<EventCondition, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::TooDeep);
        }
        let inner = self.term(field)?;
        self.depth -= 1;
        Ok(EventCondition::Not(Box::new(inner)))
    }

    fn group(&mut self, field: Option<&str>) -> Result<EventCondition, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::TooDeep);
        }
        let inner = self.alternatives(field)?;
        self.depth -= 1;
        match self.next() {
            Some(Lexeme::Close) => inner.ok_or(QueryError::EmptyGroup),
            _ => Err(QueryError::Unclosed),
        }
    }

    fn word(&mut self, word: &Word, field: Option<&str>) -> Result<EventCondition, QueryError> {
        if let Some(field) = field {
            return condition(field, word);
        }
        let colon =
            word.text.find(':').filter(|&at| word.literal_from.is_none_or(|from| at < from));
        let Some(colon) = colon else { return free_text(word) };
        let (field, value) = (&word.text[..colon], &word.text[colon + 1..]);
        if value.is_empty() && word.literal_from.is_none() {
            if self.peek() == Some(&Lexeme::Open) {
                // The field is checked even if the group has no terms.
                self.at += 1;
                return self.group(Some(field));
            }
            return Err(QueryError::NoValue(clean(&word.text)));
        }
        let literal_from = word.literal_from.map(|from| from - colon - 1);
        condition(field, &Word { text: value.to_owned(), literal_from })
    }
}

/// Returns the condition `field:value`.
fn condition(field: &str, value: &Word) -> Result<EventCondition, QueryError> {
    let column = match field {
        "@evt.name" => TextColumn::Name,
        "@evt.actor.type" => TextColumn::Actor,
        "@auth_method" => {
            return Ok(auth_method(value, text(field, value, TextColumn::AuthMethod)?));
        }
        "@action" => TextColumn::Action,
        "@asset.type" => TextColumn::AssetType,
        "@usr.email" => TextColumn::Email,
        "@http.method" => TextColumn::Method,
        "@http.useragent" => TextColumn::UserAgent,
        "@http.url_details.path" => TextColumn::Path,
        "@http.url_details.host" => TextColumn::Host,
        "@network.client.ip" => TextColumn::Ip,
        "@http.status_code" => return status(value),
        "@asset.id" => return identifier(field, value, IdColumn::Asset),
        "@usr.id" => return identifier(field, value, IdColumn::User),
        _ => return Err(QueryError::Field(clean(field))),
    };
    text(field, value, column)
}

fn auth_method(value: &Word, other: EventCondition) -> EventCondition {
    let name = value.text.to_lowercase().replace(' ', "_");
    if name == PERSONAL_ACCESS_TOKEN { EventCondition::ByToken } else { other }
}

fn text(field: &str, value: &Word, column: TextColumn) -> Result<EventCondition, QueryError> {
    if value.literal_from != Some(0) && value.text.starts_with(['<', '>', '[', '{', '~', '/']) {
        // A path is the only text that starts with a slash.
        if !(value.text.starts_with('/') && column == TextColumn::Path) {
            let (field, value) = (field.to_owned(), clean(&value.text));
            return Err(QueryError::Comparison { field, value });
        }
    }
    if column == TextColumn::Ip {
        return address(field, value);
    }
    Ok(if value.is_pattern() {
        EventCondition::Like(column, value.pattern())
    } else {
        EventCondition::Text(column, value.text.clone())
    })
}

/// Returns the condition for an address or a pattern of addresses.
fn address(field: &str, value: &Word) -> Result<EventCondition, QueryError> {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '*' | '?');
    if value.is_pattern() && value.text.chars().all(is_part) {
        return Ok(EventCondition::Like(TextColumn::Ip, value.pattern()));
    }
    let address: IpAddr = value
        .text
        .parse()
        .map_err(|_| QueryError::Address { field: field.to_owned(), value: clean(&value.text) })?;
    Ok(EventCondition::Text(TextColumn::Ip, address.to_canonical().to_string()))
}

fn identifier(field: &str, value: &Word, column: IdColumn) -> Result<EventCondition, QueryError> {
    let id = Uuid::parse(&value.text).or_else(|| Uuid::from_alias(value.text.as_bytes()));
    let id = id.ok_or_else(|| QueryError::Identifier {
        field: field.to_owned(),
        value: clean(&value.text),
    })?;
    Ok(EventCondition::Id(column, id))
}

fn status(value: &Word) -> Result<EventCondition, QueryError> {
    if value.is_pattern() {
        return Ok(EventCondition::Like(TextColumn::Status, value.pattern()));
    }
    let prefixes = [
        (">=", Comparison::AtLeast),
        (">", Comparison::Greater),
        ("<=", Comparison::AtMost),
        ("<", Comparison::Less),
    ];
    let compared = prefixes
        .into_iter()
        .find_map(|(prefix, comparison)| Some((comparison, value.text.strip_prefix(prefix)?)));
    let (comparison, number) = compared.unwrap_or((Comparison::Equal, &value.text));
    let number: Result<u16, _> = number.parse();
    number
        .map(|number| EventCondition::Status(comparison, number.into()))
        .map_err(|_| QueryError::Status(clean(&value.text)))
}

fn free_text(word: &Word) -> Result<EventCondition, QueryError> {
    if word.text == "*" && word.literal_from.is_none() {
        return Ok(EventCondition::All(Vec::new()));
    }
    if word.text.starts_with('@') && word.literal_from != Some(0) {
        return Err(QueryError::FieldOnly(clean(&word.text)));
    }
    if holds_token(&word.text) {
        return Err(QueryError::Token);
    }
    let unquoted = word.unquoted();
    if unquoted.starts_with(OPERATORS) || matches!(unquoted, "&&" | "||") {
        return Err(QueryError::Operator(clean(&word.text)));
    }
    if word.text.is_empty() {
        return Err(QueryError::EmptyText);
    }
    Ok(EventCondition::Free(format!("%{}%", word.pattern())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(column: TextColumn, pattern: &str) -> EventCondition {
        EventCondition::Like(column, pattern.to_owned())
    }

    fn equal(column: TextColumn, value: &str) -> EventCondition {
        EventCondition::Text(column, value.to_owned())
    }

    #[test]
    fn operators_bind_like_datadogs() {
        use TextColumn::{Action, Name};
        for (query, expected) in [
            ("*", EventCondition::All(Vec::new())),
            ("", EventCondition::All(Vec::new())),
            ("@evt.name:access_token.*", like(Name, "access\\_token.%")),
            ("@evt.name:\"a*\"", equal(Name, "a*")),
            ("-@evt.name:a", EventCondition::Not(Box::new(equal(Name, "a")))),
            ("NOT @evt.name:a", EventCondition::Not(Box::new(equal(Name, "a")))),
            (
                "@evt.name:a @action:b OR @action:c",
                EventCondition::Any(vec![
                    EventCondition::All(vec![equal(Name, "a"), equal(Action, "b")]),
                    equal(Action, "c"),
                ]),
            ),
            ("@evt.name:(a OR b)", EventCondition::Any(vec![equal(Name, "a"), equal(Name, "b")])),
            ("@auth_method:\"Personal Access Token\"", EventCondition::ByToken),
            ("* AND @evt.name:a", equal(Name, "a")),
            ("(@evt.name:a (*)) @action:b", {
                EventCondition::All(vec![equal(Name, "a"), equal(Action, "b")])
            }),
            ("* OR @evt.name:a", {
                EventCondition::Any(vec![EventCondition::All(Vec::new()), equal(Name, "a")])
            }),
            ("@http.status_code:>=400", EventCondition::Status(Comparison::AtLeast, 400)),
            ("@http.url_details.path:/api*", like(TextColumn::Path, "/api%")),
            ("@network.client.ip:0:0:0:0:0:0:0:1", equal(TextColumn::Ip, "::1")),
            ("@network.client.ip:10.0.?.*", like(TextColumn::Ip, "10.0._.%")),
            ("Ada-1", EventCondition::Free("%ada-1%".to_owned())),
            ("a+b?c*", EventCondition::Free("%a+b_c%%".to_owned())),
            ("\"+a?\"", EventCondition::Free("%+a?%".to_owned())),
        ] {
            assert_eq!(parse(query).as_ref(), Ok(&expected), "{query}");
        }
    }

    #[test]
    fn an_unsupported_part_is_named() {
        for (query, part) in [
            ("@nope:1", "@nope"),
            ("service:ddpatrold", "service"),
            ("@nope:(a OR b)", "@nope"),
            ("@evt.name:", "@evt.name:"),
            ("@evt.name", "@evt.name"),
            ("@evt.name:[a TO b]", "@evt.name:[a"),
            ("@evt.name:>a", "@evt.name:>a"),
            ("@asset.id:abc*", "@asset.id:abc*"),
            ("@http.status_code:many", "many"),
            ("(@action:a", "parenthesis"),
            ("@action:a)", ")"),
            ("()", "parentheses"),
            ("@action:a OR", "OR"),
            ("@action:a AND", "AND"),
            ("AND @action:a", "AND"),
            ("a AND AND b", "AND"),
            ("AND", "AND"),
            ("@network.client.ip:10.0.0.0/8", "10.0.0.0/8"),
            ("@network.client.ip:me", "me"),
            ("a && b", "&&"),
            ("a || b", "||"),
            ("!a", "!a"),
            ("+a", "+a"),
            ("#tag", "#tag"),
            ("\"a", "quotation"),
            ("-", "missing"),
        ] {
            let problem = parse(query).expect_err(query);
            assert!(problem.to_string().contains(part), "{query}: {problem}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse(&"-".repeat(100_000)).is_err());
        assert!(parse(&"a ".repeat(100)).is_err());
    }
}
