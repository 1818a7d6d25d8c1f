//! `phial search`: a registry that has docker's interface for it, and one that has not.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use end_to_end::{Phial, Result, images};

const ANSWER: &str = r#"{"num_results":3,"query":"box","results":[
 {"name":"busybox","description":"A small box.\nWith more than forty-five characters of words about it","star_count":3000,"is_official":true,"is_automated":false},
 {"name":"joe/box","description":null,"star_count":7,"is_official":false},
 {"name":"evil\u001b[31m/box","description":"\u001b]0;x\u0007","star_count":0}]}"#;

/// A registry that can be searched: where it listens. Its thread ends with the test.
fn searchable() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(std::io::Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(std::io::Result::ok);
            let request = lines.next().unwrap_or_default();
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let body = if request.starts_with("GET /v1/search?q=a%20box&n=") { ANSWER } else { "{}" };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A client that goes away is not answered.
            let _gone = (&stream).write_all((head + body).as_bytes());
        }
    });
    Ok(address)
}

#[test]
fn what_is_found_is_listed_and_filtered() -> Result {
    let (address, phial) = (searchable()?, Phial::new()?);
    let term = format!("{address}/a box");
    let table = phial.ok(&["search", &term])?;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]);
    assert!(lines[1].starts_with("busybox") && lines[1].ends_with("[OK]") && lines[1].contains('…'), "{table}");
    assert!(!table.contains(['\x1b', '\x07']), "{table:?}");
    assert_eq!(phial.ok(&["search", "--limit", "1", "--format", "{{.Name}} {{.StarCount}}", &term])?, "busybox 3000");
    let filtered = phial.ok(&["search", "-f", "stars=5", "-f", "is-official=false", "--format", "{{.Name}}", &term])?;
    assert_eq!(filtered, "joe/box");
    assert!(phial.ok(&["search", "--no-trunc", &term])?.contains("words about it"));
    Ok(())
}

#[test]
fn a_registry_without_search_says_so() -> Result {
    let (registry, phial) = (images::registry()?, Phial::new()?);
    let output = phial.run(&["search", &registry.name("box")])?.exited(1)?;
    assert!(output.stderr.contains("has no search"), "{output:?}");
    for (words, part) in [
        (["--limit", "0", "box"], "limit 0 is outside the range of [1, 100]"),
        (["--filter", "stars=many", "box"], "invalid filter 'stars=many'"),
        (["--filter", "colour=red", "box"], "invalid filter 'colour'"),
        (["--format", "{{.Nonsense", "box"], "template"),
    ] {
        let output = phial.run(&[&["search"][..], &words].concat())?.exited(1)?;
        assert!(output.stderr.contains(part), "{output:?}");
    }
    Ok(())
}
