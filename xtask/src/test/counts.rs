use std::fmt;

/// Tests and steps, counted together.
#[derive(Default)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    /// Adds what a closing line of a test runner says, cargo's or one of the form that we print ourselves; other lines
    /// say nothing.
    pub fn read(&mut self, line: &str) {
        let plain = line.split(' ').nth(1) == Some("passed,");
        let Some(counts) = line.strip_prefix("test result: ").or(plain.then_some(line)) else { return };
        let count = |what: &str| -> u64 {
            let words: Vec<&str> = counts.split([' ', ';', ',']).collect();
            let at = words.iter().position(|word| *word == what);
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or_default()
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.skipped += count("ignored");
    }

    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.skipped
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_lines_of_test_runners() {
        let mut counts = Counts::default();
        counts.read("test a::b ... ok");
        counts.read(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.12s",
        );
        counts.read("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(counts.total(), 18);
        counts.read("30 passed, 2 failed");
        counts.read("a.json: 5 passed, 0 failed");
        assert_eq!(counts.to_string(), "44 passed, 5 failed, 1 skipped");
    }
}
