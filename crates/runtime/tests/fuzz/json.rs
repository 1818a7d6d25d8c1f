//! Changes of a JSON document: values that nobody expects in any place of it, and bytes that make it another one.
//!
//! Random bytes are hardly ever JSON, let alone a configuration; a good one with something wrong in it reaches further.

use bolero::TypeGenerator;
use serde_json::{Value, json};

/// What is done to a document.
#[derive(Debug, Clone, TypeGenerator)]
pub(crate) struct Changes {
    /// Which value, counted through the whole document, becomes what.
    grafts: Vec<(u16, Graft)>,
    /// Which byte of the text becomes which; few, for most of them break it.
    bytes: Option<(u16, u8)>,
}

#[derive(Debug, Clone, TypeGenerator)]
enum Graft {
    /// One of the values that are known to hurt.
    Known(u8),
    Number(i64),
    Unsigned(u64),
    Text(String),
    /// Gone.
    Absent,
    /// As often as this.
    Repeated(u8),
}

impl Changes {
    /// The text after the changes.
    pub(crate) fn applied_to(&self, text: &str) -> Vec<u8> {
        /// More grafts leave little of the document.
        const MOST: usize = 4;
        let mut document: Value = serde_json::from_str(text).expect("the seed is JSON");
        let count = places(&mut document, &mut |_| false);
        for (place, graft) in self.grafts.iter().take(MOST) {
            let mut left = usize::from(*place) % count.max(1);
            places(&mut document, &mut |value| {
                let here = left == 0;
                left = left.wrapping_sub(1);
                if here {
                    graft.apply(value);
                }
                here
            });
        }
        let mut bytes = document.to_string().into_bytes();
        if let Some((place, byte)) = self.bytes {
            let length = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(usize::from(place) % length) {
                *place = byte;
            }
        }
        bytes
    }
}

impl Graft {
    fn apply(&self, value: &mut Value) {
        *value = match self {
            Graft::Known(number) => known(*number),
            Graft::Number(number) => json!(number),
            Graft::Unsigned(number) => json!(number),
            Graft::Text(text) => json!(text),
            Graft::Absent => Value::Null,
            Graft::Repeated(times) => match value.take() {
                Value::Array(list) => list.iter().cycle().take(list.len() * usize::from(*times)).cloned().collect(),
                Value::String(text) => json!(text.repeat(usize::from(*times))),
                other => json!([other]),
            },
        };
    }
}

fn known(number: u8) -> Value {
    const TEXTS: [&str; 16] = [
        "",
        ".",
        "..",
        "/",
        "//",
        "/..",
        "../../etc",
        "/proc",
        "/proc/self/attr",
        "/dev",
        "a\0b",
        "a\nb",
        "0-9999999999",
        "SCMP_ACT_NOTIFY",
        "-1",
        "%s%n",
    ];
    match number % 24 {
        16 => json!([]),
        17 => json!({}),
        18 => json!(-1),
        19 => json!(u64::MAX),
        20 => json!(i64::MIN),
        21 => json!(1.5),
        22 => json!(true),
        23 => json!("x".repeat(5000)),
        text => json!(TEXTS[usize::from(text)]),
    }
}

/// Visits all values until one says that this was it; how many were visited.
fn places(value: &mut Value, visit: &mut impl FnMut(&mut Value) -> bool) -> usize {
    fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Value) -> bool, count: &mut usize) -> bool {
        *count += 1;
        if visit(value) {
            return true;
        }
        match value {
            Value::Array(list) => list.iter_mut().any(|inner| walk(inner, visit, count)),
            Value::Object(map) => map.values_mut().any(|inner| walk(inner, visit, count)),
            _ => false,
        }
    }
    let mut count = 0;
    walk(value, visit, &mut count);
    count
}
