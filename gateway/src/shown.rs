//! Texts of strangers, made safe to show: whatever moves a terminal's cursor, splits a line of the log
//! or turns the direction of writing is escaped.

use std::fmt::{self, Write};

/// Shows a text with its control characters escaped, as `\u{1b}`.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping(f).write_str(self.0)
    }
}

/// Escapes what is written through it.
pub struct Escaping<W>(pub W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(unsafe_to_show) {
            let (safe, tail) = rest.split_at(at);
            self.0.write_str(safe)?;
            let mut characters = tail.chars();
            if let Some(c) = characters.next() {
                write!(self.0, "{}", c.escape_unicode())?;
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// C0 and C1 controls, line and paragraph separators, and the marks that reorder text.
fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_breaks_a_line_is_escaped_and_the_rest_stands() {
        let text = Shown("Zoë\u{1b}[2J\r\nVia: x\u{202e}\u{9b}").to_string();
        assert_eq!(text, "Zoë\\u{1b}[2J\\u{d}\\u{a}Via: x\\u{202e}\\u{9b}");
    }
}
