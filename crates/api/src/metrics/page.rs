use std::fmt::Write as _;

/// Type of a family of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Only grows while the server runs.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A page in the text format, family after family.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: Type, help: &str) -> &mut Self {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
        };
        self.name = name;
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", escape(help, false));
        self
    }

    /// A sample of the present family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<f64>) -> &mut Self {
        self.text.push_str(self.name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ =
                write!(self.text, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escape(text, true));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", value.into());
        self
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A count as the format has it: a float, exact up to 2^53.
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// Milliseconds as seconds.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn escape(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_the_format_says() {
        let mut page = Page::default();
        page.family("a_total", Type::Counter, "What \\ it\nis.")
            .sample(&[("x", "q\"\\\n"), ("y", "z")], 3.0)
            .sample(&[], number(1 << 40));
        let text = "# HELP a_total What \\\\ it\\nis.\n# TYPE a_total counter\n\
                    a_total{x=\"q\\\"\\\\\\n\",y=\"z\"} 3\na_total 1099511627776\n";
        assert_eq!(page.into_text(), text);
    }
}
