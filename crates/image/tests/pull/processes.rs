//! Several pulls at once, and pulls that are killed.

use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use image::pull;

use crate::content::{Image, LayerBlob, Place, noise, open, options, reference, tar};
use crate::server::{Answer, End, Server};

fn two_layers() -> Image {
    let layer = |seed| LayerBlob::gzip(&tar(&[("noise", &noise(1 << 20, seed))]));
    // The second is the larger one, which is fetched first.
    let large = LayerBlob::gzip(&tar(&[("noise", &noise(2 << 20, 9))]));
    Image::of(&[layer(3), large])
}

#[test]
fn pulls_at_the_same_time_fetch_each_layer_once() {
    let server = Server::honest(two_layers());
    let place = Place::new();
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A store of its own, as in another process: locks are of open files.
                let store = open(place.path());
                barrier.wait();
                pull(&store, &server.app(), &options(), &()).expect("an honest registry");
            });
        }
    });
    assert_eq!(server.layer_requests().len(), 2);
    assert_eq!(place.store.images().expect("the store works").len(), 1);
}

#[test]
fn a_killed_pull_is_taken_up_by_the_next_one() {
    let image = two_layers();
    let small = image.layers[0].clone();
    // The child gets the small layer, half of the large one, and then nothing.
    let (sender, stalled) = channel();
    let sender = Mutex::new(Some(sender));
    let large = image.layers[1].clone();
    let server = Server::start(image, move |asked, answer| {
        if asked.target.ends_with(&large) && asked.before == 0 {
            let half = answer.body[..answer.body.len() / 2].to_vec();
            let length = answer.body.len().to_string();
            let _told = sender.lock().expect("no server thread panics").take().map(|sender| sender.send(()));
            return Answer::new(200, half).with("Content-Length", length).ending(End::Hang);
        }
        answer
    });
    let place = Place::new();
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "processes::child_pulls_until_killed", "--include-ignored"])
        .env("PULL_FROM", server.host())
        .env("PULL_INTO", place.path())
        .stdout(Stdio::null())
        .spawn();
    let mut child = child.expect("this program runs");
    stalled.recv().expect("the large layer is asked for");
    // The small layer comes to its end meanwhile: when it is there, the child is in the middle of the large one.
    let path = place.store.paths().layers();
    while std::fs::read_dir(&path).map_or(0, Iterator::count) == 0 {
        thread::yield_now();
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");

    let pulled = pull(&place.store, &server.app(), &options(), &()).expect("the server has recovered");
    assert_eq!(place.file(&pulled, 1, "noise"), noise(2 << 20, 9));
    let requests = server.layer_requests();
    let of_small = requests.iter().filter(|asked| asked.target.ends_with(&small)).count();
    assert_eq!((of_small, requests.len()), (1, 3), "the finished layer was fetched again");
}

#[test]
#[ignore = "runs as the child of a_killed_pull_is_taken_up_by_the_next_one"]
fn child_pulls_until_killed() {
    let (Ok(host), Ok(directory)) = (std::env::var("PULL_FROM"), std::env::var("PULL_INTO")) else { return };
    let store = open(std::path::Path::new(&directory));
    let _killed = pull(&store, &reference(&format!("{host}/app")), &options(), &());
}

#[test]
fn one_broken_layer_stops_the_others() {
    let image = two_layers();
    let (small, large) = (image.layers[0].clone(), image.layers[1].clone());
    let stalled = Arc::new(Barrier::new(2));
    let seen = Arc::clone(&stalled);
    let server = Server::start(image, move |asked, answer| {
        if asked.target.ends_with(&large) {
            let half = answer.body[..answer.body.len() / 2].to_vec();
            let length = answer.body.len().to_string();
            seen.wait();
            return Answer::new(200, half).with("Content-Length", length).ending(End::Hang);
        }
        if asked.target.ends_with(&small) {
            seen.wait();
            return Answer::new(404, "");
        }
        answer
    });
    let place = Place::new();
    let error = pull(&place.store, &server.app(), &options(), &()).expect_err("a layer is missing");
    assert_eq!(error.kind(), image::ErrorKind::NotFound);
    assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());
}
