//! Which files are taken.

use super::{Scene, check, listing, message, order};
use crate::error::ErrorKind;
use crate::files::Selection;
use crate::llb::message::file::Copy;

#[test]
fn wildcards() {
    let tree = "a.go=1 b.go=2 c=3 .d.go=4 d/ d/e.go=5";
    check(tree, "", &order("/*.go", "/x/"), "x/ x/.d.go=4 x/a.go=1 x/b.go=2");
    check(tree, "", &order("/*/*.go", "/x/"), "x/ x/e.go=5");
    check(tree, "", &order("/[ab].go", "/x/"), "x/ x/a.go=1 x/b.go=2");
    check(tree, "", &order("/?", "/x/"), "x/ x/c=3 x/e.go=5");
    check("a*=1 ab=2", "", &order("/a[*]", "/x/"), "x/ x/a*=1");
    check("r/ r/a=1 l->r", "", &order("/l/*", "/x/"), "x/ x/a=1");
    // None goes through a symlink, and one that is found is followed.
    check("r/ r/a=1 l->r", "", &order("/l*", "/x/"), "x/ x/a=1");
    check("r/ r/a=1 l->r", "", &order("/l*/a", "/x/"), "");
    check("a=1", "", &order("/b*", "/x/"), "");
    check("a=1", "", &Copy { allow_empty_wildcard: false, ..order("/b*", "/x/") }, "\"/b*\": not found");
    check("b*=1", "", &Copy { allow_wildcard: false, ..order("/b*", "/x/") }, "x/ x/b*=1");
    check("a=1", "", &order("/b[", "/x/"), "\"b[\": a '[' is not closed");
}

#[test]
fn what_is_not_there() {
    check("a=1", "", &order("/b", "/x/"), "\"/b\": not found");
    check("a=1", "", &order("/b/c/", "/x/"), "\"/b/c\": not found");
    check("l->b", "", &order("/l", "/x/"), "\"/l\": not found");
    check("a=1", "", &order("/a/c", "/x/"), "\"/a\" is not a directory");
    let scene = Scene::new("a=1", "");
    let error = scene.copy(&order("/b", "/x/")).expect_err("is not there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn symlinks_in_the_source() {
    check("r=1 l->r", "", &order("/l", "/x/"), "x/ x/l=1");
    check("r/ r/a=1 l->/r", "", &order("/l", "/x/"), "x/ x/a=1");
    check("r/ r/a=1 l->../../r", "", &order("/l/a", "/x/"), "x/ x/a=1");
    check("r=1 l->r", "", &Copy { follow_symlink: false, ..order("/l", "/x/") }, "x/ x/l->r");
    check("d/ d/l->/etc/passwd d/m->nowhere", "", &order("/d", "/x"), "x/ x/l->/etc/passwd x/m->nowhere");
    check("l->/etc/passwd", "", &order("/l", "/x/"), "\"/l\": not found");
}

#[test]
fn patterns_of_the_copy() {
    let with = |include: &[&str], exclude: &[&str]| Copy {
        include_patterns: include.iter().map(ToString::to_string).collect(),
        exclude_patterns: exclude.iter().map(ToString::to_string).collect(),
        ..order("/", "/")
    };
    let tree = "a/!711 a/b/!710 a/b/c=1 a/b/d=2 a/e=3 f=4";
    check(tree, "", &with(&["a/b/c"], &[]), "a/!711 a/b/!710 a/b/c=1");
    check(tree, "", &with(&["a/b"], &[]), "a/!711 a/b/!710 a/b/c=1 a/b/d=2");
    check(tree, "", &with(&["**/d", "f"], &[]), "a/!711 a/b/!710 a/b/d=2 f=4");
    check(tree, "", &with(&["a/*/c"], &[]), "a/!711 a/b/!710 a/b/c=1");
    check(tree, "", &with(&["b"], &[]), "");
    check(tree, "", &with(&[], &["a/b"]), "a/!711 a/e=3 f=4");
    check(tree, "", &with(&[], &["a", "!a/b/c"]), "a/!711 a/b/!710 a/b/c=1 f=4");
    check(tree, "", &with(&["a"], &["**/c"]), "a/!711 a/b/!710 a/b/d=2 a/e=3");
    // A directory on the way that is there keeps its owner and gets the mode.
    check(tree, "a/!700@1:1", &with(&["a/b/c"], &[]), "a/!711@1:1 a/b/!710 a/b/c=1");
}

#[test]
fn required_paths() {
    let with = |path: &str| Copy {
        include_patterns: vec![path.trim_start_matches('/').to_owned()],
        required_paths: vec![path.to_owned()],
        ..order("/", "/x/")
    };
    check("a/ a/b=1", "", &with("/a/b"), "x/ x/a/ x/a/b=1");
    check("a/ a/b=1", "", &with("/a"), "x/ x/a/ x/a/b=1");
    check("a/ a/bc=1", "", &with("/a/b"), "\"/a/b\": not found");
    let above = |src: &str| Copy { src: src.to_owned(), include_patterns: vec!["b".into()], ..with("/l/b") };
    check("r/ r/b=1 l->r", "", &above("/l"), "x/ x/b=1");
}

/// What a copy from a context with this `.dockerignore` gives.
fn ignoring(tree: &str, ignored: &str, copy: &Copy, expected: &str) {
    let scene = Scene::new(tree, "");
    let found = match scene.copy_for(copy, Some(ignored), None) {
        Ok(_) => listing(&scene.onto),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{} of {tree} without {ignored:?}", copy.src);
}

#[test]
fn ignored_files() {
    let tree = "a=1 b=2 d/!711 d/e=3 d/f/ d/f/g=4 l->d";
    ignoring(tree, "b\nd", &order("/", "/"), "a=1 l->d");
    ignoring(tree, "*\n!d/f", &order("/", "/"), "d/!711 d/f/ d/f/g=4");
    ignoring(tree, "d\n!d/f/g", &order("/", "/"), "a=1 b=2 d/!711 d/f/ d/f/g=4 l->d");
    ignoring(tree, "d\n!d/x", &order("/", "/"), "a=1 b=2 l->d");
    ignoring(tree, "d\n!d/x", &order("/d", "/x"), "\"/d\": not found");
    ignoring(tree, "d/f", &order("/d", "/x"), "x/ x/e=3");
    ignoring(tree, "d/e", &order("/l", "/x"), "x/ x/f/ x/f/g=4");
    ignoring(tree, "b", &order("/b", "/x"), "\"/b\": not found");
    ignoring(tree, "d", &order("/l/e", "/x"), "\"/l/e\": not found");
    ignoring(tree, "b", &order("/?", "/x/"), "x/ x/a=1 x/e=3 x/f/ x/f/g=4");
    ignoring(tree, "*", &order("/*", "/x/"), "");
    let scene = Scene::new(tree, "");
    let error = scene.copy_for(&order("/b", "/x"), Some("b"), None).expect_err("is hidden");
    assert_eq!(error.hint(), Some("a pattern in .dockerignore leaves it out"));
}

#[test]
fn an_ignored_directory_is_not_even_read() {
    let scene = Scene::new("a=1 d/ d/e/", "");
    // Deeper than any directory may be that is read.
    let mut deep = std::path::PathBuf::from("d");
    (0..260).for_each(|_| deep.push("e"));
    std::fs::create_dir_all(scene.from.join(deep)).expect("made");
    let of = |ignored: &str| scene.with(Some(ignored), |from, _| Selection::of(&order("/", "/"), from));
    assert_eq!(of("d").expect("is not read").entries.len(), 2);
    let text = message(of("x"));
    assert!(text.ends_with("directories are nested deeper than 256"), "{text}");
}

#[test]
fn nothing_leads_to_what_cannot_be_included() {
    let scene = Scene::new("a/ a/b=1 d/", "");
    let mut deep = std::path::PathBuf::from("d");
    (0..260).for_each(|_| deep.push("e"));
    std::fs::create_dir_all(scene.from.join(deep)).expect("made");
    let copy = Copy { include_patterns: vec!["a/b".into()], ..order("/", "/") };
    scene.copy(&copy).expect("the other directory is not read");
    assert_eq!(listing(&scene.onto), "a/ a/b=1");
}

#[test]
fn trees() {
    let scene = Scene::new("d/ d/a=1 l->d/a", "");
    let paths = |path: &str| {
        scene.with(None, |from, _| {
            let inputs = Selection::tree(path, from)?.inputs(from)?;
            Ok(inputs.into_iter().map(|(path, _)| path).collect::<Vec<_>>())
        })
    };
    assert_eq!(paths("/").expect("is there"), ["", "d", "d/a", "l"]);
    assert_eq!(paths("d").expect("is there"), ["d", "d/a"]);
    assert_eq!(paths("/l").expect("is there"), ["d/a"]);
    assert_eq!(message(paths("/x")), "\"/x\": not found");
}
