//! `userIdentity` of a CloudTrail record (AWS CloudTrail user guide, "CloudTrail userIdentity element").

use super::super::{Members, Text, take_text};
use crate::time::utc_ms;
use record::json::{Object, Value};
use std::borrow::Cow;

/// Who called, and for whom.
#[derive(Default)]
pub(super) struct Identity<'a> {
    kind: Text<'a>,
    principal_id: Text<'a>,
    arn: Text<'a>,
    account_id: Text<'a>,
    access_key_id: Text<'a>,
    user_name: Text<'a>,
    invoked_by: Text<'a>,
    identity_provider: Text<'a>,
    credential_id: Text<'a>,
    created: Option<i64>,
    is_mfa: Option<bool>,
    issuer: Text<'a>,
    source_identity: Text<'a>,
    behalf_user: Text<'a>,
    behalf_store: Text<'a>,
}

impl<'a> Identity<'a> {
    /// Takes what has a place in OCSF; the rest goes to `unmapped.userIdentity`.
    pub(super) fn read(value: Value<'a>, unmapped: &mut Object<'a>) -> Identity<'a> {
        let mut identity = Identity::default();
        let object = match value {
            Value::Object(object) => object,
            Value::Null => return identity,
            other => {
                unmapped.push("userIdentity", other);
                return identity;
            }
        };
        let mut rest = Object::new();
        for (key, value) in object {
            let slot = match &*key {
                "type" => &mut identity.kind,
                "principalId" => &mut identity.principal_id,
                "arn" => &mut identity.arn,
                "accountId" => &mut identity.account_id,
                "accessKeyId" => &mut identity.access_key_id,
                "userName" => &mut identity.user_name,
                "invokedBy" => &mut identity.invoked_by,
                "identityProvider" => &mut identity.identity_provider,
                "credentialId" => &mut identity.credential_id,
                "sessionContext" => {
                    descend(key, value, &mut rest, |key, value, rest| {
                        identity.session_member(key, value, rest)
                    });
                    continue;
                }
                "onBehalfOf" => {
                    descend(key, value, &mut rest, |key, value, rest| {
                        let slot = match &*key {
                            "userId" => &mut identity.behalf_user,
                            "identityStoreArn" => &mut identity.behalf_store,
                            _ => return rest.push(key, value),
                        };
                        take_text(slot, key, value, rest);
                    });
                    continue;
                }
                _ => {
                    rest.push(key, value);
                    continue;
                }
            };
            take_text(slot, key, value, &mut rest);
        }
        if identity.access_key_id.is_some()
            && let Some(credential) = identity.credential_id.take()
        {
            rest.push("credentialId", credential);
        }
        unmapped.push_filled("userIdentity", rest);
        identity
    }

    fn session_member(&mut self, key: Cow<'a, str>, value: Value<'a>, rest: &mut Object<'a>) {
        match &*key {
            "attributes" => descend(key, value, rest, |key, value, rest| match (&*key, value.str()) {
                ("mfaAuthenticated", Some("true")) => self.is_mfa = Some(true),
                ("mfaAuthenticated", Some("false")) => self.is_mfa = Some(false),
                ("creationDate", Some(text)) if utc_ms(text).is_some() => self.created = utc_ms(text),
                _ => rest.push(key, value),
            }),
            "sessionIssuer" => descend(key, value, rest, |key, value, rest| match &*key {
                "arn" => take_text(&mut self.issuer, key, value, rest),
                _ => rest.push(key, value),
            }),
            "sourceIdentity" => take_text(&mut self.source_identity, key, value, rest),
            "webIdFederationData" => descend(key, value, rest, |key, value, rest| rest.push(key, value)),
            _ => rest.push(key, value),
        }
    }

    /// Whether the record says who acted at all.
    pub(super) fn is_someone(&self) -> bool {
        let said = [
            &self.arn,
            &self.user_name,
            &self.principal_id,
            &self.account_id,
            &self.invoked_by,
            &self.behalf_user,
        ];
        said.iter().any(|text| text.is_some())
    }

    /// `user` where actor and subject are one.
    pub(super) fn as_subject(&self) -> Option<Object<'a>> {
        let mut user = Object::new();
        user.push_some("account", self.account_id.clone().map(|uid| Object::from_iter([("uid", uid)])));
        user.push_some("name", self.user_name.clone());
        user.push_some("type", self.kind.clone());
        user.push_some("uid", self.arn.clone());
        user.push_some("uid_alt", self.principal_id.clone().or_else(|| self.behalf_user.clone()));
        (!user.is_empty()).then_some(user)
    }

    /// `actor`.
    pub(super) fn actor(&mut self) -> Object<'a> {
        let mut session = Object::new();
        session.push_some("created_time", self.created);
        session.push_some("is_mfa", self.is_mfa);
        session.push_some("issuer", self.issuer.take());

        let mut user = Object::new();
        user.push_some("account", self.account_id.take().map(|uid| Object::from_iter([("uid", uid)])));
        user.push_some("credential_uid", self.access_key_id.take().or_else(|| self.credential_id.take()));
        user.push_some("name", self.user_name.take());
        user.push_some("type", self.kind.take());
        user.push_some("uid", self.arn.take());
        // A user of Identity Center has no other name in the record.
        user.push_some("uid_alt", self.principal_id.take().or_else(|| self.behalf_user.clone()));

        let mut behalf = Object::new();
        behalf.push_some("domain", self.behalf_store.take());
        behalf.push_some("name", self.source_identity.take());
        behalf.push_some("uid", self.behalf_user.take());

        let mut actor = Object::new();
        let provider = self.identity_provider.take();
        actor.push_some("idp", provider.map(|name| Object::from_iter([("name", name)])));
        actor.push_some("invoked_by", self.invoked_by.take());
        actor.push_filled("on_behalf_of", behalf);
        actor.push_filled("session", session);
        actor.push_filled("user", user);
        actor
    }
}

/// Visits the members of an object; what `take` leaves in the object given to it stays under the same name in `rest`.
/// Anything else than an object is left there whole. Empty objects, of which these records are full, are not.
fn descend<'a>(
    key: Cow<'a, str>,
    value: Value<'a>,
    rest: &mut Object<'a>,
    mut take: impl FnMut(Cow<'a, str>, Value<'a>, &mut Object<'a>),
) {
    match value {
        Value::Object(object) => {
            let mut left = Object::new();
            for (key, value) in object {
                take(key, value, &mut left);
            }
            if !left.is_empty() {
                rest.push(key, left);
            }
        }
        Value::Null => {}
        other => rest.push(key, other),
    }
}
