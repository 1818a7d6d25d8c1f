//! Instructions that change an image's configuration: `commit -c` and `import -c`. Owns their words, which are those of a Dockerfile: CMD,
//! ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. Pure.

use image::{Config, Healthcheck};

use super::Signal;
use crate::error::{Error, Result};

/// Applies one instruction to `config`.
///
/// # Errors
/// `Invalid` for another instruction and for what it does not take.
pub fn apply(config: &mut Config, text: &str) -> Result<()> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let wrong = |why: &str| Error::invalid(format!("--change {text}: {why}"));
    let word = word.to_ascii_uppercase();
    if rest.is_empty() {
        return Err(wrong("it takes at least one argument"));
    }
    match word.as_str() {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => {
            // As docker: an entrypoint of its own makes the command of the image meaningless.
            config.entrypoint = Some(command(rest));
            config.cmd = None;
        }
        "ENV" => {
            for (key, value) in pairs(rest).ok_or_else(|| wrong("not KEY=VALUE"))? {
                let start = format!("{key}=");
                config.env.retain(|known| !known.starts_with(&start));
                config.env.push(start + &value);
            }
        }
        "EXPOSE" => {
            for port in words(rest).ok_or_else(|| wrong("a quote is not closed"))? {
                let port = exposed(&port).ok_or_else(|| wrong("not a port, 1 to 65535, with /tcp, /udp or /sctp"))?;
                config.exposed_ports.push(port);
            }
            config.exposed_ports.sort();
            config.exposed_ports.dedup();
        }
        "HEALTHCHECK" => config.healthcheck = Some(healthcheck(rest).map_err(|why| wrong(&why))?),
        "LABEL" => config.labels.extend(pairs(rest).ok_or_else(|| wrong("not KEY=VALUE"))?),
        "ONBUILD" => {
            let first = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            match first.as_str() {
                "ONBUILD" => return Err(wrong("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
                "MAINTAINER" | "FROM" => return Err(wrong(&format!("{first} isn't allowed as an ONBUILD trigger"))),
                _ => config.on_build.push(rest.to_owned()),
            }
        }
        "STOPSIGNAL" => {
            Signal::parse("--change STOPSIGNAL", rest)?;
            config.stop_signal = Some(rest.to_owned());
        }
        "USER" => config.user = one(rest).ok_or_else(|| wrong("it takes exactly one argument"))?,
        "VOLUME" => {
            let volumes = json_array(rest).or_else(|| words(rest)).ok_or_else(|| wrong("a quote is not closed"))?;
            if volumes.iter().any(|volume| volume.trim().is_empty()) {
                return Err(wrong("a volume must not be an empty string"));
            }
            config.volumes.extend(volumes);
            config.volumes.sort();
            config.volumes.dedup();
        }
        "WORKDIR" => {
            let path = one(rest).ok_or_else(|| wrong("it takes exactly one argument"))?;
            config.working_dir = working_dir(&config.working_dir, &path);
        }
        _ => {
            let known = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR";
            return Err(wrong(&format!("{word} is not a valid change command")).with_hint(format!("one of {known}")));
        }
    }
    Ok(())
}

/// The form of a list, or a line for the shell.
fn command(text: &str) -> Vec<String> {
    json_array(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn json_array(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

fn one(text: &str) -> Option<String> {
    match words(text)?.as_slice() {
        [word] => Some(word.clone()),
        _ => None,
    }
}

/// `KEY=VALUE …`, or the old form `KEY VALUE`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let words = words(text)?;
    if !words.first()?.contains('=') {
        let (key, value) = text.split_once(char::is_whitespace)?;
        return Some(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: String| {
        let (key, value) = word.split_once('=')?;
        (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    };
    words.into_iter().map(pair).collect()
}

/// Words as a Dockerfile has them: quotes keep blanks together and go, a backslash keeps what follows; None for a quote that is
/// not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(next) = characters.next() {
        match (next, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().push(characters.next()?),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// `80` is `80/tcp`.
fn exposed(text: &str) -> Option<String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let is_range = match ports.split_once('-') {
        Some((first, last)) => number(first)? <= number(last)?,
        None => number(ports).is_some(),
    };
    (is_range && matches!(protocol.as_str(), "tcp" | "udp" | "sctp")).then(|| format!("{ports}/{protocol}"))
}

fn working_dir(before: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{before}/{path}") };
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// `NONE`, or options and `CMD` with a list or a line for the shell.
fn healthcheck(text: &str) -> Result<Healthcheck, String> {
    let mut check = Healthcheck::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        rest = after.trim_start();
        let (name, value) = option.split_once('=').ok_or_else(|| format!("--{option} has no value"))?;
        let time = || nanoseconds(value).ok_or_else(|| format!("--{name}={value} is no duration"));
        match name {
            "interval" => check.interval = time()?,
            "timeout" => check.timeout = time()?,
            "start-period" => check.start_period = time()?,
            "start-interval" => check.start_interval = time()?,
            "retries" => check.retries = value.parse().map_err(|_| format!("--retries={value} is no number"))?,
            _ => return Err(format!("HEALTHCHECK has no flag --{name}")),
        }
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match (word.to_ascii_uppercase().as_str(), rest.trim()) {
        ("NONE", "") => check.test = vec!["NONE".to_owned()],
        ("NONE", _) => return Err("HEALTHCHECK NONE takes no arguments".to_owned()),
        ("CMD", "") => return Err("missing command after HEALTHCHECK CMD".to_owned()),
        ("CMD", line) => {
            check.test = match json_array(line) {
                Some(list) => [vec!["CMD".to_owned()], list].concat(),
                None => vec!["CMD-SHELL".to_owned(), line.to_owned()],
            };
        }
        (other, _) => return Err(format!("HEALTHCHECK knows CMD and NONE, and not {other}")),
    }
    Ok(check)
}

/// A duration as Go writes it: `1m30s`, `500ms`.
fn nanoseconds(text: &str) -> Option<i64> {
    let (mut rest, mut total) = (text, 0_i64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(end);
        let units = [
            ("ms", 1_000_000),
            ("us", 1000),
            ("ns", 1),
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
        ];
        let (unit, factor) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(factor)?)?;
        rest = &after[unit.len()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(changes: &[&str]) -> Config {
        let mut config = Config::default();
        for change in changes {
            apply(&mut config, change).unwrap_or_else(|error| panic!("{change}: {error}"));
        }
        config
    }

    #[test]
    fn instructions() {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(applied(&["CMD [\"a\", \"b c\"]"]).cmd, Some(list(&["a", "b c"])));
        assert_eq!(applied(&["cmd echo hi"]).cmd, Some(list(&["/bin/sh", "-c", "echo hi"])));
        let config = applied(&["CMD x", "ENTRYPOINT [\"e\"]"]);
        assert_eq!((config.entrypoint, config.cmd), (Some(list(&["e"])), None));
        assert_eq!(applied(&["ENV A=1 B='2 3'", "ENV A=4"]).env, list(&["B=2 3", "A=4"]));
        assert_eq!(applied(&["ENV A 1 2"]).env, list(&["A=1 2"]));
        assert_eq!(applied(&["EXPOSE 80 53/UDP", "EXPOSE 80"]).exposed_ports, list(&["53/udp", "80/tcp"]));
        assert_eq!(applied(&["LABEL a.b=\"c d\" e=f"]).labels["a.b"], "c d");
        assert_eq!(applied(&["ONBUILD RUN make"]).on_build, list(&["RUN make"]));
        assert_eq!(applied(&["USER 1000:1000"]).user, "1000:1000");
        assert_eq!(applied(&["VOLUME /a /b", "VOLUME [\"/c\"]"]).volumes, list(&["/a", "/b", "/c"]));
        assert_eq!(applied(&["WORKDIR /a", "WORKDIR b/../c"]).working_dir, "/a/c");
        assert_eq!(applied(&["STOPSIGNAL SIGUSR1"]).stop_signal.as_deref(), Some("SIGUSR1"));
        let check = applied(&["HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f x"]).healthcheck.expect("is there");
        assert_eq!((check.interval, check.retries), (90_000_000_000, 2));
        assert_eq!(check.test, list(&["CMD-SHELL", "curl -f x"]));
        assert_eq!(applied(&["HEALTHCHECK NONE"]).healthcheck.expect("is there").test, list(&["NONE"]));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "CMD",
            "RUN x",
            "FROM y",
            "ENV A",
            "ENV =1",
            "EXPOSE 0",
            "EXPOSE 80/icmp",
            "EXPOSE 9-8",
            "LABEL x",
            "USER a b",
            "STOPSIGNAL NO",
            "VOLUME [\"\"]",
            "ONBUILD FROM x",
            "HEALTHCHECK",
            "HEALTHCHECK x",
            "HEALTHCHECK --retries=x CMD y",
            "ENV A='1",
        ] {
            assert!(apply(&mut Config::default(), bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_it_panic(text in "(CMD|ENV|LABEL|EXPOSE|HEALTHCHECK|VOLUME|WORKDIR|USER) (.|[\"'\\\\= -]){0,30}") {
            let _ = apply(&mut Config::default(), &text);
        }
    }
}
