//! AWS CloudTrail records, event version 1 (AWS CloudTrail user guide, "CloudTrail record contents"), after the mapping
//! examples of the OCSF project.
//!
//! | record | event |
//! |---|---|
//! | `userIdentity.{arn, userName, type, principalId, accessKeyId, accountId}` | `actor.user.{uid, name, type, uid_alt, credential_uid, account.uid}` |
//! | `.invokedBy`, `.identityProvider` | `actor.invoked_by`, `actor.idp.name` |
//! | `.onBehalfOf.{userId, identityStoreArn}`, or `.sessionContext.sourceIdentity` | `actor.on_behalf_of.{uid, domain}`, or `.name` |
//! | `.sessionContext.{sessionIssuer.arn, attributes.mfaAuthenticated, .creationDate}` | `actor.session.{issuer, is_mfa, created_time}` |
//! | `eventName`, `eventSource`, `apiVersion` | `api.operation`, `api.service.name`, `api.version` |
//! | `requestParameters`, `requestID` | `api.request.data`, `.uid` |
//! | `responseElements`, `errorCode`, `errorMessage` | `api.response.data`, `.error` (and `status_code`), `.message` |
//! | `sourceIPAddress` | `src_endpoint.ip`, or `.domain` if it is no address |
//! | `userAgent`, `vpcEndpointId` | `http_request.user_agent`, `src_endpoint.uid` |
//! | `awsRegion`, `recipientAccountId` | `cloud.region`, `cloud.account.uid` |
//! | `resources[].{ARN, type, accountId}` | `resources[].{uid, type, owner.account.uid}`; API Activity only, it has no place elsewhere |
//! | `eventID`, `eventType`, `eventVersion`, `eventCategory` | `metadata.uid`, `.event_code`, `.product.version`, `.product.feature.name` |
//!
//! `user`, the subject of 3001 and 3002, is the account changed, the role assumed, or else whoever signs in.

mod class;
mod identity;
mod record;

use super::{Event, Members, OCSF_VERSION, Text, address_key, mapping, status_name, take_text};
use crate::Format;
use crate::time::utc_ms;
use ::record::json::{Object, Value};
use class::{API_ACTIVITY, AUTHENTICATION, Class, classify};
use record::Record;

/// Version of this mapping.
const VERSION: u32 = 1;

/// Names that only CloudTrail uses together.
const TELLING: [&str; 9] = [
    "eventVersion",
    "eventID",
    "eventName",
    "eventSource",
    "userIdentity",
    "awsRegion",
    "recipientAccountId",
    "eventType",
    "sourceIPAddress",
];

/// Whether an object has the shape of a CloudTrail record of a version known here.
pub(super) fn fits(object: &Object<'_>) -> bool {
    let about = |key| matches!(object.get(key), Some(Value::String(_) | Value::Object(_)));
    (about("eventName") || about("eventSource") || about("insightDetails"))
        && TELLING.iter().filter(|key| about(key)).count() >= 3
        && check_version(object).is_ok()
}

/// Minor versions only add attributes.
fn check_version(object: &Object<'_>) -> Result<(), String> {
    match object.get("eventVersion").and_then(Value::str) {
        Some(version) if version.split('.').next() != Some("1") => Err(format!(
            "cloudtrail event version other than 1: {:?}",
            version.chars().take(16).collect::<String>()
        )),
        _ => Ok(()),
    }
}

pub(super) fn map(object: Object<'_>) -> Result<Event<'_>, String> {
    if TELLING.iter().filter(|key| object.get(key).is_some()).count() < 2 {
        return Err("not a cloudtrail record: fewer than two of its attributes are there".to_owned());
    }
    check_version(&object)?;
    Ok(Record::read(object).event())
}

impl<'a> Record<'a> {
    fn event(mut self) -> Event<'a> {
        let source = self.event_source.as_deref().unwrap_or_default();
        let Class { class_uid, activity_id, activity_name } =
            classify(source, self.event_name.as_deref().unwrap_or_default());
        let time = self.event_time.as_deref().and_then(utc_ms);
        let status_id = if self.has_failed(class_uid) { 2 } else { 1 };
        let is_mfa = self.signed_in_with_mfa(class_uid);
        let user = (class_uid != API_ACTIVITY).then(|| self.subject()).flatten();
        let mut incomplete = Vec::new();
        let mut expect = |name, is_there: bool| {
            if !is_there {
                incomplete.push(name);
            }
        };
        expect("actor", self.identity.is_someone());
        expect("api.operation", self.event_name.is_some());
        expect("src_endpoint", self.source.is_some());
        expect("time", time.is_some());

        let mut event = Object::new();
        event.push("activity_id", activity_id);
        match (activity_name, &self.event_name) {
            (Some(name), _) => event.push("activity_name", name),
            (None, name) => event.push_some("activity_name", name.clone()),
        }
        event.push_filled("actor", self.identity.actor());
        let (api, service, status_code) = self.api();
        event.push_filled("api", api);
        event.push("category_uid", class_uid / 1000);
        event.push("class_uid", class_uid);
        event.push("cloud", cloud(self.recipient, self.region));
        event.push_filled(
            "http_request",
            Object::from_iter(self.user_agent.map(|agent| ("user_agent", agent))),
        );
        event.push_some("is_mfa", is_mfa);
        let mut metadata = Object::new();
        metadata.push_some("event_code", self.event_type);
        metadata.push("mapping", mapping(Format::CloudTrail.name(), VERSION, &incomplete));
        metadata.push_some("original_time", self.event_time);
        metadata.push("product", product(self.event_category, self.event_version));
        metadata.push("profiles", vec![Value::from("cloud")]);
        metadata.push_some("uid", self.event_id);
        metadata.push("version", OCSF_VERSION);
        event.push("metadata", metadata);
        match self.resources {
            Some(resources) if class_uid == API_ACTIVITY => {
                event.push("resources", resources.into_iter().map(resource).collect::<Vec<_>>());
            }
            Some(resources) => self.unmapped.push("resources", resources),
            None => {}
        }
        if class_uid == AUTHENTICATION {
            event.push_some("service", service.map(|name| Object::from_iter([("name", name)])));
        }
        event.push("severity_id", 1);
        event.push_filled("src_endpoint", endpoint(self.source, self.vpc_endpoint));
        event.push("status", status_name(status_id));
        event.push_some("status_code", status_code);
        event.push("status_id", status_id);
        event.push_some("time", time);
        event.push("type_uid", class_uid * 100 + activity_id);
        event.push_filled("unmapped", self.unmapped);
        event.push_some("user", user);
        Event { object: event, format: Format::CloudTrail, incomplete }
    }

    /// `api`, and what is needed elsewhere too: the service and the error.
    fn api(&mut self) -> (Object<'a>, Text<'a>, Text<'a>) {
        let (service, error) = (self.event_source.take(), self.error_code.take());
        let mut request = Object::new();
        request.push_some("data", self.request.take());
        request.push_some("uid", self.request_id.take());
        let mut response = Object::new();
        response.push_some("data", self.response.take());
        response.push_some("error", error.clone());
        response.push_some("message", self.error_message.take());
        let mut api = Object::new();
        api.push_some("operation", self.event_name.take());
        api.push_filled("request", request);
        api.push_filled("response", response);
        api.push_some("service", service.clone().map(|name| Object::from_iter([("name", name)])));
        api.push_some("version", self.api_version.take());
        (api, service, error)
    }

    /// A sign-in says how it ended under its own name; only calls have error codes.
    fn has_failed(&self, class_uid: u32) -> bool {
        let name = self.event_name.as_deref().unwrap_or_default();
        let result = |value: Option<&Value<'a>>| value?.path(&[name])?.str().map(|text| text == "Failure");
        self.error_code.is_some()
            || class_uid == AUTHENTICATION
                && (result(self.response.as_ref()))
                    .or_else(|| result(self.unmapped.get("serviceEventDetails")))
                    .unwrap_or(self.error_message.is_some())
    }

    fn signed_in_with_mfa(&self, class_uid: u32) -> Option<bool> {
        let used = self.unmapped.get("additionalEventData")?.path(&["MFAUsed"])?.str()?;
        match used {
            "Yes" if class_uid == AUTHENTICATION => Some(true),
            "No" if class_uid == AUTHENTICATION => Some(false),
            _ => None,
        }
    }

    /// `user` of 3001 and 3002.
    fn subject(&self) -> Option<Object<'a>> {
        let request = |key| text_at(self.request.as_ref(), &[key]);
        let response = |path: &[&str]| text_at(self.response.as_ref(), path);
        let named = |kind: Option<&'static str>, name: Text<'a>, uid: Text<'a>, uid_alt: Text<'a>| {
            let mut user = Object::new();
            user.push_some("name", name);
            user.push_some("type", kind.filter(|_| !user.is_empty() || uid.is_some()));
            user.push_some("uid", uid);
            user.push_some("uid_alt", uid_alt);
            (!user.is_empty()).then_some(user)
        };
        let role = ["assumedRoleUser", "arn"];
        if let Some(uid) = response(&role).or_else(|| request("roleArn")) {
            return named(
                Some("AssumedRole"),
                None,
                Some(uid),
                response(&["assumedRoleUser", "assumedRoleId"]),
            );
        }
        let user =
            named(None, request("userName"), response(&["user", "arn"]), response(&["user", "userId"]));
        let role = || {
            named(
                Some("Role"),
                request("roleName"),
                response(&["role", "arn"]),
                response(&["role", "roleId"]),
            )
        };
        let group = || {
            named(
                Some("Group"),
                request("groupName"),
                response(&["group", "arn"]),
                response(&["group", "groupId"]),
            )
        };
        user.or_else(role).or_else(group).or_else(|| self.identity.as_subject())
    }
}

fn text_at<'a>(value: Option<&Value<'a>>, path: &[&str]) -> Text<'a> {
    match value?.path(path)? {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn cloud<'a>(account: Text<'a>, region: Text<'a>) -> Object<'a> {
    let mut cloud = Object::new();
    cloud.push_some("account", account.map(|uid| Object::from_iter([("uid", uid)])));
    cloud.push("provider", "AWS");
    cloud.push_some("region", region);
    cloud
}

fn product<'a>(feature: Text<'a>, version: Text<'a>) -> Object<'a> {
    let mut product = Object::new();
    product.push_some("feature", feature.map(|name| Object::from_iter([("name", name)])));
    product.push("name", "CloudTrail");
    product.push("vendor_name", "AWS");
    product.push_some("version", version);
    product
}

/// `sourceIPAddress` is a name such as `ec2.amazonaws.com` or `AWS Internal` where the caller is AWS itself.
fn endpoint<'a>(source: Text<'a>, vpc_endpoint: Text<'a>) -> Object<'a> {
    let mut endpoint = Object::new();
    if let Some(source) = source {
        endpoint.push(address_key(&source, "domain"), source);
    }
    endpoint.push_some("uid", vpc_endpoint);
    endpoint
}

/// The names of a resource are spelt in more than one way; what is none of them is kept as `data`.
fn resource(value: Value<'_>) -> Value<'_> {
    let (mut uid, mut kind, mut account, mut data) = (None, None, None, Object::new());
    match value {
        Value::Object(resource) => {
            for (key, value) in resource {
                let slot = match &*key {
                    "ARN" | "arn" if uid.is_none() => &mut uid,
                    "type" => &mut kind,
                    "accountId" => &mut account,
                    _ => {
                        data.push(key, value);
                        continue;
                    }
                };
                take_text(slot, key, value, &mut data);
            }
        }
        other => data.push("value", other),
    }
    let mut resource = Object::new();
    resource.push_filled("data", data);
    let account = account.map(|uid| Object::from_iter([("account", Object::from_iter([("uid", uid)]))]));
    resource.push_some("owner", account);
    resource.push_some("type", kind);
    resource.push_some("uid", uid);
    Value::Object(resource)
}
