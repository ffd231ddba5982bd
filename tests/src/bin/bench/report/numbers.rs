//! Medians, and figures as people read them.

/// The middle of some figures, and how far they go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of the figures are above, half below.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of any number of figures; of none, nothing is a number.
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |n: usize| sorted.get(n).copied().unwrap_or(f64::NAN);
        let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        Self {
            median: f64::midpoint(at(low), at(high)),
            least: at(0),
            most: at(sorted.len().saturating_sub(1)),
        }
    }
}

/// Three or four digits, and blanks between thousands.
pub fn shown(value: f64) -> String {
    let digits = match value.abs() {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        n if n >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (text.as_str(), String::new()),
    };
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]).median, 2.0);
        let even = Spread::of(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.least, even.median, even.most), (1.0, 2.5, 4.0));
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn figures_are_grouped() {
        assert_eq!(shown(1_234_567.8), "1 234 568");
        assert_eq!(shown(999.6), "1 000");
        assert_eq!(shown(12.34), "12.3");
        assert_eq!(shown(1.0), "1.00");
        assert_eq!(shown(0.0123), "0.0123");
    }
}
