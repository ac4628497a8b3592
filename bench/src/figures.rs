use std::io::Write;

use crate::host::Host;

/// Collects figures and prints each as it comes.
pub struct Figures {
    json: bool,
    /// Cores of the machine.
    pub cores: usize,
}

impl Figures {
    pub fn new(json: bool, host: &Host) -> Self {
        if !json {
            say(&format!("{}\n\n{:<52} {:>14} {:<10} target\n", host.line(), "figure", "value", "unit"));
        }
        let figures = Self { json, cores: host.cores };
        if json {
            figures.row("fdatasync.p50", host.fdatasync.as_secs_f64() * 1e6, "us", "");
        }
        figures
    }

    /// Prints a figure with what it is held against.
    pub fn row(&self, name: &str, value: f64, unit: &str, target: &str) {
        say(&match self.json {
            true => format!(
                "{{\"name\":\"{name}\",\"value\":{value:.3},\"unit\":\"{unit}\",\"target\":\"{target}\"}}\n"
            ),
            false => format!("{name:<52} {:>14} {unit:<10} {target}\n", number(value)),
        });
    }

    /// Prints a remark for people.
    pub fn note(&self, text: &str) {
        if !self.json {
            say(&format!("  {text}\n"));
        }
    }
}

fn number(value: f64) -> String {
    let digits = if value.abs() < 10.0 {
        3
    } else if value.abs() < 1000.0 {
        1
    } else {
        0
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            out.push(',');
        }
        out.push(digit);
    }
    rest.map_or(out.clone(), |rest| format!("{out}.{rest}"))
}

/// Writes to standard output.
pub fn say(text: &str) {
    // A closed pipe ends the run's usefulness, not its correctness.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
