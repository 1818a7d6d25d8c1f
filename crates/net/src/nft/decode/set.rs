//! Attributes to sets and elements.

use super::super::number::{data, description, element, set, userdata};
use super::super::set::{Data, DataKind, DataType, Element, Set};
use super::{DEPTH, comment, expression, expressions, verdict};
use crate::netlink::{Attribute, Attributes};

/// `NFT_DATA_VERDICT`.
const DATA_VERDICT: u32 = 0xffff_ff00;

/// A set, without its elements.
pub(in super::super) fn set(attributes: Attributes<'_>) -> Option<Set> {
    let flags = attributes.be32(set::FLAGS).unwrap_or(0);
    let description = attributes.nested(set::DESCRIPTION);
    Some(Set {
        name: attributes.text(set::NAME)?,
        flags,
        key: DataType(attributes.be32(set::KEY_TYPE).unwrap_or(0)),
        key_length: attributes.be32(set::KEY_LENGTH).unwrap_or(0),
        data: data_kind(attributes),
        size: description.be32(description::SIZE),
        fields: description
            .nested(description::FIELDS)
            .into_iter()
            .filter_map(|field| field.nested().be32(description::FIELD_LENGTH))
            .collect(),
        timeout: attributes.be64(set::TIMEOUT),
        comment: comment(attributes, set::USERDATA, userdata::SET_COMMENT),
        elements: Vec::new(),
    })
}

fn data_kind(attributes: Attributes<'_>) -> Option<DataKind> {
    if let Some(kind) = attributes.be32(set::OBJECT_TYPE) {
        return Some(DataKind::Object(kind));
    }
    match attributes.be32(set::DATA_TYPE)? {
        DATA_VERDICT => Some(DataKind::Verdict),
        kind => Some(DataKind::Value(DataType(kind), attributes.be32(set::DATA_LENGTH).unwrap_or(0))),
    }
}

/// An element.
pub(in super::super) fn element(attributes: Attributes<'_>) -> Element {
    let value = |kind| attributes.get(kind).and_then(|found: Attribute<'_>| found.nested().get(data::VALUE));
    let mut inside: Vec<_> =
        attributes.get(element::EXPRESSION).and_then(|found| expression(found.nested(), DEPTH)).into_iter().collect();
    inside.extend(expressions(attributes.nested(element::EXPRESSIONS), DEPTH));
    Element {
        key: value(element::KEY).map(|found| found.bytes.to_vec()).unwrap_or_default(),
        end: value(element::KEY_END).map(|found| found.bytes.to_vec()),
        data: attributes.get(element::DATA).and_then(|found| element_data(found.nested())),
        object: attributes.text(element::OBJECT),
        flags: attributes.be32(element::FLAGS).unwrap_or(0),
        timeout: attributes.be64(element::TIMEOUT),
        expiration: attributes.be64(element::EXPIRATION),
        comment: comment(attributes, element::USERDATA, userdata::COMMENT),
        expressions: inside,
    }
}

fn element_data(attributes: Attributes<'_>) -> Option<Data> {
    if let Some(found) = attributes.get(data::VERDICT) {
        return verdict(found.nested()).map(Data::Verdict);
    }
    attributes.get(data::VALUE).map(|found| Data::Value(found.bytes.to_vec()))
}
