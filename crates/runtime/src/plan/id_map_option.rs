//! The value of crun's mount option `idmap=uids=FROM-TO-SIZE#…;gids=…`, as `podman run --mount` passes it on.
//!
//! An id `FROM` of the file system is shown as `TO`; with `@` before the ranges, as the `TO` of the container's user
//! namespace. What is not given is as in the container.

use super::IdMaps;
use crate::error::{Error, ErrorKind, Result};

/// A range of ids, where it begins before and after, and how long it is.
type Range = (u32, u32, u32);

/// Reads it.
pub(super) fn parse(text: &str, container: Option<&IdMaps>, target: &str) -> Result<IdMaps> {
    let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("mount on {target}: idmap={text}: {why}"));
    let (mut uids, mut gids) = match container {
        Some(IdMaps::Lines { uids, gids }) => (Some(uids.clone()), Some(gids.clone())),
        _ => (None, None),
    };
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (map, ranges) = match part.split_once('=') {
            Some(("uids", ranges)) => (&mut uids, ranges),
            Some(("gids", ranges)) => (&mut gids, ranges),
            _ => return Err(invalid("is neither uids=… nor gids=…")),
        };
        let (relative, ranges) = ranges.strip_prefix('@').map_or((false, ranges), |ranges| (true, ranges));
        let ranges = ranges.split('#').map(range).collect::<Option<Vec<Range>>>();
        let mut ranges = ranges.ok_or_else(|| invalid("has something else than FROM-TO-SIZE"))?;
        if relative {
            let of_container = map.as_deref().map(lines).unwrap_or_default();
            ranges =
                through(&ranges, &of_container).ok_or_else(|| invalid("the container has not all of these ids"))?;
        }
        let lines: Vec<String> = ranges.iter().map(|(from, to, size)| format!("{from} {to} {size}\n")).collect();
        *map = Some(lines.concat());
    }
    match (uids, gids) {
        (Some(uids), Some(gids)) => Ok(IdMaps::Lines { uids, gids }),
        _ => Err(invalid("needs uids and gids where the container has no maps in linux.uidMappings and gidMappings")),
    }
}

fn range(text: &str) -> Option<Range> {
    let mut numbers = text.split('-').map(|number| number.parse().ok());
    let (from, to, size): Range = (numbers.next()??, numbers.next()??, numbers.next()??);
    let fits = size > 0 && from.checked_add(size).is_some() && to.checked_add(size).is_some();
    (fits && numbers.next().is_none()).then_some((from, to, size))
}

fn lines(text: &str) -> Vec<Range> {
    let line = |line: &str| {
        let mut numbers = line.split(' ').map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??, numbers.next()??))
    };
    text.lines().filter_map(line).collect()
}

/// Ranges that lead to ids of the container, led on to where those are on the host.
fn through(ranges: &[Range], container: &[Range]) -> Option<Vec<Range>> {
    let mut all = Vec::new();
    for (mut from, mut to, mut size) in ranges.iter().copied() {
        while size > 0 {
            let holds = |(inside, _, length): &&Range| *inside <= to && to - inside < *length;
            let (inside, outside, length) = container.iter().find(holds)?;
            let offset = to - inside;
            let part = size.min(length - offset);
            all.push((from, outside + offset, part));
            (from, to, size) = (from + part, to + part, size - part);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_absolute_or_the_containers() {
        let container = IdMaps::Lines { uids: "0 100000 10\n10 5 90\n".to_owned(), gids: "0 200000 100\n".to_owned() };
        let of = |text: &str, container: Option<&IdMaps>| match parse(text, container, "/x") {
            Ok(IdMaps::Lines { uids, gids }) => Ok((uids.replace('\n', ","), gids.replace('\n', ","))),
            Ok(IdMaps::Namespace(_)) => Err("a namespace".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let pair = |uids: &str, gids: &str| Ok((uids.to_owned(), gids.to_owned()));
        assert_eq!(of("uids=0-1-10#10-11-10;gids=0-100-10", None), pair("0 1 10,10 11 10,", "0 100 10,"));
        assert_eq!(of("uids=@1000-5-1", Some(&container)), pair("1000 100005 1,", "0 200000 100,"));
        assert_eq!(of("uids=@0-8-4;gids=@7-0-1", Some(&container)), pair("0 100008 2,2 5 2,", "7 200000 1,"));
        for (text, container, why) in [
            ("uids=0-1-10", None, "needs uids and gids"),
            ("uids=@0-99-2", Some(&container), "the container has not all of these ids"),
            ("uids=0-1", Some(&container), "has something else than FROM-TO-SIZE"),
            ("uids=0-1-0", Some(&container), "has something else than FROM-TO-SIZE"),
            ("users=0-1-1", Some(&container), "is neither uids=… nor gids=…"),
        ] {
            let error = of(text, container).expect_err("refused");
            assert!(error.starts_with(&format!("mount on /x: idmap={text}: {why}")), "{error}");
        }
    }
}
