//! What becomes of builds: archives, directories, registries, several platforms, and what is said of all of them. Read by skopeo and
//! tar, and put into a real registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::registry::Registry;
use end_to_end::{Context, Phial, Result, Stage};
use serde_json::Value;

const FILE: &str = "FROM scratch\nCOPY a d/b /\nCOPY d /d/\nLABEL one=two\n";

/// A context with a Dockerfile and three files in it.
fn context(phial: &Phial, file: &str) -> Result<PathBuf> {
    let path = phial.scratch().join("context");
    fs::create_dir_all(path.join("d"))?;
    for (name, text) in [("Dockerfile", file), ("a", "a"), ("d/b", "b"), ("d/c", "c")] {
        fs::write(path.join(name), text)?;
    }
    Ok(path)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("is text")
}

/// `phial build FLAGS CONTEXT`, without a network, and what it says of the result.
fn build(phial: &Phial, context: &Path, flags: &[&str]) -> Result<Value> {
    let metadata = phial.scratch().join("metadata.json");
    let fixed = ["build", "--network", "none", "--progress", "plain", "--metadata-file", text(&metadata)?];
    phial.ok(&[&fixed, flags, &[text(context)?]].concat())?;
    Ok(serde_json::from_slice(&fs::read(metadata)?)?)
}

fn skopeo(arguments: &[&str]) -> Result<String> {
    run(Command::new(program("skopeo", "skopeo")?).args(arguments))?.success()
}

fn raw(image: &str) -> Result<Value> {
    Ok(serde_json::from_str(&skopeo(&["inspect", "--raw", "--tls-verify=false", image])?)?)
}

/// A blob of a layout.
fn blob(layout: &Path, digest: &Value) -> Result<Value> {
    let hex = digest.as_str().and_then(|digest| digest.strip_prefix("sha256:")).context("a digest")?;
    Ok(serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex))?)?)
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let all = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut all = all.collect::<Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

#[test]
fn archives_are_read_by_others() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    let out = phial.scratch().join("out");
    fs::create_dir(&out)?;
    let [oci, docker, layout] = ["a.oci", "a.docker", "layout"].map(|name| out.join(name).display().to_string());
    fs::write(&oci, "something else")?;
    let said = build(
        &phial,
        &context,
        &[
            "-t",
            "made:1",
            "--annotation",
            "org.example.a=b",
            "-o",
            &format!("type=oci,dest={oci},name=other:2"),
            "-o",
            &format!("type=oci,tar=false,dest={layout}"),
            "-o",
            &format!("type=docker,dest={docker}"),
        ],
    )?;
    assert_eq!(names(&out)?, ["a.docker", "a.oci", "layout"], "nothing else is left");
    let id = said["containerimage.config.digest"].as_str().context("an id")?;
    assert_eq!(said["image.name"], "docker.io/library/made:1");
    for image in [format!("oci-archive:{oci}:1"), format!("oci:{layout}")] {
        let manifest = raw(&image)?;
        assert_eq!(manifest["config"]["digest"], id, "{image}");
        assert_eq!(manifest["annotations"]["org.example.a"], "b");
    }
    let index: Value = serde_json::from_slice(&fs::read(Path::new(&layout).join("index.json"))?)?;
    assert_eq!(index["manifests"][0]["digest"], said["containerimage.digest"]);
    assert_eq!(said["containerimage.descriptor"]["digest"], said["containerimage.digest"]);
    skopeo(&["copy", "-q", &format!("docker-archive:{docker}"), &format!("dir:{}", text(&out.join("copied"))?)])?;
    // Nothing was listed; what was written can be.
    assert_eq!(phial.ok(&["images", "-q"])?, "");
    for archive in [&oci, &docker] {
        phial.ok(&["load", "-i", archive])?;
    }
    assert_eq!(phial.inspect("made:1")?["Id"], id);
    assert_eq!(phial.inspect("other:2")?["Id"], id);
    Ok(())
}

#[test]
fn directories_take_files_and_links_lead_nowhere() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    let (out, outside) = (phial.scratch().join("out"), phial.scratch().join("outside"));
    fs::create_dir_all(&out)?;
    fs::create_dir_all(outside.join("d"))?;
    fs::write(outside.join("a"), "outside")?;
    fs::write(out.join("kept"), "kept")?;
    // Where a file and where a directory is to be.
    symlink(outside.join("a"), out.join("a"))?;
    symlink(outside.join("d"), out.join("d"))?;
    build(&phial, &context, &["-o", text(&out)?])?;
    assert_eq!(names(&out)?, ["a", "b", "d", "kept"]);
    assert_eq!(names(&out.join("d"))?, ["b", "c"]);
    assert_eq!(fs::read_to_string(out.join("a"))?, "a");
    assert_eq!(fs::read_to_string(outside.join("a"))?, "outside");
    assert!(names(&outside.join("d"))?.is_empty() && !fs::symlink_metadata(out.join("d"))?.is_symlink());

    symlink(&outside, out.join("link"))?;
    fs::write(out.join("d/more"), "")?;
    let target = format!("type=local,dest={},mode=delete,platform-split=true", text(&out)?);
    build(&phial, &context, &["-o", &target])?;
    assert!(names(&out)?.len() > 4, "beside a directory of its own");
    build(&phial, &context, &["-o", &format!("type=local,dest={},mode=delete", text(&out)?)])?;
    assert_eq!(
        (names(&out)?, names(&out.join("d"))?),
        (vec!["a".into(), "b".into(), "d".into()], vec!["b".into(), "c".into()])
    );
    assert_eq!(names(&outside)?, ["a", "d"]);
    Ok(())
}

#[test]
fn files_in_an_archive() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    let path = phial.scratch().join("files.tar");
    build(&phial, &context, &["-o", &format!("type=tar,dest={}", text(&path)?)])?;
    let list = run(Command::new("tar").args(["-tf", text(&path)?]))?.success()?;
    assert_eq!(list, "./\na\nb\nd/\nd/b\nd/c\n");
    let mut command = phial.command(&["build", "-q", "-o", "-", text(&context)?]);
    let piped = phial.scratch().join("piped.tar");
    assert!(command.stdout(fs::File::create(&piped)?).status()?.success());
    assert!(fs::read(&piped)? == fs::read(&path)?, "it is the same on standard output");
    Ok(())
}

#[test]
fn images_are_pushed_as_they_are_asked_for() -> Result {
    let (phial, registry) = (Phial::new()?, Registry::start()?);
    let context = context(&phial, FILE)?;
    let (one, two, three) = (registry.name("a:1"), registry.name("b/c:2"), registry.name("d"));
    let flags = ["-t", &one, "--annotation", "k=v", "--push"];
    let said = build(&phial, &context, &flags)?;
    let manifest = raw(&format!("docker://{one}"))?;
    assert_eq!(manifest["annotations"]["k"], "v");
    assert_eq!(manifest["config"]["digest"], said["containerimage.config.digest"]);
    assert!(manifest["layers"][0]["mediaType"].as_str().is_some_and(|kind| kind.ends_with("+gzip")), "{manifest}");
    assert_eq!(phial.inspect(&one)?["Id"], said["containerimage.config.digest"]);
    // It is called by what is there now.
    let digest = said["containerimage.digest"].as_str().context("a digest")?;
    phial.inspect(&format!("{}@{digest}", registry.name("a")))?;
    skopeo(&["inspect", "--tls-verify=false", &format!("docker://{}@{digest}", registry.name("a"))])?;

    let other = Phial::new()?;
    let context = self::context(&other, FILE)?;
    let attributes = "push=true,store=false,compression=zstd,annotation.x=y";
    build(&other, &context, &["-o", &format!("type=image,\"name={two},{three}\",{attributes}")])?;
    for name in [&two, &three] {
        let manifest = raw(&format!("docker://{name}"))?;
        assert!(manifest["layers"][0]["mediaType"].as_str().is_some_and(|kind| kind.ends_with("+zstd")), "{manifest}");
        assert_eq!(manifest["annotations"]["x"], "y");
    }
    assert_eq!(other.ok(&["images", "-q"])?, "");
    let by_digest = format!("type=image,name={},push-by-digest=true,store=false", registry.name("e"));
    let said = build(&other, &context, &["-o", &by_digest])?;
    let digest = said["containerimage.digest"].as_str().context("a digest")?;
    raw(&format!("docker://{}@{digest}", registry.name("e")))?;
    let tagged = Command::new(program("skopeo", "skopeo")?)
        .args(["inspect", "--tls-verify=false", &format!("docker://{}", registry.name("e"))])
        .output()?;
    assert!(!tagged.status.success(), "there is no tag");
    Ok(())
}

/// Files below a directory that begin as compressed ones do. Not what is in layers, which is anybody's, and not the headers of those
/// that were pulled.
fn compressed(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).context(directory.display())? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "fs") {
            found.extend(compressed(&path)?);
        } else if path.is_file() && !path.ends_with("tape.zst") {
            let bytes = fs::read(&path)?;
            let magic: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"];
            found.extend(magic.iter().any(|magic| bytes.starts_with(magic)).then_some(path));
        }
    }
    Ok(found)
}

#[test]
fn nothing_is_compressed_or_packed_before_it_leaves_this_host() -> Result {
    let (stage, registry) = (Stage::busybox()?, Registry::start()?);
    let phial = &stage.phial;
    let words = "these words can be packed well. ".repeat(40_000);
    let context = context(phial, &format!("FROM {}\nCOPY text /\nRUN cat /text /text > /twice\n", stage.image))?;
    fs::write(context.join("text"), &words)?;
    let name = registry.name("packed:1");
    build(phial, &context, &["-t", &name])?;
    let archives = |directory: &Path| -> Result<usize> {
        let mut find = Command::new("find");
        // As large as the file of the context, and not in a layer.
        find.arg(directory).args(["-path", "*/fs", "-prune", "-o", "-type", "f", "-size", "+1000k", "-print"]);
        Ok(run(&mut find)?.success()?.lines().filter(|path| !path.contains("/phial.db")).count())
    };
    assert_eq!((compressed(&phial.root())?, archives(&phial.root())?), (Vec::new(), 0));
    phial.ok(&["push", &name])?;
    let manifest = raw(&format!("docker://{name}"))?;
    let layers = manifest["layers"].as_array().context("layers")?;
    let sizes: Vec<u64> = layers.iter().filter_map(|layer| layer["size"].as_u64()).collect();
    assert!(sizes[sizes.len() - 2..].iter().all(|size| *size < 100_000), "they are packed there: {manifest}");
    assert_eq!((compressed(&phial.root())?, archives(&phial.root())?), (Vec::new(), 0), "nothing of that stays here");
    Ok(())
}

#[test]
fn names_of_several_platforms_are_those_of_one_here() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    let words = ["build", "--progress", "plain", "--platform", "linux/amd64,linux/arm64", "-t", "app", text(&context)?];
    let told = phial.run(&words)?.exited(0)?;
    assert!(told.stderr.contains("the others are listed by their digests"), "{told:?}");
    Ok(())
}

#[test]
fn one_platform_is_laid_out_as_several_if_an_argument_says_so() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    let (layout, out) = (phial.scratch().join("layout"), phial.scratch().join("out"));
    let target = format!("type=oci,tar=false,dest={}", text(&layout)?);
    build(&phial, &context, &["--build-arg", "BUILDKIT_MULTI_PLATFORM=1", "-o", &target, "-o", text(&out)?])?;
    let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let index = blob(&layout, &top["manifests"][0]["digest"])?;
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1), "{index}");
    assert_eq!(index["manifests"][0]["platform"]["os"], "linux");
    let split = names(&out)?;
    assert!(split.len() == 1 && split[0].starts_with("linux_"), "{split:?}");
    Ok(())
}

#[test]
fn several_platforms_make_one_index() -> Result {
    let (phial, registry) = (Phial::new()?, Registry::start()?);
    let context = context(&phial, "FROM scratch\nARG TARGETARCH\nCOPY a /a-$TARGETARCH\n")?;
    let (name, out) = (registry.name("both:1"), phial.scratch().join("out"));
    let layout = phial.scratch().join("layout");
    let said = build(
        &phial,
        &context,
        &[
            "--platform",
            "linux/amd64,linux/arm64",
            "-t",
            &name,
            "--annotation",
            "index:i=1",
            "--annotation",
            "manifest-descriptor[linux/arm64]:d=2",
            "--push",
            "-o",
            text(&out)?,
            "-o",
            &format!("type=oci,tar=false,dest={}", text(&layout)?),
        ],
    )?;
    let index = raw(&format!("docker://{name}"))?;
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["annotations"]["i"], "1");
    let platforms: Vec<&Value> = index["manifests"].as_array().context("a list")?.iter().collect();
    assert_eq!(platforms[0]["platform"]["architecture"], "amd64");
    assert_eq!(platforms[1]["platform"]["architecture"], "arm64");
    assert_eq!((&platforms[0]["annotations"], &platforms[1]["annotations"]["d"]), (&Value::Null, &Value::from("2")));
    for architecture in ["amd64", "arm64"] {
        let arguments = ["--override-arch", architecture, "inspect", "--tls-verify=false", &format!("docker://{name}")];
        let shown: Value = serde_json::from_str(&skopeo(&arguments)?)?;
        assert_eq!(shown["Architecture"], architecture);
        assert!(out.join(format!("linux_{architecture}/a-{architecture}")).exists());
    }
    assert_eq!(names(&out)?, ["linux_amd64", "linux_arm64"]);
    let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    assert_eq!(blob(&layout, &top["manifests"][0]["digest"])?["manifests"].as_array().map(Vec::len), Some(2));
    assert!(
        said["containerimage.descriptor"]["mediaType"].as_str().is_some_and(|kind| kind.ends_with("index.v1+json"))
    );
    // Both are listed, and the name is that of the one for this host.
    assert_eq!(phial.ok(&["images", "-aq"])?.lines().count(), 2);
    let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(phial.inspect(&name)?["Architecture"], own);
    Ok(())
}

#[test]
fn a_time_makes_two_builds_the_same() -> Result {
    let stage = Stage::busybox()?;
    let mut ids = Vec::new();
    for number in 0..2_u64 {
        let phial = Phial::new()?;
        phial.ok(&["pull", "-q", &stage.image])?;
        let file = format!(
            "FROM {}\nCOPY a d /x/\nRUN echo one > /one && mkdir /e && rm /etc/passwd\nWORKDIR /w\n",
            stage.image
        );
        let context = context(&phial, &file)?;
        // Other times than those of the other build, whenever that was.
        for name in ["a", "d/b", "d"] {
            let time =
                std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + number * 1000);
            fs::File::open(context.join(name))?.set_modified(time)?;
        }
        let flags = ["--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1600000000", "-t", "same:1"];
        let said = build(&phial, &context, &flags)?;
        let again = build(&phial, &context, &flags[1..])?;
        assert_eq!(again["containerimage.config.digest"], said["containerimage.config.digest"], "from the cache");
        let archive = phial.scratch().join("same.tar");
        phial.ok(&["save", "-o", text(&archive)?, "same:1"])?;
        let listed = phial.ok(&[
            "run",
            "--rm",
            "--network",
            "none",
            "same:1",
            "stat",
            "-c",
            "%n %Y",
            "/one",
            "/e",
            "/w",
            "/x/a",
            "/x/c",
        ])?;
        assert!(listed.lines().all(|line| line.ends_with(" 1600000000")), "{listed}");
        ids.push((said["containerimage.config.digest"].clone(), said["containerimage.digest"].clone()));
    }
    assert_eq!(ids[0], ids[1]);
    Ok(())
}

#[test]
fn provenance_tells_how_and_never_a_secret() -> Result {
    let (stage, registry) = (Stage::busybox()?, Registry::start()?);
    let phial = &stage.phial;
    let file = format!(
        "FROM {}\nARG WORD\nRUN --mount=type=secret,id=word,env=HIDDEN test -n \"$HIDDEN\"\nCOPY a /\n",
        stage.image
    );
    let context = context(phial, &file)?;
    let secret = phial.scratch().join("secret");
    fs::write(&secret, "hush-hush-4711")?;
    let (name, layout) = (registry.name("told:1"), phial.scratch().join("layout"));
    let secret = format!("id=word,src={}", text(&secret)?);
    let target = format!("type=oci,tar=false,dest={}", text(&layout)?);
    let flags = [
        "--secret",
        &secret,
        "--build-arg",
        "WORD=said",
        "-t",
        &name,
        "--provenance",
        "mode=max",
        "--push",
        "-o",
        &target,
    ];
    let said = build(phial, &context, &flags)?;
    let index = raw(&format!("docker://{name}"))?;
    let entries = index["manifests"].as_array().context("a list")?;
    assert_eq!(entries.len(), 2, "{index}");
    assert_eq!(entries[1]["platform"]["architecture"], "unknown");
    assert_eq!(entries[1]["annotations"]["vnd.docker.reference.type"], "attestation-manifest");
    assert_eq!(entries[1]["annotations"]["vnd.docker.reference.digest"], entries[0]["digest"]);
    // The image is still found behind it.
    skopeo(&["inspect", "--tls-verify=false", &format!("docker://{name}")])?;

    let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let index = blob(&layout, &top["manifests"][0]["digest"])?;
    let manifest = blob(&layout, &index["manifests"][1]["digest"])?;
    assert_eq!(manifest["subject"]["digest"], index["manifests"][0]["digest"]);
    let statement = blob(&layout, &manifest["layers"][0]["digest"])?;
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().context("a digest")?;
    assert_eq!(index["manifests"][0]["digest"], format!("sha256:{digest}"));
    let definition = &statement["predicate"]["buildDefinition"];
    let request = &definition["externalParameters"]["request"];
    assert_eq!(request["args"]["build-arg:WORD"], "said");
    assert_eq!(request["secrets"][0]["id"], "word");
    assert_eq!(request["locals"][0]["name"], "context");
    let base = &definition["resolvedDependencies"][0];
    assert!(
        base["uri"].as_str().is_some_and(|uri| uri.starts_with("pkg:docker/127.0.0.1") && uri.contains("busybox")),
        "{base}"
    );
    assert_eq!(base["digest"]["sha256"].as_str().map(str::len), Some(64));
    let steps = definition["internalParameters"]["buildConfig"]["llbDefinition"].as_array().context("steps")?;
    assert!(steps.iter().any(|step| step["op"]["Op"]["exec"]["meta"]["args"].is_array()), "{steps:?}");
    assert_eq!(said["buildx.build.provenance"]["buildDefinition"]["buildType"], definition["buildType"]);
    for blob in fs::read_dir(layout.join("blobs/sha256"))? {
        let bytes = fs::read(blob?.path())?;
        assert!(!bytes.windows(14).any(|part| part == b"hush-hush-4711"), "a secret is in the image");
    }
    assert!(!said.to_string().contains("hush-hush"));
    Ok(())
}

/// Lists what it sees, and what it is told; of each build it sees anew.
const SCANNER: &str = r#"#!/bin/sh
set -e
[ "$BUILDKIT_SCAN_WITH" != nothing ] || exit 0
[ "$BUILDKIT_SCAN_WITH" != failure ] || exit 7
if touch "$BUILDKIT_SCAN_SOURCE/new" 2>/dev/null; then exit 8; fi
echo "scanning"
files=$(cd "$BUILDKIT_SCAN_SOURCE"; echo *)
cat > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<EOF
{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "subject": null,
 "predicate": {"files": "$files", "told": "$BUILDKIT_SCAN_WITH", "in": "$OWN", "at": "$PWD"}}
EOF
"#;

#[test]
fn a_scanner_says_what_is_in_an_image() -> Result {
    let (stage, registry) = (Stage::busybox()?, Registry::start()?);
    let phial = &stage.phial;
    let scanner = phial.scratch().join("scanner");
    fs::create_dir(&scanner)?;
    fs::write(scanner.join("scan"), SCANNER)?;
    let file = format!("FROM {}\nCOPY --chmod=755 scan /\nENV OWN=it\nWORKDIR /srv\nCMD [\"/scan\"]\n", stage.image);
    fs::write(scanner.join("Dockerfile"), file)?;
    phial.ok(&["build", "-t", "scanner", text(&scanner)?])?;

    let context = context(phial, FILE)?;
    let (name, layout) = (registry.name("scanned:1"), phial.scratch().join("layout"));
    let target = format!("type=oci,tar=false,dest={}", text(&layout)?);
    let asked = ["--attest", "type=sbom,generator=scanner,WITH=care", "--provenance", "true"];
    build(phial, &context, &[&asked[..], &["-t", &name, "--push", "-o", &target]].concat())?;
    let index = raw(&format!("docker://{name}"))?;
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2), "{index}");
    skopeo(&["inspect", "--tls-verify=false", &format!("docker://{name}")])?;

    let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let index = blob(&layout, &top["manifests"][0]["digest"])?;
    let manifest = blob(&layout, &index["manifests"][1]["digest"])?;
    let layers = manifest["layers"].as_array().context("layers")?;
    let kinds: Vec<_> = layers.iter().map(|layer| &layer["annotations"]["in-toto.io/predicate-type"]).collect();
    assert_eq!(kinds, ["https://spdx.dev/Document", "https://slsa.dev/provenance/v1"]);
    let statement = blob(&layout, &layers[0]["digest"])?;
    assert_eq!(statement["predicateType"], "https://spdx.dev/Document");
    let files = &statement["predicate"];
    assert_eq!(files["files"], "a b d", "what was built, and nothing of the scanner");
    assert_eq!((&files["told"], &files["in"], &files["at"]), (&"care".into(), &"it".into(), &"/srv".into()));
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().context("a digest")?;
    assert_eq!(index["manifests"][0]["digest"], format!("sha256:{digest}"));

    // Nothing has changed, so the scanner is not run again, and its files are nothing of the image.
    let second = target.replace("layout", "again");
    let again = [&["build", "--network", "none", "--progress", "plain"], &asked[..], &["-o", &second]].concat();
    let output = phial.run(&[&again[..], &[text(&context)?]].concat())?.exited(0)?;
    assert!(!output.stderr.contains("scanning"), "{output:?}");
    for (with, why) in [("nothing", "has 0 documents"), ("failure", "exit code 7")] {
        let asked = format!("generator=scanner,WITH={with}");
        let dest = phial.scratch().join(with);
        let target = format!("type=oci,dest={}", text(&dest)?);
        let output = phial.run(&["build", "--sbom", &asked, "-o", &target, text(&context)?])?.exited(1)?;
        assert!(output.stderr.contains(why), "{output:?}");
        assert!(!dest.exists());
    }
    Ok(())
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is() -> Result {
    let phial = Phial::new()?;
    let context = context(&phial, FILE)?;
    for (flags, why) in [
        (&["-o", "type=oci,dest=x,compression=zstd"][..], "compression=zstd: archives have their layers as they are"),
        (&["-o", "type=image,force-compression=true"], "force-compression=true"),
        (&["-o", "type=image,compresion=gzip"], "did you mean compression"),
        (&["--sbom", "generator=a"], "stand beside an image that is pushed or archived"),
        (&["--sbom", "generator=A B", "-o", "type=oci,dest=x"], "--sbom generator=A B"),
        (&["--provenance", "version=v0.2"], "only v1 is written"),
        (&["--annotation", "index:a=b"], "no index"),
        (&["--provenance", "mode=min", "-o", "type=docker,dest=x"], "docker's archive has one image"),
        (&["-o", "type=oci,dest=/absent/x"], "/absent/x: there is no directory /absent"),
        (&["-o", "type=tar,dest=/tmp"], "/tmp is a directory"),
        (&["-o", "type=oci,tar=false,dest=/etc/hostname"], "/etc/hostname: Not a directory"),
    ] {
        let output = phial.run(&[&["build"], flags, &[text(&context)?]].concat())?.exited(1)?;
        assert!(output.stderr.contains(why) && !output.stderr.contains("COPY"), "{output:?}");
    }
    let output = phial.run(&["build", "-o", "type=oci,dest=/dev/full", text(&context)?])?.exited(1)?;
    assert!(output.stderr.contains("No space left on device"), "{output:?}");
    let full = phial.scratch().join("full");
    fs::create_dir(&full)?;
    fs::write(full.join("mine"), "")?;
    let target = format!("type=oci,tar=false,dest={}", text(&full)?);
    let output = phial.run(&["build", "-o", &target, text(&context)?])?.exited(1)?;
    assert!(output.stderr.contains("there is something in this directory"), "{output:?}");
    assert_eq!(names(&full)?, ["mine"]);
    Ok(())
}
