//! What is said of how an image was built and what is in it: `--attest`, and its short forms. Pure.

use build::AttestationRequest;

use super::super::csv::Fields;
use crate::failure::Result;

/// What can be said.
const TYPES: [&str; 2] = ["provenance", "sbom"];

/// Keys of `sbom` that are not the scanner's.
const OF_SBOM: [&str; 3] = ["type", "disabled", "generator"];

/// Two answers: how it was built, what is in it.
type Requests = (Option<AttestationRequest>, Option<AttestationRequest>);

/// What is asked for. Of two of a kind the last counts, and the short forms before the long one.
pub(super) fn all(long: &[String], provenance: Option<&str>, sbom: Option<&str>) -> Result<Requests> {
    let mut found = (None, None);
    for text in long {
        let mut fields = Fields::parse("--attest", text)?;
        let kind = fields.take(&["type"]);
        let kind = kind.ok_or_else(|| fields.wrong("it has no type").with_hint("give type=provenance or type=sbom"))?;
        fields.one_of("type", &kind, &TYPES)?;
        let of_kind = if kind == "provenance" { &mut found.0 } else { &mut found.1 };
        *of_kind = request(fields_of("--attest", text, &kind)?)?;
    }
    if let Some(text) = provenance {
        found.0 = short("--provenance", text, "provenance")?;
    }
    if let Some(text) = sbom {
        found.1 = short("--sbom", text, "sbom")?;
    }
    Ok(found)
}

fn short(flag: &str, text: &str, kind: &str) -> Result<Option<AttestationRequest>> {
    match notation::truth(text) {
        Some(true) => Ok(Some(AttestationRequest::default())),
        Some(false) => Ok(None),
        // As docker's: `--provenance=max` is not one, `mode=max` is.
        None => request(fields_of(flag, text, kind)?),
    }
}

fn fields_of<'a>(flag: &'a str, text: &'a str, kind: &str) -> Result<Fields<'a>> {
    if kind == "sbom" { Fields::parse_open(flag, text, &OF_SBOM) } else { Fields::parse(flag, text) }
}

fn request(mut fields: Fields<'_>) -> Result<Option<AttestationRequest>> {
    fields.take(&["type"]);
    if fields.switch("disabled")?.unwrap_or(false) {
        return Ok(None);
    }
    // What else can be said of one, the builder and the scanner know.
    Ok(Some(AttestationRequest { attributes: fields.given }))
}
