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
//! | `sourceIPs`, its last | `src_endpoint.ip`, the peer of the API server |
//! | `sourceIPs`, those ahead of the last | `http_request.x_forwarded_for`, as claimed: the first is the client; then `src_endpoint.claim_trust` is `none` |
//! | `userAgent`, `requestURI` | `http_request.user_agent`, `.url.path` and `.url.query_string` |
//! | `requestReceivedTimestamp`, else `stageTimestamp`, `timestamp` or `metadata.creationTimestamp` | `time` |
//! | `stageTimestamp` | `metadata.logged_time`, and as it was spelt in `unmapped` |
//! | `auditID` and `stage` | `metadata.uid` is `auditID/stage`, `.correlation_uid` and `.event_code` are its parts |
//! | `level`, `apiVersion` | `metadata.log_level`, `.log_version` |
//!
//! `exec`, `attach` and `portforward` are activity 99 under their own names whatever the verb: newer clients open them
//! with `get`, and they are no reading. A request that was only received has status 0: nothing is known of its end.

use super::kubernetes_user::User;
use super::{Event, Members, OCSF_VERSION, mapping, status_name, take_text};
use crate::Format;
use crate::time::rfc3339_ms;
use record::json::{Number, Object, Value};
use std::borrow::Cow;

/// Version of this mapping.
const VERSION: u32 = 1;

const CLASS: u32 = 6003;

type Text<'a> = Option<Cow<'a, str>>;

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

/// Whether an object has the shape of an audit event. An event of the core API has the same kind.
pub(super) fn fits(object: &Object<'_>) -> bool {
    let text = |key| object.get(key).and_then(Value::str);
    let is_event = text("kind").is_none_or(|kind| kind == "Event");
    let is_audit = text("apiVersion").is_none_or(|version| version.starts_with("audit.k8s.io/"));
    let has_id = text("auditID").is_some() && (text("stage").is_some() || text("verb").is_some());
    let named = text("kind").is_some() && (text("apiVersion").is_some() || text("verb").is_some());
    is_event && is_audit && (has_id || named && telling(object) >= 2)
}

fn telling(object: &Object<'_>) -> usize {
    TELLING.iter().filter(|key| object.get(key).is_some()).count()
}

pub(super) fn map(object: Object<'_>) -> Result<Event<'_>, String> {
    if let Some(kind) = object.get("kind").and_then(Value::str).filter(|kind| *kind != "Event") {
        let kind: String = kind.chars().take(64).collect();
        return Err(format!("not a kubernetes audit event: its kind is {kind:?}"));
    }
    if telling(&object) < 2 {
        return Err("not a kubernetes audit event: fewer than two of its attributes are there".to_owned());
    }
    Ok(Record::read(object).event())
}

/// What a record says, before it is put where OCSF wants it.
#[derive(Default)]
struct Record<'a> {
    audit_id: Text<'a>,
    stage: Text<'a>,
    level: Text<'a>,
    log_version: Text<'a>,
    uri: Text<'a>,
    verb: Text<'a>,
    user_agent: Text<'a>,
    received: Text<'a>,
    staged: Text<'a>,
    timestamp: Text<'a>,
    user: User<'a>,
    impersonated: User<'a>,
    addresses: Vec<Value<'a>>,
    resource: Resource<'a>,
    code: Option<Number<'a>>,
    outcome: Text<'a>,
    reason: Text<'a>,
    message: Text<'a>,
    decision: Text<'a>,
    decision_reason: Text<'a>,
    request: Option<Value<'a>>,
    response: Option<Value<'a>>,
    unmapped: Object<'a>,
}

/// `objectRef`.
#[derive(Default)]
struct Resource<'a> {
    resource: Text<'a>,
    subresource: Text<'a>,
    namespace: Text<'a>,
    name: Text<'a>,
    uid: Text<'a>,
    group: Text<'a>,
    api_version: Text<'a>,
    version: Text<'a>,
}

impl<'a> Record<'a> {
    fn read(object: Object<'a>) -> Record<'a> {
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
                "status" => &mut self.outcome,
                "reason" => &mut self.reason,
                "message" => &mut self.message,
                _ => {
                    match (&*key, value) {
                        ("code", Value::Number(code)) => self.code = Some(code),
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

    fn event(mut self) -> Event<'a> {
        let (activity_id, activity_name) = self.activity();
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
        expect("api.operation", self.verb.as_ref().is_some_and(|verb| !verb.is_empty()));
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

    fn activity(&self) -> (u32, Text<'a>) {
        if let Some(subresource @ ("exec" | "attach" | "portforward")) = self.resource.subresource.as_deref()
        {
            return (99, Some(Cow::Owned(subresource.to_owned())));
        }
        let (id, name) = match self.verb.as_deref() {
            Some("create") => (1, "Create"),
            Some("get" | "list" | "watch") => (2, "Read"),
            Some("update" | "patch") => (3, "Update"),
            Some("delete" | "deletecollection") => (4, "Delete"),
            _ => return (99, self.verb.clone()),
        };
        (id, Some(Cow::Borrowed(name)))
    }

    fn status_id(&self) -> u32 {
        let by_code = match self.code.as_ref().and_then(Number::as_u64) {
            Some(100..400) => Some(1),
            Some(400..600) => Some(2),
            _ => None,
        };
        let by_word = match self.outcome.as_deref() {
            Some("Success") => Some(1),
            Some("Failure") => Some(2),
            _ => None,
        };
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
        found.or_else(|| match self.unmapped.get("metadata")?.path(&["creationTimestamp"])? {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    fn actor(&mut self) -> Object<'a> {
        let mut authorization = Object::new();
        authorization.push_some("decision", self.decision.take());
        let reason = self.decision_reason.take().filter(|reason| !reason.is_empty());
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
    fn into_parts(self) -> (Text<'a>, Text<'a>, Object<'a>) {
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

/// Takes `sourceIPs` apart: X-Forwarded-For, X-Real-Ip, and the peer, which alone is the API server's own view.
fn addresses<'a>(mut addresses: Vec<Value<'a>>, unmapped: &mut Object<'a>) -> (Object<'a>, Vec<Value<'a>>) {
    let mut endpoint = Object::new();
    match addresses.pop() {
        Some(Value::String(peer)) => {
            if !addresses.is_empty() {
                endpoint.push("claim_trust", "none");
            }
            endpoint.push("ip", peer);
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
