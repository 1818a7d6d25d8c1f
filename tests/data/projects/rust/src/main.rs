//! Counts the lines and words of standard input.

use std::io::Read;

fn tally(text: &str) -> (usize, usize) {
    (text.lines().count(), text.split_whitespace().count())
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("tally {}", env!("CARGO_PKG_VERSION"));
        return;
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("standard input is text");
    let (lines, words) = tally(&text);
    println!("{lines} lines, {words} words");
}

#[test]
fn words_are_counted() {
    assert_eq!(tally("one two\nthree\n"), (2, 3));
}
