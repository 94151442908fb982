//! Numbers as people read them: three digits that count, thousands apart, units they know.

/// Stays on one line with what is beside it.
pub(super) const SPACE: char = '\u{a0}';

/// Where a value is not known.
pub(super) const UNKNOWN: &str = "–";

/// A measured value with three significant digits.
pub(super) fn number(x: f64) -> String {
    if !x.is_finite() {
        return not_finite(x);
    }
    let size = x.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e7).contains(&size) {
        return scientific(x);
    }
    let decimals = (2 - size.log10().floor() as i32).max(0);
    // Rounding to three digits also left of the point: 12,345 is no better known than 12,300.
    let unit = 10_f64.powi(2 - size.log10().floor() as i32);
    trimmed(&fixed((x * unit).round() / unit, decimals as usize))
}

/// A value with so many decimals, thousands apart, and a true minus sign.
pub(super) fn fixed(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return not_finite(x);
    }
    let digits = format!("{:.*}", decimals, x.abs());
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (digits.as_str(), String::new()),
    };
    let is_zero = digits.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if x < 0.0 && !is_zero { "−" } else { "" };
    format!("{sign}{}{fraction}", grouped(whole))
}

/// A number of things, exactly.
pub(super) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

/// A number of things and their name, which ends in `s` if they are many.
pub(super) fn counted(n: usize, one: &str) -> String {
    let many = if n == 1 { "" } else { "s" };
    format!("{}{SPACE}{one}{many}", count(n))
}

/// A value between 0 and 1, such as an AUROC.
pub(super) fn ratio(x: f64) -> String {
    fixed(x, 3)
}

/// A share from 0 to 1 as percent.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    let text = if value != 0.0 && value.abs() < 0.001 { "<0.001".into() } else { number(value) };
    format!("{text}{SPACE}%")
}

/// A chance, as `p = 0.021` or `p < 0.001`.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if !p.is_finite() => format!("p{SPACE}={SPACE}{UNKNOWN}"),
        p if p < 0.001 => format!("p{SPACE}<{SPACE}0.001"),
        p if p < 0.1 => format!("p{SPACE}={SPACE}{p:.3}"),
        p => format!("p{SPACE}={SPACE}{p:.2}"),
    }
}

/// A length of time with its two largest units.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return UNKNOWN.into();
    }
    let size = seconds.abs();
    let sign = if seconds < 0.0 { "−" } else { "" };
    let whole = |unit: f64| (size / unit).round() as u64;
    let pair = |total: u64, per: u64, large: &str, small: &str| {
        let (a, b) = (total / per, total % per);
        let rest = if b == 0 { String::new() } else { format!(" {b}{SPACE}{small}") };
        format!("{}{SPACE}{large}{rest}", grouped(&a.to_string()))
    };
    let text = if size == 0.0 {
        format!("0{SPACE}s")
    } else if size < 0.9995e-3 {
        format!("{}{SPACE}µs", number(size * 1e6))
    } else if size < 0.9995 {
        format!("{}{SPACE}ms", number(size * 1e3))
    } else if size < 59.95 {
        format!("{}{SPACE}s", number(size))
    } else if whole(1.0) < 3600 {
        pair(whole(1.0), 60, "min", "s")
    } else if whole(60.0) < 24 * 60 {
        pair(whole(60.0), 60, "h", "min")
    } else {
        pair(whole(3600.0), 24, "d", "h")
    };
    format!("{sign}{text}")
}

/// Decimals that tell values apart which differ by `step`.
pub(super) fn decimals(step: f64) -> usize {
    if step.is_finite() && step > 0.0 {
        (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize
    } else {
        0
    }
}

/// Text of at most `chars` characters; what is too long loses its middle, because names of sensors
/// differ at their ends.
pub(super) fn shortened(text: &str, chars: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= chars {
        return text.into();
    }
    let head = chars.saturating_sub(1).div_ceil(2);
    let tail = chars.saturating_sub(1) - head;
    all[..head].iter().chain(&['…']).chain(&all[all.len() - tail..]).collect()
}

fn not_finite(x: f64) -> String {
    match x {
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "−∞".into(),
        _ => UNKNOWN.into(),
    }
}

fn scientific(x: f64) -> String {
    let text = format!("{x:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let raised = exponent.chars().map(|c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    });
    let factor = trimmed(mantissa).replace('-', "−");
    format!("{factor}·10{}", raised.collect::<String>())
}

/// Without zeros at the end of a fraction.
fn trimmed(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text.into(),
    }
}

/// Commas between thousands.
fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: String, wanted: &str) {
        assert_eq!(found.replace(SPACE, " "), wanted);
    }

    #[test]
    fn values_have_three_digits_that_count() {
        check(number(0.0), "0");
        check(number(-0.0), "0");
        check(number(1.0), "1");
        check(number(0.123_456), "0.123");
        check(number(-12.345), "−12.3");
        check(number(999.96), "1,000");
        check(number(12_345.0), "12,300");
        check(number(-9_876_543.0), "−9,880,000");
        check(number(1.2345e-5), "1.23·10⁻⁵");
        check(number(-4.0e21), "−4·10²¹");
        check(number(f64::NAN), "–");
        check(number(f64::NEG_INFINITY), "−∞");
    }

    #[test]
    fn counts_are_exact() {
        check(count(0), "0");
        check(count(1_234_567), "1,234,567");
        check(counted(1, "event"), "1 event");
        check(counted(1200, "event"), "1,200 events");
    }

    #[test]
    fn fixed_decimals_never_show_a_negative_zero() {
        check(fixed(-0.0004, 3), "0.000");
        check(fixed(-1234.5, 1), "−1,234.5");
        check(ratio(0.9), "0.900");
    }

    #[test]
    fn shares_become_percent() {
        check(percent(0.0), "0 %");
        check(percent(0.0321), "3.21 %");
        check(percent(1.0), "100 %");
        check(percent(1e-9), "<0.001 %");
    }

    #[test]
    fn chances_are_bounded_rather_than_spelled_out() {
        check(probability(0.0), "p < 0.001");
        check(probability(0.0213), "p = 0.021");
        check(probability(0.5), "p = 0.50");
        check(probability(f64::NAN), "p = –");
    }

    #[test]
    fn durations_have_two_units() {
        check(duration(0.0), "0 s");
        check(duration(2.5e-5), "25 µs");
        check(duration(0.25), "250 ms");
        check(duration(59.99), "1 min");
        check(duration(61.0), "1 min 1 s");
        check(duration(3599.7), "1 h");
        check(duration(7980.0), "2 h 13 min");
        check(duration(86_399.0), "1 d");
        check(duration(90_000.0), "1 d 1 h");
        check(duration(-30.0), "−30 s");
        check(duration(f64::NAN), "–");
    }

    #[test]
    fn decimals_follow_the_step() {
        for (step, wanted) in [(1.0, 0), (0.5, 1), (0.1, 1), (0.02, 2), (20.0, 0), (0.0, 0)] {
            assert_eq!(decimals(step), wanted, "{step}");
        }
    }

    #[test]
    fn long_names_lose_their_middle() {
        check(shortened("short", 5), "short");
        check(shortened("pump_3_bearing_temperature_out", 12), "pump_3…e_out");
        check(shortened("äöüß", 3), "ä…ß");
        check(shortened("abc", 1), "…");
    }
}
