//! `token`: gives out, lists and revokes tokens.

use serde_json::{Value, json};

use super::{Client, encode, json};
use crate::cli::{AddToken, ListTokens, RevokeToken};
use crate::failure::Failure;
use crate::terminal::{self, Paint};

const COLUMNS: [&str; 6] = ["id", "label", "roles", "ledgers", "created", "expires"];

pub(crate) fn add(args: AddToken) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let list = |words: &[String]| if words.is_empty() { Value::Null } else { json!(words) };
    let request = json!({
        "label": args.label,
        "roles": args.roles,
        "ledgers": list(&args.ledgers),
        "actions": list(&args.actions),
        "source": args.source,
        "expires_in_days": args.days,
        "purpose": args.standing_purpose,
        "certificate": args.certificate,
    });
    let issued = client.post_json("/v1/tokens", &request)?;
    if args.server.json {
        return json::print(&issued);
    }
    let text = |name: &str| json::text(&issued, name).unwrap_or_default().to_owned();
    let token = json::text(&issued, "token")
        .ok_or_else(|| Failure::trouble("the server's answer lacks the token"))?;
    terminal::tell(&terminal::escape(&format!(
        "token {} for {} is good until {}.",
        text("id"),
        text("label"),
        text("expires")
    )));
    terminal::tell("It follows and is shown only now:");
    Ok(terminal::print(&format!("{}\n", terminal::escape(token)))?)
}

pub(crate) fn list(args: ListTokens) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let tokens = client.get_json("/v1/tokens")?;
    if args.server.json {
        return json::print(&tokens);
    }
    let rows: Vec<Vec<String>> = tokens.as_array().map_or(&[][..], Vec::as_slice).iter().map(row).collect();
    Ok(terminal::print(&terminal::table(&COLUMNS, &rows, Paint::for_stdout()))?)
}

pub(crate) fn revoke(args: RevokeToken) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let revoked = client.delete_json(&format!("/v1/tokens/{}", encode(&args.id)))?;
    if args.server.json {
        return json::print(&revoked);
    }
    let label = json::text(&revoked, "label").unwrap_or_default();
    Ok(terminal::print(&format!("revoked: {} ({})\n", terminal::escape(&args.id), terminal::escape(label)))?)
}

fn row(token: &Value) -> Vec<String> {
    let text = |name: &str| json::text(token, name).unwrap_or_default().to_owned();
    let list = |name: &str, none: &str| match token.get(name).and_then(Value::as_array) {
        Some(words) => words.iter().map(json::plain).collect::<Vec<_>>().join(", "),
        None => none.to_owned(),
    };
    let expires = match json::text(token, "expires") {
        Some(time) => time.to_owned(),
        None => "never".to_owned(),
    };
    vec![text("id"), text("label"), list("roles", ""), list("ledgers", "all"), text("created"), expires]
}
