//! Tables of mounts as people write them.

use super::*;

/// A mount in one line, to compare with.
fn line(mount: &Mount) -> String {
    let target = mount.target.display();
    let access = if mount.read_only { "ro" } else { "rw" };
    match &mount.kind {
        MountKind::Bind { source, create_source, propagation, recursive, read_only_below } => {
            let create = if *create_source { " create" } else { "" };
            let below = if *read_only_below == RecursiveReadOnly::TopOnly { " top" } else { "" };
            let recursive = if *recursive { "rbind" } else { "bind" };
            format!("{recursive} {} {target} {access} {}{create}{below}", source.display(), propagation.name())
        }
        MountKind::Tmpfs { size, mode, options } => {
            let mode = mode.map(|mode| format!("{mode:o}"));
            format!("tmpfs {target} {access} {size:?} {mode:?} {options:?}")
        }
        MountKind::Volume(volume) => {
            let name = if volume.anonymous { "anonymous" } else { &volume.name };
            let copy = if volume.copy { "" } else { " nocopy" };
            let subpath = volume.subpath.as_ref().map_or(String::new(), |path| format!(" at {}", path.display()));
            let driver = volume.driver.as_ref().map_or(String::new(), |driver| format!(" by {driver}"));
            let words = |map: &std::collections::BTreeMap<String, String>| {
                map.iter().fold(String::new(), |all, (key, value)| format!("{all} {key}={value}"))
            };
            let (options, labels) = (words(&volume.options), words(&volume.labels));
            let propagation = volume.propagation.name();
            format!("volume {name} {target} {access} {propagation}{copy}{subpath}{driver}{options}{labels}")
        }
        MountKind::Image(image) => {
            let subpath = image.subpath.as_ref().map_or(String::new(), |path| format!(" at {}", path.display()));
            format!("image {} {target} {access}{subpath}", image.image)
        }
    }
}

fn check(parse: impl Fn(&str) -> Result<Mount>, cases: &[(&str, Result<&str, &str>)]) {
    for (text, expected) in cases {
        let found = parse(text).map(|mount| line(&mount)).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

#[test]
fn volumes() {
    check(
        |text| Mount::parse_volume(text, Path::new("/here")),
        &[
            ("/a:/b", Ok("rbind /a /b rw rprivate create")),
            ("/a:/b:ro", Ok("rbind /a /b ro rprivate create")),
            ("/a/../c/.:/b//d/", Ok("rbind /c /b/d rw rprivate create")),
            ("./a:/b", Ok("rbind /here/a /b rw rprivate create")),
            (".:/b:rw,rslave,z", Ok("rbind /here /b rw rslave create")),
            ("../a:/b:bind", Ok("bind /a /b rw rprivate create")),
            ("/a:/b:wat", Err("--volume /a:/b:wat: no such option 'wat'")),
            ("/a:/b:nocopy", Err("--volume /a:/b:nocopy: nocopy is for volumes")),
            ("/a:b", Err("--volume /a:b: the target 'b' is not an absolute path")),
            ("/a:/", Err("--volume /a:/: the target is the root directory")),
            ("/a:/..", Err("--volume /a:/..: the target is the root directory")),
            ("/a:/b:ro:x", Err("--volume /a:/b:ro:x: more than two colons")),
            (":/b", Err("--volume :/b: the source is empty")),
            ("/b", Ok("volume anonymous /b rw rprivate")),
            ("b", Err("--volume b: the target 'b' is not an absolute path")),
            ("data:/b", Ok("volume data /b rw rprivate")),
            ("data:/b:ro,nocopy,Z", Ok("volume data /b ro rprivate nocopy")),
            ("data:/b:rslave", Ok("volume data /b rw rslave")),
            ("data:/b:rbind", Err("--volume data:/b:rbind: no such option 'rbind'")),
            ("/a:/b:ro,rw", Err("--volume /a:/b:ro,rw: 'rw' comes after another option about the same")),
            (
                "/a:/b:rslave,shared",
                Err("--volume /a:/b:rslave,shared: 'shared' comes after another option about the same"),
            ),
            (
                "d:/b",
                Err(
                    "--volume d:/b: volume name \"d\": it takes two characters or more of a-z, A-Z, 0-9, '_', '.' and '-', \
                     and a letter or digit comes first",
                ),
            ),
            ("a/b:/b", Err("--volume a/b:/b: 'a/b' is neither an absolute path nor a name of a volume")),
        ],
    );
}

#[test]
fn mounts() {
    check(
        |text| Mount::parse_mount(text, Path::new("/here")),
        &[
            ("type=bind,source=/a,target=/b", Ok("rbind /a /b rw rprivate")),
            ("type=bind,src=a,dst=/b,readonly", Ok("rbind /here/a /b ro rprivate")),
            ("type=bind,src=/a,destination=/b,ro=false", Ok("rbind /a /b rw rprivate")),
            ("Type=BIND,src=/a,dst=/b,bind-propagation=rshared", Ok("rbind /a /b rw rshared")),
            ("type=bind,\"src=/a,b\",dst=/b", Ok("rbind /a,b /b rw rprivate")),
            ("type=bind,\"src=/a\"\"b\",dst=/b", Ok("rbind /a\"b /b rw rprivate")),
            ("type=bind,src=/a,dst=/b,bind-recursive=disabled", Ok("bind /a /b rw rprivate top")),
            ("type=bind,src=/a,dst=/b,ro,bind-recursive=writable", Ok("rbind /a /b ro rprivate top")),
            ("type=bind,src=/a,dst=/b,bind-nonrecursive", Ok("bind /a /b rw rprivate top")),
            ("type=tmpfs,dst=/b", Ok("tmpfs /b rw None None []")),
            ("type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770", Ok("tmpfs /b rw Some(67108864) Some(\"1770\") []")),
            ("type=tmpfs,src=/a,dst=/b", Err("--mount type=tmpfs,src=/a,dst=/b: a tmpfs has no source")),
            ("type=bind,dst=/b", Err("--mount type=bind,dst=/b: no source")),
            ("type=bind,src=/a", Err("--mount type=bind,src=/a: no target")),
            ("type=bind,src=/a,dst=b", Err("--mount type=bind,src=/a,dst=b: the target 'b' is not an absolute path")),
            ("type=bind,src=", Err("--mount type=bind,src=: 'src' needs a value")),
            (
                "type=bind,src=/a,dst=/b,ro=maybe",
                Err("--mount type=bind,src=/a,dst=/b,ro=maybe: ro=maybe: neither true nor false"),
            ),
            ("type=bind,color=red", Err("--mount type=bind,color=red: no such field 'color'")),
            ("type=disk,src=/a,dst=/b", Err("--mount type=disk,src=/a,dst=/b: no such type 'disk'")),
            ("type=bind,\"src=/a", Err("--mount type=bind,\"src=/a: a quote is not closed")),
            (
                "type=tmpfs,dst=/b,tmpfs-mode=9",
                Err("--mount type=tmpfs,dst=/b,tmpfs-mode=9: '9' is not a mode in octal digits"),
            ),
            ("src=data,dst=/b", Ok("volume data /b rw rprivate")),
            ("dst=/b", Ok("volume anonymous /b rw rprivate")),
            ("type=volume,src=data,dst=/b,readonly,volume-nocopy", Ok("volume data /b ro rprivate nocopy")),
            (
                "type=volume,src=data,dst=/b,volume-subpath=a/./b,volume-driver=local,volume-opt=o=x=y,volume-label=l",
                Ok("volume data /b rw rprivate at a/b by local o=x=y l="),
            ),
            (
                "src=data,dst=/b,volume-subpath=../x",
                Err(
                    "--mount src=data,dst=/b,volume-subpath=../x: volume-subpath=../x: must be relative, and have no '..'",
                ),
            ),
            (
                "dst=/b,volume-subpath=x",
                Err("--mount dst=/b,volume-subpath=x: volume-subpath needs a source: a new volume is empty"),
            ),
            (
                "type=volume,src=/data,dst=/b",
                Err("--mount type=volume,src=/data,dst=/b: '/data' is no name of a volume: a path needs type=bind"),
            ),
            (
                "type=bind,src=/a,dst=/b,volume-nocopy",
                Err("--mount type=bind,src=/a,dst=/b,volume-nocopy: volume-nocopy is not for type=bind"),
            ),
            ("type=bind,src=/a,dst=/b,bind-create-src", Ok("rbind /a /b rw rprivate create")),
            ("type=image,src=alpine,dst=/b", Ok("image alpine /b ro")),
            ("type=image,src=alpine,dst=/b,image-subpath=etc", Ok("image alpine /b ro at etc")),
            (
                "type=image,src=alpine,dst=/b,ro=false",
                Err("--mount type=image,src=alpine,dst=/b,ro=false: an image cannot be written to"),
            ),
        ],
    );
}

#[test]
fn volumes_of_others() {
    let parsed = |text| VolumesFrom::parse(text).map(|from| (from.is_read_only(), from.container)).ok();
    assert_eq!(parsed("web"), Some((false, "web".to_owned())));
    assert_eq!(parsed("web:ro"), Some((true, "web".to_owned())));
    assert_eq!(parsed("web:rw,z"), Some((false, "web".to_owned())));
    for text in ["", ":ro", "web:", "web:wat", "web:ro,rw"] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn tmpfs() {
    check(
        Mount::parse_tmpfs,
        &[
            ("/run", Ok("tmpfs /run rw None None []")),
            ("/run:size=1m,mode=700,exec,uid=5", Ok("tmpfs /run rw Some(1048576) Some(\"700\") [\"exec\", \"uid=5\"]")),
            ("/run:ro", Ok("tmpfs /run ro None None []")),
            ("/run:lowerdir=/etc", Err("--tmpfs /run:lowerdir=/etc: no such option 'lowerdir=/etc'")),
            ("run", Err("--tmpfs run: the target 'run' is not an absolute path")),
        ],
    );
}
