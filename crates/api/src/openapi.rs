//! The OpenAPI 3.1 description, made from the table of routes.

use axum::response::Response;
use record::json::{Object, Value};

use crate::auth::PURPOSE;
use crate::json;
use crate::routes::{Body, Param, ParamKind, Route, routes};

/// `GET /openapi.json`
pub(crate) async fn serve() -> Response {
    json::typed("application/json", "no-cache", openapi())
}

/// The description as JSON with a final newline.
pub fn openapi() -> Vec<u8> {
    let mut paths: Vec<(&'static str, Object<'static>)> = Vec::new();
    for route in routes() {
        let operation = operation(&route);
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => drop(methods.insert(route.method, operation)),
            None => paths.push((route.path, Object::from_iter([(route.method, operation)]))),
        };
    }
    let paths = paths.into_iter().map(|(path, methods)| (path.replace("{*", "{"), Value::Object(methods)));
    let mut all = Object::new();
    for (path, methods) in paths {
        all.insert(path, methods);
    }
    let info = object([
        ("title", Value::from("Ledgerstone")),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("license", object([("name", Value::from("Apache-2.0")), ("identifier", Value::from("Apache-2.0"))])),
    ]);
    let token = object([
        ("type", Value::from("http")),
        ("scheme", Value::from("bearer")),
        ("description", Value::from("a token as `ledgerstone token add` prints it")),
    ]);
    let components = object([
        ("schemas", object([("Problem", problem())])),
        ("securitySchemes", object([("token", token)])),
    ]);
    json::text(&object([
        ("openapi", Value::from("3.1.0")),
        ("info", info),
        ("paths", Value::Object(all)),
        ("components", components),
    ]))
}

fn operation(route: &Route) -> Value<'static> {
    let mut parameters: Vec<Value<'static>> = path_parameters(route.path);
    parameters.extend(route.query.iter().map(query_parameter));
    if route.action.is_some_and(|action| action == access::Action::Read) {
        parameters.push(object([
            ("name", Value::from(PURPOSE)),
            ("in", Value::from("header")),
            ("required", Value::Bool(false)),
            ("description", Value::from("What for; an investigator must say so, and it is put on record")),
            ("schema", object([("type", Value::from("string"))])),
        ]));
    }
    let media = route.answer.split(';').next().unwrap_or(route.answer);
    let schema = match route.answer {
        "application/json" => object([]),
        _ => object([("type", Value::from("string"))]),
    };
    let good = object([
        ("description", Value::from("done")),
        ("content", object([(media, object([("schema", schema)]))])),
    ]);
    let reference = object([("$ref", Value::from("#/components/schemas/Problem"))]);
    let bad = object([
        ("description", Value::from("why not, and what to do next (RFC 9457)")),
        ("content", object([("application/problem+json", object([("schema", reference)]))])),
    ]);
    let mut operation = Object::new();
    operation.insert("operationId", operation_id(route));
    operation.insert("summary", route.summary);
    if let Some(action) = route.action {
        let roles = access::Role::ALL.into_iter().filter(|role| role.allows(action)).map(|role| role.name());
        let roles = roles.collect::<Vec<_>>().join(", ");
        operation.insert("description", format!("Action `{}`, for the roles: {roles}.", action.name()));
        operation.insert("security", vec![object([("token", Value::from(Vec::new()))])]);
    }
    if !parameters.is_empty() {
        operation.insert("parameters", parameters);
    }
    if let Some(body) = &route.body {
        operation.insert("requestBody", request_body(body));
    }
    let mut responses = Object::new();
    responses.insert("200", good);
    responses.insert("default", bad);
    operation.insert("responses", responses);
    Value::Object(operation)
}

/// `get_v1_ledgers_name_search`
fn operation_id(route: &Route) -> String {
    let words: String =
        route.path.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let words = words.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    format!("{}_{words}", route.method)
}

fn path_parameters(path: &'static str) -> Vec<Value<'static>> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let name = name.trim_start_matches('*');
            let schema = match name {
                "index" | "source" => {
                    object([("type", Value::from("integer")), ("minimum", Value::from(0_u32))])
                }
                _ => object([("type", Value::from("string"))]),
            };
            object([
                ("name", Value::from(name)),
                ("in", Value::from("path")),
                ("required", Value::Bool(true)),
                ("schema", schema),
            ])
        })
        .collect()
}

fn query_parameter(param: &Param) -> Value<'static> {
    let integer = |max: u64| {
        let mut schema =
            Object::from_iter([("type", Value::from("integer")), ("minimum", Value::from(0_u32))]);
        // Beyond it a JSON number says nothing certain; up to 2^64 - 1 such a number is still understood.
        if max < u64::MAX >> 11 {
            schema.insert("maximum", max);
        }
        Value::Object(schema)
    };
    let (required, schema) = match param.kind {
        ParamKind::Text => (false, object([("type", Value::from("string"))])),
        ParamKind::Number { max } => (false, integer(max)),
        ParamKind::Required { max } => (true, integer(max)),
        ParamKind::Words(words) => {
            let words: Vec<Value<'static>> = words.iter().map(|word| Value::from(*word)).collect();
            (false, object([("type", Value::from("string")), ("enum", Value::from(words))]))
        }
    };
    object([
        ("name", Value::from(param.name)),
        ("in", Value::from("query")),
        ("required", Value::Bool(required)),
        ("description", Value::from(param.meaning)),
        ("schema", schema),
    ])
}

fn request_body(body: &Body) -> Value<'static> {
    let content = match body {
        Body::Events => {
            let any = || object([("schema", object([]))]);
            let text = || object([("schema", object([("type", Value::from("string"))]))]);
            object([("application/json", any()), ("application/x-ndjson", text())])
        }
        Body::Object(members) => {
            let mut properties = Object::new();
            for (name, kind, _, meaning) in *members {
                let mut schema = Object::new();
                schema.insert("type", *kind);
                if *kind == "array" {
                    schema.insert("items", object([("type", Value::from("string"))]));
                }
                schema.insert("description", *meaning);
                properties.insert(*name, schema);
            }
            let required: Vec<Value<'static>> = members
                .iter()
                .filter(|(_, _, required, _)| *required)
                .map(|(name, ..)| Value::from(*name))
                .collect();
            let schema = object([
                ("type", Value::from("object")),
                ("properties", Value::Object(properties)),
                ("required", Value::from(required)),
                ("additionalProperties", Value::Bool(false)),
            ]);
            object([("application/json", object([("schema", schema)]))])
        }
    };
    object([("required", Value::Bool(true)), ("content", content)])
}

fn problem() -> Value<'static> {
    let text = || object([("type", Value::from("string"))]);
    object([
        ("type", Value::from("object")),
        (
            "properties",
            object([
                ("type", text()),
                ("title", text()),
                ("status", object([("type", Value::from("integer"))])),
                ("detail", text()),
                ("request", text()),
            ]),
        ),
        ("required", Value::from(["type", "title", "status", "detail"].map(Value::from).to_vec())),
    ])
}

fn object<const N: usize>(members: [(&'static str, Value<'static>); N]) -> Value<'static> {
    let mut object = Object::new();
    for (name, value) in members {
        object.insert(name, value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description in the documents is that of the code; `BLESS=1` writes it.
    #[test]
    fn the_published_description_has_not_drifted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let made = openapi();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let published = std::fs::read(path).unwrap();
        assert!(
            published == made,
            "docs/openapi.json is not what the code describes: run this test with BLESS=1"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names: Vec<String> = routes().iter().map(operation_id).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
