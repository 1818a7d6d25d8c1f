//! Sets and elements to attributes.

use super::super::number::{data, description, element, elements, list, set, userdata};
use super::super::set::{Data, DataKind, DataType, Element, Set};
use super::expression::{self, verdict};
use super::push_comment;
use crate::netlink::Writer;

/// How many bytes of elements go into one message: an attribute has 64 KB at most, and an error repeats the message, which has to fit
/// into what is received at once.
const MAX_ELEMENTS: usize = 24 * 1024;
/// More than what an element takes beside its values: headers of attributes.
const ELEMENT_OVERHEAD: usize = 128;
/// `NFT_DATA_VERDICT`.
const DATA_VERDICT: u32 = 0xffff_ff00;
/// Orders of bytes in the userdata of sets, as libnftnl numbers them.
const ORDER_NONE: u32 = 0;
const ORDER_HOST: u32 = 1;
const ORDER_NETWORK: u32 = 2;

/// What a new set is.
pub(super) fn set(writer: &mut Writer, table: &str, added: &Set, id: u32) {
    writer.text(set::TABLE, table);
    writer.text(set::NAME, &added.name);
    writer.be32(set::FLAGS, added.flags);
    writer.be32(set::KEY_TYPE, added.key.0);
    writer.be32(set::KEY_LENGTH, added.key_length);
    match added.data {
        None => {}
        Some(DataKind::Verdict) => {
            writer.be32(set::DATA_TYPE, DATA_VERDICT);
            writer.be32(set::DATA_LENGTH, 0);
        }
        Some(DataKind::Value(kind, length)) => {
            writer.be32(set::DATA_TYPE, kind.0);
            writer.be32(set::DATA_LENGTH, length);
        }
        Some(DataKind::Object(kind)) => writer.be32(set::OBJECT_TYPE, kind),
    }
    if let Some(timeout) = added.timeout {
        writer.be64(set::TIMEOUT, timeout);
    }
    writer.be32(set::ID, id);
    describe(writer, added);
    writer.raw(set::USERDATA, &user_data(added));
}

fn describe(writer: &mut Writer, added: &Set) {
    if added.size.is_none() && added.fields.is_empty() {
        return;
    }
    writer.nested(set::DESCRIPTION, |writer| {
        if let Some(size) = added.size {
            writer.be32(description::SIZE, size);
        }
        if !added.fields.is_empty() {
            writer.nested(description::FIELDS, |writer| {
                for length in &added.fields {
                    writer.nested(list::ITEM, |writer| writer.be32(description::FIELD_LENGTH, *length));
                }
            });
        }
    });
}

/// What `nft(8)` wants to know to show a set: in which order its bytes are, and its comment.
fn user_data(added: &Set) -> Vec<u8> {
    let mut bytes = vec![userdata::SET_KEY_ORDER, 4];
    bytes.extend(order(added.key).to_ne_bytes());
    match added.data {
        Some(DataKind::Value(kind, _)) => {
            bytes.extend([userdata::SET_DATA_ORDER, 4]);
            bytes.extend(order(kind).to_ne_bytes());
        }
        Some(DataKind::Verdict) => {
            bytes.extend([userdata::SET_DATA_ORDER, 4]);
            bytes.extend(ORDER_NONE.to_ne_bytes());
        }
        Some(DataKind::Object(_)) | None => {}
    }
    if let Some(comment) = &added.comment {
        push_comment(&mut bytes, userdata::SET_COMMENT, comment);
    }
    bytes
}

fn order(kind: DataType) -> u32 {
    if kind.is_concatenation() || kind.width() == 1 && !kind.is_host_endian() {
        ORDER_NONE
    } else if kind.is_host_endian() {
        ORDER_HOST
    } else {
        ORDER_NETWORK
    }
}

/// Elements in parts that fit into an attribute each.
pub(super) fn parts(all: &[Element]) -> impl Iterator<Item = &[Element]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fitting = rest.iter().take_while(|element| {
            size += element_size(element);
            size <= MAX_ELEMENTS
        });
        // One that is too long by itself is sent alone, and found to be so when the batch is finished.
        let count = fitting.count().max(1).min(rest.len());
        let (part, behind) = rest.split_at(count);
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

fn element_size(element: &Element) -> usize {
    let data = match &element.data {
        Some(Data::Value(value)) => value.len(),
        Some(Data::Verdict(_)) => 256,
        None => 0,
    };
    // An expression of an element is a counter, a quota or a limit.
    let rest = 256 * element.expressions.len() + element.comment.as_ref().map_or(0, String::len);
    element.key.len() + element.end.as_ref().map_or(0, Vec::len) + data + rest + ELEMENT_OVERHEAD
}

/// The elements of a message that adds, deletes or asks for them.
pub(in super::super) fn elements(writer: &mut Writer, table: &str, set: &str, part: &[Element]) {
    writer.text(elements::TABLE, table);
    writer.text(elements::SET, set);
    writer.nested(elements::ELEMENTS, |writer| {
        for item in part {
            writer.nested(list::ITEM, |writer| element(writer, item));
        }
    });
}

fn element(writer: &mut Writer, item: &Element) {
    if item.flags != 0 {
        writer.be32(element::FLAGS, item.flags);
    }
    if item.flags & Element::CATCHALL == 0 {
        writer.nested(element::KEY, |writer| writer.raw(data::VALUE, &item.key));
    }
    if let Some(end) = &item.end {
        writer.nested(element::KEY_END, |writer| writer.raw(data::VALUE, end));
    }
    match &item.data {
        Some(Data::Value(value)) => writer.nested(element::DATA, |writer| writer.raw(data::VALUE, value)),
        Some(Data::Verdict(decision)) => writer.nested(element::DATA, |writer| verdict(writer, decision)),
        None => {}
    }
    if let Some(object) = &item.object {
        writer.text(element::OBJECT, object);
    }
    if let Some(timeout) = item.timeout {
        writer.be64(element::TIMEOUT, timeout);
    }
    if let Some(expiration) = item.expiration {
        writer.be64(element::EXPIRATION, expiration);
    }
    match item.expressions.as_slice() {
        [] => {}
        [one] => writer.nested(element::EXPRESSION, |writer| expression::expression(writer, one)),
        several => writer.nested(element::EXPRESSIONS, |writer| {
            for one in several {
                writer.nested(list::ITEM, |writer| expression::expression(writer, one));
            }
        }),
    }
    super::comment(writer, element::USERDATA, item.comment.as_deref());
}
