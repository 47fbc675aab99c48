//! A little arithmetic: `12 * (3 + 4)`.

/// How people say and write signs; what is longer stands before what it holds.
const SIGNS: [(&str, &str); 15] = [
    ("plus", "+"),
    ("minus", "-"),
    ("−", "-"),
    ("–", "-"),
    ("multiplied by", "*"),
    ("times", "*"),
    ("mal", "*"),
    ("×", "*"),
    ("·", "*"),
    ("x", "*"),
    ("divided by", "/"),
    ("geteilt durch", "/"),
    ("÷", "/"),
    (":", "/"),
    (",", "."),
];

/// The result of a sum, written as people write numbers; `None` for anything else, and for what has no result.
pub(super) fn result(text: &str) -> Option<String> {
    let plain = SIGNS.iter().fold(text.to_lowercase(), |text, (spoken, sign)| text.replace(spoken, sign));
    let mut sum = Sum { signs: plain.chars().filter(|sign| !sign.is_whitespace()).collect(), at: 0, depth: 0 };
    let value = sum.terms()?;
    (sum.at == sum.signs.len() && value.is_finite() && value.abs() < 1e15).then(|| ((value * 1e6).round() / 1e6 + 0.0).to_string())
}

struct Sum {
    signs: Vec<char>,
    at: usize,
    depth: u32,
}

impl Sum {
    fn next(&mut self, wanted: &[char]) -> Option<char> {
        let sign = self.signs.get(self.at).copied().filter(|sign| wanted.contains(sign))?;
        self.at += 1;
        Some(sign)
    }

    fn terms(&mut self) -> Option<f64> {
        let mut value = self.factors()?;
        while let Some(sign) = self.next(&['+', '-']) {
            let other = self.factors()?;
            value = if sign == '+' { value + other } else { value - other };
        }
        Some(value)
    }

    fn factors(&mut self) -> Option<f64> {
        let mut value = self.power()?;
        while let Some(sign) = self.next(&['*', '/']) {
            let other = self.power()?;
            value = if sign == '*' { value * other } else { value / other };
        }
        Some(value)
    }

    fn power(&mut self) -> Option<f64> {
        let base = self.number()?;
        match self.next(&['^']) {
            Some(_) => Some(base.powf(self.number()?)),
            None => Some(base),
        }
    }

    fn number(&mut self) -> Option<f64> {
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        if self.next(&['-']).is_some() {
            return Some(-self.number()?);
        }
        if self.next(&['(']).is_some() {
            let value = self.terms()?;
            return self.next(&[')']).map(|_| value);
        }
        let begin = self.at;
        while self.next(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.']).is_some() {}
        self.signs[begin..self.at].iter().collect::<String>().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_results_and_nothing_else_does() {
        for (text, value) in [
            ("2+2", Some("4")),
            ("12 * (3 + 4)", Some("84")),
            ("7 x 6", Some("42")),
            ("7 times 6 minus 2", Some("40")),
            ("12 geteilt durch 4", Some("3")),
            ("1 / 4", Some("0.25")),
            ("0,1 + 0,2", Some("0.3")),
            ("-3 - -3", Some("0")),
            ("2^10", Some("1024")),
            ("1/0", None),
            ("2+", None),
            ("2+2 apples", None),
            ("", None),
        ] {
            assert_eq!(result(text).as_deref(), value, "{text}");
        }
        assert_eq!(result(&"(".repeat(100_000)), None);
    }
}
