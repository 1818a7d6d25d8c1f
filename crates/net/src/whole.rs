//! Whether all of a realm's rules are in the kernel, without looking at them: they were when they were last looked at, or
//! changed, and nobody has changed any rule of this host since.
//!
//! The kernel numbers its rulesets (`NFT_MSG_GETGEN`): each change, by whomever, makes the next one. The number of the one in
//! which everything was seen stands in a file among the registers, together with the network namespace that counted it.
//! Whoever changes something writes the new number if it is larger by exactly his own changes; otherwise somebody else came
//! between, and the next one looks.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::firewall::{Firewall, Generation};
use crate::register::Locked;
use crate::{Error, Result};

/// The file among the registers.
const WHOLE: &str = "whole";

/// A look at the numbers, before something is changed.
#[derive(Debug)]
pub(crate) struct Whole {
    path: PathBuf,
    namespace: u64,
    before: Option<Generation>,
    noted: bool,
}

impl Whole {
    /// Looks, with the registers' lock in hand.
    ///
    /// # Errors
    /// Those of the firewall.
    pub(crate) fn look(locked: &Locked<'_>, firewall: &mut Firewall) -> Result<Whole> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")
            .map_err(|error| Error::io("/proc/thread-self/ns/net", &error))?
            .ino();
        let (path, before) = (locked.registers().beside(WHOLE), firewall.generation()?);
        let noted = before
            .is_some_and(|before| fs::read_to_string(&path).is_ok_and(|noted| noted == text(namespace, before.number)));
        Ok(Whole { path, namespace, before, noted })
    }

    /// There is something in the registers of which the kernel may know nothing yet.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn forget(locked: &Locked<'_>) -> Result<()> {
        let path = locked.registers().beside(WHOLE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != NotFound => Err(Error::io(path.display(), &error)),
            _ => Ok(()),
        }
    }

    /// Whether all rules are there for sure.
    pub(crate) fn is_known(&self) -> bool {
        self.noted
    }

    /// Notes that all rules are there now, unless that is noted already and nothing was changed here since.
    ///
    /// # Errors
    /// Those of the firewall and of the file system.
    pub(crate) fn note(&self, firewall: &mut Firewall) -> Result<()> {
        let Some(before) = self.before.filter(|before| !self.noted || before.own != firewall.own_changes()) else {
            return Ok(());
        };
        let Some(now) = firewall.generation()? else { return Ok(()) };
        if now.number != before.number.wrapping_add(now.own.wrapping_sub(before.own)) {
            return Ok(());
        }
        let text = text(self.namespace, now.number);
        // One that is torn is no number.
        fs::write(&self.path, text).map_err(|error| Error::io(self.path.display(), &error))
    }
}

fn text(namespace: u64, generation: u32) -> String {
    format!("{namespace} {generation}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::Backend;
    use crate::lease::tests::network;
    use crate::testing::Namespace;
    use crate::{Network, Realm};

    /// A realm in a host of its own, with its rules in the kernel, and that noted.
    fn check(work: impl FnOnce(&Locked<'_>, &mut Firewall) + Send) {
        let directory = tempfile::tempdir().expect("a directory");
        let realm = Realm {
            registers: directory.path().to_owned(),
            table: "phial".to_owned(),
            firewall: Some(Backend::Nftables),
        };
        let registers = realm.registers();
        Namespace::new().run(|| {
            let locked = registers.lock().expect("a lock");
            let mut firewall = realm.firewall().expect("there is one");
            assert!(!is_known(&locked, &mut firewall), "nothing is there");
            let whole = Whole::look(&locked, &mut firewall).expect("is looked at");
            firewall.replace(&[]).expect("is put there");
            whole.note(&mut firewall).expect("is noted");
            assert!(is_known(&locked, &mut firewall));
            work(&locked, &mut firewall);
        });
    }

    fn is_known(locked: &Locked<'_>, firewall: &mut Firewall) -> bool {
        Whole::look(locked, firewall).expect("is looked at").is_known()
    }

    fn somebody_else_changes_rules() {
        Firewall::open("other", Some(Backend::Nftables)).and_then(|mut other| other.replace(&[])).expect("is changed");
    }

    #[test]
    fn what_others_change_is_seen() {
        check(|locked, firewall| {
            somebody_else_changes_rules();
            assert!(!is_known(locked, firewall));
        });
    }

    #[test]
    fn own_changes_are_none_of_others() {
        check(|locked, firewall| {
            let whole = Whole::look(locked, firewall).expect("is looked at");
            firewall.replace(&[]).expect("is put there");
            firewall.replace(&[]).expect("is put there");
            whole.note(firewall).expect("is noted");
            assert!(is_known(locked, firewall));
        });
    }

    #[test]
    fn what_others_change_in_between_is_seen() {
        check(|locked, firewall| {
            let whole = Whole::look(locked, firewall).expect("is looked at");
            firewall.replace(&[]).expect("is put there");
            somebody_else_changes_rules();
            whole.note(firewall).expect("is not noted");
            assert!(!is_known(locked, firewall));
        });
    }

    #[test]
    fn a_new_network_has_no_rules_yet() {
        check(|locked, firewall| {
            let new: Network = network("10.0.0.0/24");
            locked.begin(&new).expect("is written");
            assert!(!is_known(locked, firewall));
        });
    }
}
