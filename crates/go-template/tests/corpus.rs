//! Templates as Go's own `text/template` understands them: tests/go has the program that made the results.

use std::path::Path;

use go_template::{Missing, Template, Value};
use serde_json::Value as Json;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn render(template: &str, data: &Json) -> Result<String, String> {
    let parsed = Template::parse(template).map_err(|error| error.to_string())?;
    parsed.render(&Value::from(data), Missing::Error).map_err(|error| error.to_string())
}

/// Go says it in other words, which are those of its types or of a later version; both refuse.
const OTHER_WORDS: &[&str] = &[
    "{{(index (index .Ports \"443/tcp\") 0).HostPort}}",
    "{{range $p, $b := .Ports}}{{$p}} -> {{(index $b 0).HostPort}}{{end}}",
    "{{$x = 1}}",
    "{{.Name)}}",
    "{{call .Name}}",
];

#[test]
fn templates_are_gos() {
    let data: Json = serde_json::from_str(&file("data.json")).expect("is JSON");
    let mut wrong = Vec::new();
    for line in file("results.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("is JSON");
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let expected =
            if text("error").is_empty() { Ok(text("output").to_owned()) } else { Err(text("error").to_owned()) };
        let found = render(text("template"), &data);
        let both_refuse = found.is_err() && expected.is_err() && OTHER_WORDS.contains(&text("template"));
        if found != expected && !both_refuse {
            wrong.push(format!("{}\n  Go:   {expected:?}\n  here: {found:?}", text("template")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
