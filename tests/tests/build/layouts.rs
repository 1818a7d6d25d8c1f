//! Images in directories as contexts: `--build-context NAME=oci-layout://DIRECTORY[:TAG][@DIGEST]`.

use end_to_end::{Phial, Project, Result};

#[test]
fn an_image_in_a_directory_is_a_context() -> Result {
    let project = Project::new("FROM base\nENV GREETING=hello\nRUN echo of the layout > /file\n")?;
    let layout = project.phial().scratch().join("of:mine/layout");
    let target = format!("type=oci,tar=false,name=app:one,dest={}", layout.display());
    project.build(&["-o", &target])?.exited(0)?;
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str().unwrap_or_default().to_owned();

    project.write("Dockerfile", "FROM c\nRUN echo $GREETING > /said\nCOPY --from=c /file /copied\n")?;
    let context = |more: &str| format!("c=oci-layout://{}{more}", layout.display());
    // Where nothing is known of it.
    let other = Phial::new()?;
    let build = |context: &str| other.run(&["build", "-q", "--build-context", context, &project.path()]);
    let id = build(&context(""))?.success()?;
    let said = other.ok(&["run", "--rm", "--network", "none", id.trim(), "cat", "/said", "/copied"])?;
    assert_eq!(said, "hello\nof the layout");
    let images = other.ok(&["images", "-a", "-q", "--no-trunc"])?;
    assert_eq!(images.trim(), id.trim(), "the image below is none of this host's");
    for more in [":one".to_owned(), format!("@{digest}"), format!(":one@{digest}")] {
        assert_eq!(build(&context(&more))?.success()?, id, "{more}");
    }
    for (more, why) in [
        (":two", "it has no image two; there is one"),
        ("@sha256:0", "is not sha256: and 64"),
        ("/absent", "there is no such directory"),
        ("/blobs", "this is no OCI layout"),
    ] {
        let wrong = build(&context(more))?.exited(1)?;
        assert!(wrong.stderr.contains(why), "{more}: {wrong:?}");
    }
    // What it stands on is kept as long as the cache is, and is brought in again after that.
    other.ok(&["system", "prune", "-af"])?;
    let id = build(&context(""))?.success()?;
    assert_eq!(other.ok(&["run", "--rm", "--network", "none", id.trim(), "cat", "/copied"])?, "of the layout");
    Ok(())
}

#[test]
fn what_is_in_a_directory_is_held_against_its_digest() -> Result {
    let project = Project::new("FROM c\nRUN true\n")?;
    let layout = project.phial().scratch().join("layout");
    let target = format!("type=oci,tar=false,dest={}", layout.display());
    project.phial().run_with_input(&["build", "-q", "-o", &target, "-"], b"FROM base\nRUN echo x > /x\n")?.success()?;
    let largest = std::fs::read_dir(layout.join("blobs/sha256"))?
        .filter_map(|blob| Some((blob.as_ref().ok()?.metadata().ok()?.len(), blob.ok()?.path())))
        .max()
        .unwrap_or_default();
    let mut blob = std::fs::read(&largest.1)?;
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    std::fs::write(&largest.1, blob)?;
    let other = Phial::new()?;
    let context = format!("c=oci-layout://{}", layout.display());
    let wrong = other.run(&["build", "--build-context", &context, &project.path()])?.exited(1)?;
    assert!(wrong.stderr.contains("layer "), "{wrong:?}");
    assert_eq!(other.ok(&["images", "-aq"])?, "");
    other.ok(&["system", "check"])?;
    Ok(())
}
