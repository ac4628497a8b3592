//! `user` and `impersonatedUser` of a Kubernetes audit event.

use super::super::{Members, Text, take_text};
use record::json::{Object, Value};
use std::borrow::Cow;

#[derive(Default)]
pub(super) struct User<'a> {
    username: Text<'a>,
    uid: Text<'a>,
    groups: Vec<Value<'a>>,
    credential: Text<'a>,
    issuer: Text<'a>,
    session: Text<'a>,
}

impl<'a> User<'a> {
    /// Takes what has a place in OCSF; the rest goes to `unmapped` under `key`.
    pub(super) fn read(key: Cow<'a, str>, value: Value<'a>, unmapped: &mut Object<'a>) -> User<'a> {
        let mut user = User::default();
        let object = match value {
            Value::Object(object) => object,
            Value::Null => return user,
            other => {
                unmapped.push(key, other);
                return user;
            }
        };
        let mut rest = Object::new();
        for (key, value) in object {
            match (&*key, value) {
                ("username", value) => take_text(&mut user.username, key, value, &mut rest),
                ("uid", value) => take_text(&mut user.uid, key, value, &mut rest),
                ("groups", Value::Array(groups)) => user.groups = groups,
                ("extra", Value::Object(extra)) => rest.push_filled("extra", user.read_extra(extra)),
                (_, Value::Null) => {}
                (_, value) => rest.push(key, value),
            }
        }
        if !rest.is_empty() {
            unmapped.push(key, rest);
        }
        user
    }

    /// What the authenticator said beside the name; each is a list. Returns what is left over.
    fn read_extra(&mut self, extra: Object<'a>) -> Object<'a> {
        let mut rest = Object::new();
        for (key, value) in extra {
            let slot = match &*key {
                "authentication.kubernetes.io/credential-id" | "accessKeyId" => &mut self.credential,
                "canonicalArn" => &mut self.issuer,
                "sessionName" => &mut self.session,
                _ => {
                    rest.push(key, value);
                    continue;
                }
            };
            match value {
                Value::Array(mut values)
                    if slot.is_none() && values.len() == 1 && matches!(values[0], Value::String(_)) =>
                {
                    if let Some(Value::String(text)) = values.pop() {
                        *slot = Some(text);
                    }
                }
                other => rest.push(key, other),
            }
        }
        rest
    }

    /// `actor.session`.
    pub(super) fn session(&mut self) -> Object<'a> {
        let mut session = Object::new();
        session.push_some("credential_uid", self.credential.take());
        session.push_some("issuer", self.issuer.take());
        session.push_some("uid", self.session.take());
        session
    }

    /// A user as OCSF has it; empty if there is no name of any kind.
    pub(super) fn user(self) -> Object<'a> {
        let mut user = Object::new();
        if !self.groups.is_empty() {
            let group = |name| Value::Object(Object::from_iter([("name", name)]));
            user.push("groups", self.groups.into_iter().map(group).collect::<Vec<_>>());
        }
        user.push_some("name", self.username);
        user.push_some("uid", self.uid);
        user
    }
}
