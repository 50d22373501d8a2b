//! What a client may do: join or leave groups, publish to groups.
//!
//! Source: the roles table of the client protocols, and the permission calls of the REST
//! description with the emulator's rules for their interplay. Everything else (sending events,
//! receiving) needs no role.

mod pattern;

use std::collections::HashMap;

use pattern::Pattern;

/// Rules about single groups that one permission of one connection may have.
const MAX_LITERALS: usize = 1000;
/// Patterns that one permission of one connection may have; further ones grant nothing.
const MAX_PATTERNS: usize = 10;

/// The permissions of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Whom it may publish to.
    pub send_to_group: Scope,
    /// What it may join and leave.
    pub join_leave_group: Scope,
}

/// One of the permissions, as the REST calls name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `sendToGroup`
    SendToGroup,
    /// `joinLeaveGroup`
    JoinLeaveGroup,
}

impl Permission {
    /// The permission with a name, ignoring case.
    pub fn parse(name: &str) -> Option<Self> {
        let named = |known: &str| name.eq_ignore_ascii_case(known);
        match name {
            _ if named("sendToGroup") => Some(Self::SendToGroup),
            _ if named("joinLeaveGroup") => Some(Self::JoinLeaveGroup),
            _ => None,
        }
    }
}

/// The groups that one permission covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    all: bool,
    patterns: Vec<Pattern>,
    /// Rules about single groups: granted or revoked. They win over everything else.
    literals: HashMap<Box<str>, bool>,
}

/// A connection has as many rules about single groups as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRules;

impl Permissions {
    /// The permissions that roles grant. Roles that nobody knows grant nothing.
    pub fn from_roles<'a>(roles: impl IntoIterator<Item = &'a str>) -> Self {
        let mut permissions = Self::default();
        for role in roles {
            if let Some(rest) = role.strip_prefix("webpubsub.sendToGroup") {
                permissions.send_to_group.grant_role(rest);
            } else if let Some(rest) = role.strip_prefix("webpubsub.joinLeaveGroup") {
                permissions.join_leave_group.grant_role(rest);
            }
        }
        permissions
    }

    /// The scope of a permission.
    pub fn scope(&self, permission: Permission) -> &Scope {
        match permission {
            Permission::SendToGroup => &self.send_to_group,
            Permission::JoinLeaveGroup => &self.join_leave_group,
        }
    }

    /// The scope of a permission, to be changed.
    pub fn scope_mut(&mut self, permission: Permission) -> &mut Scope {
        match permission {
            Permission::SendToGroup => &mut self.send_to_group,
            Permission::JoinLeaveGroup => &mut self.join_leave_group,
        }
    }
}

impl Scope {
    /// `rest` is what follows the permission in a role: nothing, `.<group>` or `s.<pattern>`.
    fn grant_role(&mut self, rest: &str) {
        if rest.is_empty() {
            self.all = true;
        } else if let Some(group) = rest.strip_prefix('.').filter(|group| !group.is_empty()) {
            if self.literals.len() < MAX_LITERALS {
                self.literals.insert(group.into(), true);
            }
        } else if let Some(pattern) = rest.strip_prefix("s.").and_then(Pattern::parse)
            && self.patterns.len() < MAX_PATTERNS
        {
            self.patterns.push(pattern);
        }
    }

    /// Whether a group is covered. Names are compared with their case.
    pub fn covers(&self, group: &str) -> bool {
        let by_role = || self.all || self.patterns.iter().any(|pattern| pattern.fits(group));
        self.literals.get(group).copied().unwrap_or_else(by_role)
    }

    /// Whether every group is covered.
    pub fn covers_all(&self) -> bool {
        self.all && self.literals.values().all(|granted| *granted)
    }

    /// Grants or revokes one group. A rule is kept only where the roles alone would say otherwise.
    ///
    /// # Errors
    /// [`TooManyRules`] when another rule is needed and there is room for none.
    pub fn set(&mut self, group: &str, granted: bool) -> Result<(), TooManyRules> {
        if self.literals.get(group) == Some(&!granted) {
            self.literals.remove(group);
        }
        if self.covers(group) == granted {
            return Ok(());
        }
        if self.literals.len() >= MAX_LITERALS {
            return Err(TooManyRules);
        }
        self.literals.insert(group.into(), granted);
        Ok(())
    }

    /// Grants or revokes all groups, whatever was ruled before.
    pub fn set_all(&mut self, granted: bool) {
        *self = Self { all: granted, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grant_all_groups_one_or_a_pattern() {
        let permissions = Permissions::from_roles([
            "webpubsub.sendToGroup",
            "webpubsub.joinLeaveGroup.a.b",
            "webpubsub.joinLeaveGroups.room.*",
            "webpubsub.joinLeaveGroup.",
            "webpubsub.joinLeaveGroupX",
            "something.else",
        ]);
        assert!(permissions.send_to_group.covers("anything"));
        let join = &permissions.join_leave_group;
        assert!(join.covers("a.b") && join.covers("room.1"));
        assert!(!join.covers("A.b") && !join.covers("a") && !join.covers("X"));
        assert!(!join.covers("room.1.2"));
    }

    #[test]
    fn no_role_grants_nothing() {
        assert!(!Permissions::default().send_to_group.covers("g"));
    }

    #[test]
    fn a_literal_revoke_overrides_a_role_until_granted_again() {
        let mut scope = Permissions::from_roles(["webpubsub.sendToGroup"]).send_to_group;
        scope.set("g", false).unwrap();
        assert!(!scope.covers("g") && scope.covers("h") && !scope.covers_all());
        scope.set("g", true).unwrap();
        assert!(scope.covers("g") && scope.covers_all());
        assert!(scope.literals.is_empty(), "no rule is kept that says what the role says");
    }

    #[test]
    fn grants_are_literal_and_can_be_taken_back() {
        let mut scope = Scope::default();
        scope.set("*", true).unwrap();
        assert!(scope.covers("*") && !scope.covers("g"));
        scope.set("*", false).unwrap();
        assert!(!scope.covers("*") && scope.literals.is_empty());
        scope.set_all(true);
        assert!(scope.covers_all());
        scope.set_all(false);
        assert!(!scope.covers("g"));
    }

    #[test]
    fn both_sides_of_the_limit_of_rules() {
        let mut scope = Scope::default();
        for index in 0..MAX_LITERALS {
            scope.set(&index.to_string(), true).unwrap();
        }
        assert_eq!(scope.set("one more", true), Err(TooManyRules));
        assert_eq!(scope.set("0", true), Ok(()), "what holds already needs no rule");
        scope.set("0", false).unwrap();
        assert_eq!(scope.set("one more", true), Ok(()));
        let patterns = (0..11).map(|index| format!("webpubsub.sendToGroups.p{index}-*"));
        let patterns: Vec<String> = patterns.collect();
        let scope = Permissions::from_roles(patterns.iter().map(String::as_str)).send_to_group;
        assert!(scope.covers("p9-x") && !scope.covers("p10-x"));
    }
}
