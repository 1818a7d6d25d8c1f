//! Steps of builds: found by their keys as long as their layers are there, which nobody collects meanwhile.

use store::{Digest, ErrorKind, LayerSlot, StepResult};

use crate::scene::{ALPINE, Scene, check_error};

fn result(outputs: Vec<Vec<Digest>>, own: &[Digest]) -> StepResult {
    StepResult {
        id: 0,
        outputs,
        own: own.to_vec(),
        kind: "regular".to_owned(),
        description: "RUN make".to_owned(),
        size: 7,
        created: 0,
        used: 0,
        uses: 0,
        took: 12,
        inputs: b"inputs".to_vec(),
    }
}

fn key(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A step upon a layer `base`, whose own layer is called `name`, found by that name.
fn step(scene: &Scene, name: &str) -> StepResult {
    let lease = scene.lease();
    let base = scene.layer(&lease, "base").diff_id;
    let own = scene.layer(&lease, name).diff_id;
    let mut step = result(vec![vec![base, own]], &[own]);
    scene.store.commit_step(&lease, &[key(name), key("other")], &mut step).expect("is noted");
    step
}

#[test]
fn a_step_is_found_by_its_keys() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    assert!(made.id > 0 && made.created > 0 && made.used == made.created && made.uses == 1);
    for name in ["one", "other"] {
        assert_eq!(scene.store.step_result(&key(name)).expect("answers").as_ref(), Some(&made), "{name}");
    }
    assert_eq!(scene.store.step_result(&key("absent")).expect("answers"), None);
    scene.store.note_steps_used(&[made.id]).expect("is noted");
    let found = scene.store.step_result(&key("one")).expect("answers").expect("is there");
    assert_eq!((found.uses, found.inputs.as_slice()), (2, &b"inputs"[..]));
    let newer = step(&scene, "two");
    assert_eq!(scene.store.step_result(&key("other")).expect("answers"), Some(newer.clone()), "the last one counts");
    assert_eq!(scene.store.last_step_called("RUN make").expect("answers"), Some(newer));
    assert_eq!(scene.store.last_step_called("RUN cake").expect("answers"), None);
    assert_eq!(scene.store.step_results().expect("lists").len(), 2);
    step(&scene, "one");
    let ids: Vec<i64> = scene.store.step_results().expect("lists").iter().map(|step| step.id).collect();
    assert!(!ids.contains(&made.id), "nothing finds it any more");
}

#[test]
fn layers_of_steps_stay_until_the_steps_are_forgotten() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    assert!(scene.store.collect_content().layers.is_empty());
    scene.store.forget_steps(&[made.id]).expect("is forgotten");
    assert_eq!(scene.store.step_result(&key("one")).expect("answers"), None);
    assert_eq!(scene.store.collect_content().layers.len(), 2);
}

#[test]
fn a_step_without_its_layers_is_not_found() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    std::fs::remove_dir_all(scene.store.paths().layer(&made.own[0])).expect("is removed");
    assert_eq!(scene.store.step_result(&key("one")).expect("answers"), None);
    let mut missing = result(vec![vec![key("nobody")]], &[]);
    let lease = scene.lease();
    let refused = scene.store.commit_step(&lease, &[key("k")], &mut missing);
    check_error(refused, ErrorKind::NotFound, &["no such layer"]);
}

#[test]
fn a_power_failure_takes_steps_that_were_not_synced() {
    let scene = Scene::new();
    let (lost, kept) = (step(&scene, "lost"), step(&scene, "kept"));
    let database = rusqlite::Connection::open(scene.store.paths().database()).expect("opens");
    let set = "UPDATE step_results SET unsynced = ?2 WHERE id = ?1";
    database.execute(set, rusqlite::params![kept.id, None::<String>]).expect("is valid");
    database.execute(set, rusqlite::params![lost.id, "0".repeat(36)]).expect("is valid");
    std::fs::remove_file(scene.store.paths().run().join("boot")).expect("is there");
    let again = Scene::in_directory(&scene.directory());
    assert_eq!(again.store.step_result(&key("lost")).expect("answers"), None);
    assert_eq!(again.store.step_result(&key("kept")).expect("answers"), Some(kept));
}

#[test]
fn what_is_synced_is_noted() {
    let scene = Scene::new();
    step(&scene, "one");
    assert!(scene.store.has_unsynced_images().expect("answers"));
    assert_eq!(scene.store.sync_images().expect("syncs"), 1);
    assert!(!scene.store.has_unsynced_images().expect("answers"));
    assert_eq!(scene.store.sync_images().expect("has nothing to do"), 0);
}

#[test]
fn a_layer_has_two_names_as_long_as_either_is_used() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    let (own, diff_id) = (made.own[0], key("diff id"));
    let mut image = scene.image("image", &[], &[ALPINE]);
    let linked = {
        let lease = scene.lease();
        let linked = scene.store.link_layer(&lease, &own, &diff_id).expect("is linked");
        assert_eq!(scene.store.link_layer(&lease, &own, &diff_id).expect("is there"), linked);
        image.layers = vec![store::LayerRef { diff_id, digest: diff_id, size: linked.size }];
        scene.store.commit_image(&lease, &image).expect("is committed");
        linked
    };
    let content = || std::fs::read_to_string(linked.path.join("name")).expect("reads");
    assert_eq!((content().as_str(), linked.size), ("one", 3));
    assert_eq!(scene.store.layer(&diff_id).expect("answers"), Some(linked.clone()));
    scene.store.forget_steps(&[made.id]).expect("is forgotten");
    scene.store.collect_content();
    assert_eq!(content(), "one", "the image has it");
    scene.store.delete_image(&image.id, store::Use::Refuse).expect("is deleted");
    let collected = scene.store.collect_content();
    assert_eq!((collected.layers.len(), collected.bytes), (2, 3), "both names, and what they name once");
    assert!(!scene.store.paths().layer(&own).exists());
    assert!(scene.store.paths().layer(&diff_id).symlink_metadata().is_err());
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn a_layer_that_is_there_is_not_linked() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    let lease = scene.lease();
    let known = scene.layer(&lease, "known").diff_id;
    let found = scene.store.link_layer(&lease, &made.own[0], &known).expect("answers");
    assert_eq!(std::fs::read_to_string(found.path.join("name")).expect("reads"), "known");
    assert!(matches!(scene.store.begin_layer(&lease, &known), Ok(LayerSlot::Present(_))));
}

#[test]
fn sums_of_trees_go_with_the_last_step() {
    let scene = Scene::new();
    let made = step(&scene, "one");
    let (tree, part, sum) = (key("tree"), key("part"), key("sum"));
    assert_eq!(scene.store.tree_sum(&tree, &part).expect("answers"), None);
    scene.store.note_tree_sum(&tree, &part, &sum).expect("is noted");
    assert_eq!(scene.store.tree_sum(&tree, &part).expect("answers"), Some(sum));
    scene.store.forget_steps(&[made.id]).expect("is forgotten");
    assert_eq!(scene.store.tree_sum(&tree, &part).expect("answers"), None);
}

#[test]
fn sums_of_a_tree_go_with_what_has_made_it() {
    let scene = Scene::new();
    let (gone, kept) = (step(&scene, "one"), step(&scene, "two"));
    let part = key("part");
    let names = |step: &StepResult| [store::tree_name(&step.outputs[0]), step.own[0]];
    for tree in [&gone, &kept].into_iter().flat_map(names) {
        scene.store.note_tree_sum(&tree, &part, &key("sum")).expect("is noted");
    }
    scene.store.forget_steps(&[gone.id, 12345]).expect("is forgotten");
    let is_known = |tree| scene.store.tree_sum(&tree, &part).expect("answers").is_some();
    assert_eq!(names(&gone).map(is_known), [false, false]);
    assert_eq!(names(&kept).map(is_known), [true, true]);
}

#[test]
fn what_results_take_and_share() {
    let scene = Scene::new();
    assert_eq!(scene.store.cache_size().expect("answers"), store::CacheSize::default());
    let (one, two) = (step(&scene, "one"), step(&scene, "two"));
    let size = scene.store.cache_size().expect("answers");
    assert_eq!((size.bytes, size.oldest), (14, Some(one.used.min(two.used))));
    assert!(scene.store.layers_of_images().expect("answers").is_empty());
    let (lease, diff_id) = (scene.lease(), key("diff id"));
    let mut image = scene.image("image", &[], &[ALPINE]);
    let size = scene.store.link_layer(&lease, &one.own[0], &diff_id).expect("is linked").size;
    image.layers = vec![store::LayerRef { diff_id, digest: diff_id, size }];
    scene.store.commit_image(&lease, &image).expect("is committed");
    let expected = [one.own[0], diff_id].into();
    assert_eq!(scene.store.layers_of_images().expect("answers"), expected);
}

#[test]
fn what_was_made_elsewhere_keeps_its_time() {
    let scene = Scene::new();
    let lease = scene.lease();
    let own = scene.layer(&lease, "own").diff_id;
    let mut made = StepResult { created: 5, ..result(vec![vec![own]], &[own]) };
    scene.store.commit_step(&lease, &[key("k")], &mut made).expect("is noted");
    assert!(made.created == 5 && made.used > 5, "{made:?}");
    assert_eq!(scene.store.step_result(&key("k")).expect("answers"), Some(made));
}
