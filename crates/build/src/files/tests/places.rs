//! Where copies go, and what is in their way. Expectations are those of `BuildKit`.

use super::{Scene, check, order};
use crate::llb::message::file::Copy;

#[test]
fn a_file() {
    check("a=1", "", &order("/a", "/b"), "b=1");
    check("a=1", "", &order("/a", "/x/b"), "x/ x/b=1");
    check("a=1", "", &order("/a", "/x/"), "x/ x/a=1");
    check("a=1", "", &order("/a", "/x/."), "x/ x/a=1");
    check("a=1", "", &order("/a", "/"), "a=1");
    check("a=1", "x/", &order("/a", "/x"), "x/ x/a=1");
    check("a=1", "a=0", &order("/a", "/a"), "a=1");
    check("d/ d/a=1", "", &order("/d/a", "/b"), "b=1");
    check("a=1", "x=0", &order("/a", "/x/"), "\"/x\" is not a directory");
    check("a=1", "x=0", &order("/a", "/x/b"), "\"/x\" is not a directory");
    check("a=1", "x/ x/a/", &order("/a", "/x/"), "\"/a\" cannot be copied onto \"/x/a\", which is a directory");
}

#[test]
fn a_directory() {
    check("d/ d/a=1 d/e/", "", &order("/d", "/x"), "x/ x/a=1 x/e/");
    check("d/ d/a=1", "x/ x/b=0", &order("/d", "/x/"), "x/ x/a=1 x/b=0");
    check("d/ d/a=1", "x/ x/a=0", &order("/d", "/x/"), "x/ x/a=1");
    check("d/ d/a=1", "", &order("/", "/"), "d/ d/a=1");
    check("d/!700 d/e/!711", "x/!750@3:4 x/e/!770@5:6", &order("/d", "/x"), "x/!750@3:4 x/e/!711");
    check("d/!700@1:2", "", &order("/d", "/x"), "x/");
    let onto_file = "the directory \"/d\" cannot be copied onto \"/x\", which is not a directory";
    check("d/ d/a=1", "x=0", &order("/d", "/x"), onto_file);
    let onto_file = "the directory \"/d/e\" cannot be copied onto \"/x/e\", which is not a directory";
    check("d/ d/e/", "x/ x/e=0", &order("/d", "/x"), onto_file);
}

#[test]
fn a_directory_itself() {
    let whole = |src: &str, dest: &str| Copy { dir_copy_contents: false, ..order(src, dest) };
    check("d/!700@1:2 d/a=1", "x/", &whole("/d", "/x"), "x/ x/d/!700@1:2 x/d/a=1");
    check("d/!700@1:2 d/a=1", "", &whole("/d", "/x"), "x/!700@1:2 x/a=1");
    check("d/!700 d/a=1", "x/ x/d/!711", &whole("/d", "/x"), "x/ x/d/!711 x/d/a=1");
    check("d/ d/a=1", "x/", &whole("/d/.", "/x"), "x/ x/a=1");
    check("d/ d/a=1", "x=0", &whole("/d", "/x"), "\"/x\" is not a directory");
}

#[test]
fn symlinks_in_the_destination() {
    check("a=1", "r/ l->r", &order("/a", "/l/b"), "l->r r/ r/b=1");
    check("a=1", "r/ l->/r", &order("/a", "/l/"), "l->/r r/ r/a=1");
    check("a=1", "r/ l->../../r", &order("/a", "/l"), "l->../../r r/ r/a=1");
    check("a=1", "l->r/s", &order("/a", "/l/b"), "l->r/s r/ r/s/ r/s/b=1");
    check("a=1", "r=0 l->r", &order("/a", "/l"), "l->r r=1");
    check("a=1", "l->r", &order("/a", "/l"), "l->r r=1");
    check("a=1", "x/ r=0 x/a->../r", &order("/a", "/x/"), "r=0 x/ x/a=1");
    check("d/ d/a=1", "x/ r=0 x/a->../r", &order("/d", "/x"), "r=0 x/ x/a=1");
    check("a=1", "a->b b->a", &order("/a", "/a/x"), "\"/a/x\" leads through more than 40 symlinks");
    let onto_link = "the directory \"/d/e\" cannot be copied onto \"/x/e\", which is not a directory";
    check("d/ d/e/", "x/ r/ x/e->../r", &order("/d", "/x"), onto_link);
}

#[test]
fn everything_is_replaced_where_that_is_asked_for() {
    let replacing = |src: &str, dest: &str| Copy { always_replace: true, ..order(src, dest) };
    check("d/ d/e/ d/e/a=1", "x/ r/ x/e->../r", &replacing("/d", "/x"), "r/ x/ x/e/ x/e/a=1");
    check("d/ d/e/ d/e/a=1", "x/ x/e=0", &replacing("/d", "/x"), "x/ x/e/ x/e/a=1");
    check("d/ d/e=1", "x/ x/e/ x/e/f=0 x/g=2", &replacing("/d", "/x"), "x/ x/e=1 x/g=2");
    check("d/!711 d/a=1", "x=0", &replacing("/d", "/x"), "x/!711 x/a=1");
}

#[test]
fn directories_above() {
    let below = Copy { create_dest_path: false, ..order("/a", "/x/b") };
    check("a=1", "", &below, "\"/x\": not found");
    check("a=1", "x/", &below, "x/ x/b=1");
    check("a=1", "", &Copy { mode: 0o700, ..order("/a", "/x/y/b") }, "x/!700 x/y/!700 x/y/b=1!700");
    check("a=1", "", &Copy { mode_str: "go=".into(), ..order("/a", "/x/b") }, "x/ x/b=1!600");
    let scene = Scene::new("a=1", "x/");
    scene.copy_for(&order("/a", "/x/y/z/b"), None, Some((7, 8))).expect("is copied");
    assert_eq!(super::listing(&scene.onto), "x/ x/y/@7:8 x/y/z/@7:8 x/y/z/b=1@7:8");
}

#[test]
fn several_sources() {
    check("a1=1 a2=2 b=3", "", &order("/a?", "/x/"), "x/ x/a1=1 x/a2=2");
    check("d/ d/a=1 e/ e/b=2", "", &order("/*", "/x/"), "x/ x/a=1 x/b=2");
    check("d/ d/f=1 e/ e/f=2", "", &order("/*/f", "/x/"), "x/ x/f=2");
    // The first goes to the very place, and the second replaces it.
    check("a1=1 a2=2", "", &order("/a?", "/x"), "x=2");
}
