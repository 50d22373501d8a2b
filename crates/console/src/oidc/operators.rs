//! Who may sign in, by a claim of the ID token. Pure.

use kernel::{Error, ErrorKind};
use serde_json::{Map, Value};

/// A claim in a message is cut after this many characters.
const SHOWN: usize = 200;
/// So many values of a claim are told.
const SHOWN_VALUES: usize = 10;
/// The claim that tells a mail address.
const EMAIL: &str = "email";

/// Whoever has one of some values in a claim; nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operators {
    claim: String,
    values: Vec<String>,
}

/// Somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// `sub`: who it is, for the provider.
    pub(crate) subject: String,
    /// What they know as their own name.
    pub(crate) name: String,
    /// The value that opened.
    pub(crate) by: String,
}

impl Operators {
    /// Whoever has one of `values` in `claim`, which is a text or a list of texts. Without values that is
    /// nobody.
    pub fn new(claim: impl Into<String>, values: Vec<String>) -> Self {
        Self { claim: claim.into(), values }
    }

    /// The claim that is looked at.
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// The operator of whom these claims are.
    ///
    /// # Errors
    /// `Forbidden`, with who it is, what their claim says, and how they would be let in.
    pub(crate) fn admit(&self, claims: &Map<String, Value>) -> Result<Operator, Error> {
        let found = texts(claims.get(&self.claim));
        if found.is_empty() {
            return Err(self.no_claim(claims));
        }
        // A provider that lets people type in their address says whether it is really theirs.
        let verified = claims.get("email_verified");
        if self.claim == EMAIL && verified.is_some_and(|it| *it != true && *it != "true") {
            return Err(refused(format!(
                "You are signed in as {}, but the identity provider has not verified that this \
                 mail address is yours. Verify it there, and sign in again.",
                listed(&found)
            )));
        }
        match found.iter().find(|it| self.values.iter().any(|value| self.same(value, it))) {
            Some(by) => {
                let subject = texts(claims.get("sub")).first().copied().unwrap_or_default();
                Ok(Operator { subject: shown(subject), name: who(claims), by: shown(by) })
            }
            None => Err(self.not_listed(claims, &found)),
        }
    }

    /// Nobody means two people when only the case of a mail address differs; all else is exact.
    fn same(&self, value: &str, seen: &str) -> bool {
        value == seen || self.claim == EMAIL && value.eq_ignore_ascii_case(seen)
    }

    fn not_listed(&self, claims: &Map<String, Value>, found: &[&str]) -> Error {
        let claim = &self.claim;
        refused(format!(
            "You are signed in as '{}', who is no operator of this console: the claim '{claim}' is {}, \
             and none of it stands in console.operators. Let whoever runs the server add it there \
             and restart the server.",
            who(claims),
            listed(found)
        ))
    }

    fn no_claim(&self, claims: &Map<String, Value>) -> Error {
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        let claim = &self.claim;
        refused(format!(
            "You are signed in as '{}', but the ID token has no claim '{claim}', which tells who is an \
             operator; it has {}. Let the identity provider send it, ask for it with \
             console.scopes, or name another claim in console.operator_claim.",
            who(claims),
            listed(&names)
        ))
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Forbidden, "NoOperator", message)
}

/// A claim that is a text or a list of texts.
fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(value) => value.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}

/// The name that a person knows as their own.
fn who(claims: &Map<String, Value>) -> String {
    let names = [EMAIL, "preferred_username", "name", "sub"];
    let name = names.iter().find_map(|name| claims.get(*name)?.as_str());
    shown(name.unwrap_or_default())
}

fn listed(values: &[&str]) -> String {
    let texts: Vec<String> =
        values.iter().take(SHOWN_VALUES).map(|it| format!("'{}'", shown(it))).collect();
    let more = if values.len() > SHOWN_VALUES { " and more" } else { "" };
    format!("{}{more}", texts.join(", "))
}

fn shown(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn admit(claim: &str, values: &[&str], claims: Value) -> Result<Operator, String> {
        let values = values.iter().map(|&it| it.to_owned()).collect();
        let Value::Object(claims) = claims else { unreachable!() };
        let outcome = Operators::new(claim, values).admit(&claims);
        outcome.map_err(|error| error.message().to_owned())
    }

    #[test]
    fn one_of_the_values_opens() {
        let ada = json!({"sub": "1", "email": "ada@example.com", "email_verified": true});
        let operator = admit("email", &["bob@example.com", "Ada@Example.com"], ada).unwrap();
        assert_eq!((operator.subject.as_str(), operator.by.as_str()), ("1", "ada@example.com"));
        let grouped = json!({"sub": "1", "name": "Ada", "groups": ["all", "ops"]});
        let operator = admit("groups", &["ops"], grouped).unwrap();
        assert_eq!((operator.name.as_str(), operator.by.as_str()), ("Ada", "ops"));
    }

    #[test]
    fn nobody_else_is_let_in_and_they_hear_how_they_would_be() {
        let eve = || json!({"sub": "2", "email": "eve@example.com", "groups": ["all", "OPS"]});
        let told = admit("email", &["ada@example.com"], eve()).unwrap_err();
        assert!(told.contains("'email' is 'eve@example.com'"), "{told}");
        assert!(told.contains("console.operators"), "{told}");
        assert!(!told.contains("ada"), "who may is not told: {told}");
        assert!(admit("email", &[], eve()).is_err(), "an empty list opens to nobody");
        let told = admit("groups", &["ops"], eve()).unwrap_err();
        assert!(told.contains("'groups' is 'all', 'OPS'"), "all but addresses is exact: {told}");
        for values in [json!([]), json!(1), json!({"ops": true}), json!([1]), json!("")] {
            assert!(admit("groups", &["ops"], json!({"groups": values})).is_err());
        }
    }

    #[test]
    fn a_claim_that_is_not_there_is_told_with_those_that_are() {
        let told = admit("roles", &["x"], json!({"sub": "2", "name": "Eve"})).unwrap_err();
        assert!(told.contains("'Eve'") && told.contains("no claim 'roles'"), "{told}");
        assert!(told.contains("it has 'name', 'sub'"), "{told}");
    }

    #[test]
    fn an_address_that_is_not_verified_opens_nothing() {
        for verified in [json!(false), json!("false"), json!(null), json!(1)] {
            let claims = json!({"sub": "2", "email": "a@b", "email_verified": verified});
            let told = admit("email", &["a@b"], claims).unwrap_err();
            assert!(told.contains("not verified"), "{told}");
        }
        let claims = json!({"sub": "2", "email": "a@b", "email_verified": "true"});
        assert!(admit("email", &["a@b"], claims).is_ok());
    }
}
