//! How much this process may use, in words.

use super::{fact, seen};
use crate::layout::Page;
use crate::limit::Limit;
use crate::view::View;

/// Memory, processors, processes and files.
pub(super) fn resources(page: &mut Page, view: &View) {
    page.heading("How much I may use (control groups)");
    match &view.limits {
        Ok(limits) => {
            let machine = view.machine_memory.as_ref().map_or(String::new(), |bytes| size(*bytes));
            seen(page, "memory", &limits.memory, |limit| match *limit {
                Limit::Of(bytes) => format!("{} of the machine's {machine}", size(bytes)),
                Limit::None => format!("no limit: all {machine} of the machine"),
            });
            let cpus = view.status.as_ref().map_or(String::new(), |status| status.cpus.to_string());
            seen(page, "processors", &limits.milli_cpus, |limit| match *limit {
                Limit::Of(milli) => format!("{} of the machine's {cpus}", thousandths(milli)),
                Limit::None => format!("no limit: all {cpus} of the machine"),
            });
            seen(page, "processes", &limits.processes, |limit| match *limit {
                Limit::Of(count) => format!("{count} at once"),
                Limit::None => "no limit".to_owned(),
            });
        }
        Err(unseen) => fact(page, "limits", &unseen.to_string()),
    }
    seen(page, "open files", &view.open_files, |(soft, hard)| {
        let word = |limit: Limit| match limit {
            Limit::Of(count) => count.to_string(),
            Limit::None => "any number".to_owned(),
        };
        let more = if soft == hard { String::new() } else { format!(", and {} if I ask for more", word(*hard)) };
        format!("{} at once{more}", word(*soft))
    });
}

/// Bytes in the largest unit that leaves a number above one: `64 MiB`, `23.5 GiB`.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => match (bytes % unit) / (unit / 10).max(1) {
            0 => format!("{} {name}", bytes / unit),
            tenth => format!("{}.{} {name}", bytes / unit, tenth.min(9)),
        },
        None => format!("{bytes} bytes"),
    }
}

/// `500` as `0.5`, `2000` as `2`.
fn thousandths(number: u64) -> String {
    let fraction = format!("{:03}", number % 1000);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { (number / 1000).to_string() } else { format!("{}.{fraction}", number / 1000) }
}

#[cfg(test)]
mod tests {
    use super::{size, thousandths};

    #[test]
    fn sizes() {
        let check = |bytes: u64, want: &str| assert_eq!(size(bytes), want);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(1024, "1 KiB");
        check(64 << 20, "64 MiB");
        check(3 << 29, "1.5 GiB");
        check((1 << 30) - 1, "1023.9 MiB");
        check(u64::MAX, "16777215.9 TiB");
    }

    #[test]
    fn fractions() {
        for (number, want) in [(500, "0.5"), (1500, "1.5"), (2000, "2"), (333, "0.333"), (50, "0.05")] {
            assert_eq!(thousandths(number), want);
        }
    }
}
