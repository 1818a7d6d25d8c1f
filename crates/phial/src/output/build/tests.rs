//! One build as each display has it.

use std::time::{Duration, SystemTime};

use build::progress::{Amount, Ending, Event, StepId, StepInfo, Stream};

use super::state::State;
use super::tty::{Size, frame};
use super::{Printer, Quiet, plain, rawjson, seconds, summary, tty};

fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(milliseconds)
}

fn planned(id: StepId, name: &str, inputs: &[StepId]) -> Event {
    let operation = name.starts_with('[').then(|| store::Digest::of(name.as_bytes()));
    Event::Planned(StepInfo { id, operation, name: name.to_owned(), inputs: inputs.to_vec() })
}

fn output(step: StepId, text: &str) -> Event {
    Event::Output { step, stream: Stream::Stdout, bytes: text.as_bytes().to_vec() }
}

fn ended(step: StepId, ending: Ending, took: u64) -> Event {
    Event::Ended { step, ending, took: Duration::from_millis(took) }
}

/// A build of four steps, of which two write at once and the last one fails.
fn events() -> Vec<(SystemTime, Event)> {
    let context = |current, done| Event::Progress {
        step: 0,
        part: "transferring context".to_owned(),
        amount: Amount { current, total: None },
        done,
    };
    let all = [
        (0, planned(0, "loading the context", &[])),
        (0, planned(1, "[build 1/2] FROM docker.io/library/gcc", &[])),
        (0, planned(2, "[build 2/2] RUN make", &[0, 1])),
        (0, planned(3, "[test 1/1] RUN \u{1b}[2Jcheck", &[1])),
        (10, Event::Started(0)),
        (20, context(0, false)),
        (30, context(2_000, false)),
        (110, context(4_200, true)),
        (120, ended(0, Ending::Done, 110)),
        (120, ended(1, Ending::Cached, 0)),
        (200, Event::Explained { step: 2, lines: vec!["main.c has changed".to_owned()] }),
        (200, Event::Started(2)),
        (210, Event::Started(3)),
        (732, output(2, "cc main.c\r\n 10%\r 50%")),
        (800, output(3, "\u{1b}[32mok\u{1b}[0m 1\nok")),
        (900, output(2, "\r100%\n")),
        (2_300, ended(2, Ending::Done, 2_100)),
        (
            2_400,
            Event::Warning {
                rule: "StageNameCasing".to_owned(),
                message: "upper case".to_owned(),
                place: Some(("Dockerfile".to_owned(), 3)),
                url: Some("https://docs.docker.com/go/x/".to_owned()),
            },
        ),
        (2_500, ended(3, Ending::Failed("exit code 2".to_owned()), 2_290)),
    ];
    all.into_iter().map(|(time, event)| (at(time), event)).collect()
}

/// What a printer has made of the first events.
fn shown(
    make: impl FnOnce(std::rc::Rc<std::cell::RefCell<Vec<u8>>>) -> Box<dyn Printer>,
    is_over: bool,
) -> (String, State) {
    let bytes = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut printer = make(std::rc::Rc::clone(&bytes));
    let mut state = State::new(true);
    for (time, event) in events() {
        let lines = state.apply(time, &event);
        printer.event(time, &event, &lines, &state).expect("memory takes it");
    }
    if is_over {
        printer.end(at(2_600), &state).expect("memory takes it");
    }
    let text = String::from_utf8(bytes.take()).expect("it is text");
    (text, state)
}

/// Memory that a printer writes to and the test reads.
struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The tree after so many events, in a terminal of this size.
fn tree(events_seen: usize, now: u64, width: usize, height: usize, is_over: bool) -> String {
    let mut state = State::new(true);
    for (time, event) in events().into_iter().take(events_seen) {
        state.apply(time, &event);
    }
    let lines = frame(&state, at(now), Size { width, height }, is_over);
    lines.iter().map(|line| line.text(width).trim_end().to_owned() + "\n").collect()
}

#[test]
fn plain_lines() {
    let (text, _) = shown(|out| Box::new(plain::Plain::new(Shared(out))), true);
    insta::assert_snapshot!(text);
}

/// Memory that keeps each write by itself.
struct Writes<'a>(&'a std::cell::RefCell<Vec<Vec<u8>>>);

impl std::io::Write for Writes<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_comes_at_once_is_written_at_once() {
    let (sender, receiver) = std::sync::mpsc::sync_channel(super::QUEUE);
    for event in events() {
        sender.send(event).expect("there is room");
    }
    drop(sender);
    let writes = std::cell::RefCell::default();
    super::shown(&receiver, plain::Plain::new(std::io::BufWriter::new(Writes(&writes))), State::new(false), None);
    let (text, _) = shown(|out| Box::new(plain::Plain::new(Shared(out))), true);
    assert_eq!(writes.into_inner(), [text.into_bytes()]);
}

#[test]
fn objects_for_programs() {
    let (text, _) = shown(|out| Box::new(rawjson::RawJson::new(Shared(out))), true);
    insta::assert_snapshot!(text);
}

#[test]
fn the_tree_while_it_moves() {
    insta::assert_snapshot!("begun", tree(7, 30, 60, 24, false));
    insta::assert_snapshot!("two_at_once", tree(16, 1_000, 60, 24, false));
    insta::assert_snapshot!("over", tree(99, 2_600, 60, 24, true));
}

#[test]
fn the_tree_is_never_larger_than_the_terminal() {
    for seen in 0..=events().len() {
        for (width, height) in [(60, 24), (20, 6), (7, 4), (1, 1), (0, 0), (200, 3)] {
            let text = tree(seen, 1_000, width, height, false);
            // The header is always there.
            assert!(text.lines().count() <= height.saturating_sub(1).max(1), "{width}x{height} after {seen}:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}x{height} after {seen}:\n{text}");
        }
    }
}

/// To the letter that ends it.
fn sequence(letters: &mut std::str::Chars<'_>) -> Vec<char> {
    let mut all = Vec::new();
    for letter in letters {
        all.push(letter);
        if letter.is_ascii_alphabetic() {
            break;
        }
    }
    all
}

/// What a terminal that wraps no line shows of what was written to it: it knows the few sequences that a tree is made of.
fn screen(written: &str) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => {
                (row, column) = (row + 1, 0);
                rows.resize(rows.len().max(row + 1), Vec::new());
            }
            '\u{1b}' => {
                let sequence: Vec<char> = sequence(&mut letters);
                let (last, before) = sequence.split_last().expect("a sequence ends");
                let number: usize = before.iter().skip(1).collect::<String>().parse().unwrap_or_default();
                match last {
                    'F' => (row, column) = (row.checked_sub(number).expect("what was there before stays"), 0),
                    'K' => rows[row].truncate(column),
                    'J' => {
                        rows[row].truncate(column);
                        rows.truncate(row + 1);
                    }
                    other => panic!("a tree has no sequence {other}"),
                }
            }
            other => {
                if column < rows[row].len() {
                    rows[row][column] = other;
                } else {
                    rows[row].push(other);
                }
                column += 1;
            }
        }
    }
    rows.into_iter().map(|row| row.into_iter().collect()).collect()
}

#[test]
fn a_frame_replaces_the_one_before() {
    let out = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut tree = tty::Tree::new(Shared(std::rc::Rc::clone(&out)), || Some(Size { width: 50, height: 9 }), false);
    let mut state = State::new(true);
    for (time, event) in events() {
        state.apply(time, &event);
        tree.tick(time, &state).expect("memory takes it");
    }
    tree.end(at(2_600), &state).expect("memory takes it");
    let written = String::from_utf8(out.take()).expect("it is text");
    let headers = screen(&written).iter().filter(|row| row.contains("[+] Building")).count();
    assert_eq!(headers, 1, "{written}");
    assert!(written.ends_with("------\n > [test 1/1] RUN \\u{1b}[2Jcheck:\nok 1\nok\n------\n"), "{written}");
}

#[test]
fn what_is_said_in_the_end() {
    let (_, state) = shown(|out| Box::new(plain::Plain::new(Shared(out))), false);
    insta::assert_snapshot!(summary::text(&state, true));
    assert!(!summary::text(&state, false).contains("Built"));
    assert_eq!(summary::text(&State::new(false), true), "");
}

#[test]
fn a_quiet_build_says_what_has_failed() {
    let (text, _) = shown(|out| Box::new(Quiet(Shared(out))), true);
    assert_eq!(text, "------\n > [test 1/1] RUN \\u{1b}[2Jcheck:\nok 1\nok\n------\n");
}

#[test]
fn times() {
    for (milliseconds, expected) in [(0, "0.0s"), (1_250, "1.2s"), (59_990, "59.9s"), (61_000, "1m01.0s")] {
        assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
    }
}
