//! What was mistyped is answered with what was probably meant; and nothing has colours.

use end_to_end::pty::Pty;
use end_to_end::{Phial, Result, Stage};

#[test]
fn slips_are_answered() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    stage.phial.ok(&["tag", &stage.image, "database:15"])?;
    let cases: [(&[&str], Option<&str>); 11] = [
        (&["rnu"], Some("hint: did you mean run?")),
        (&["image", "lss"], Some("hint: did you mean ls?")),
        (&["ps", "--formta", "json"], Some("hint: did you mean --format?")),
        (&["ps", "--al"], Some("hint: did you mean --all?")),
        (&["stop", "wbe"], Some("hint: did you mean web?")),
        (&["exec", "wen", "true"], Some("hint: did you mean web?")),
        (&["inspect", "wbe"], Some("hint: did you mean web?")),
        (&["inspect", "databse:15"], Some("hint: did you mean database:15?")),
        (&["history", "datbase:15"], Some("did you mean database:15?")),
        (&["stop", "something-else"], None),
        (&["qqqqq"], None),
    ];
    for (words, expected) in cases {
        let output = stage.phial.run(words)?;
        assert!(output.code != 0 && !output.stderr.contains('\x1b'), "{words:?}: {output:?}");
        match expected {
            Some(hint) => assert!(output.stderr.contains(hint), "{words:?}: {output:?}"),
            None => assert!(!output.stderr.contains("did you mean"), "{words:?}: {output:?}"),
        }
    }
    Ok(())
}

#[test]
fn colours_can_be_refused() -> Result {
    let phial = Phial::new()?;
    for (flags, coloured) in [(&[] as &[&str], true), (&["-e", "NO_COLOR=1"], false), (&["-e", "NO_COLOR="], true)] {
        let command = phial.command(&[&["run", "--rm", "-t"], flags, &["hello"]].concat());
        let (code, output) = Pty::start(&command, 40, 100)?.finish()?;
        assert_eq!((code, output.contains("\x1b[")), (0, coloured), "{flags:?}: {output}");
    }
    Ok(())
}
