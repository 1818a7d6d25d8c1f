//! What docker's command line has and this one not yet. Pure.
//!
//! The lists are docker's, whole: a word counts only once the parser does not know it, so nothing is to be removed
//! here when it comes.

/// Docker's commands.
const COMMANDS: &str = "attach build builder buildx checkpoint commit compose config context cp create diff events \
    export history import info inspect kill load login logout logs manifest network node pause plugin port ps pull \
    push rename restart rm rmi run save search secret service stack start stats stop swarm system tag top trust \
    unpause update version volume wait list remove prune";

/// Docker's flags of each command; one letter after `-` belongs to the flag before it.
const FLAGS: &[(&str, &str)] = &[
    ("", "config context -c debug -D host -H log-level -l tls tlscacert tlscert tlskey tlsverify"),
    (
        "volume create",
        "availability driver -d group label limit-bytes name opt -o required-bytes scope secret sharing \
         topology-preferred topology-required type",
    ),
    ("volume ls", "cluster filter -f format quiet -q"),
    (
        "run",
        "add-host annotation attach -a blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns \
         cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares -c cpus \
         cpuset-cpus cpuset-mems detach -d detach-keys device device-cgroup-rule device-read-bps device-read-iops \
         device-write-bps device-write-iops disable-content-trust dns dns-opt dns-option dns-search domainname \
         entrypoint env -e env-file expose gpus group-add health-cmd health-interval health-retries \
         health-start-interval health-start-period health-timeout hostname -h init interactive -i io-maxbandwidth \
         io-maxiops ip ip6 ipc isolation kernel-memory label -l label-file link link-local-ip log-driver log-opt \
         mac-address memory -m memory-reservation memory-swap memory-swappiness mount name net net-alias network \
         network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish -p \
         publish-all -P pull quiet -q read-only restart rm runtime security-opt shm-size sig-proxy stop-signal \
         stop-timeout storage-opt sysctl tmpfs tty -t ulimit use-api-socket user -u userns uts volume -v \
         volume-driver volumes-from workdir -w",
    ),
    ("exec", "detach -d detach-keys env -e env-file interactive -i privileged tty -t user -u workdir -w"),
    (
        "build",
        "add-host allow annotation attest build-arg build-context builder cache-from cache-to call cgroup-parent check \
         compress cpu-period cpu-quota cpu-shares -c cpuset-cpus cpuset-mems debug -D disable-content-trust file -f \
         force-rm iidfile isolation label load memory -m memory-swap metadata-file network no-cache no-cache-filter \
         output -o platform policy print progress provenance pull push quiet -q resource rm sbom secret security-opt \
         shm-size squash ssh tag -t target ulimit",
    ),
    (
        "builder prune",
        "all -a builder filter force -f keep-storage max-used-space min-free-space reserved-space timeout verbose",
    ),
    ("builder du", "builder filter format timeout verbose"),
    ("ps", "all -a filter -f format last -n latest -l no-trunc quiet -q size -s"),
    ("ls", "all -a filter -f format last -n latest -l no-trunc quiet -q size -s digests tree"),
    ("images", "all -a digests filter -f format no-trunc quiet -q tree"),
    ("pull", "all-tags -a disable-content-trust quiet -q"),
    ("push", "all-tags -a disable-content-trust platform quiet -q"),
    ("annotate", "arch os os-features os-version variant"),
    ("login", "password -p password-stdin username -u"),
    ("search", "filter -f format limit no-trunc automated stars -s"),
    ("logs", "details follow -f since tail -n timestamps -t until"),
    ("attach", "detach-keys no-stdin sig-proxy"),
    ("stop", "signal -s time timeout -t"),
    ("start", "attach -a checkpoint checkpoint-dir detach-keys interactive -i"),
    ("restart", "signal -s time timeout -t"),
    ("kill", "signal -s"),
    ("rm", "force -f link -l volumes -v no-prune platform"),
    (
        "update",
        "blkio-weight cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares -c cpus cpuset-cpus \
      cpuset-mems kernel-memory memory -m memory-reservation memory-swap pids-limit restart",
    ),
    ("rmi", "force -f no-prune platform"),
    ("inspect", "format -f size -s type platform"),
    ("history", "format human -H no-trunc platform quiet -q"),
    ("save", "output -o platform"),
    ("load", "input -i platform quiet -q"),
    ("import", "change -c message -m platform"),
    ("export", "output -o"),
    ("commit", "author -a change -c message -m no-pause pause -p"),
    ("cp", "archive -a follow-link -L quiet -q"),
    ("version", "format -f"),
    ("info", "format -f"),
];

/// Whether docker has this command.
pub(crate) fn is_command(name: &str) -> bool {
    COMMANDS.split_whitespace().any(|known| known == name)
}

/// Docker's long name of `flag` (`--publish`, `-p`) of this command, if it has such a flag. Without a command: of
/// `docker` itself.
pub(crate) fn flag(group: Option<&str>, command: &str, flag: &str) -> Option<&'static str> {
    let of_group = group.and_then(|group| {
        let in_group = format!("{group} {command}");
        FLAGS.iter().find(|(name, _)| *name == in_group)
    });
    // What `create` takes is what `run` takes, but for what is about staying with it.
    let command = if command == "create" { "run" } else { command };
    let of_command =
        || FLAGS.iter().find(|(name, _)| *name == command).filter(|_| !matches!(group, Some("network" | "volume")));
    let (_, flags) = of_group.or_else(of_command)?;
    let mut before = None;
    for known in flags.split_whitespace() {
        if known == flag && flag.starts_with('-') {
            return before;
        }
        if flag.strip_prefix("--") == Some(known) {
            return Some(known);
        }
        before = Some(known);
    }
    None
}

/// Why this flag of `run` does not come, if it does not.
pub(crate) fn never(flag: &str) -> Option<&'static str> {
    match flag {
        "kernel-memory" => Some("kernels have no such limit any more; -m counts what the kernel needs as well"),
        "storage-opt" => Some("the container's layer is a directory of the host and has no size of its own"),
        "cpu-count" | "cpu-percent" | "io-maxbandwidth" | "io-maxiops" | "isolation" => {
            Some("it is for containers of Windows")
        }
        "runtime" => Some("containers are started by Phial's own runtime"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{flag, is_command, never};

    #[test]
    fn docker_is_known() {
        let cases = [
            ("run", "--publish", Some("publish")),
            ("run", "-p", Some("publish")),
            ("run", "-P", Some("publish-all")),
            ("run", "publish", None),
            ("run", "--publis", None),
            ("run", "--p", None),
            ("ps", "-q", Some("quiet")),
            ("wait", "-q", None),
        ];
        for (command, text, expected) in cases {
            assert_eq!(flag(None, command, text), expected, "{command} {text}");
        }
        assert!(never("kernel-memory").is_some() && never("publish").is_none());
        assert!(is_command("build") && !is_command("bild"));
    }
}
