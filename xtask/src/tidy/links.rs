//! Links in Markdown between files of the project, and to headings in them.

use super::Report;
use super::tree::Tree;

pub fn check(tree: &Tree, report: &mut Report) {
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').map_or((target, None), |(f, h)| (f, Some(h)));
            let Some(resolved) = resolve(path, file) else {
                report.find("link", path, line, format!("{target} leads out of the project"));
                continue;
            };
            if !tree.has(&resolved) {
                report.find("link", path, line, format!("{target} leads nowhere: there is no {resolved}"));
            } else if let (Some(heading), Some(text)) = (heading, tree.text(&resolved))
                && resolved.ends_with(".md")
                && !headings(text).any(|anchor| anchor == heading)
            {
                report.find("link", path, line, format!("{resolved} has no heading #{heading}"));
            }
        }
    }
}

/// Targets of inline links and of reference definitions, with the line each stands on.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let inside_code = line[..at].matches('`').count() % 2 == 1;
            if let (Some(end), false) = (rest.find(')'), inside_code) {
                found.push((number, rest[..end].split(' ').next().unwrap_or_default()));
            }
        }
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.push((number, target.split(' ').next().unwrap_or_default()));
        }
    }
    found
}

/// The numbered lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The anchors that renderers make of headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// Path from the root of what `target` in the file `from` means; `None` if that is outside.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
