//! Manual pages: one for each command, which a reader of such pages takes without a complaint.

use std::fs;
use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::{Phial, Result};

#[test]
fn every_command_has_a_page_without_errors() -> Result {
    let phial = Phial::new()?;
    let directory = phial.scratch().join("man");
    phial.ok(&["man", &directory.display().to_string()])?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        let output = run(Command::new(program("mandoc", "mandoc")?).args(["-T", "lint", "-W", "warning"]).arg(&path))?;
        assert!(output.stdout.is_empty() && output.code == 0, "{}: {output:?}", path.display());
        let rendered =
            run(Command::new(program("man", "man-db")?).args(["--warnings", "-l"]).arg(&path).env("MANPAGER", "cat"))?;
        assert!(rendered.code == 0 && rendered.stderr.is_empty(), "{}: {rendered:?}", path.display());
        names.push(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
    }
    for name in ["phial.1", "phial-run.1", "phial-image-ls.1", "phial-system-check.1", "phial-container-exec.1"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert!(phial.ok(&["man"])?.starts_with(".TH \"PHIAL\" 1"));
    Ok(())
}
