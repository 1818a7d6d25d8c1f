//! A file system that is full at every possible moment: what was asked for happened or did not, one line says what is
//! missing, the store is whole, and with more room everything goes on.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use end_to_end::faults::whole;
use end_to_end::process::run;
use end_to_end::registry::Registry;
use end_to_end::{Output, Phial, Result, images};
use rustix::fs::StatVfs;

/// The store's directory on a file system of its own, in memory.
struct Small<'a> {
    phial: &'a Phial,
}

impl<'a> Small<'a> {
    fn mount(phial: &'a Phial) -> Result<Small<'a>> {
        std::fs::create_dir_all(phial.root())?;
        run(Command::new("mount").args(["-t", "tmpfs", "phial-small", "-o", "mode=0700"]).arg(phial.root()))?
            .success()?;
        Ok(Small { phial })
    }

    /// Leaves so many KiB.
    fn leave(&self, kib: u64) -> Result {
        // None at all would mean as much as one likes.
        let used = |found: &StatVfs| (found.f_blocks - found.f_bfree) * found.f_frsize / 1024;
        self.limit(|found| format!("size={}k", used(found) + kib + 4))
    }

    /// Leaves so many files.
    fn leave_files(&self, files: u64) -> Result {
        self.limit(|found| format!("nr_inodes={}", found.f_files - found.f_ffree + files))
    }

    fn limit(&self, limit: impl Fn(&StatVfs) -> String) -> Result {
        let remount = || self.remount(&limit(&rustix::fs::statvfs(self.phial.root())?));
        // Who makes an image durable in the background may take more meanwhile.
        remount().or_else(|_| remount()).or_else(|_| remount())
    }

    fn resize(&self, kib: u64) -> Result {
        self.remount(&format!("size={kib}k,nr_inodes={FILES}"))
    }

    fn remount(&self, options: &str) -> Result {
        let options = format!("remount,{options}");
        run(Command::new("mount").args(["-o", &options]).arg(self.phial.root()))?.success().map(drop)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // What a failed test left running is of less interest than why it failed.
        let _ = self.phial.remove_containers();
        let _ = run(Command::new("umount").arg("--lazy").arg(self.phial.root()));
    }
}

/// Enough for anything here.
const ROOM: u64 = 256 * 1024;
const FILES: u64 = 100_000;

/// Lets a command run out of room at ever later moments, until it has enough. Returns how often it did not.
fn at_every_size(small: &Small<'_>, words: &[&str], step: usize, undo: &dyn Fn(&Phial) -> Result) -> Result<u32> {
    at_every(small, words, (0..).step_by(step), Small::leave, undo)
}

fn at_every<'a>(
    small: &Small<'a>,
    words: &[&str],
    amounts: impl Iterator<Item = u64>,
    leave: fn(&Small<'a>, u64) -> Result,
    undo: &dyn Fn(&Phial) -> Result,
) -> Result<u32> {
    let mut refusals = 0;
    for amount in amounts {
        leave(small, amount)?;
        let output = small.phial.run(words)?;
        small.resize(ROOM)?;
        whole(small.phial)?;
        if output.code == 0 {
            break;
        }
        says_so(&output, small.phial.root().as_path());
        refusals += 1;
        undo(small.phial)?;
    }
    Ok(refusals)
}

/// The user learns that it is the disk, which, and how much there is.
fn says_so(output: &Output, root: &Path) {
    let text = &output.stderr;
    assert!(text.contains("o space left on") || text.contains("is full"), "{text}");
    // The runtime knows of no store.
    let which = [root.display().to_string(), "hint: the disk is full, or has no inode left".to_owned()];
    assert!(text.contains("hint: ") && which.iter().any(|which| text.contains(which)), "{text}");
}

#[test]
fn pull() -> Result {
    let registry = images::registry()?;
    let image = registry.name(images::BUSYBOX);
    let phial = Phial::new()?;
    let small = Small::mount(&phial)?;
    let nothing = |phial: &Phial| {
        assert_eq!(phial.ok(&["images"])?.lines().count(), 1);
        Ok(())
    };
    let refusals = at_every_size(&small, &["pull", &image], 64, &nothing)?;
    assert!(refusals >= 4, "{refusals} refusals only");
    phial.ok(&["run", "--rm", &image, "true"])?;
    Ok(())
}

/// An image in the store on a small file system.
fn with_image(phial: &Phial, test: impl FnOnce(&Small<'_>, &str) -> Result) -> Result {
    let registry = images::registry()?;
    let image = registry.name(images::BUSYBOX);
    let small = Small::mount(phial)?;
    phial.ok(&["pull", &image])?;
    test(&small, &image)
}

#[test]
fn run_in_the_background() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let nothing = |phial: &Phial| {
            assert_eq!(phial.containers()?, Vec::<String>::new());
            Ok(())
        };
        let words = ["run", "-d", "--name", "web", image, "sleep", "1000"];
        let refusals = at_every_size(small, &words, 4, &nothing)?;
        assert!(refusals >= 2, "{refusals} refusals only");
        phial.ok(&["exec", "web", "true"])?;
        phial.ok(&["rm", "-f", "web"]).map(drop)
    })
}

/// A file outside the store, of bytes that do not compress.
fn noise(phial: &Phial, bytes: u64) -> Result<String> {
    let path = phial.scratch().join("noise");
    std::io::copy(&mut File::open("/dev/urandom")?.take(bytes), &mut File::create(&path)?)?;
    Ok(path.display().to_string())
}

#[test]
fn load() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let file = phial.scratch().join("saved.tar").display().to_string();
        phial.ok(&["save", "-o", &file, image])?;
        phial.ok(&["rmi", image])?;
        let nothing = |phial: &Phial| {
            assert_eq!(phial.ok(&["images", "-q"])?, "");
            Ok(())
        };
        let refusals = at_every_size(small, &["load", "-i", &file], 128, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        phial.ok(&["run", "--rm", image, "true"]).map(drop)
    })
}

#[test]
fn import() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let file = phial.scratch().join("exported.tar").display().to_string();
        phial.ok(&["create", "--name", "source", image])?;
        phial.ok(&["export", "-o", &file, "source"])?;
        let nothing = |phial: &Phial| {
            assert_eq!(phial.ok(&["images", "-q", "im:ported"])?, "");
            Ok(())
        };
        let refusals = at_every_size(small, &["import", &file, "im:ported"], 128, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        phial.ok(&["run", "--rm", "im:ported", "/bin/true"]).map(drop)
    })
}

#[test]
fn commit() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        phial.ok(&["create", "--name", "changed", image, "true"])?;
        phial.ok(&["cp", &noise(&phial, 1 << 20)?, "changed:/kept"])?;
        let nothing = |phial: &Phial| {
            assert_eq!(phial.ok(&["images", "-q", "of:changed"])?, "");
            Ok(())
        };
        let refusals = at_every_size(small, &["commit", "changed", "of:changed"], 128, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        assert_eq!(phial.ok(&["run", "--rm", "of:changed", "stat", "-c", "%s", "/kept"])?, "1048576");
        Ok(())
    })
}

#[test]
fn cp_into_a_container() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        phial.ok(&["run", "-d", "--name", "busy", image, "sleep", "1000"])?;
        let file = noise(&phial, 1 << 20)?;
        // It goes on.
        let running = |phial: &Phial| phial.ok(&["exec", "busy", "rm", "-f", "/kept"]).map(drop);
        let refusals = at_every_size(small, &["cp", &file, "busy:/kept"], 128, &running)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        assert_eq!(phial.ok(&["exec", "busy", "stat", "-c", "%s", "/kept"])?, "1048576");
        phial.ok(&["rm", "-f", "busy"]).map(drop)
    })
}

#[test]
fn first_use_of_a_volume() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let all = phial.ok(&["run", "--rm", image, "sh", "-c", "ls /bin | wc -l"])?;
        let nothing = |phial: &Phial| {
            assert_eq!(phial.containers()?, Vec::<String>::new());
            Ok(())
        };
        // What was refused has not left a part that the next takes for the whole.
        let words = ["run", "--rm", "-v", "filled:/bin", image, "/bin/busybox", "true"];
        let refusals = at_every_size(small, &words, 64, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        let count = ["run", "--rm", "-v", "filled:/bin", image, "/bin/busybox", "sh", "-c", "ls /bin | wc -l"];
        assert_eq!(phial.ok(&count)?, all);
        Ok(())
    })
}

#[test]
fn no_more_files() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let nothing = |phial: &Phial| {
            assert_eq!(phial.containers()?, Vec::<String>::new());
            Ok(())
        };
        let words = ["run", "--rm", "-v", "filled:/etc", image, "true"];
        let refusals = at_every(small, &words, 1.., Small::leave_files, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        Ok(())
    })
}

#[test]
fn push() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let registry = Registry::start()?;
        let target = registry.name("app:1");
        phial.ok(&["tag", image, &target])?;
        let nothing = |_: &Phial| Ok(());
        let refusals = at_every_size(small, &["push", &target], 64, &nothing)?;
        assert!(refusals >= 2, "{refusals} refusals only");
        Phial::new()?.ok(&["pull", &target]).map(drop)
    })
}

/// A directory with a Dockerfile and some noise.
fn project(phial: &Phial, dockerfile: &str) -> Result<String> {
    let directory = phial.scratch().join("project");
    std::fs::create_dir(&directory)?;
    std::fs::rename(noise(phial, 1 << 20)?, directory.join("noise"))?;
    std::fs::write(directory.join("Dockerfile"), dockerfile)?;
    Ok(directory.display().to_string())
}

#[test]
fn build() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let directory = project(&phial, &format!("FROM {image}\nCOPY noise /one\nWORKDIR /made\nCOPY noise /two\n"))?;
        let nothing = |phial: &Phial| {
            assert_eq!(phial.ok(&["images", "-q", "app"])?, "");
            Ok(())
        };
        let refusals = at_every_size(small, &["build", "-t", "app", &directory], 128, &nothing)?;
        assert!(refusals >= 4, "{refusals} refusals only");
        assert_eq!(phial.ok(&["run", "--rm", "app", "sh", "-c", "cat /one /two | wc -c"])?, "2097152");
        Ok(())
    })
}

/// What a command says itself is all that is known of it; what was done before it stays.
#[test]
fn build_of_a_command_that_needs_room() -> Result {
    let phial = Phial::new()?;
    with_image(&phial, |small, image| {
        let run = "RUN cat /proc/uptime > /first\nRUN dd if=/dev/zero of=/second bs=40000 count=100\n";
        let directory = project(&phial, &format!("FROM {image}\n{run}"))?;
        let words = ["build", "--network", "none", "-t", "app", &directory];
        small.leave(2048)?;
        let output = phial.run(&words)?.exited(1)?;
        assert!(output.stderr.contains("o space left on"), "{output:?}");
        small.resize(ROOM)?;
        whole(&phial)?;
        let again = phial.run(&words)?.exited(0)?;
        assert!(again.stderr.contains("(2 of 3 steps cached)"), "the image and the first command: {again:?}");
        assert_eq!(phial.ok(&["run", "--rm", "app", "stat", "-c", "%s", "/second"])?, "4000000");
        Ok(())
    })
}
