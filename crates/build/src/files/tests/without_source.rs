//! What is made and removed without a source.

use std::os::unix::fs::MetadataExt;

use super::{Scene, listing};
use crate::error::Result;
use crate::files::{make_directory, make_file, remove, symlink};
use crate::llb::message::file::{MakeDirectory, MakeFile, Remove, Symlink};

/// What is there afterwards, or why it was not done.
fn after(onto: &str, work: impl FnOnce(&fsroot::Root) -> Result<()>) -> String {
    let scene = Scene::new("", onto);
    scene.with(None, |_, root| work(root)).map_or_else(|error| error.to_string(), |()| listing(&scene.onto))
}

#[test]
fn files() {
    let make = |onto: &str, path: &str, mode: i32, owner| {
        let order = MakeFile { path: path.into(), mode, data: b"1".to_vec(), timestamp: -1, ..MakeFile::default() };
        after(onto, |root| make_file(&order, root, owner))
    };
    assert_eq!(make("", "/a", 0o666, None), "a=1!666");
    assert_eq!(make("a=0!600", "a", 0o644, Some((1, 2))), "a=1@1:2");
    assert_eq!(make("d/ l->d/a", "/l", 0o644, None), "d/ d/a=1 l->d/a");
    assert_eq!(make("d/", "/../d/../d/a", 0o600, None), "d/ d/a=1!600");
    assert_eq!(make("d/", "/d", 0o644, None), "\"/d\" is a directory");
    assert_eq!(make("", "/", 0o644, None), "\"/\" is a directory");
    assert_eq!(make("", "/d/a", 0o644, None), "\"/d/a\": not found");
}

#[test]
fn directories() {
    let make = |onto: &str, path: &str, make_parents: bool, owner| {
        let order = MakeDirectory { path: path.into(), mode: 0o711, make_parents, timestamp: -1, ..Default::default() };
        after(onto, |root| make_directory(&order, root, owner))
    };
    assert_eq!(make("", "/a/b/", true, Some((1, 2))), "a/!711@1:2 a/b/!711@1:2");
    assert_eq!(make("a/", "/a/b", true, Some((1, 2))), "a/ a/b/!711@1:2");
    assert_eq!(make("a/", "/a", false, Some((1, 2))), "a/");
    assert_eq!(make("", "/", true, Some((1, 2))), "");
    assert_eq!(make("l->r", "/l/b", true, None), "l->r r/!711 r/b/!711");
    assert_eq!(make("l->../../r", "/l", true, None), "l->../../r r/!711");
    assert_eq!(make("", "/a/b", false, None), "\"/a/b\": not found");
    assert_eq!(make("a=0", "/a", true, None), "\"/a\" is not a directory");
    assert_eq!(make("a=0", "/a/b", true, None), "\"/a\" is not a directory");
}

#[test]
fn removals() {
    let remove = |onto: &str, path: &str, allow_not_found: bool, allow_wildcard: bool| {
        let order = Remove { path: path.into(), allow_not_found, allow_wildcard };
        after(onto, |root| remove(&order, root))
    };
    assert_eq!(remove("a=1 b=2", "/a", false, false), "b=2");
    assert_eq!(remove("d/ d/e/ d/e/f=1 g=2", "/d/e", false, false), "d/ g=2");
    assert_eq!(remove("d/ d/e=1 l->d", "/l", false, false), "d/ d/e=1");
    assert_eq!(remove("d/ d/e=1 l->d", "/l/e", false, false), "d/ l->d");
    assert_eq!(remove("a=1", "/b", false, false), "\"/b\": not found");
    assert_eq!(remove("a=1", "/b", true, false), "a=1");
    assert_eq!(remove("a=1", "/b/c", true, false), "a=1");
    assert_eq!(remove("a1=1 a2/ a2/b=1 c=3", "/a*", false, true), "c=3");
    assert_eq!(remove("a=1", "/b*", false, true), "a=1");
    assert_eq!(remove("a*=1 ab=2", "/a*", false, false), "ab=2");
    assert_eq!(remove("a=1", "/b/..", false, false), "\"/\" cannot be removed");
}

/// Whatever a path says and whatever links are on it: a link itself goes, and not what it leads to.
#[test]
fn nothing_outside_is_removed_or_made() {
    for path in
        ["../from/f", "/../from/f", "/d/../../from/f", "d/../../from/../from/f", "/l/f", "/m/f", "/d/n/f", "/l/*", "/m"]
    {
        let scene = Scene::new("f=1", "d/ l->../from");
        for (link, to) in [("m", scene.from.clone()), ("d/n", "../../from".into()), ("f", scene.from.join("f"))] {
            std::os::unix::fs::symlink(to, scene.onto.join(link)).expect("is made");
        }
        scene.with(None, |_, root| {
            let text = || path.to_owned();
            let order =
                MakeFile { path: text(), mode: 0o644, data: b"2".to_vec(), timestamp: -1, ..MakeFile::default() };
            // Most of it is refused.
            let _ = make_file(&order, root, None);
            let order = Remove { path: text(), allow_not_found: true, allow_wildcard: true };
            let _ = remove(&order, root);
            let order =
                MakeDirectory { path: text(), mode: 0o755, make_parents: true, timestamp: -1, ..Default::default() };
            let _ = make_directory(&order, root, None);
            let order = Symlink { oldpath: "x".to_owned(), newpath: text() + "/x", owner: None, timestamp: -1 };
            let _ = symlink(&order, root, None);
            let _ = remove(&Remove { path: text(), allow_not_found: true, allow_wildcard: true }, root);
        });
        assert_eq!(listing(&scene.from), "f=1", "{path}");
    }
}

#[test]
fn symlinks() {
    let make = |onto: &str, newpath: &str, owner| {
        let order = Symlink { oldpath: "/t".into(), newpath: newpath.into(), owner: None, timestamp: -1 };
        after(onto, |root| symlink(&order, root, owner))
    };
    assert_eq!(make("", "/l", None), "l->/t");
    assert_eq!(make("d/ m->d", "m/l", Some((1, 2))), "d/ d/l->/t@1:2 m->d");
    assert_eq!(make("l=1", "/l", None), "\"/l\" is there already");
    assert_eq!(make("l->x", "/l", None), "\"/l\" is there already");
    assert_eq!(make("", "/", None), "\"/\" is there already");
    assert_eq!(make("", "/d/l", None), "\"/d/l\": not found");
}

#[test]
fn times() {
    let scene = Scene::new("", "");
    let timestamp = 7_000_000_002;
    scene.with(None, |_, root| {
        let path = |text: &str| text.to_owned();
        make_directory(
            &MakeDirectory { path: path("/d/e"), mode: 0o755, make_parents: true, timestamp, ..Default::default() },
            root,
            None,
        )
        .expect("is made");
        make_file(&MakeFile { path: path("/f"), mode: 0o644, timestamp, ..Default::default() }, root, None)
            .expect("is made");
        symlink(&Symlink { oldpath: path("x"), newpath: path("/l"), owner: None, timestamp }, root, None)
            .expect("is made");
    });
    for path in ["d", "d/e", "f", "l"] {
        let found = scene.onto.join(path).symlink_metadata().expect("is there");
        assert_eq!((found.mtime(), found.mtime_nsec()), (7, 2), "{path}");
    }
}
