//! Rulesets of others, in the words of `nft(8)`.

use std::process::Command;

use crate::nft::{Socket, dump};
use crate::testing::Namespace;

/// Rules of every kind that is known here.
const FOREIGN: &str = include_str!("foreign.nft");

fn nft(arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = Command::new("nft");
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nftables is installed");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "nft {arguments:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn rules_of_others_are_shown_as_nft_shows_them() {
    Namespace::new().run(|| {
        nft(&["-f", "-"], FOREIGN);
        let ruleset = dump(&mut Socket::open().expect("there is nfnetlink")).expect("it is read");
        let (ours, theirs) = (ruleset.to_string(), nft(&["list", "ruleset"], ""));
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(ours, theirs);
    });
}
