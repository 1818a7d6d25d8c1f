//! `phial top`: the processes of a container, in the columns of ps.

use end_to_end::{Result, Stage};

#[test]
fn the_usual_columns_need_no_ps() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web", "-u", "reader"], &["sh", "-c", "/bin/sleep 1000 & wait"])?;
    // Both processes are there once the second can be seen.
    stage.phial.ok(&["exec", "web", "sh", "-c", "until ps | grep -q '[/]bin/sleep'; do usleep 1000; done"])?;
    let mut command = stage.phial.command(&["top", "web"]);
    let table = end_to_end::process::run(command.env("PATH", "/nonexistent"))?.success()?;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    assert_eq!(lines.len(), 3, "{table}");
    let row =
        |command: &[&str]| lines.iter().find(|cells| cells[7..] == *command).expect("the process is listed").clone();
    let (shell, sleep) = (row(&["sh", "-c", "/bin/sleep", "1000", "&", "wait"]), row(&["/bin/sleep", "1000"]));
    // As the host sees them.
    let pid = stage.phial.inspect("web")?["State"]["Pid"].to_string();
    assert_eq!((shell[1], sleep[2]), (pid.as_str(), shell[1]));
    assert!(shell[0] == "1000" || !shell[0].is_empty());
    assert_eq!((shell[5], shell[6]), ("?", "00:00:00"));
    assert!(table.lines().next().is_some_and(|line| line.starts_with("UID                 PID                 PPID")));
    Ok(())
}

#[test]
fn other_columns_are_those_of_ps() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let pid = stage.phial.inspect("web")?["State"]["Pid"].to_string();
    for options in [&["-e", "-o", "pid,args"][..], &["-eo", "pid,args"]] {
        let table = stage.phial.ok(&[&["top", "web"], options].concat())?;
        let cells: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(cells, [vec!["PID", "COMMAND"], vec![&pid, "sleep", "1000"]], "{options:?}");
    }
    let refused = stage.phial.run(&["top", "web", "-e", "-o", "args"])?.exited(1)?;
    assert!(refused.stderr.contains("there is no column PID"), "{}", refused.stderr);
    let refused = stage.phial.run(&["top", "web", "--nonsense"])?.exited(1)?;
    assert!(
        refused.stderr.starts_with("phial: cannot show the processes of web: ps --nonsense: "),
        "{}",
        refused.stderr
    );
    stage.phial.ok(&["stop", "-t", "0", "web"])?;
    let refused = stage.phial.run(&["top", "web"])?.exited(1)?;
    assert!(refused.stderr.contains("container web is not running"), "{}", refused.stderr);
    Ok(())
}
