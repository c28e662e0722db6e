//! Texts with `{facts}` and `{slots}` in them; `{name|friend}` says what to say when it is not known.

/// A text in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value { name: String, otherwise: String },
}

impl Template {
    /// Reads one; an error says what is wrong with its braces.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.trim();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, behind)) = after.split_once('}') else {
                return Err(format!("a `{{` without its `}}` in {text:?}"));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, otherwise) = inside.split_once('|').unwrap_or((inside, ""));
            let name = name.trim();
            if name.is_empty() {
                return Err(format!("`{{}}` without a name in {text:?}; expected a fact or a slot"));
            }
            pieces.push(Piece::Value { name: name.to_owned(), otherwise: otherwise.trim().to_owned() });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// Names that it speaks of.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with every value in its place.
    pub(super) fn fill(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value { name, otherwise } => match value(name).filter(|v| !v.is_empty()) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(otherwise),
                },
            }
        }
        out
    }
}

/// A value as it is spoken: a long number digit by digit.
pub(super) fn spoken(value: &str) -> String {
    let digits = value.strip_prefix('+').unwrap_or(value);
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return value.to_owned();
    }
    let mut out = String::with_capacity(2 * digits.len());
    for digit in digits.chars() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// The time of day as it is spoken, of seconds since 1970 (UTC) and an offset in minutes.
pub(super) fn time_of_day(unix: u64, utc_offset: i32) -> String {
    let minutes = (i64::try_from(unix / 60).unwrap_or_default() + i64::from(utc_offset)).rem_euclid(24 * 60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    let half = if hour < 12 { "a m" } else { "p m" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    match minute {
        0 => format!("{hour} {half}"),
        1..=9 => format!("{hour} oh {minute} {half}"),
        _ => format!("{hour} {minute} {half}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_stood_and_unknown_ones_are_replaced() {
        let text = Template::parse("Hello {name|friend}, this is {company}.").unwrap();
        let company = |name: &str| (name == "company").then(|| "Trunkline".to_owned());
        assert_eq!(text.fill(company), "Hello friend, this is Trunkline.");
        assert_eq!(text.names().collect::<Vec<_>>(), ["name", "company"]);
        assert!(Template::parse("Hello {name").is_err());
    }

    #[test]
    fn numbers_and_times_are_spoken_as_people_say_them() {
        assert_eq!(spoken("+4930123"), "4 9 3 0 1 2 3");
        assert_eq!(spoken("42"), "42");
        assert_eq!(time_of_day(15 * 3_600 + 7 * 60, 0), "3 oh 7 p m");
        assert_eq!(time_of_day(0, -60), "11 p m");
    }
}
