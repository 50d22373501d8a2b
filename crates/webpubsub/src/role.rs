//! What a client may do: join or leave groups, publish to groups.
//!
//! Source: the roles table of the client protocols. Everything else (sending events, receiving)
//! needs no role.

use std::collections::HashSet;

/// The permissions of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Who it may publish to.
    pub send_to_group: Scope,
    /// What it may join and leave.
    pub join_leave_group: Scope,
}

/// The groups that one permission covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    all: bool,
    groups: HashSet<Box<str>>,
}

impl Permissions {
    /// The permissions that a token's roles grant. Roles that nobody knows grant nothing.
    pub fn from_roles<'a>(roles: impl IntoIterator<Item = &'a str>) -> Self {
        let mut permissions = Self::default();
        for role in roles {
            if let Some(rest) = role.strip_prefix("webpubsub.sendToGroup") {
                permissions.send_to_group.grant(rest);
            } else if let Some(rest) = role.strip_prefix("webpubsub.joinLeaveGroup") {
                permissions.join_leave_group.grant(rest);
            }
        }
        permissions
    }
}

impl Scope {
    /// `rest` is what follows the permission in a role: nothing, or a dot and a group's name.
    fn grant(&mut self, rest: &str) {
        match rest.strip_prefix('.') {
            Some(group) if !group.is_empty() => drop(self.groups.insert(group.into())),
            None if rest.is_empty() => self.all = true,
            _ => {}
        }
    }

    /// Whether a group is covered. Names are compared with their case.
    pub fn covers(&self, group: &str) -> bool {
        self.all || self.groups.contains(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grant_all_groups_or_one() {
        let permissions = Permissions::from_roles([
            "webpubsub.sendToGroup",
            "webpubsub.joinLeaveGroup.a.b",
            "webpubsub.joinLeaveGroup.",
            "webpubsub.joinLeaveGroupX",
            "something.else",
        ]);
        assert!(permissions.send_to_group.covers("anything"));
        assert!(permissions.join_leave_group.covers("a.b"));
        assert!(!permissions.join_leave_group.covers("A.b"));
        assert!(!permissions.join_leave_group.covers("a"));
        assert!(!permissions.join_leave_group.covers("X"));
    }

    #[test]
    fn no_role_grants_nothing() {
        assert!(!Permissions::default().send_to_group.covers("g"));
    }
}
