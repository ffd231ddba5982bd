//! Counting what passed, failed and was skipped.

use std::fmt;

use anyhow::Result;

/// Sums over tests, and the names of those that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u32,
    /// Tests that failed, and parts that could not run.
    pub failed: u32,
    /// Tests that were left out.
    pub skipped: u32,
    /// What failed, for the end of the report.
    pub failures: Vec<String>,
    /// Tests that failed at first, and passed when they were run alone.
    pub second: Vec<String>,
    /// What failing tests said, by name: the beginning of it.
    pub said: Vec<(String, Vec<String>)>,
    /// What follows was said by the last of [`Self::said`].
    listening: bool,
}

/// Lines of a failing test that are repeated at the end of the report.
const SAID_MAX: usize = 40;

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl Tally {
    /// Notes a failure that no test runner counts.
    pub fn fail(&mut self, what: String) {
        self.failed += 1;
        self.failures.push(what);
    }

    /// A run of nothing proves nothing, and is how a renamed test target looks.
    pub fn require_tests(&mut self) {
        if self.passed + self.failed == 0 {
            self.fail("not one test was run".to_owned());
        }
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend_from_slice(&other.failures);
        self.second.extend_from_slice(&other.second);
        self.said.extend_from_slice(&other.said);
    }

    /// Runs failed tests once more, each alone, if they are no more than `most`.
    /// What they said at first stays in the report.
    pub fn try_again(&mut self, most: usize, run: impl Fn(&str) -> Result<Self>) {
        // What isn't a test's failure has no name to be run by.
        if self.failures.len() > most || self.failures.len() != self.failed as usize {
            return;
        }
        for name in std::mem::take(&mut self.failures) {
            println!("\n{name} failed, and is run once more, alone");
            match run(&name) {
                Ok(alone) if (alone.passed, alone.failed) == (1, 0) => {
                    self.failed -= 1;
                    self.passed += 1;
                    self.second.push(name);
                }
                Ok(_) => self.failures.push(name),
                Err(error) => {
                    println!("error: {error:#}");
                    self.failures.push(name);
                }
            }
        }
    }

    /// Understands the lines of Rust's test runner that matter here.
    pub fn read_line(&mut self, line: &str) {
        self.listen(line);
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        } else if let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        {
            for count in counts.split("; ") {
                let Some((number, what)) = count.split_once(' ') else {
                    continue;
                };
                let Ok(number) = number.parse::<u32>() else {
                    continue;
                };
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
        }
    }
}

impl Tally {
    /// Keeps the beginning of what a failing test said, but no backtrace: in a
    /// long report it is far from the end, and a part of a report may be all
    /// that is left of it.
    fn listen(&mut self, line: &str) {
        let heading = line.strip_prefix("---- ");
        if let Some(name) = heading.and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.said.push((name.to_owned(), Vec::new()));
            self.listening = true;
        } else if line == "failures:" || line.eq_ignore_ascii_case("stack backtrace:") {
            self.listening = false;
        } else if let (true, Some((_, said))) = (self.listening, self.said.last_mut())
            && said.len() < SAID_MAX
        {
            said.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.read_line(line));
        tally
    }

    #[test]
    fn results_of_several_binaries_add_up() {
        let tally = read(
            "running 3 tests\n\
             test a ... ok\n\
             test b::c ... FAILED\n\
             test d ... ignored\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             running 2 tests\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s\n",
        );
        assert_eq!(tally.to_string(), "3 passed, 1 failed, 1 skipped");
        assert_eq!(tally.failures, ["b::c"]);
    }

    #[test]
    fn what_failing_tests_said_is_kept_without_backtraces() {
        let tally = read(
            "test a ... FAILED\ntest b ... FAILED\n\nfailures:\n\n\
             ---- a stdout ----\nError: at the client\n\nStack backtrace:\n   0: main\n\n\
             ---- b stdout ----\npanicked\n\nfailures:\n    a\n    b\n",
        );
        let said = |name: &str, lines: &[&str]| {
            let lines = lines.iter().map(|l| (*l).to_owned()).collect();
            (name.to_owned(), lines)
        };
        assert_eq!(
            tally.said,
            [
                said("a", &["Error: at the client", ""]),
                said("b", &["panicked", ""])
            ]
        );
    }

    fn tally(passed: u32, failures: &[&str]) -> Tally {
        Tally {
            passed,
            failed: failures.len() as u32,
            failures: failures.iter().map(|f| (*f).to_owned()).collect(),
            ..Tally::default()
        }
    }

    #[test]
    fn a_few_failures_have_a_second_try_and_are_named() {
        let mut all = tally(8, &["a", "b"]);
        all.try_again(2, |name| match name {
            "a" => Ok(tally(1, &[])),
            name => Ok(tally(0, &[name])),
        });
        assert_eq!(all.to_string(), "9 passed, 1 failed, 0 skipped");
        assert_eq!(
            (&all.second[..], &all.failures[..]),
            (&["a".to_owned()][..], &["b".to_owned()][..])
        );
        let mut none = tally(8, &["a"]);
        none.try_again(2, |_| anyhow::bail!("it can't be started"));
        none.try_again(2, |_| Ok(tally(0, &[])));
        assert_eq!(none, tally(8, &["a"]), "a run of nothing proves nothing");
    }

    #[test]
    fn many_failures_and_what_is_no_test_have_none() {
        let again = |_: &str| -> Result<Tally> { panic!("run again") };
        let mut many = tally(8, &["a", "b", "c"]);
        many.try_again(2, again);
        assert_eq!(many.failed, 3);
        let mut crashed = tally(8, &["a"]);
        crashed.failed = 2;
        crashed.try_again(2, again);
        assert_eq!(crashed.failed, 2);
    }

    #[test]
    fn what_a_test_prints_is_not_counted() {
        let tally =
            read("5 passed, 0 failed\nok. 9 passed; 9 failed\n test result: ok. 1 passed;\n");
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn a_part_without_tests_fails() {
        let mut tally =
            read("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out");
        tally.require_tests();
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
