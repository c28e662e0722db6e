//! Tables for people: aligned, and no wider than the terminal.

use crate::shown::Shown;
use std::fmt::Write;

/// A table. Its cells are escaped as they come in.
#[derive(Debug)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// A column that has to give way keeps at least this much.
const LEAST: usize = 8;
/// Between columns.
const GAP: usize = 2;

impl Table {
    /// Without rows yet.
    #[must_use]
    pub fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| Shown(cell).to_string()).collect());
    }

    /// Are there no rows?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As wide as the terminal of stdout allows; whole where that is none.
    #[must_use]
    pub fn fitted(&self) -> String {
        self.within(terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
    }

    /// The widest columns are cut, marked by `…`, until the table fits.
    #[must_use]
    pub fn within(&self, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| head.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if let Some(most) = width {
            fit(&mut widths, most.saturating_sub(GAP * self.heads.len().saturating_sub(1)));
        }
        let mut text = String::new();
        line(&mut text, &widths, self.heads.iter().copied());
        for row in &self.rows {
            line(&mut text, &widths, row.iter().map(String::as_str));
        }
        text
    }
}

fn fit(widths: &mut [usize], most: usize) {
    while widths.iter().sum::<usize>() > most {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => return,
        }
    }
}

fn line<'a>(text: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let start = text.len();
    for (cell, width) in cells.zip(widths) {
        let length = cell.chars().count();
        if length > *width {
            text.extend(cell.chars().take(width.saturating_sub(1)));
            text.push('…');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "{cell:width$}");
        }
        text.extend(std::iter::repeat_n(' ', GAP));
    }
    let end = text.get(start..).map_or(0, |line| line.trim_end().len());
    text.truncate(start + end);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_wide_one_gives_way_to_the_terminal() {
        let mut table = Table::new(&["ID", "NAME", "WHY"]);
        table.row(&["ST_1", "main", "the number called is not among its numbers"]);
        table.row(&["ST_22", "e\u{1b}[2Jvil", ""]);
        let text = table.within(Some(40));
        assert_eq!(
            text,
            "ID     NAME           WHY\n\
             ST_1   main           the number called…\n\
             ST_22  e\\u{1b}[2Jvil\n"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 40));
    }
}
