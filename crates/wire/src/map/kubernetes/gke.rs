//! Kubernetes audit events as Google Kubernetes Engine delivers them: entries of Cloud Audit Logs
//! (google.cloud.audit.AuditLog in a google.logging.v2.LogEntry) of the service `k8s.io`.
//!
//! | record | event |
//! |---|---|
//! | `protoPayload.authenticationInfo.principalEmail` | `actor.user.name` |
//! | `.authorizationInfo[].{granted, permission}` | `actor.authorizations[].{decision, policy.name}` |
//! | `.methodName`: `io.k8s.core.v1.pods.exec.create` | `api.group.name` core, `.version` v1, `.operation` create, `resources[].type` pods/exec; whole in `metadata.event_code` |
//! | `.resourceName`: `core/v1/namespaces/shop/pods/cart` | `resources[].{uid, namespace, name}` |
//! | `.requestMetadata.{callerIp, callerSuppliedUserAgent}` | `src_endpoint.ip`, `http_request.user_agent` |
//! | `.status.{code, message}`, `.request`, `.response` | `api.response.{code, message}`, `api.request.data`, `api.response.data` |
//! | `timestamp`, `receiveTimestamp`, `insertId`, `logName` | `time`, `metadata.logged_time`, `.uid`, `.log_name` |
//! | `resource.labels.{project_id, location}` | `cloud.account.uid`, `cloud.region` |

use super::super::{Event, Members, OCSF_VERSION, Text, address_key, mapping, status_name};
use super::{CLASS, activity};
use crate::Format;
use crate::time::rfc3339_ms;
use record::json::{Object, Value};
use std::borrow::Cow;

const NAME: &str = "kubernetes-audit-gke";
const VERSION: u32 = 1;

pub(super) fn fits(object: &Object<'_>) -> bool {
    let payload =
        |key| object.get("protoPayload").and_then(|payload| payload.path(&[key])).and_then(Value::str);
    payload("serviceName").is_none_or(|service| service == "k8s.io")
        && payload("methodName").is_some_and(|method| method.starts_with("io.k8s."))
}

pub(super) fn map(mut entry: Object<'_>) -> Event<'_> {
    let mut payload = take_object(&mut entry, "protoPayload");
    let mut caller = take_object(&mut payload, "authenticationInfo");
    let mut request = take_object(&mut payload, "requestMetadata");
    let mut resource = take_object(&mut entry, "resource");
    let mut labels = take_object(&mut resource, "labels");
    let method_name = take_text(&mut payload, "methodName").unwrap_or_default();
    let method = Method::parse(&method_name);
    let user = take_text(&mut caller, "principalEmail");
    let address = take_text(&mut request, "callerIp").or_else(|| take_text(&mut request, "callerIP"));
    let original_time = take_text(&mut entry, "timestamp");
    let time = original_time.as_deref().and_then(rfc3339_ms);
    let logged_time = entry.get("receiveTimestamp").and_then(Value::str).and_then(rfc3339_ms);
    let (activity_id, activity_name) = activity(Some(method.verb), method.subresource());
    let granted = authorizations(&mut payload);
    let outcome = Outcome::take(&mut payload, &granted);

    let mut incomplete = Vec::new();
    for (name, is_there) in
        [("actor", user.is_some()), ("src_endpoint", address.is_some()), ("time", time.is_some())]
    {
        if !is_there {
            incomplete.push(name);
        }
    }

    let mut actor = Object::new();
    if !granted.is_empty() {
        actor.push("authorizations", granted);
    }
    actor.push_some("user", user.map(|name| Object::from_iter([("name", name)])));
    let mut api = Object::new();
    api.push_some("group", method.group.map(|name| Object::from_iter([("name", name.to_owned())])));
    api.push("operation", method.verb.to_owned());
    api.push_filled("request", Object::from_iter(payload.remove("request").map(|data| ("data", data))));
    api.push_filled("response", outcome.response);
    api.push("service", Object::from_iter([("name", "kubernetes")]));
    api.push_some("version", method.version.map(str::to_owned));
    let mut cloud = Object::new();
    let project = take_text(&mut labels, "project_id");
    cloud.push_some("account", project.map(|uid| Object::from_iter([("uid", uid)])));
    cloud.push("provider", "GCP");
    cloud.push_some("region", take_text(&mut labels, "location"));
    let target = target(&method, take_text(&mut payload, "resourceName"));
    let agent = take_text(&mut request, "callerSuppliedUserAgent");
    let mut metadata = Object::new();
    metadata.push("event_code", method_name.clone());
    metadata.push_some("log_name", take_text(&mut entry, "logName"));
    metadata.push_some("logged_time", logged_time);
    metadata.push("mapping", mapping(NAME, VERSION, &incomplete));
    metadata.push_some("original_time", original_time);
    metadata.push(
        "product",
        Object::from_iter([("name", "Google Kubernetes Engine"), ("vendor_name", "Google")]),
    );
    metadata.push("profiles", vec![Value::from("cloud")]);
    metadata.push_some("uid", take_text(&mut entry, "insertId"));
    metadata.push("version", OCSF_VERSION);

    // What is left goes back to where it came from.
    resource.push_filled("labels", labels);
    payload.push_filled("authenticationInfo", caller);
    payload.push_filled("requestMetadata", request);
    entry.push_filled("protoPayload", payload);
    entry.push_filled("resource", resource);

    let mut event = Object::new();
    event.push("activity_id", activity_id);
    event.push_some("activity_name", activity_name);
    event.push_filled("actor", actor);
    event.push("api", api);
    event.push("category_uid", CLASS / 1000);
    event.push("class_uid", CLASS);
    event.push("cloud", cloud);
    event.push_filled("http_request", Object::from_iter(agent.map(|agent| ("user_agent", agent))));
    event.push("metadata", metadata);
    event.push("resources", vec![Value::Object(target)]);
    event.push("severity_id", 1);
    event.push_filled("src_endpoint", endpoint(address));
    event.push("status", status_name(outcome.status_id));
    event.push_some("status_code", outcome.status_code);
    event.push("status_id", outcome.status_id);
    event.push_some("time", time);
    event.push("type_uid", CLASS * 100 + activity_id);
    event.push_filled("unmapped", entry);
    Event { object: event, format: Format::KubernetesAudit, incomplete }
}

/// `io.k8s.GROUP.VERSION.RESOURCE[.SUBRESOURCE].VERB`; a group may have dots.
struct Method<'m> {
    group: Option<&'m str>,
    version: Option<&'m str>,
    resource: &'m str,
    verb: &'m str,
}

impl<'m> Method<'m> {
    fn parse(name: &'m str) -> Method<'m> {
        let name = name.strip_prefix("io.k8s.").unwrap_or(name);
        let (path, verb) = name.rsplit_once('.').unwrap_or(("", name));
        let mut at = 0;
        for part in path.split('.') {
            let is_version =
                part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if is_version && at > 0 {
                let resource = path.get(at + part.len() + 1..).unwrap_or_default();
                return Method { group: Some(&path[..at - 1]), version: Some(part), resource, verb };
            }
            at += part.len() + 1;
        }
        Method { group: None, version: None, resource: path, verb }
    }

    fn subresource(&self) -> Option<&'m str> {
        self.resource.split_once('.').map(|(_, subresource)| subresource)
    }
}

/// What was acted upon. The name stands behind the resource in `GROUP/VERSION[/namespaces/NS]/RESOURCE[/NAME]`.
fn target<'a>(method: &Method<'_>, path: Text<'a>) -> Object<'a> {
    let resource = method.resource.split('.').next().unwrap_or_default();
    let behind = |part: &str| {
        let mut parts = path.as_deref()?.split('/');
        parts.find(|found| *found == part)?;
        parts.next().map(str::to_owned)
    };
    let (name, namespace) = (behind(resource), behind("namespaces"));
    let mut target = Object::new();
    target.push_some("name", name);
    target.push_some("namespace", namespace);
    target.push("type", method.resource.replace('.', "/"));
    target.push_some("uid", path);
    target
}

/// Calls from inside Google come from `gce-internal-ip` or `private`.
fn endpoint(address: Text<'_>) -> Object<'_> {
    Object::from_iter(address.map(|address| (address_key(&address, "hostname"), address)))
}

fn authorizations<'a>(payload: &mut Object<'a>) -> Vec<Value<'a>> {
    let Some(Value::Array(list)) = payload.get("authorizationInfo") else { return Vec::new() };
    let decision = |info: &Value<'a>| {
        let granted = info.path(&["granted"]).and_then(Value::as_bool);
        let mut authorization = Object::new();
        authorization.push("decision", if granted == Some(true) { "allow" } else { "forbid" });
        let permission = info.path(&["permission"]).cloned();
        authorization.push_some("policy", permission.map(|name| Object::from_iter([("name", name)])));
        Value::Object(authorization)
    };
    list.iter().map(decision).collect()
}

struct Outcome<'a> {
    status_id: u32,
    status_code: Option<String>,
    response: Object<'a>,
}

impl<'a> Outcome<'a> {
    /// A status without a code is success (google.rpc.Status); without a status, only a refusal says anything.
    fn take(payload: &mut Object<'a>, authorizations: &[Value<'a>]) -> Outcome<'a> {
        let has_status = payload.get("status").is_some_and(|status| status.as_object().is_some());
        let mut status = take_object(payload, "status");
        let code = status.get("code").and_then(Value::as_u64);
        let is_denied =
            authorizations.iter().any(|one| one.path(&["decision"]).and_then(Value::str) == Some("forbid"));
        let status_id = match (has_status, code.unwrap_or(0)) {
            (true, 0) => 1,
            (true, _) => 2,
            (false, _) if is_denied => 2,
            (false, _) => 0,
        };
        let mut response = Object::new();
        response.push_some("code", status.remove("code"));
        response.push_some("data", payload.remove("response"));
        response.push_some("message", status.remove("message"));
        payload.push_filled("status", status);
        Outcome { status_id, status_code: code.map(|code| code.to_string()), response }
    }
}

/// Takes the object out that is there under `key`; leaves anything else.
fn take_object<'a>(from: &mut Object<'a>, key: &str) -> Object<'a> {
    match from.get(key) {
        Some(Value::Object(_)) => match from.remove(key) {
            Some(Value::Object(object)) => object,
            _ => Object::new(),
        },
        _ => Object::new(),
    }
}

/// Takes the text out that is there under `key`; leaves anything else.
fn take_text<'a>(from: &mut Object<'a>, key: &str) -> Option<Cow<'a, str>> {
    match from.get(key) {
        Some(Value::String(_)) => match from.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}
