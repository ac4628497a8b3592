//! The attributes of a Kubernetes audit event, by their place in the event.

use super::super::{Members, Text, take_text};
use super::user::User;
use record::json::{Number, Object, Value};
use std::borrow::Cow;

/// What a record says, before it is put where OCSF wants it.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) audit_id: Text<'a>,
    pub(super) stage: Text<'a>,
    pub(super) level: Text<'a>,
    pub(super) log_version: Text<'a>,
    pub(super) uri: Text<'a>,
    pub(super) verb: Text<'a>,
    pub(super) user_agent: Text<'a>,
    pub(super) received: Text<'a>,
    pub(super) staged: Text<'a>,
    pub(super) timestamp: Text<'a>,
    pub(super) user: User<'a>,
    pub(super) impersonated: User<'a>,
    pub(super) addresses: Vec<Value<'a>>,
    pub(super) resource: Resource<'a>,
    pub(super) code: Option<Number<'a>>,
    pub(super) has_failed: Option<bool>,
    pub(super) reason: Text<'a>,
    pub(super) message: Text<'a>,
    pub(super) decision: Text<'a>,
    pub(super) decision_reason: Text<'a>,
    pub(super) request: Option<Value<'a>>,
    pub(super) response: Option<Value<'a>>,
    pub(super) unmapped: Object<'a>,
}

/// `objectRef`.
#[derive(Default)]
pub(super) struct Resource<'a> {
    pub(super) resource: Text<'a>,
    pub(super) subresource: Text<'a>,
    pub(super) namespace: Text<'a>,
    pub(super) name: Text<'a>,
    pub(super) uid: Text<'a>,
    pub(super) group: Text<'a>,
    pub(super) api_version: Text<'a>,
    pub(super) version: Text<'a>,
}

impl<'a> Record<'a> {
    pub(super) fn read(object: Object<'a>) -> Record<'a> {
        let mut record = Record::default();
        for (key, value) in object {
            let unmapped = &mut record.unmapped;
            let slot = match &*key {
                "auditID" => &mut record.audit_id,
                "stage" => &mut record.stage,
                "level" => &mut record.level,
                "apiVersion" => &mut record.log_version,
                "requestURI" => &mut record.uri,
                "verb" => &mut record.verb,
                "userAgent" => &mut record.user_agent,
                "requestReceivedTimestamp" => &mut record.received,
                "stageTimestamp" => &mut record.staged,
                "timestamp" => &mut record.timestamp,
                _ => {
                    match (&*key, value) {
                        ("kind", Value::String(_)) => {}
                        ("user", value) => record.user = User::read(key, value, unmapped),
                        ("impersonatedUser", value) => record.impersonated = User::read(key, value, unmapped),
                        ("sourceIPs", Value::Array(addresses)) => record.addresses = addresses,
                        ("objectRef", Value::Object(object)) => {
                            unmapped.push_filled("objectRef", record.resource.read(object));
                        }
                        ("responseStatus", Value::Object(object)) => record.read_status(object),
                        ("annotations", Value::Object(object)) => record.read_annotations(object),
                        ("requestObject", value) => record.request = (!value.is_null()).then_some(value),
                        ("responseObject", value) => record.response = (!value.is_null()).then_some(value),
                        (_, Value::Null) => {}
                        (_, value) => unmapped.push(key, value),
                    }
                    continue;
                }
            };
            take_text(slot, key, value, unmapped);
        }
        record
    }

    fn read_status(&mut self, object: Object<'a>) {
        let mut rest = Object::new();
        for (key, value) in object {
            let slot = match &*key {
                "reason" => &mut self.reason,
                "message" => &mut self.message,
                _ => {
                    match (&*key, value) {
                        ("code", Value::Number(code)) => self.code = Some(code),
                        ("status", Value::String(word)) if matches!(&*word, "Success" | "Failure") => {
                            self.has_failed = Some(word == "Failure");
                        }
                        ("metadata", Value::Object(metadata)) if metadata.is_empty() => {}
                        (_, value) => rest.push(key, value),
                    }
                    continue;
                }
            };
            take_text(slot, key, value, &mut rest);
        }
        self.unmapped.push_filled("responseStatus", rest);
    }

    fn read_annotations(&mut self, object: Object<'a>) {
        let mut rest = Object::new();
        for (key, value) in object {
            let slot = match &*key {
                "authorization.k8s.io/decision" => &mut self.decision,
                "authorization.k8s.io/reason" => &mut self.decision_reason,
                _ => {
                    rest.push(key, value);
                    continue;
                }
            };
            take_text(slot, key, value, &mut rest);
        }
        self.unmapped.push_filled("annotations", rest);
    }
}

impl<'a> Resource<'a> {
    /// Returns what is left over.
    fn read(&mut self, object: Object<'a>) -> Object<'a> {
        let mut rest = Object::new();
        for (key, value) in object {
            let slot = match &*key {
                "resource" => &mut self.resource,
                "subresource" => &mut self.subresource,
                "namespace" => &mut self.namespace,
                "name" => &mut self.name,
                "uid" => &mut self.uid,
                "apiGroup" => &mut self.group,
                "apiVersion" => &mut self.api_version,
                "resourceVersion" => &mut self.version,
                _ => {
                    rest.push(key, value);
                    continue;
                }
            };
            take_text(slot, key, value, &mut rest);
        }
        rest
    }

    /// Group, version of the API, and the resource itself.
    pub(super) fn into_parts(self) -> (Text<'a>, Text<'a>, Object<'a>) {
        let kind = match (self.resource, self.subresource) {
            (Some(resource), Some(subresource)) => Some(Cow::Owned(format!("{resource}/{subresource}"))),
            (resource, subresource) => resource.or(subresource),
        };
        let mut resource = Object::new();
        resource.push_some("name", self.name);
        resource.push_some("namespace", self.namespace);
        resource.push_some("type", kind);
        resource.push_some("uid", self.uid);
        resource.push_some("version", self.version);
        (self.group, self.api_version, resource)
    }
}
