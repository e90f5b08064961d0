//! Tables on a terminal: columns as wide as their widest cell, numbers to the right.

use std::fmt;

#[derive(Default)]
pub struct Table {
    head: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn with_head<const N: usize>(head: [&str; N]) -> Table {
        Table { head: 1, rows: vec![head.map(str::to_owned).into()] }
    }

    pub fn row<const N: usize, S: AsRef<str>>(&mut self, cells: [S; N]) {
        self.rows.push(cells.iter().map(|c| c.as_ref().to_owned()).collect());
    }

    /// The head of a table that is still empty.
    pub fn head(&mut self, cells: Vec<String>) {
        self.head = 1;
        self.rows.insert(0, cells);
    }

    /// A row of as many cells as there are.
    pub fn line(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// No rows beside the head.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= self.head
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let width: Vec<usize> =
            (0..columns).map(|c| cells(c).map(|s| s.chars().count()).max().unwrap_or(0)).collect();
        let is_number = |s: &&String| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let right: Vec<bool> = (0..columns)
            .map(|c| !self.is_empty() && cells(c).skip(self.head).all(|s| is_number(&s) || s == "-"))
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let (width, right) = (width.get(i).copied().unwrap_or(0), right.get(i) == Some(&true));
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let gap = if i > 0 { "  " } else { "" };
                let padded = if right { padding + cell } else { cell.clone() + &padding };
                line = line + gap + &padded;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::with_head(["reason", "frames"]);
        assert!(table.is_empty());
        table.row(["rules", "5"]);
        table.row(["a", "1234567"]);
        assert_eq!(table.to_string(), "reason   frames\nrules         5\na       1234567\n");
    }
}
