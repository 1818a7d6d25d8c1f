//! Networks: made, found, removed, and by several at once.

use store::{ErrorKind, NetworkRecord, Result, Store};

use crate::scene::{Scene, check_error};

fn network(name: &str, digit: char) -> NetworkRecord {
    NetworkRecord {
        id: digit.to_string().repeat(64),
        name: name.to_owned(),
        created: "2026-01-02T03:04:05Z".to_owned(),
        definition: serde_json::json!({"driver": "bridge"}),
    }
}

fn make(store: &Store, network: &NetworkRecord) -> Result<NetworkRecord> {
    store.create_network(&network.name, |_| Ok::<_, ()>(network.clone())).map(|made| made.expect("is not refused"))
}

#[test]
fn a_network_from_its_creation_to_its_end() {
    let store = Scene::new().store;
    let (web, data) = (network("web", 'a'), network("data", 'b'));
    assert_eq!(make(&store, &web).expect("is made"), web);
    make(&store, &data).expect("is made");
    assert_eq!(store.networks().expect("lists"), [data.clone(), web.clone()]);
    for key in ["web", "aaaa", &web.id] {
        assert_eq!(store.network(key).expect(key), web);
    }
    store.remove_network(&web.id).expect("is removed");
    check_error(store.remove_network(&web.id), ErrorKind::NotFound, &["not found"]);
    check_error(store.network("web"), ErrorKind::NotFound, &["network web not found"]);
    assert_eq!(store.networks().expect("lists"), [data]);
}

#[test]
fn what_cannot_be_a_network_is_refused() {
    let store = Scene::new().store;
    make(&store, &network("web", 'a')).expect("is made");
    check_error(make(&store, &network("web", 'b')), ErrorKind::Conflict, &["network with name web already exists"]);
    for name in ["", "-a", "a b", "a/b", &"a".repeat(256)] {
        check_error(make(&store, &network(name, 'b')), ErrorKind::Invalid, &["network name"]);
    }
    make(&store, &network("x", 'c')).expect("one character is enough");
    let short = NetworkRecord { id: "abc".to_owned(), ..network("short", 'd') };
    check_error(make(&store, &short), ErrorKind::Invalid, &["abc"]);
    make(&store, &NetworkRecord { id: format!("a{}", "b".repeat(63)), ..network("like", 'a') }).expect("is made");
    check_error(store.network("a"), ErrorKind::Ambiguous, &["fits several networks"]);
    let refused = store.create_network("other", |known| Err::<NetworkRecord, _>(known.len())).expect("asks");
    assert_eq!(refused, Err(3));
    assert_eq!(store.networks().expect("lists").len(), 3);
}

#[test]
fn of_several_at_once_each_sees_those_before_it() {
    let scene = Scene::new();
    let directory = scene.directory();
    std::thread::scope(|scope| {
        for number in 0..8_usize {
            let directory = &directory;
            scope.spawn(move || {
                let store = Scene::in_directory(directory).store;
                let made = store.create_network(&format!("n{number}"), |known| {
                    let digit = char::from_digit(u32::try_from(known.len()).expect("few"), 16).expect("is one");
                    Ok::<_, ()>(network(&format!("n{number}"), digit))
                });
                made.expect("is made").expect("is not refused");
            });
        }
    });
    let mut ids: Vec<String> = scene.store.networks().expect("lists").into_iter().map(|network| network.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}
