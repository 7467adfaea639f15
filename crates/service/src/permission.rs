//! Permissions of users, which the scopes of a token limit further.

use std::fmt;

/// One permission of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Manages the user's own tokens.
    UserAppKeys,
    /// Reads the tokens of all users.
    OrgAppKeysRead,
    /// Creates, updates and revokes tokens of all users.
    OrgAppKeysWrite,
    /// Reads the audit trail.
    AuditLogsRead,
    /// Introspects tokens (RFC 7662).
    TokensIntrospect,
    /// Reads the users.
    UserAccessRead,
    /// Creates and disables service accounts, and manages their tokens.
    ServiceAccountWrite,
}

impl Permission {
    /// Every permission, in the order of their bits.
    pub const ALL: [Self; 7] = [
        Self::UserAppKeys,
        Self::OrgAppKeysRead,
        Self::OrgAppKeysWrite,
        Self::AuditLogsRead,
        Self::TokensIntrospect,
        Self::UserAccessRead,
        Self::ServiceAccountWrite,
    ];

    /// Returns the name, which is also the name of the scope that grants the permission to a token.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserAppKeys => "user_app_keys",
            Self::OrgAppKeysRead => "org_app_keys_read",
            Self::OrgAppKeysWrite => "org_app_keys_write",
            Self::AuditLogsRead => "audit_logs_read",
            Self::TokensIntrospect => "tokens_introspect",
            Self::UserAccessRead => "user_access_read",
            Self::ServiceAccountWrite => "service_account_write",
        }
    }

    /// Finds a permission by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> i64 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions, stored in a row as one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(i64);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);
    /// Every permission; the administrator's set.
    pub const ALL: Self = Self((1 << Permission::ALL.len()) - 1);

    pub(crate) const fn from_row(bits: i64) -> Self {
        Self(bits & Self::ALL.0)
    }

    pub(crate) const fn to_row(self) -> i64 {
        self.0
    }

    /// Returns the set with a permission added.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// Returns `true` if the set contains a permission.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Returns the permissions of the set that are in `scopes`.
    #[must_use]
    pub fn within(self, scopes: &[String]) -> Self {
        scopes
            .iter()
            .filter_map(|scope| Permission::from_name(scope))
            .filter(|&permission| self.contains(permission))
            .collect()
    }

    /// Iterates over the permissions of the set.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |&permission| self.contains(permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_has_more_than_its_owner_and_its_scopes() {
        let owner = Permissions::NONE.with(Permission::UserAppKeys).with(Permission::AuditLogsRead);
        let scopes = ["org_app_keys_read", "user_app_keys", "dashboards_read"].map(String::from);
        assert_eq!(owner.within(&scopes), Permissions::NONE.with(Permission::UserAppKeys));
        assert_eq!(Permissions::ALL.within(&[]), Permissions::NONE);
    }

    #[test]
    fn every_permission_is_found_by_its_name_and_has_its_own_bit() {
        assert_eq!(Permission::ALL.into_iter().collect::<Permissions>(), Permissions::ALL);
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(permission));
            assert_eq!(Permissions::NONE.with(permission).iter().count(), 1);
        }
    }
}
