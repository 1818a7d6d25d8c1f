//! Memory that stays for each running container: the proportional share (PSS) of the process that is the parent of the
//! container's first one. That is phial's supervisor, docker's and containerd's shim, podman's conmon.

use std::collections::BTreeSet;
use std::time::Duration;

use end_to_end::process::{pss_kib, stat};
use end_to_end::{Context, Result};

use super::peer::Peer;
use super::report::{Series, Table, Unit};
use crate::say;

/// Some give back a second later what they no longer need.
const REST: Duration = Duration::from_secs(3);

/// KiB per container while this many run.
pub(crate) fn per_container(peers: &[Box<dyn Peer>], image: &str, containers: u32) -> Result<Table> {
    let title = format!("memory per container, {containers} running (PSS of supervisor, shim or conmon)");
    let phase = say::Phase::begin(&title);
    let mut series = Vec::new();
    for peer in peers {
        let name = |number: u32| format!("memory-{number}");
        let pids = (0..containers).map(|number| peer.start(image, &name(number))).collect::<Result<Vec<i32>>>()?;
        // What stays is what they hold once they are at rest.
        std::thread::sleep(REST);
        let sample = share(&pids);
        for number in 0..containers {
            peer.remove(&name(number))?;
        }
        series.push(Series { name: peer.name(), samples: vec![sample? / f64::from(containers)] });
    }
    phase.end("measured");
    Ok(Table { title, unit: Unit::Kibibytes, series })
}

fn share(pids: &[i32]) -> Result<f64> {
    let parents = pids.iter().map(|pid| stat(*pid).map(|stat| stat.parent).context(format!("process {pid} is gone")));
    let parents = parents.collect::<Result<BTreeSet<i32>>>()?;
    let mut sum = 0;
    for parent in parents {
        sum += pss_kib(parent)?;
    }
    Ok(f64::from(u32::try_from(sum).context("more memory than there is")?))
}
