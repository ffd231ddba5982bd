//! `doctor` as text.

use crate::doctor::{Report, State};

/// A line for each thing, and one below it with what mends it.
#[must_use]
pub fn doctor(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let (state, what) = (check.state.name(), check.check);
        text.push_str(&format!("{state:<8} {what:<14} {}\n", check.reason));
        if !check.mend.is_empty() {
            text.push_str(&format!("{:>23} mend: {}\n", "", check.mend));
        }
    }
    let count = |state| report.checks.iter().filter(|c| c.state == state).count();
    let (errors, warnings) = (count(State::Error), count(State::Warning));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let end = match (errors, warnings) {
        (0, 0) => "all is well".to_owned(),
        _ => format!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        ),
    };
    text.push_str(&format!("\n{end}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::sample;

    #[test]
    fn reason_and_remedy_stand_below_each_other() {
        let expected = "warning  clock          it is not kept\n                        \
                        mend: chronyc makestep\n\n0 errors, 1 warning\n";
        assert_eq!(doctor(&sample()), expected);
    }
}
