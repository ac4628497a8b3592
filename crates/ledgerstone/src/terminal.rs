//! What reaches a terminal: data on standard output, everything else on standard error, and nothing from an event
//! that could steer the terminal or deceive the eye.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// Writes out characters that steer a terminal, reorder a line or can't be seen as `\u{..}`.
///
/// A backslash that the text itself has before `u{` is written so too; thus no text looks like another.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let hidden = |at: usize, c: char| is_deceptive(c) || (c == '\\' && text[at..].starts_with("\\u{"));
    let Some(first) = text.char_indices().position(|(at, c)| hidden(at, c)) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    for (n, (at, c)) in text.char_indices().enumerate() {
        if n >= first && hidden(at, c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Control characters (C0, DEL, C1), bidirectional controls, line separators, and characters of no width.
pub(crate) fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a line to standard error, where there is nobody left to tell of an error.
pub(crate) fn tell(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Colour, where it is wanted: never the only sign of anything.
#[derive(Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Colours only on a terminal, and not if `NO_COLOR` is set (no-color.org).
    pub(crate) fn for_stdout() -> Paint {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint(io::stdout().is_terminal() && !unwanted)
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Paint {
        Paint(false)
    }

    /// Headings.
    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Failures and damage.
    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// What was proven.
    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What is left open.
    pub(crate) fn amber(self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Aligns rows in columns, the last one ragged. Cells are escaped; on a terminal long ones are shortened.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], paint: Paint) -> String {
    const LONGEST: usize = 44;
    let shorten = io::stdout().is_terminal();
    let cell = |text: &str| {
        let text = escape(text);
        match text.char_indices().nth(LONGEST) {
            Some(_) if shorten => text.chars().take(LONGEST - 1).chain(['…']).collect::<String>(),
            _ => text.into_owned(),
        }
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.trim_end().to_owned()
    };
    let mut out = paint.bold(&line(&mut head.iter().copied()));
    out.push('\n');
    for row in &rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_and_bidirectional_character_is_escaped() {
        let controls = (0..=0x1f_u32).chain(0x7f..=0x9f);
        let bidirectional = [0x61c, 0x200e, 0x200f].into_iter().chain(0x202a..=0x202e).chain(0x2066..=0x2069);
        let separators = [0x2028, 0x2029, 0x200b, 0xfeff, 0xe0041];
        for code in controls.chain(bidirectional).chain(separators) {
            let c = char::from_u32(code).expect("a character");
            assert_eq!(escape(&format!("a{c}b")), format!("a\\u{{{code:x}}}b"), "U+{code:04X}");
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["", "alice@example.org", "C:\\users\\bob", "日本語 ÄÖÜ ß 🙂", "שלום", "مرحبا"]
        {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn no_text_looks_like_an_escaped_one() {
        assert_eq!(escape("\\u{1b}"), "\\u{5c}u{1b}");
        assert_ne!(escape("\\u{1b}"), escape("\x1b"));
    }

    #[test]
    fn rows_stay_rows() {
        let rows = vec![vec!["1".to_owned(), "a\nb".to_owned(), "c\x1b[31m".to_owned()]];
        let text = table(&["index", "who", "what"], &rows, Paint::plain());
        assert_eq!(text, "index  who      what\n1      a\\u{a}b  c\\u{1b}[31m\n");
    }
}
