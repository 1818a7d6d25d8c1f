//! No template makes this crate panic, run for ever, or write without end.

use go_template::{Missing, Template, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Pieces of which templates are made, whole and broken.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{- ",
    " -}}",
    "/*",
    "*/",
    "{{/*",
    "*/}}",
    ".",
    ".Name",
    ".Args",
    ".State",
    ".Nope",
    "$",
    "$x",
    "$i, $v :=",
    "$x :=",
    "$x =",
    "|",
    "(",
    ")",
    ",",
    "if",
    "else",
    "end",
    "range",
    "with",
    "break",
    "continue",
    "{{end}}",
    "{{else}}",
    "{{range .Args}}",
    "{{range 100000000}}",
    "{{range 100000}}",
    "{{if .Name}}",
    "{{with .State}}",
    "define",
    "template",
    "nil",
    "true",
    "1",
    "-1",
    "0x",
    "1e999",
    "9999999999999999999999",
    "'a'",
    "'",
    "\"",
    "\"a\\n\"",
    "\"\\x\"",
    "`",
    "`raw`",
    " ",
    "\n",
    "\t",
    "é",
    "\0",
    "printf",
    "\"%s %d %q %999999999d %*d %.5v %!\"",
    "\"%[1]d\"",
    "print",
    "json",
    "index",
    "slice",
    "split",
    "join",
    "len",
    "and",
    "or",
    "not",
    "eq",
    "lt",
    "pad",
    "truncate",
    "title",
    "html",
    "js",
    "urlquery",
    "upper",
    "1000000000",
    "\"\"",
];

fn data() -> Json {
    json!({"Name": "wéb", "Args": ["a", "b\u{0}", 3, null], "State": {"Pid": 7, "None": null, "Ratio": 0.5}})
}

fn try_it(text: &str) {
    if let Ok(template) = Template::parse(text) {
        for missing in [Missing::NoValue, Missing::Error] {
            // What it makes does not matter here; that it ends does.
            drop(template.render(&Value::from(&data()), missing));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        try_it(&pieces.concat());
        try_it(&pieces.join(" "));
        try_it(&format!("{{{{{}}}}}", pieces.join(" ")));
    }

    #[test]
    fn any_text(text in ".{0,200}") {
        try_it(&text);
        try_it(&format!("{{{{{text}}}}}"));
    }
}

#[test]
fn nesting_and_growth_end() {
    let deep = [
        format!("{}{}", "{{if 1}}".repeat(100_000), "{{end}}".repeat(100_000)),
        format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000)),
        "{{if 0}}{{else if 0}}".repeat(50_000) + "{{end}}",
        format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(100_000)),
    ];
    for text in deep {
        Template::parse(&text).expect_err("is nested too deep");
    }
    let growing = [
        "{{$x := \"aaaaaaaa\"}}{{range 1000}}{{$x = print $x $x}}{{end}}{{len $x}}",
        "{{range 1000000}}{{range 1000000}}{{end}}{{end}}",
        "{{range 1000000}}{{printf \"%1000000d\" 1}}{{end}}",
        "{{range 100000000}}{{end}}",
        "{{pad \"a\" 1000000000000 1}}",
    ];
    for text in growing {
        let template = Template::parse(text).expect("is well formed");
        template.render(&Value::from(&Json::Null), Missing::NoValue).expect_err(text);
    }
}
