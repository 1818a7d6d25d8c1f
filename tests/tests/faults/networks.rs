//! Networks: made and removed, containers that come to them and leave them, and their ports. Each test has a host of its own.

use end_to_end::faults::Operation;
use end_to_end::lan::Machine;
use end_to_end::{Phial, Result};

use super::scene::{Scene, died, no_containers, status, status_begun};

/// A program that is there already, on a host of its own.
fn scene() -> Result<(Machine, Scene)> {
    let (host, mut scene) = (Machine::new()?, Scene::with_image()?);
    scene.phial.enter(&host);
    Ok((host, scene))
}

/// No container, and one network.
fn one_network(phial: &Phial) -> Result {
    no_containers(phial)?;
    if phial.run(&["network", "inspect", "web"])?.code != 0 {
        phial.ok(&["network", "create", "--subnet", "10.99.0.0/24", "web"])?;
    }
    Ok(())
}

/// What was half done is free for others: the address, the port, and the network.
fn is_free(phial: &Phial, image: &str) -> Result {
    let flags = ["--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
    phial.ok(&[&["run", "--rm"], &flags[..], &[image, "true"]].concat()).map(drop)
}

/// Whichever came of it: the container runs and can be reached by name, or all that it had is free.
fn runs_or_is_free(phial: &Phial, image: &str, name: &str) -> Result {
    match status_begun(phial, name)? {
        Some(line) if line.contains("Up ") => {
            phial.ok(&["exec", name, "ping", "-4", "-c", "1", "10.99.0.1"])?;
            assert!(phial.ok(&["port", name])?.contains("8080"));
            phial.ok(&["rm", "-f", name])?;
        }
        Some(_) => drop(phial.ok(&["rm", "-f", name])?),
        None => {}
    }
    is_free(phial, image)
}

#[test]
fn run_on_a_network_with_a_port() -> Result {
    let (_host, scene) = scene()?;
    let flags = ["--name", "web", "--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
    let words = [&["run", "-d"], &flags[..], &[&scene.image, "sleep", "1000"]].concat();
    let after = |phial: &Phial| runs_or_is_free(phial, &scene.image, "web");
    died(&scene, 100, &Operation { words: &words, before: &one_network, after: &after })
}

#[test]
fn run_to_the_end_on_a_network() -> Result {
    let (_host, scene) = scene()?;
    let flags = ["--name", "web", "--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
    let words = [&["run", "--rm"], &flags[..], &[&scene.image, "true"]].concat();
    let after = |phial: &Phial| {
        if status(phial, "web")?.is_some() {
            phial.ok(&["rm", "-f", "web"])?;
        }
        is_free(phial, &scene.image)
    };
    died(&scene, 120, &Operation { words: &words, before: &one_network, after: &after })
}

#[test]
fn start_of_one_that_is_kept() -> Result {
    let (_host, scene) = scene()?;
    let before = |phial: &Phial| {
        one_network(phial)?;
        let flags = ["--name", "kept", "--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
        phial.ok(&[&["create"], &flags[..], &[&scene.image, "sleep", "1000"]].concat()).map(drop)
    };
    let after = |phial: &Phial| {
        // One that was not started stays as it was created: whatever came of it, it can be started now.
        phial.ok(&["start", "kept"])?;
        runs_or_is_free(phial, &scene.image, "kept")
    };
    died(&scene, 20, &Operation { words: &["start", "kept"], before: &before, after: &after })
}

#[test]
fn restart_by_policy() -> Result {
    let (_host, scene) = scene()?;
    let before = |phial: &Phial| {
        one_network(phial)?;
        let flags = ["--name", "web", "--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
        let command = ["--restart", "on-failure:1", &scene.image, "sh", "-c", "usleep 300000; exit 3"];
        phial.ok(&[&["run", "-d"], &flags[..], &command].concat()).map(drop)
    };
    let after = |phial: &Phial| {
        phial.ok(&["rm", "-f", "web"])?;
        is_free(phial, &scene.image)
    };
    died(&scene, 30, &Operation { words: &["logs", "-f", "web"], before: &before, after: &after })
}

#[test]
fn connect_and_disconnect() -> Result {
    let (_host, scene) = scene()?;
    let on_default = |phial: &Phial| {
        one_network(phial)?;
        phial.ok(&["run", "-d", "--name", "one", "-p", "8080:80", &scene.image, "sleep", "1000"]).map(drop)
    };
    let on_both = |phial: &Phial| {
        on_default(phial)?;
        phial.ok(&["network", "connect", "--ip", "10.99.0.20", "web", "one"]).map(drop)
    };
    // Whoever was killed: asked once more, it is done.
    let done = |phial: &Phial, verb: &str| {
        if status(phial, "one")?.is_some_and(|line| line.contains("Up ")) {
            phial.run(&["network", verb, "web", "one"])?;
            let on = phial.ok(&["exec", "one", "ls", "/sys/class/net"])?.contains("eth1");
            assert_eq!(on, verb == "connect");
            let again = phial.run(&["network", verb, "web", "one"])?;
            assert_ne!(again.code, 0, "{again:?}");
        }
        phial.ok(&["rm", "-f", "one"])?;
        is_free(phial, &scene.image)
    };
    let connected = |phial: &Phial| done(phial, "connect");
    let disconnected = |phial: &Phial| done(phial, "disconnect");
    let words = ["network", "connect", "--ip", "10.99.0.20", "web", "one"];
    died(&scene, 8, &Operation { words: &words, before: &on_default, after: &connected })?;
    let words = ["network", "disconnect", "web", "one"];
    died(&scene, 6, &Operation { words: &words, before: &on_both, after: &disconnected })
}

#[test]
fn disconnect_from_where_the_ports_lead() -> Result {
    let (_host, scene) = scene()?;
    let before = |phial: &Phial| {
        one_network(phial)?;
        phial.ok(&["run", "-d", "--name", "one", "-p", "8080:80", &scene.image, "sleep", "1000"])?;
        phial.ok(&["network", "connect", "web", "one"]).map(drop)
    };
    let after = |phial: &Phial| {
        if status(phial, "one")?.is_some_and(|line| line.contains("Up ")) {
            assert!(phial.ok(&["port", "one"])?.contains("8080"));
        }
        phial.ok(&["rm", "-f", "one"])?;
        is_free(phial, &scene.image)
    };
    died(&scene, 8, &Operation { words: &["network", "disconnect", "bridge", "one"], before: &before, after: &after })
}

#[test]
fn network_create_and_rm() -> Result {
    let (_host, scene) = scene()?;
    let none = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["network", "rm", "web"]).map(drop)
    };
    let usable = |phial: &Phial| {
        one_network(phial)?;
        is_free(phial, &scene.image)
    };
    let words = ["network", "create", "--subnet", "10.99.0.0/24", "web"];
    died(&scene, 3, &Operation { words: &words, before: &none, after: &usable })?;
    let used = |phial: &Phial| {
        one_network(phial)?;
        is_free(phial, &scene.image)
    };
    died(&scene, 3, &Operation { words: &["network", "rm", "web"], before: &used, after: &usable })
}

#[test]
fn rename_on_a_network() -> Result {
    let (_host, scene) = scene()?;
    let before = |phial: &Phial| {
        one_network(phial)?;
        phial.ok(&["run", "-d", "--name", "peer", "--network", "web", &scene.image, "sleep", "1000"])?;
        phial.ok(&["run", "-d", "--name", "one", "--network", "web", &scene.image, "sleep", "1000"]).map(drop)
    };
    let after = |phial: &Phial| {
        let names = phial.ok(&["ps", "--format", "{{.Names}}"])?;
        let (now, before) = if names.contains("two") { ("two", "one") } else { ("one", "two") };
        let ping = |name: &str| phial.run(&["exec", "peer", "ping", "-4", "-c", "1", "-W", "1", name]);
        assert_eq!(ping(now)?.code, 0);
        assert_ne!(ping(before)?.code, 0);
        Ok(())
    };
    died(&scene, 3, &Operation { words: &["rename", "one", "two"], before: &before, after: &after })
}

#[test]
fn rm_of_a_running_one_with_a_port() -> Result {
    let (_host, scene) = scene()?;
    let before = |phial: &Phial| {
        one_network(phial)?;
        let flags = ["--name", "busy", "--network", "web", "--ip", "10.99.0.20", "-p", "8080:80"];
        phial.ok(&[&["run", "-d"], &flags[..], &[&scene.image, "sleep", "1000"]].concat()).map(drop)
    };
    let after = |phial: &Phial| {
        phial.run(&["rm", "-f", "busy"])?;
        is_free(phial, &scene.image)
    };
    died(&scene, 25, &Operation { words: &["rm", "-f", "busy"], before: &before, after: &after })
}
