//! Kubernetes audit events (`audit.k8s.io`; k8s.io/apiserver, pkg/apis/audit/v1/types.go), as API Activity.
//!
//! | record | event |
//! |---|---|
//! | `impersonatedUser` if it is there, else `user`: `username`, `uid`, `groups[]` | `actor.user.{name, uid, groups[].name}` |
//! | `user`, if `impersonatedUser` is there | `actor.impersonated_by`, the same way |
//! | `user.extra`: `authentication.kubernetes.io/credential-id`; of EKS: `accessKeyId`, `canonicalArn`, `sessionName` | `actor.session.credential_uid`; `.credential_uid`, `.issuer`, `.uid` |
//! | annotations `authorization.k8s.io/decision`, `/reason` | `actor.authorizations[].decision`, `.policy.name` |
//! | `verb`, `objectRef.apiGroup`, `.apiVersion`, `auditID` | `api.operation`, `.group.name`, `.version`, `.request.uid` |
//! | `objectRef.{resource/subresource, namespace, name, uid, resourceVersion}` | `resources[].{type, namespace, name, uid, version}` |
//! | `requestObject`, `responseObject` | `api.request.data`, `api.response.data` |
//! | `responseStatus.{code, reason, message}` | `api.response.{code, error, message}`, `status_code` |
//! | `sourceIPs`, its last | `src_endpoint.ip` (`.hostname` if it is no address), the peer of the API server |
//! | `sourceIPs`, those ahead of the last | `http_request.x_forwarded_for`, as claimed: the first is the client; then `src_endpoint.claim_trust` is `none` |
//! | `userAgent`, `requestURI` | `http_request.user_agent`, `.url.path` and `.url.query_string` |
//! | `requestReceivedTimestamp`, else `stageTimestamp`, `timestamp`, `metadata.creationTimestamp`, or Azure's `time` | `time` |
//! | `stageTimestamp` | `metadata.logged_time`, and as it was spelt in `unmapped` |
//! | `auditID` and `stage` | `metadata.uid` is `auditID/stage`, `.correlation_uid` and `.event_code` are its parts |
//! | `level`, `apiVersion` | `metadata.log_level`, `.log_version` |
//!
//! Also read: the event as text in `properties.log` of Azure's diagnostic records, whose other attributes are kept in
//! `unmapped.wrapper`, and the entries of Google's Cloud Audit Logs, see [`gke`].
//!
//! `exec`, `attach` and `portforward` are activity 99 under their own names whatever the verb: newer clients open them
//! with `get`, and they are no reading. A request that was only received has status 0: nothing is known of its end.

mod gke;
mod record;
mod user;

use super::{Event, Members, OCSF_VERSION, Text, address_key, mapping, status_name};
use crate::Format;
use crate::time::rfc3339_ms;
use ::record::json::{self, Number, Object, Value};
use record::Record;
use std::borrow::Cow;

/// Version of this mapping.
const VERSION: u32 = 1;

const CLASS: u32 = 6003;

/// Names that audit events use.
const TELLING: [&str; 9] = [
    "auditID",
    "stage",
    "verb",
    "objectRef",
    "requestURI",
    "responseStatus",
    "sourceIPs",
    "requestReceivedTimestamp",
    "user",
];

/// Whether an object has the shape of an audit event, or of one inside what a cloud wraps around it.
pub(super) fn fits(object: &Object<'_>) -> bool {
    fits_plain(object) || gke::fits(object) || wrapped_log(object).is_some()
}

/// An event of the core API has the same kind, but another version and none of the telling names.
fn fits_plain(object: &Object<'_>) -> bool {
    let text = |key| object.get(key).and_then(Value::str);
    let is_event = text("kind").is_none_or(|kind| kind == "Event");
    let is_audit = text("apiVersion").is_none_or(|version| version.starts_with("audit.k8s.io/"));
    let has_id = text("auditID").is_some() && (text("stage").is_some() || text("verb").is_some());
    let named = text("kind").is_some() && (text("apiVersion").is_some() || text("verb").is_some());
    is_event && is_audit && (has_id || named && telling(object) >= 2)
}

/// The event as text in a record of Azure's diagnostic settings.
fn wrapped_log<'v>(object: &'v Object<'_>) -> Option<&'v str> {
    let category = object.get("category")?.str()?;
    let log = object.get("properties")?.path(&["log"])?.str()?;
    category.starts_with("kube-audit").then_some(log)
}

fn telling(object: &Object<'_>) -> usize {
    TELLING.iter().filter(|key| object.get(key).is_some()).count()
}

pub(super) fn map(mut object: Object<'_>) -> Result<Event<'_>, String> {
    if gke::fits(&object) {
        return Ok(gke::map(object));
    }
    if let Some(log) = wrapped_log(&object) {
        let event = match json::parse(log.as_bytes()).map(Value::into_owned) {
            Ok(Value::Object(event)) => event,
            Ok(_) => return Err("kubernetes audit event in properties.log is not a json object".to_owned()),
            Err(error) => {
                return Err(format!("kubernetes audit event in properties.log is not strict json: {error}"));
            }
        };
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            properties.remove("log");
        }
        return map_plain(event, object);
    }
    map_plain(object, Object::new())
}

/// `wrapper`: what was around the event.
fn map_plain<'a>(object: Object<'a>, wrapper: Object<'a>) -> Result<Event<'a>, String> {
    if let Some(kind) = object.get("kind").and_then(Value::str).filter(|kind| *kind != "Event") {
        let kind: String = kind.chars().take(64).collect();
        return Err(format!("not a kubernetes audit event: its kind is {kind:?}"));
    }
    if telling(&object) < 2 {
        return Err("not a kubernetes audit event: fewer than two of its attributes are there".to_owned());
    }
    let mut record = Record::read(object);
    if !wrapper.is_empty() {
        let mut name = "wrapper".to_owned();
        while record.unmapped.get(&name).is_some() {
            name.push('_');
        }
        record.unmapped.push(name, wrapper);
    }
    Ok(record.event())
}

impl<'a> Record<'a> {
    fn event(mut self) -> Event<'a> {
        let (activity_id, activity_name) =
            activity(self.verb.as_deref(), self.resource.subresource.as_deref());
        let status_id = self.status_id();
        let original_time = self.original_time();
        let time = original_time.as_deref().and_then(rfc3339_ms);
        let logged_time = self.staged.as_deref().and_then(rfc3339_ms);
        if let Some(staged) = self.staged.take() {
            self.unmapped.push("stageTimestamp", staged);
        }
        let (endpoint, claimed) = addresses(std::mem::take(&mut self.addresses), &mut self.unmapped);
        let actor = self.actor();

        let mut incomplete = Vec::new();
        let mut expect = |name, is_there: bool| {
            if !is_there {
                incomplete.push(name);
            }
        };
        expect("actor", actor.get("user").is_some());
        expect("api.operation", self.verb.is_some());
        expect("src_endpoint", !endpoint.is_empty());
        expect("time", time.is_some());

        let mut http = Object::new();
        if let Some(uri) = self.uri.take() {
            http.push("url", url(uri));
        }
        http.push_some("user_agent", self.user_agent.take());
        if !claimed.is_empty() {
            http.push("x_forwarded_for", claimed);
        }
        let status_code = self.code.as_ref().map(|code| code.as_str().to_owned());
        let (api, resource) = self.api_and_resource();

        let mut event = Object::new();
        event.push("activity_id", activity_id);
        event.push_some("activity_name", activity_name);
        event.push_filled("actor", actor);
        event.push_filled("api", api);
        event.push("category_uid", CLASS / 1000);
        event.push("class_uid", CLASS);
        event.push_filled("http_request", http);
        event.push("metadata", self.metadata(original_time, logged_time, &incomplete));
        if !resource.is_empty() {
            event.push("resources", vec![Value::Object(resource)]);
        }
        event.push("severity_id", 1);
        event.push_filled("src_endpoint", endpoint);
        event.push("status", status_name(status_id));
        event.push_some("status_code", status_code);
        event.push("status_id", status_id);
        event.push_some("time", time);
        event.push("type_uid", CLASS * 100 + activity_id);
        event.push_filled("unmapped", self.unmapped);
        Event { object: event, format: Format::KubernetesAudit, incomplete }
    }

    fn status_id(&self) -> u32 {
        let by_code = match self.code.as_ref().and_then(Number::as_u64) {
            Some(100..400) => Some(1),
            Some(400..600) => Some(2),
            _ => None,
        };
        let by_word = self.has_failed.map(|has_failed| if has_failed { 2 } else { 1 });
        if self.decision.as_deref() == Some("forbid") || self.stage.as_deref() == Some("Panic") {
            return 2;
        }
        by_code.or(by_word).unwrap_or(0)
    }

    /// Older API servers have but one time, and the oldest that only among their metadata.
    fn original_time(&mut self) -> Text<'a> {
        let found = self.received.take().or_else(|| self.staged.clone()).or_else(|| self.timestamp.take());
        if let Some(timestamp) = self.timestamp.take() {
            self.unmapped.push("timestamp", timestamp);
        }
        let elsewhere = |path: [&str; 2]| match self.unmapped.get(path[0])?.path(&path[1..])? {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        found
            .or_else(|| elsewhere(["metadata", "creationTimestamp"]))
            .or_else(|| elsewhere(["wrapper", "time"]))
    }

    fn actor(&mut self) -> Object<'a> {
        let mut authorization = Object::new();
        authorization.push_some("decision", self.decision.take());
        let reason = self.decision_reason.take();
        authorization.push_some("policy", reason.map(|name| Object::from_iter([("name", name)])));

        let session = self.user.session();
        let caller = std::mem::take(&mut self.user).user();
        let assumed = std::mem::take(&mut self.impersonated).user();
        let (user, impersonated_by) = if assumed.is_empty() { (caller, assumed) } else { (assumed, caller) };
        let mut actor = Object::new();
        if !authorization.is_empty() {
            actor.push("authorizations", vec![Value::Object(authorization)]);
        }
        actor.push_filled("impersonated_by", impersonated_by);
        actor.push_filled("session", session);
        actor.push_filled("user", user);
        actor
    }

    fn api_and_resource(&mut self) -> (Object<'a>, Object<'a>) {
        let (group, version, resource) = std::mem::take(&mut self.resource).into_parts();
        let mut request = Object::new();
        request.push_some("data", self.request.take());
        request.push_some("uid", self.audit_id.clone());
        let mut response = Object::new();
        response.push_some("code", self.code.take().map(Value::Number));
        response.push_some("data", self.response.take());
        response.push_some("error", self.reason.take());
        response.push_some("message", self.message.take());
        let mut api = Object::new();
        api.push_some("group", group.map(|name| Object::from_iter([("name", name)])));
        api.push_some("operation", self.verb.take());
        api.push_filled("request", request);
        api.push_filled("response", response);
        api.push("service", Object::from_iter([("name", "kubernetes")]));
        api.push_some("version", version);
        (api, resource)
    }

    fn metadata(
        &mut self,
        original: Text<'a>,
        logged: Option<i64>,
        incomplete: &[&'static str],
    ) -> Object<'a> {
        let (id, stage) = (self.audit_id.take(), self.stage.take());
        let uid = match (&id, &stage) {
            (Some(id), Some(stage)) => Some(Cow::Owned(format!("{id}/{stage}"))),
            (id, _) => id.clone(),
        };
        let mut metadata = Object::new();
        metadata.push_some("correlation_uid", id);
        metadata.push_some("event_code", stage);
        metadata.push_some("log_level", self.level.take());
        metadata.push_some("log_version", self.log_version.take());
        metadata.push_some("logged_time", logged);
        metadata.push("mapping", mapping(Format::KubernetesAudit.name(), VERSION, incomplete));
        metadata.push_some("original_time", original);
        metadata.push("product", Object::from_iter([("name", "Kubernetes")]));
        metadata.push_some("uid", uid);
        metadata.push("version", OCSF_VERSION);
        metadata
    }
}

/// Class 6003 has no activity for what `exec` and its like do.
fn activity<'a>(verb: Option<&str>, subresource: Option<&str>) -> (u32, Text<'a>) {
    let named = |id, name| (id, Some(Cow::Borrowed(name)));
    let other = |name: &str| (99, Some(Cow::Owned(name.to_owned())));
    match (subresource, verb) {
        (Some(subresource @ ("exec" | "attach" | "portforward")), _) => other(subresource),
        (_, Some("create")) => named(1, "Create"),
        (_, Some("get" | "list" | "watch")) => named(2, "Read"),
        (_, Some("update" | "patch")) => named(3, "Update"),
        (_, Some("delete" | "deletecollection")) => named(4, "Delete"),
        (_, Some(verb)) => other(verb),
        (_, None) => (99, None),
    }
}

/// Takes `sourceIPs` apart: X-Forwarded-For, X-Real-Ip, and the peer, which alone is the API server's own view.
fn addresses<'a>(mut addresses: Vec<Value<'a>>, unmapped: &mut Object<'a>) -> (Object<'a>, Vec<Value<'a>>) {
    let mut endpoint = Object::new();
    match addresses.pop() {
        Some(Value::String(peer)) => {
            if !addresses.is_empty() {
                endpoint.push("claim_trust", "none");
            }
            endpoint.push(address_key(&peer, "hostname"), peer);
        }
        Some(other) => {
            addresses.push(other);
            unmapped.push("sourceIPs", std::mem::take(&mut addresses));
        }
        None => {}
    }
    (endpoint, addresses)
}

fn url(uri: Cow<'_, str>) -> Object<'_> {
    let (path, query) = match uri {
        Cow::Borrowed(uri) => match uri.split_once('?') {
            Some((path, query)) => (Cow::Borrowed(path), Some(Cow::Borrowed(query))),
            None => (Cow::Borrowed(uri), None),
        },
        Cow::Owned(mut uri) => {
            let query =
                uri.find('?').map(|at| uri.split_off(at)).map(|query| Cow::Owned(query[1..].to_owned()));
            (Cow::Owned(uri), query)
        }
    };
    let mut url = Object::new();
    url.push("path", path);
    url.push_some("query_string", query);
    url
}
