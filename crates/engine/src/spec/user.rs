//! Who the process is: from `user[:group]` and the image's passwd and group to numbers.
//!
//! Numbers are taken as numbers before any name is looked up, and a number out of range is an error: an image whose
//! passwd has a user named `1000` or `4294967296` with uid 0 gets nobody to root (CVE-2016-3697, CVE-2024-40635,
//! CVE-2026-46680). The files are a stranger's: lines that break `passwd(5)` are passed over.

use crate::error::{Error, ErrorKind, Result};

/// Most bytes of a passwd or group file that are read.
pub(crate) const MOST_BYTES: u64 = 10 * 1024 * 1024;

/// Largest uid and gid: tools that keep them in a signed 32-bit number make 0 or -1 of larger ones.
const MOST_ID: u32 = i32::MAX.unsigned_abs();

/// Who a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups, with the primary one: a process without it could pass checks that are meant to keep that
    /// group out (CVE-2022-36109).
    pub(crate) groups: Vec<u32>,
    /// Home directory; `/` for a user without an entry.
    pub(crate) home: String,
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl Identity {
    /// Resolves `wanted` (`user`, `uid`, `user:group`, …; empty is root).
    ///
    /// # Errors
    /// `Invalid` for a number out of range, `NotFound` for a name that the files do not have.
    pub(crate) fn resolve(wanted: &str, passwd: &[u8], group: &[u8]) -> Result<Identity> {
        let (user, primary) = match wanted.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (wanted, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let number = number(wanted, user)?;
        let entry = lines(passwd).filter_map(parse_user).find(|entry| match number {
            Some(uid) => entry.uid == uid,
            None => entry.name == user,
        });
        let uid = match (number, &entry) {
            (Some(uid), _) => uid,
            (None, Some(entry)) => entry.uid,
            (None, None) => return Err(missing(wanted, "user", user, "/etc/passwd")),
        };
        let gid = match primary {
            Some(name) => find_group(wanted, name, group)?,
            None => entry.as_ref().map_or(0, |entry| entry.gid),
        };
        let mut groups = vec![gid];
        if let (Some(entry), None) = (&entry, primary) {
            let more = lines(group)
                .filter_map(parse_group)
                .filter(|group| group.members.split(',').any(|name| name == entry.name));
            for gid in more.map(|group| group.gid) {
                if !groups.contains(&gid) {
                    groups.push(gid);
                }
            }
        }
        let home = entry.map(|entry| entry.home).filter(|home| !home.is_empty()).unwrap_or("/").to_owned();
        Ok(Identity { uid, gid, groups, home })
    }
}

impl Identity {
    /// Adds the groups of `--group-add`, names or numbers.
    ///
    /// # Errors
    /// As [`Identity::resolve`].
    pub(crate) fn with_groups(mut self, wanted: &[String], file: &[u8]) -> Result<Identity> {
        for name in wanted {
            let gid = match number("--group-add", name)? {
                Some(gid) => gid,
                None => lines(file)
                    .filter_map(parse_group)
                    .find(|group| group.name == name)
                    .map(|group| group.gid)
                    .ok_or_else(|| missing_group(name))?,
            };
            if !self.groups.contains(&gid) {
                self.groups.push(gid);
            }
        }
        Ok(self)
    }
}

fn missing_group(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("--group-add {name}: no such group in the image's /etc/group"))
        .with_hint("give a number, or an image whose /etc/group has it")
}

fn find_group(wanted: &str, name: &str, file: &[u8]) -> Result<u32> {
    if let Some(gid) = number(wanted, name)? {
        return Ok(gid);
    }
    let entry = lines(file).filter_map(parse_group).find(|group| group.name == name);
    entry.map(|group| group.gid).ok_or_else(|| missing(wanted, "group", name, "/etc/group"))
}

/// The text as an id, if it is all digits. With a sign before them it is no name either: an image may have somebody
/// with that name who is root (CVE-2026-46680).
fn number(wanted: &str, text: &str) -> Result<Option<u32>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    if digits != text {
        return Err(Error::invalid(format!("user {wanted}: {text} is no id: ids have no sign")));
    }
    let id = text.parse::<u32>().ok().filter(|id| *id <= MOST_ID);
    id.map(Some).ok_or_else(|| Error::invalid(format!("user {wanted}: {text} is above the largest id, {MOST_ID}")))
}

fn missing(wanted: &str, what: &str, name: &str, file: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("user {wanted}: no {what} '{name}' in the image's {file}"))
        .with_hint(format!("give a number, or an image whose {file} has it"))
}

fn lines(file: &[u8]) -> impl Iterator<Item = &str> {
    file.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok())
}

fn parse_user(line: &str) -> Option<User<'_>> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
    Some(User { name, uid, gid, home: fields.nth(1).unwrap_or("") })
}

fn parse_group(line: &str) -> Option<Group<'_>> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    Some(Group { name, gid: id(fields.next()?)?, members: fields.next().unwrap_or("").trim_end() })
}

fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= MOST_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        # a comment\n\
        broken:x\n\
        app:x:1000:1001::/home/app:/bin/sh\n\
        bare:x:7:8::\n\
        1000:x:0:0::/root:/bin/sh\n\
        4294967296:x:0:0::/root:/bin/sh\n\
        \xff:x:9:9::/:/\n\
        huge:x:4294967295:0::/:/\n-1:x:0:0::/:/\n";
    const GROUP: &[u8] =
        b"root:x:0:root\nwheel:x:10:root,app\nadm:x:4:app,root\napp:x:1001:app\n2000:x:0:\nx:x:12:rooted\n";

    #[test]
    fn identities() {
        type Case<'a> = (&'a str, Result<(u32, u32, &'a [u32], &'a str), &'a str>);
        let cases: [Case<'_>; 20] = [
            ("", Ok((0, 0, &[0, 10, 4], "/root"))),
            ("root", Ok((0, 0, &[0, 10, 4], "/root"))),
            ("0", Ok((0, 0, &[0, 10, 4], "/root"))),
            ("app", Ok((1000, 1001, &[1001, 10, 4], "/home/app"))),
            ("1000", Ok((1000, 1001, &[1001, 10, 4], "/home/app"))),
            ("app:wheel", Ok((1000, 10, &[10], "/home/app"))),
            ("app:5", Ok((1000, 5, &[5], "/home/app"))),
            ("app:2000", Ok((1000, 2000, &[2000], "/home/app"))),
            ("app:", Ok((1000, 1001, &[1001, 10, 4], "/home/app"))),
            (":10", Ok((0, 10, &[10], "/root"))),
            ("bare", Ok((7, 8, &[8], "/"))),
            ("4242", Ok((4242, 0, &[0], "/"))),
            ("0:5", Ok((0, 5, &[5], "/root"))),
            ("nobody", Err("user nobody: no user 'nobody' in the image's /etc/passwd")),
            ("huge", Err("user huge: no user 'huge' in the image's /etc/passwd")),
            ("app:none", Err("user app:none: no group 'none' in the image's /etc/group")),
            ("2147483648:0", Err("user 2147483648:0: 2147483648 is above the largest id, 2147483647")),
            ("-1", Err("user -1: -1 is no id: ids have no sign")),
            ("app:+0", Err("user app:+0: +0 is no id: ids have no sign")),
            ("4294967296", Err("user 4294967296: 4294967296 is above the largest id, 2147483647")),
        ];
        for (wanted, expected) in cases {
            let found = Identity::resolve(wanted, PASSWD, GROUP).map_err(|error| error.to_string());
            let found = found.as_ref().map(|who| (who.uid, who.gid, who.groups.as_slice(), who.home.as_str()));
            assert_eq!(found.map_err(String::as_str), expected, "{wanted}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_file_gives_an_id_out_of_range(wanted in "[0-9a-z:]{0,12}", passwd in "([a-z0-9:\\n]|:0:|:4294967296:){0,40}", group in ".{0,40}") {
            if let Ok(who) = Identity::resolve(&wanted, passwd.as_bytes(), group.as_bytes()) {
                proptest::prop_assert!(who.uid <= MOST_ID && who.groups.iter().all(|gid| *gid <= MOST_ID));
                proptest::prop_assert!(who.groups.contains(&who.gid));
                if let Ok(number) = wanted.split(':').next().unwrap_or_default().parse::<u32>() {
                    proptest::prop_assert_eq!(who.uid, number);
                }
            }
        }
    }

    #[test]
    fn groups_are_added() {
        let groups = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let who = Identity::resolve("app:5", PASSWD, GROUP).expect("resolves").with_groups(&wanted, GROUP);
            who.map(|who| who.groups).map_err(|error| error.to_string())
        };
        assert_eq!(groups(&["wheel", "7", "5", "10"]), Ok(vec![5, 10, 7]));
        assert_eq!(groups(&["none"]), Err("--group-add none: no such group in the image's /etc/group".to_owned()));
        assert!(groups(&["-1"]).is_err() && groups(&["4294967296"]).is_err() && groups(&[""]).is_err());
    }

    #[test]
    fn an_image_without_files_has_root_and_numbers() {
        let nobody = Identity { uid: 65534, gid: 65534, groups: vec![65534], home: "/".to_owned() };
        assert_eq!(Identity::resolve("65534:65534", b"", b"").expect("resolves"), nobody);
        let root = Identity { groups: vec![0], home: "/".to_owned(), ..Identity::default() };
        assert_eq!(Identity::resolve("", b"", b"").expect("resolves"), root);
    }
}
