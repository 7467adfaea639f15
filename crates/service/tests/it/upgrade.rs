//! Upgrades from the oldest tables: everything that they contain is found by the rules of this version.

use crate::database::Database;
use crate::server::{Server, admin, try_admin};

/// Creates the first tables with users, of whom two have addresses that differ only in case.
fn first_version(database: &Database) {
    database.migrate(1);
    let id = |number: u8| match database {
        Database::Sqlite(_) => format!("x'{number:032x}'"),
        Database::Postgres(_) => format!("'\\x{number:032x}'::bytea"),
    };
    database.execute(&format!("INSERT INTO organization VALUES (1, {}, 'Default', 1)", id(1)));
    for (number, email, permissions) in [
        (2, "Root@Example.com", 31),
        (3, "ÉVA@Example.com", 1),
        (4, "Ada@x.org", 1),
        (5, "ada@x.org", 1),
    ] {
        database.execute(&format!(
            "INSERT INTO users VALUES ({}, '{email}', '{email}', {permissions}, 1, NULL)",
            id(number)
        ));
    }
}

fn users_of_the_first_version_are_found_without_case(database: &Database) {
    first_version(database);
    let server = Server::start(database, &[]);
    let needed = "migrated the tables from version 1 to version ";
    assert!(server.log().contains(needed), "{}", server.log());
    server.stop();
    for (address, found) in [
        ("root@example.com", "Root@Example.com"),
        ("éva@example.COM", "ÉVA@Example.com"),
        ("Ada@x.org", "Ada@x.org"),
        ("ada@x.org", "ada@x.org"),
    ] {
        let link = try_admin(database, &["login-link", address]);
        let message = String::from_utf8(link.stderr).unwrap();
        assert!(message.contains(&format!("link for {found}, valid once")), "{message}");
    }
    // An address cannot be taken in another case.
    let taken = try_admin(database, &["user", "add", "éva@example.com"]);
    assert_eq!(taken.status.code(), Some(2));
    assert!(!Server::start(database, &[]).log().contains("migrated"));
    assert!(admin(database, &["user", "list"]).contains("service_account_write"));
}

#[test]
fn users_of_the_first_version_are_found_without_case_on_sqlite() {
    users_of_the_first_version_are_found_without_case(&Database::sqlite());
}

#[test]
fn users_of_the_first_version_are_found_without_case_on_postgres() {
    users_of_the_first_version_are_found_without_case(&Database::postgres());
}
