//! Events against the OCSF schema, version 1.8.0, as the samples hold it in compact form: every attribute is one of the
//! class or object it stands in, has its type, and what is required is there unless the event says it is not.

mod common;

use common::{aks, example, gke, records, sample, whole};
use serde_json::{Map, Value};
use wire::{Format, Mapped, OCSF_VERSION, map};

/// Ours, beside the standard: object, attribute.
const OURS: [(&str, &str); 4] = [
    ("actor", "on_behalf_of"),
    ("actor", "impersonated_by"),
    ("metadata", "mapping"),
    ("network_endpoint", "claim_trust"),
];

/// Objects that hold whatever there is.
const FREE: [&str; 2] = ["object", "unmapped"];

struct Schema(Value);

#[test]
fn mapped_records_are_ocsf() {
    let Some(schema) = sample("ocsf/schema-1.8.0-compact.json") else { return };
    let schema = Schema(serde_json::from_slice(&schema).expect("a schema"));
    assert_eq!(schema.0["version"], OCSF_VERSION);
    let mut raw: Vec<Vec<u8>> = vec![aks().to_string().into(), gke().to_string().into()];
    for file in ["cloudtrail.json", "kubernetes-audit.ndjson"] {
        raw.extend(records(&example(file)));
    }
    for file in ["cloudtrail/panther-events.ndjson", "kubernetes-audit/audit2rbac-demo-part1.log"] {
        raw.extend(records(&sample(file).unwrap_or_default()));
    }
    let mut checked = 0;
    for raw in raw {
        let Mapped::Event { draft, format, incomplete } = map(&raw, None) else { continue };
        assert_ne!(format, Format::Native);
        let event = whole(&draft);
        let wrong = schema.check_event(&event, &incomplete);
        assert!(wrong.is_empty(), "{wrong:#?} in {event:#}");
        checked += 1;
    }
    assert!(checked > 200, "only {checked} events");
}

/// The check itself notices what it is there to notice.
#[test]
fn what_is_not_ocsf_is_noticed() {
    let Some(schema) = sample("ocsf/schema-1.8.0-compact.json") else { return };
    let schema = Schema(serde_json::from_slice(&schema).expect("a schema"));
    let raw = &records(&example("kubernetes-audit.ndjson"))[0];
    let Mapped::Event { draft, .. } = map(raw, None) else { panic!("an example is understood") };
    let event = whole(&draft);
    assert!(schema.check_event(&event, &[]).is_empty());
    for (place, value) in [
        ("/added", Value::from(1)),
        ("/actor", Value::Null),
        ("/actor/user/added", Value::from("x")),
        ("/api/response/code", Value::from("200")),
        ("/src_endpoint/ip", Value::from("nowhere")),
        ("/status_id", Value::from(7)),
        ("/activity_name", Value::from("Delete")),
        ("/type_uid", Value::from(600_301)),
        ("/resources", Value::from("pods")),
        ("/metadata/version", Value::from("1.7.0")),
    ] {
        let mut wrong = event.clone();
        let (parent, key) = place.rsplit_once('/').expect("a pointer");
        wrong.pointer_mut(parent).expect("an object")[key] = value;
        if wrong["actor"].is_null() {
            wrong.as_object_mut().expect("an object").remove("actor");
        }
        assert!(!schema.check_event(&wrong, &[]).is_empty(), "{place}");
    }
}

impl Schema {
    fn check_event(&self, event: &Value, incomplete: &[&str]) -> Vec<String> {
        let mut wrong = Vec::new();
        let classes = self.0["classes"].as_object().expect("classes");
        let class = classes.values().find(|class| class["class_uid"] == event["class_uid"]).expect("a class");
        for (path, value) in
            [("category_uid", &class["category_uid"]), ("metadata.version", &Value::from(OCSF_VERSION))]
        {
            if common::at(event, path) != value {
                wrong.push(format!("{path} is not {value}"));
            }
        }
        let numbers = [&event["class_uid"], &event["activity_id"]].map(|number| number.as_u64().unwrap_or(0));
        if event["type_uid"] != numbers[0] * 100 + numbers[1] {
            wrong.push("type_uid".to_owned());
        }
        let activity = &class["activities"][event["activity_id"].to_string()];
        if activity.is_null() || numbers[1] != 99 && *activity != event["activity_name"] {
            wrong.push(format!("activity {} is {activity}", event["activity_id"]));
        }
        for required in class["required"].as_array().expect("a list") {
            let name = required.as_str().expect("a name");
            let is_flagged = incomplete.iter().any(|path| path.split('.').next() == Some(name))
                // The subject of a sign-in is who acts; where the record has no source, `service` is what is known.
                || name == "user" && incomplete.contains(&"actor");
            if event.get(name).is_none() && !is_flagged {
                wrong.push(format!("{name} is required"));
            }
        }
        let attributes = class["attributes"].as_object().expect("attributes");
        self.check_members(event.as_object().expect("an object"), attributes, "class", "", &mut wrong);
        wrong
    }

    fn check_members(
        &self,
        members: &Map<String, Value>,
        attributes: &Map<String, Value>,
        object: &str,
        path: &str,
        wrong: &mut Vec<String>,
    ) {
        for (key, value) in members {
            let here = format!("{path}.{key}");
            if OURS.contains(&(object, key)) {
                continue;
            }
            let Some(attribute) = attributes.get(key) else {
                wrong.push(format!("{here} is unknown"));
                continue;
            };
            match (attribute["array"].as_bool(), value) {
                (Some(true), Value::Array(elements)) => {
                    elements.iter().for_each(|element| self.check_value(element, attribute, &here, wrong));
                }
                (Some(true), _) => wrong.push(format!("{here} is no array")),
                _ => self.check_value(value, attribute, &here, wrong),
            }
        }
    }

    fn check_value(&self, value: &Value, attribute: &Value, path: &str, wrong: &mut Vec<String>) {
        let kind = attribute["type"].as_str().expect("a type");
        let fits = match kind {
            "json_t" => true,
            "object" => value.is_object(),
            "integer_t" | "long_t" | "timestamp_t" | "port_t" => value.is_i64(),
            "boolean_t" => value.is_boolean(),
            "ip_t" => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            _ => value.is_string(),
        };
        if !fits {
            return wrong.push(format!("{path} is no {kind}: {value}"));
        }
        if let Some(names) = attribute["enum"].as_object().filter(|names| names.len() > 1)
            && names.get(&value.to_string()).is_none()
        {
            wrong.push(format!("{path}: {value} is none of its values"));
        }
        if let (Some(members), Some(name)) = (value.as_object(), attribute["object"].as_str())
            && !FREE.contains(&name)
        {
            let attributes =
                self.0["objects"][name]["attributes"].as_object().expect("an object's attributes");
            self.check_members(members, attributes, name, path, wrong);
        }
    }
}
