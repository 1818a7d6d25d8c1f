//! Signals by name and number, as people write them (`signal(7)`; the numbers of x86-64 and aarch64, which agree).

/// Names of the signals 1 to 31, in order.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];
/// Second names.
const ALIASES: [(&str, i32); 4] = [("CLD", 17), ("IOT", 6), ("POLL", 29), ("UNUSED", 31)];
/// First and last of the real-time signals, as C libraries leave them to programs.
const REAL_TIME: (i32, i32) = (34, 64);

/// The number of a signal given as a number from 1 to 64, or by name with or without `SIG`, such as `TERM`, `SIGKILL`,
/// `RTMIN+3`.
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return i32::try_from(index + 1).ok();
    }
    let alias = ALIASES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    alias.or_else(|| real_time(name))
}

fn real_time(name: &str) -> Option<i32> {
    let (first, last) = REAL_TIME;
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => first,
        (_, Some("")) => last,
        (Some(above), _) => first + above.strip_prefix('+')?.parse::<u8>().map(i32::from).ok()?,
        (_, Some(below)) => last - below.strip_prefix('-')?.parse::<u8>().map(i32::from).ok()?,
        (None, None) => return None,
    };
    (first..=last).contains(&number).then_some(number)
}

/// How a signal is called: `SIGTERM`, `SIGRTMIN+3`; one without a name by its number.
pub fn name(number: i32) -> String {
    let (first, last) = REAL_TIME;
    match usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None if number == first => "SIGRTMIN".to_owned(),
        None if number == last => "SIGRTMAX".to_owned(),
        None if number > first => format!("SIGRTMIN+{}", number - first),
        None => number.to_string(),
    }
}
