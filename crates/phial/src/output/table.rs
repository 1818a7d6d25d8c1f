//! Tables as docker prints them: no borders, columns three spaces apart and at least ten wide. Pure.

/// Narrowest column, spaces included.
const NARROWEST: usize = 10;
const GAP: usize = 3;

/// Lays out rows, the first of which are the headings.
pub(crate) fn layout(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        // The last cell of a row has nothing beside it, and no column is as wide as it.
        for (column, cell) in row.iter().rev().skip(1).rev().enumerate() {
            let wanted = (width(cell) + GAP).max(NARROWEST);
            match widths.get_mut(column) {
                Some(width) => *width = wanted.max(*width),
                None => widths.push(wanted),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                text.extend(std::iter::repeat_n(' ', widths[column].saturating_sub(width(cell))));
            }
        }
        text.push('\n');
    }
    text
}

/// Lays out lines whose cells tabs separate.
pub(crate) fn align(lines: &[String]) -> String {
    let lines = lines.iter().flat_map(|line| line.split('\n'));
    layout(&lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect::<Vec<_>>())
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn columns_are_aligned() {
        let rows = [["REPOSITORY", "TAG", "SIZE"], ["alpine", "latest", "8MB"], ["localhost:5000/x", "1…", "18.4MB"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let expected = "\
REPOSITORY         TAG       SIZE
alpine             latest    8MB
localhost:5000/x   1…        18.4MB
";
        assert_eq!(layout(&rows), expected);
    }
}
