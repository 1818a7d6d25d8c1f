//! Secrets: commands have them, and nothing else that stays.

use std::path::Path;

use end_to_end::process::run;
use end_to_end::{Project, Result};

/// Nothing else has these words.
const IN_FILE: &str = "amphora-of-the-file-8c1f";
const IN_VARIABLE: &str = "amphora-of-the-variable-27d0";

/// Every file below a directory that has one of the secrets in it, or in its name.
fn with_secrets(directory: &Path) -> Result<Vec<String>> {
    let mut grep = std::process::Command::new("grep");
    grep.args(["-r", "-a", "-l", "-e", IN_FILE, "-e", IN_VARIABLE]).arg(directory);
    let found = run(&mut grep)?;
    assert!(found.code < 2, "{found:?}");
    Ok(found.stdout.lines().map(str::to_owned).collect())
}

#[test]
fn secrets_are_seen_by_their_commands_only() -> Result {
    let project = Project::new(
        "FROM base\n\
         RUN --mount=type=secret,id=file cat /run/secrets/file | wc -c > /seen; stat -c '%a %u:%g' /run/secrets/file >> /seen\n\
         RUN --mount=type=secret,id=file,target=/etc/key,uid=1000,gid=2000,mode=0440 stat -c '%a %u:%g' /etc/key >> /seen\n\
         RUN --mount=type=secret,id=variable,env=TOKEN echo ${#TOKEN} >> /seen; ls /run/secrets 2>/dev/null | wc -l >> /seen\n\
         RUN --mount=type=secret,id=variable,env=TOKEN,target=/token test \"$(cat /token)\" = \"$TOKEN\"\n\
         RUN echo ${#TOKEN} >> /seen; ls -A /run >> /seen\n",
    )?;
    let file = project.phial().scratch().join("secret");
    std::fs::write(&file, IN_FILE)?;
    let from_file = format!("id=file,src={}", file.display());
    let flags = ["-t", "app", "--progress", "plain", "--secret", &from_file, "--secret", "id=variable,env=TOKEN"];
    let mut command = project.command(&flags);
    let said = run(command.env("TOKEN", IN_VARIABLE))?.exited(0)?;
    assert!(!said.stderr.contains(IN_FILE) && !said.stderr.contains(IN_VARIABLE), "{said:?}");
    let (length, other) = (IN_FILE.len(), IN_VARIABLE.len());
    let expected = format!("{length}\n400 0:0\n440 1000:2000\n{other}\n0\n0");
    assert_eq!(project.in_image("app", "cat /seen")?, expected);
    assert_eq!(with_secrets(&project.phial().root())?, Vec::<String>::new());
    assert_eq!(with_secrets(&project.phial().run_dir())?, Vec::<String>::new());
    let told = project.phial().ok(&["history", "--no-trunc", "app"])? + &project.phial().ok(&["inspect", "app"])?;
    assert!(!told.contains(IN_FILE) && !told.contains(IN_VARIABLE), "{told}");
    // Another value is not another step: it would tell something of the value.
    std::fs::write(&file, "another")?;
    let again = run(project.command(&flags).env("TOKEN", "other"))?.exited(0)?;
    assert_eq!(again.stderr.matches("CACHED").count(), 6, "{again:?}");
    Ok(())
}

#[test]
fn a_secret_that_is_not_given() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=secret,id=absent ls -A /run > /seen\n")?;
    assert_eq!(project.in_image(&project.id(&[])?, "cat /seen")?, "");
    project.write("Dockerfile", "FROM base\nRUN --mount=type=secret,id=absent,required true\n")?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains("the secret absent is not given"), "{refused:?}");
    assert!(refused.stderr.contains("--secret id=absent"), "{refused:?}");
    let unreadable = project.build(&["--secret", "id=absent,src=/no/such/file"])?.exited(1)?;
    assert!(unreadable.stderr.contains("/no/such/file"), "{unreadable:?}");
    Ok(())
}

/// A command that fails leaves its secret nowhere either.
#[test]
fn a_secret_of_a_command_that_fails() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=secret,id=s,target=/root/s,env=S false\n")?;
    let mut command = project.command(&["--secret", "id=s,env=TOKEN"]);
    let failed = run(command.env("TOKEN", IN_VARIABLE))?.exited(1)?;
    assert!(!failed.stderr.contains(IN_VARIABLE), "{failed:?}");
    project.phial().ok(&["ps", "-a"])?;
    assert_eq!(with_secrets(&project.phial().root())?, Vec::<String>::new());
    assert_eq!(with_secrets(&project.phial().run_dir())?, Vec::<String>::new());
    Ok(())
}
