//! `--format`: what a list or an object looks like. Every list declares its columns once, as a [`Listing`], and has
//! docker's table, `table …`, `json`, templates, `-q` and `--no-trunc` from here.

use clap::Args;
use go_template::{Missing, Object, Template, Value};
use serde::Serialize;
use serde_json::Value as Json;

use super::{print, table};
use crate::failure::{Failure, Result};

/// The flags of every list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListFlags {
    /// Print 'json', or what a Go template makes of each line, with headings after 'table '
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Print only ids or names
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The flag of what is no list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FormatFlag {
    /// Print 'json', or what a Go template makes of it
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

impl FormatFlag {
    /// The format of an object.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn object(&self) -> Result<Option<ObjectFormat>> {
        given(self.format.as_deref()).map(ObjectFormat::parse).transpose()
    }
}

/// A format, if there is one: as docker's, an empty one is none.
pub(crate) fn given(format: Option<&str>) -> Option<&str> {
    format.filter(|format| !format.is_empty())
}

/// A column of a list.
pub(crate) struct Column<T> {
    /// Its name in templates and JSON: docker's.
    field: &'static str,
    heading: &'static str,
    /// The text of a row; the switch is `--no-trunc`.
    cell: fn(&T, bool) -> String,
}

impl<T> Column<T> {
    /// A column. `cell` is given whether texts are to be whole (`--no-trunc`).
    pub(crate) const fn new(field: &'static str, heading: &'static str, cell: fn(&T, bool) -> String) -> Column<T> {
        Column { field, heading, cell }
    }
}

/// A kind of list: all its columns, and which are shown.
pub(crate) struct Listing<T: 'static> {
    /// What a line is: `container`.
    pub(crate) kind: &'static str,
    /// All columns.
    pub(crate) columns: &'static [Column<T>],
    /// Fields of the table that is shown without `--format`.
    pub(crate) table: &'static [&'static str],
    /// The field that `-q` shows.
    pub(crate) quiet: &'static str,
    /// The value of a label, for `{{.Label "key"}}`; None where there are no labels.
    pub(crate) label: Option<fn(&T, &str) -> String>,
}

/// A list's format, parsed: prints any number of rows.
pub(crate) struct Printer<T: 'static> {
    listing: &'static Listing<T>,
    template: Template,
    has_headings: bool,
    whole: bool,
}

impl<T> Listing<T> {
    /// The printer that the flags ask for; `whole` is `--no-trunc`. Call it before doing anything: the format is
    /// checked here.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn printer(&'static self, flags: &ListFlags, whole: bool) -> Result<Printer<T>> {
        self.printer_of(flags, whole, self.table)
    }

    /// As [`Listing::printer`], with other fields in the table: for flags that add columns.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn printer_of(&'static self, flags: &ListFlags, whole: bool, table: &[&str]) -> Result<Printer<T>> {
        let format = given(flags.format.as_deref()).unwrap_or("table").trim();
        let (text, has_headings) = match format.strip_prefix("table") {
            _ if flags.quiet => (format!("{{{{.{}}}}}", self.quiet), false),
            Some("") => (table.iter().map(|field| format!("{{{{.{field}}}}}")).collect::<Vec<_>>().join("\t"), true),
            Some(template) => (unescaped(template.trim()), true),
            None if format == "json" => ("{{json .}}".to_owned(), false),
            None => (unescaped(format), false),
        };
        Ok(Printer { listing: self, template: parsed(&text)?, has_headings, whole })
    }
}

impl<T> Printer<T> {
    /// Prints the rows, with the headings if the format has them.
    ///
    /// # Errors
    /// What cannot be done with the template, and what standard output says.
    pub(crate) fn print<'a>(&self, rows: impl IntoIterator<Item = &'a T>) -> Result<()> {
        print(&self.text(rows)?)
    }

    /// What [`Printer::print`] prints.
    ///
    /// # Errors
    /// What cannot be done with the template.
    pub(crate) fn text<'a>(&self, rows: impl IntoIterator<Item = &'a T>) -> Result<String> {
        let mut lines = Vec::new();
        if self.has_headings {
            lines.push(self.render(&Headings(self.listing))?);
        }
        for row in rows {
            lines.push(self.line(row)?);
        }
        if self.has_headings {
            return Ok(table::align(&lines));
        }
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }

    /// One row without a line end, unaligned: for what comes one by one.
    ///
    /// # Errors
    /// What cannot be done with the template.
    pub(crate) fn line(&self, row: &T) -> Result<String> {
        self.render(&Row { listing: self.listing, content: row, whole: self.whole })
    }

    fn render(&self, object: &dyn Object) -> Result<String> {
        self.template.render(&Value::Object(object), Missing::NoValue).map_err(|error| {
            let fields: Vec<&str> = self.listing.columns.iter().map(|column| column.field).collect();
            let failure = refused(&error);
            if error.to_string().contains("can't evaluate field") {
                return failure.with_hint(format!("fields of a {}: {}", self.listing.kind, fields.join(", ")));
            }
            failure
        })
    }
}

/// A line of a list, for a template.
struct Row<'a, T: 'static> {
    listing: &'static Listing<T>,
    content: &'a T,
    whole: bool,
}

impl<T> Object for Row<'_, T> {
    fn kind(&self) -> &str {
        self.listing.kind
    }

    fn field(&self, name: &str, arguments: &[Json]) -> Option<Result<Json, String>> {
        if let ("Label", Some(label)) = (name, self.listing.label) {
            return Some(match arguments {
                [Json::String(key)] => Ok(label(self.content, key).into()),
                _ => Err("Label takes one string".to_owned()),
            });
        }
        let column = self.listing.columns.iter().find(|column| column.field == name)?;
        Some(without_arguments(name, arguments).map(|()| (column.cell)(self.content, self.whole).into()))
    }

    fn json(&self) -> Json {
        let fields = self.listing.columns.iter();
        fields.map(|column| (column.field.to_owned(), Json::from((column.cell)(self.content, self.whole)))).collect()
    }
}

/// What a template makes the headings of.
struct Headings<T: 'static>(&'static Listing<T>);

impl<T> Object for Headings<T> {
    fn kind(&self) -> &str {
        self.0.kind
    }

    fn field(&self, name: &str, arguments: &[Json]) -> Option<Result<Json, String>> {
        // As docker: the last part of the label's name, in words.
        if let ("Label", Some(_), [Json::String(key)]) = (name, self.0.label, arguments) {
            let last = key.rsplit('.').next().unwrap_or_default();
            return Some(Ok(last.replace(['-', '_'], " ").into()));
        }
        let column = self.0.columns.iter().find(|column| column.field == name)?;
        Some(without_arguments(name, arguments).map(|()| column.heading.into()))
    }

    fn json(&self) -> Json {
        self.0.columns.iter().map(|column| (column.field.to_owned(), Json::from(column.heading))).collect()
    }
}

fn without_arguments(name: &str, arguments: &[Json]) -> Result<(), String> {
    if arguments.is_empty() { Ok(()) } else { Err(format!("{name} is not a method but has arguments")) }
}

/// What `inspect` prints. Parse it before doing anything: the format is checked there.
pub(crate) enum InspectFormat {
    /// An array, as pretty as docker's.
    Pretty,
    /// The same in one line.
    Json,
    /// What the template makes of each, a line.
    Template(Template),
}

impl InspectFormat {
    /// What `--format` asks for.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn parse(flag: &FormatFlag) -> Result<InspectFormat> {
        Ok(match given(flag.format.as_deref()) {
            None => InspectFormat::Pretty,
            Some("json") => InspectFormat::Json,
            Some(text) => InspectFormat::Template(parsed(text)?),
        })
    }

    /// The text of all that was found.
    ///
    /// # Errors
    /// What cannot be done with the template.
    pub(crate) fn text(&self, values: &[Json]) -> Result<String> {
        match self {
            InspectFormat::Pretty => Ok(pretty(&values.into()) + "\n"),
            InspectFormat::Json => Ok(format!("{}\n", Json::from(values))),
            InspectFormat::Template(template) => {
                values.iter().map(|value| rendered(template, value).map(|line| line + "\n")).collect()
            }
        }
    }
}

/// What a format makes of objects, such as what `version` says: `json`, or a template. Parse it before doing anything.
pub(crate) struct ObjectFormat(Template);

impl ObjectFormat {
    /// Parses a format.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn parse(format: &str) -> Result<ObjectFormat> {
        parsed(&if format == "json" { "{{json .}}".to_owned() } else { unescaped(format) }).map(ObjectFormat)
    }

    /// What it makes of an object, with a line end.
    ///
    /// # Errors
    /// What cannot be done with the template.
    pub(crate) fn line(&self, value: &Json) -> Result<String> {
        rendered(&self.0, value).map(|line| line + "\n")
    }
}

fn parsed(template: &str) -> Result<Template> {
    Template::parse(template).map_err(|error| refused(&error))
}

fn rendered(template: &Template, value: &Json) -> Result<String> {
    template.render(&Value::from(value), Missing::Error).map_err(|error| refused(&error))
}

/// JSON with docker's four spaces.
pub(crate) fn pretty(value: &Json) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    written.expect("JSON values have string keys, and memory takes everything");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// In formats of lists, `\t` and `\n` are what they mean.
fn unescaped(format: &str) -> String {
    format.replace("\\t", "\t").replace("\\n", "\n")
}

fn refused(error: &go_template::Error) -> Failure {
    Failure::new(format!("template parsing error: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(&'static str, u32);

    const THINGS: Listing<Thing> =
        Listing {
            kind: "thing",
            columns: &[
                Column::new("ID", "THING ID", |thing, whole| {
                    if whole { format!("{}{}", thing.0, thing.1) } else { thing.0.to_owned() }
                }),
                Column::new("Size", "SIZE", |thing, _| thing.1.to_string()),
            ],
            table: &["ID", "Size"],
            quiet: "ID",
            label: Some(|thing, key| format!("{key} of {}", thing.0)),
        };
    static LISTING: Listing<Thing> = THINGS;

    fn text(format: Option<&str>, quiet: bool, whole: bool) -> Result<String> {
        let flags = ListFlags { format: format.map(str::to_owned), quiet };
        LISTING.printer(&flags, whole)?.text(&[Thing("a", 1), Thing("longer-than-ten", 22)])
    }

    #[test]
    fn every_form() {
        let cases: [(Option<&str>, bool, bool, &str); 8] = [
            (None, false, false, "THING ID          SIZE\na                 1\nlonger-than-ten   22\n"),
            (None, true, false, "a\nlonger-than-ten\n"),
            (None, true, true, "a1\nlonger-than-ten22\n"),
            (
                Some("json"),
                false,
                false,
                "{\"ID\":\"a\",\"Size\":\"1\"}\n{\"ID\":\"longer-than-ten\",\"Size\":\"22\"}\n",
            ),
            (Some("{{.Size}}: {{.ID}}"), false, false, "1: a\n22: longer-than-ten\n"),
            (Some("{{.ID}}"), true, false, "a\nlonger-than-ten\n"),
            (
                Some(r"table {{.Size}}\t{{.ID}}"),
                false,
                false,
                "SIZE      THING ID\n1         a\n22        longer-than-ten\n",
            ),
            (Some(r#"table {{.Label "com.a-b"}}"#), false, false, "a b\ncom.a-b of a\ncom.a-b of longer-than-ten\n"),
        ];
        for (format, quiet, whole, expected) in cases {
            assert_eq!(text(format, quiet, whole).expect("is printed"), expected, "{format:?}");
        }
    }

    #[test]
    fn a_wrong_template_is_refused() {
        for format in ["{{.ID", "{{.Nope}}", "table {{.Nope}}", "{{.ID 1}}", "{{.Label}}", "{{nope .ID}}"] {
            let failure = text(Some(format), false, false).expect_err("is refused");
            assert!(format!("{failure:?}").contains("template parsing error: template: :1"), "{format}: {failure:?}");
        }
    }

    fn inspected(values: &[Json], format: Option<&str>) -> Result<String> {
        InspectFormat::parse(&FormatFlag { format: format.map(str::to_owned) })?.text(values)
    }

    #[test]
    fn objects() {
        let values = [serde_json::json!({"Id": "a", "Labels": {"x": "y"}, "None": null})];
        let cases = [
            (
                None,
                "[\n    {\n        \"Id\": \"a\",\n        \"Labels\": {\n            \"x\": \"y\"\n        },\n        \"None\": null\n    }\n]\n",
            ),
            (Some("json"), "[{\"Id\":\"a\",\"Labels\":{\"x\":\"y\"},\"None\":null}]\n"),
            (Some("{{.ID}} {{.Labels.x}} {{.Labels.z}}"), "a y <no value>\n"),
        ];
        for (format, expected) in cases {
            assert_eq!(inspected(&values, format).expect("is printed"), expected);
        }
        assert_eq!(inspected(&values, Some("")).ok(), inspected(&values, None).ok());
        assert_eq!(inspected(&[], None).expect("is printed"), "[]\n");
        inspected(&values, Some("{{.Nope}}")).expect_err("there is no such field");
    }
}
