//! Times and sizes as people read them.

/// A time: `850ms`, `12s`, `3m04s`, `2h05m`, `4d03h`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A size: `999 B`, `1.5 kB`, `20.0 MB` (powers of 1000).
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths, by integers: 999,950 B must not become "1000.0 kB".
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(duration(850), "850ms");
        assert_eq!(duration(59_999), "59s");
        assert_eq!(duration(184_000), "3m04s");
        assert_eq!(duration(7_500_000), "2h05m");
        assert_eq!(duration(90_000_000), "1d01h");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1550), "1.5 kB");
        assert_eq!(bytes(999_950), "999.9 kB");
        assert_eq!(bytes(20_000_000), "20.0 MB");
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
    }
}
