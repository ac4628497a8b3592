//! A Rust source taken apart just enough to tell code, comments and strings from each other.

/// A Rust source as the rules see it.
pub struct Source {
    /// One per line of the file.
    pub lines: Vec<Line>,
    /// Names of the modules declared in this file for tests only, whose files are elsewhere.
    pub test_modules: Vec<String>,
}

/// One line of a source.
#[derive(Default)]
pub struct Line {
    /// What is compiled; strings and characters are blanked.
    pub code: String,
    /// What stands in comments.
    pub comment: String,
    /// Whether this line is compiled for tests only.
    pub test: bool,
}

impl Source {
    /// Takes `text` apart. Text that is no Rust yields something, never a panic.
    pub fn of(text: &str) -> Self {
        let mut source = Self { lines: split(text), test_modules: Vec::new() };
        source.mark_tests();
        source
    }

    /// Marks what stands under `#[cfg(test)]`: a block to its closing brace, or the rest of the statement.
    fn mark_tests(&mut self) {
        let mut at = 0;
        while at < self.lines.len() {
            if !self.lines[at].code.replace(' ', "").contains("#[cfg(test)]") {
                at += 1;
                continue;
            }
            let (mut depth, mut item) = (0usize, String::new());
            'item: while at < self.lines.len() {
                self.lines[at].test = true;
                for c in self.lines[at].code.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth <= 1 => break 'item,
                        '}' => depth -= 1,
                        ';' if depth == 0 => break 'item,
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                item.push(' ');
                at += 1;
            }
            let words: Vec<&str> = item.split_whitespace().collect();
            if let Some([_, name]) = words.windows(2).rfind(|pair| pair[0] == "mod") {
                self.test_modules.push((*name).to_owned());
            }
            at += 1;
        }
    }
}

/// Position of each whole word `word` in `text`: letters, digits and `_` on neither side of it.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !(word.starts_with(inside) && before.ends_with(inside)
            || word.ends_with(inside) && after.starts_with(inside))
    })
}

fn split(text: &str) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (len, kind) = token(rest, c, lines.last().and_then(|line| line.code.chars().last()));
        for c in rest[..len].chars() {
            if c == '\n' {
                lines.push(Line::default());
                continue;
            }
            let Some(line) = lines.last_mut() else { break };
            match kind {
                Kind::Code => line.code.push(c),
                Kind::Comment => line.comment.push(c),
                Kind::Literal => line.code.push(' '),
            }
        }
        rest = &rest[len..];
    }
    lines
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Length and kind of the piece that `rest`, beginning with `c`, begins with.
fn token(rest: &str, c: char, before: Option<char>) -> (usize, Kind) {
    let starts_word = !before.is_some_and(|b| b.is_alphanumeric() || b == '_');
    match c {
        '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
        '/' if rest.starts_with("/*") => (block_comment(rest), Kind::Comment),
        '"' => (1 + quoted(&rest[1..], '"'), Kind::Literal),
        'b' if starts_word && rest.starts_with("b\"") => (2 + quoted(&rest[2..], '"'), Kind::Literal),
        'r' | 'b' | 'c' if starts_word && raw_string(rest).is_some() => {
            (raw_string(rest).unwrap_or(1), Kind::Literal)
        }
        '\'' => match character(rest) {
            Some(len) => (len, Kind::Literal),
            None => (1, Kind::Code),
        },
        _ => (c.len_utf8(), Kind::Code),
    }
}

fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if text[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Length up to and with the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let body = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inner.find(&close).map_or(inner.len(), |at| at + close.len());
    Some(text.len() - inner.len() + end)
}

/// Length of a character literal, or `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = &text[1..];
    if inner.starts_with('\\') {
        return Some(1 + quoted(inner, '\''));
    }
    let c = inner.chars().next()?;
    inner[c.len_utf8()..].starts_with('\'').then(|| 2 + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_code_comments_and_literals_apart() {
        let rows = [
            ("let a = 1; // why", "let a = 1; ", "// why"),
            ("let s = \"// no\";", "let s =        ;", ""),
            (r#"let s = "a\"b"; x"#, "let s =       ; x", ""),
            (r##"let s = r#"a"b"#; x"##, "let s =         ; x", ""),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}", ""),
            ("let q = '\"'; y", "let q =    ; y", ""),
            (r"let q = '\''; y", "let q =     ; y", ""),
            ("a /* b /* c */ d */ e", "a  e", "/* b /* c */ d */"),
            ("super_r\"x\"", "super_r   ", ""),
        ];
        for (text, code, comment) in rows {
            let lines = split(text);
            assert_eq!((lines[0].code.as_str(), lines[0].comment.as_str()), (code, comment), "{text}");
        }
    }

    #[test]
    fn knows_what_is_compiled_for_tests_only() {
        let source = Source::of(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}",
        );
        let tests: Vec<bool> = source.lines.iter().map(|line| line.test).collect();
        assert_eq!(tests, [false, true, true, true, true, false, true, true, false]);
        assert_eq!(source.test_modules, ["tests", "more"]);
    }

    #[test]
    fn finds_whole_words_only() {
        assert_eq!(words("XXX xXXX XXX_ (XXX)", "XXX").collect::<Vec<_>>(), [0, 15]);
        assert_eq!(words("a.await b.awaits", ".await").collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn survives_any_cut() {
        let text = "let s = r#\"ü\"#; /* ü */ 'ü' \"\\ü\" // ü\n";
        for (at, _) in text.char_indices() {
            assert!(!split(&text[..at]).is_empty());
            assert!(!split(&text[at..]).is_empty());
        }
    }
}
