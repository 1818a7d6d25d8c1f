//! Tables as docker prints them: no borders, columns three spaces apart and at least ten wide. Pure.

/// Narrowest column, spaces included.
const NARROWEST: usize = 10;
const GAP: usize = 3;

/// Lays out rows, the first of which are the headings. All have as many cells as the first.
pub(crate) fn layout(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell) + GAP).max().unwrap_or(0))
        .map(|width| width.max(NARROWEST))
        .collect();
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
