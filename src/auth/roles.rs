//! Roles: which claim of a token makes its user an administrator.

use serde_json::{Map, Value};

/// A claim and the value that it must have. Zitadel's roles are the keys of an object
/// (`{"admin": {"<organization>": "<domain>"}}`), others are lists or a text; all three count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The claim's name, or a path such as `realm_access.roles` where no claim has the whole of it as its name.
    pub claim: String,
    pub value: String,
}

impl Role {
    pub(super) fn is_in(&self, claims: &Map<String, Value>) -> bool {
        let nested = || {
            let (first, rest) = self.claim.split_once('.')?;
            rest.split('.').try_fold(claims.get(first)?, |value, key| value.get(key))
        };
        match claims.get(&self.claim).or_else(nested) {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&self.value)),
            Some(Value::Object(roles)) => roles.contains_key(&self.value),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_is_a_key_an_item_or_a_text() {
        let zitadel = "urn:zitadel:iam:org:project:roles";
        for (claim, claims, expected) in [
            (zitadel, json!({ zitadel: {"admin": {"2486": "acme.example"}, "user": {}} }), true),
            (zitadel, json!({ zitadel: {"administrator": {"2486": "acme.example"}} }), false),
            (zitadel, json!({ zitadel: {"user": {"admin": "admin"}} }), false),
            ("urn:zitadel:iam:org:project:1.2:roles", json!({"urn:zitadel:iam:org:project:1.2:roles": {"admin": {}}}), true),
            ("groups", json!({"groups": ["user", "admin"]}), true),
            ("groups", json!({"groups": ["Admin", "admin "]}), false),
            ("groups", json!({"groups": [["admin"], {"admin": 1}]}), false),
            ("role", json!({"role": "admin"}), true),
            ("role", json!({"role": "admin user"}), false),
            ("role", json!({"role": true}), false),
            ("role", json!({}), false),
            ("realm_access.roles", json!({"realm_access": {"roles": ["admin"]}}), true),
            ("realm_access.roles", json!({"realm_access.roles": "user", "realm_access": {"roles": ["admin"]}}), false),
            ("a.b.c", json!({"a": {"b": {"c": "admin"}}}), true),
            ("a.b", json!({"a": "admin"}), false),
        ] {
            let role = Role { claim: claim.to_owned(), value: "admin".to_owned() };
            assert_eq!(role.is_in(claims.as_object().unwrap()), expected, "{claim} in {claims}");
        }
    }
}
