//! What is read of a Dockerfile, rule by rule.

use std::collections::BTreeMap;

use super::*;

fn parsed(text: &str) -> Dockerfile {
    Dockerfile::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> Error {
    Dockerfile::parse(text.as_bytes()).expect_err(text)
}

/// Names, arguments as they are printed, and lines.
fn statements(text: &str) -> Vec<(String, String, String)> {
    let of = |statement: Statement| {
        let arguments = match statement.arguments {
            Arguments::None => String::new(),
            Arguments::Text(text) => text,
            Arguments::Words(words) => words.join("|"),
            Arguments::Exec(list) => format!("{list:?}"),
            other => format!("{other:?}"),
        };
        (statement.name, arguments, statement.lines.to_string())
    };
    parsed(text).statements.into_iter().map(of).collect()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str, &str)]) {
    let found = statements(text);
    let found: Vec<_> = found.iter().map(|(name, arguments, lines)| (&**name, &**arguments, &**lines)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn lines_are_continued() {
    check("RUN a \\\n  b\\\n\tc", &[("RUN", "a   b\tc", "1-3")]);
    check("RUN a \\  \nb", &[("RUN", "a b", "1-2")]);
    check("RUN a \\\\\nRUN b", &[("RUN", "a \\\\", "1"), ("RUN", "b", "2")]);
    check("RUN a \\\n# comment\n  # another\nb", &[("RUN", "a b", "1-4")]);
    check("\\\nRUN a", &[("RUN", "a", "1-2")]);
    check("# escape=`\nRUN a `\nb \\\n", &[("RUN", "a b \\", "2-3")]);
    check("RUN a\r\nRUN b \\\r\n c\r\n", &[("RUN", "a", "1"), ("RUN", "b  c", "2-3")]);
    check("  run a", &[("run", "a", "1")]);
    check("\u{feff}FROM a", &[("FROM", "a", "1")]);
}

#[test]
fn empty_lines_in_the_middle_are_noted() {
    let noted = parsed("RUN a \\\n\n b\nRUN c\n").empty_continuations;
    assert_eq!(noted, [EmptyContinuation { text: "RUN a  b".to_owned(), line: 3 }]);
}

#[test]
fn comments_before_a_statement_belong_to_it() {
    let of = |text| parsed(text).statements.into_iter().map(|statement| statement.comments).collect::<Vec<_>>();
    assert_eq!(of("# syntax=a\n# b c\nFROM d\n# e\n#\n# f\nARG g\nARG h"), [vec!["b c"], vec!["f"], vec![]]);
}

#[test]
fn directives() {
    let of = |text| parsed(text).directives;
    let all = of("# syntax = docker/dockerfile:1 # not a comment\n#ESCAPE=`\n# check=skip=all\nFROM a");
    assert_eq!(all.escape, '`');
    assert_eq!(
        all.syntax.map(|syntax| (syntax.value, syntax.line)),
        Some(("docker/dockerfile:1 # not a comment".to_owned(), 1))
    );
    assert_eq!(all.check.map(|check| check.value).as_deref(), Some("skip=all"));
    for text in ["# comment\n# escape=`\nFROM a", "\n# escape=`\nFROM a", "# other=b\n# escape=`\nFROM a"] {
        assert_eq!(of(text).escape, '\\', "{text}");
    }
    assert_eq!(refused("# escape=`\n# escape=`\nFROM a").lines(), Some(Lines { first: 2, last: 2 }));
    assert_eq!(refused("# escape=x\nFROM a").to_string(), "escape \"x\": it is \\ or `");
}

#[test]
fn heredocs_are_read() {
    let bodies = |text: &str| {
        let all = parsed(text).statements.into_iter().flat_map(|statement| statement.heredocs);
        all.map(|heredoc| (heredoc.name, heredoc.body)).collect::<Vec<_>>()
    };
    let of = |name: &str, body: &str| (name.to_owned(), body.to_owned());
    assert_eq!(bodies("COPY <<a <<b /x\n1\na\n2\nb\n"), [of("a", "1\n"), of("b", "2\n")]);
    assert_eq!(bodies("RUN <<-a\n\t# 1 \\\n\n\t\ta\nRUN b"), [of("a", "\t# 1 \\\n\n")]);
    assert_eq!(bodies("RUN <<a\n a\na \na\r\n"), [of("a", " a\na \n")]);
    assert_eq!(bodies("ONBUILD RUN <<a\n1\na\n"), [of("a", "1\n")]);
    assert_eq!(bodies("RUN <<''\n1\n\nRUN b"), []);
    for without in ["RUN [\"cat\", \"<<a\"]", "CMD <<a", "RUN echo \"<<a\"", "RUN cat <<<a", "LABEL a=<<b"] {
        assert_eq!(bodies(without), [], "{without}");
    }
    check("RUN <<a\n1\na\nRUN b", &[("RUN", "<<a", "1-3"), ("RUN", "b", "4")]);
    let error = refused("FROM a\nRUN <<b\n1\n");
    assert_eq!(error.to_string(), "no line ends the heredoc \"b\"");
    assert_eq!(error.lines(), Some(Lines { first: 2, last: 3 }));
}

#[test]
fn bodies_know_variables_unless_their_name_is_quoted() {
    let variables: BTreeMap<String, String> = [("a".to_owned(), "b".to_owned())].into();
    let of = |text: &str| parsed(text).statements[0].heredocs[0].expanded(&variables).expect("they are whole").text;
    assert_eq!(of("COPY <<x /\n$a \"$a\" '$a' \\$a it's\nx\n"), "b \"b\" 'b' $a it's\n");
    assert_eq!(of("COPY <<'x' /\n$a\nx\n"), "$a\n");
    assert_eq!(of("COPY <<-x /\n\t\t$a\n\tx\n"), "b\n");
    assert_eq!(of("# escape=`\nCOPY <<x /\n\\$a `$a\nx\n"), "$a `b\n");
}

#[test]
fn lists_in_json() {
    check("CMD [\"a\", \"b\\n\"]", &[("CMD", "[\"a\", \"b\\n\"]", "1")]);
    check("CMD [\"a\"", &[("CMD", "[\"a\"", "1")]);
    check("CMD [\"a\"] b", &[("CMD", "[\"a\"] b", "1")]);
    check("COPY [\"a b\", \"/c\"]", &[("COPY", "[\"a b\", \"/c\"]", "1")]);
    check("SHELL [ ]", &[("SHELL", "[]", "1")]);
    let error = refused("CMD [\"a\", 1]");
    assert_eq!(error.to_string(), "a list in JSON is one of strings, and 1 is none");
    assert_eq!(error.hint(), Some("write \"1\""));
}

#[test]
fn pairs() {
    let of = |text: &str| match parsed(text).statements.remove(0).arguments {
        Arguments::Pairs(pairs) => pairs.into_iter().map(|pair| (pair.name, pair.value)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        of("ENV a=b c=\"d e\" f=g\\ h i="),
        [pair("a", "b"), pair("c", "\"d e\""), pair("f", "g\\ h"), pair("i", "")]
    );
    assert_eq!(of("ENV a b c=d"), [pair("a", "b c=d")]);
    for (text, word) in [("ENV a", "a: a value is missing"), ("LABEL a=b c", "\"c\""), ("ENV a=b =c", "\"=c\"")] {
        assert!(refused(text).to_string().contains(word), "{text}: {}", refused(text));
    }
}

#[test]
fn what_is_no_dockerfile() {
    assert_eq!(refused("").to_string(), "the file has no instructions");
    assert_eq!(refused("# a\n\n").to_string(), "the file has no instructions");
    let long = format!("FROM a\nRUN {}\n", "x".repeat(65_532));
    assert_eq!(refused(&long).to_string(), "the line has 65536 bytes, and 65535 at most are taken");
    assert_eq!(refused(&long).lines(), Some(Lines { first: 2, last: 2 }));
    parsed(&format!("FROM a\nRUN {}\n", "x".repeat(65_531)));
    parsed(&format!("FROM a\nRUN {}", "x".repeat(65_531)));
    let error = Dockerfile::parse(b"FROM a\nRUN \xff\n").expect_err("it is Latin 1");
    assert_eq!(
        (error.to_string().as_str(), error.lines()),
        ("the line is not UTF-8", Some(Lines { first: 2, last: 2 }))
    );
    Dockerfile::parse(b"# \xff\nFROM a\n").expect("a comment may be anything");
}

#[test]
fn triggers_are_one_instruction_each() {
    let trigger = Statement::parse_trigger("RUN <<a\n1\na").expect("it is one");
    assert_eq!((&*trigger.name, &*trigger.heredocs[0].body), ("RUN", "1\n"));
    for wrong in ["RUN a\nRUN b", "from a", "MAINTAINER a", "ONBUILD RUN a", ""] {
        assert!(Statement::parse_trigger(wrong).is_err(), "{wrong}");
    }
    assert_eq!(refused("ONBUILD onbuild RUN a").to_string(), "ONBUILD cannot be the trigger of ONBUILD");
}
