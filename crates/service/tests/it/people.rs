//! Users of the service: added on the command line with permissions, and the tokens issued to them.

use crate::database::Database;
use crate::server::{Token, admin};
use crate::token_format::id_of;

/// A user to add.
#[derive(Clone, Debug)]
pub(crate) struct NewPerson<'a> {
    email: &'a str,
    permissions: Vec<&'a str>,
}

/// Returns a user without permissions to add.
pub(crate) fn person(email: &str) -> NewPerson<'_> {
    NewPerson { email, permissions: Vec::new() }
}

impl<'a> NewPerson<'a> {
    /// Grants permissions.
    pub(crate) fn with(mut self, permissions: &[&'a str]) -> Self {
        self.permissions.extend(permissions);
        self
    }

    /// Adds the user.
    #[track_caller]
    pub(crate) fn add(self, database: &Database) -> Person<'_> {
        let mut args = vec!["user", "add", self.email];
        args.extend(self.permissions.iter().flat_map(|&it| ["--permission", it]));
        Person { database, id: admin(database, &args) }
    }
}

/// A user of the service.
#[derive(Clone, Debug)]
pub(crate) struct Person<'d> {
    database: &'d Database,
    pub(crate) id: String,
}

impl Person<'_> {
    /// Issues a token on the command line, for two months.
    #[track_caller]
    pub(crate) fn token(&self, scopes: &[&str]) -> Token {
        self.token_for("60d", scopes)
    }

    /// Issues a token on the command line with a given lifetime.
    #[track_caller]
    pub(crate) fn token_for(&self, lifetime: &str, scopes: &[&str]) -> Token {
        self.issue("issued", lifetime, scopes)
    }

    /// Issues a token on the command line.
    #[track_caller]
    pub(crate) fn issue(&self, name: &str, lifetime: &str, scopes: &[&str]) -> Token {
        let scopes = scopes.iter().flat_map(|&scope| ["--scope", scope]);
        self.run(&["--name", name, "--expires-in", lifetime], scopes)
    }

    /// Issues a token with every scope on the command line, for two months.
    #[track_caller]
    pub(crate) fn token_with_all_scopes(&self) -> Token {
        self.run(&["--name", "all", "--expires-in", "60d"], ["--all-scopes"])
    }

    #[track_caller]
    fn run<'a>(&'a self, options: &[&'a str], scopes: impl IntoIterator<Item = &'a str>) -> Token {
        let mut args = vec!["token", "issue", "--user", &self.id];
        args.extend_from_slice(options);
        args.extend(scopes);
        let key = admin(self.database, &args);
        Token { id: id_of(&key), key }
    }

    /// Disables the user.
    #[track_caller]
    pub(crate) fn disable(&self) {
        admin(self.database, &["user", "disable", &self.id]);
    }

    /// Enables the user.
    #[track_caller]
    pub(crate) fn enable(&self) {
        admin(self.database, &["user", "enable", &self.id]);
    }
}
