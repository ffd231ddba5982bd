//! Columns of text.

/// A table: headings and rows of as many cells.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    /// Numbers are aligned on their right.
    right: [bool; N],
}

impl<const N: usize> Table<N> {
    /// A table of these headings; one that begins with `>` is of numbers.
    pub(super) fn new(headings: [&str; N]) -> Self {
        let right = headings.map(|heading| heading.starts_with('>'));
        let rows = vec![headings.map(|heading| heading.trim_start_matches('>').to_owned())];
        Self { rows, right }
    }

    pub(super) fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// One line per row, columns as wide as their widest cell.
    pub(super) fn render(&self) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let gap = " ".repeat(widths[column] - cell.chars().count());
                if column > 0 {
                    line.push_str("  ");
                }
                if self.right[column] {
                    line.push_str(&gap);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&gap);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["NAME", ">N", "END"]);
        table.push(["é".to_owned(), "10".to_owned(), String::new()]);
        assert_eq!(table.render(), "NAME   N  END\né     10\n");
    }
}
