//! `--restart`.

pub use runtime::protocol::policy::RestartPolicy;

use crate::error::{Error, Result};

/// Parses `--restart no|on-failure[:MAX]|always|unless-stopped`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_restart(text: &str) -> Result<RestartPolicy> {
    let invalid = |why: &str| {
        Error::invalid(format!("--restart {text}: invalid restart policy: {why}"))
            .with_hint("use no, on-failure, on-failure:3, always or unless-stopped")
    };
    let (name, most) = match text.split_once(':') {
        Some((name, most)) => {
            let most: i64 = most.parse().map_err(|_| invalid("maximum retry count must be an integer"))?;
            let most =
                u32::try_from(most).map_err(|_| invalid("maximum retry count cannot be negative, or so large"))?;
            (name, most)
        }
        None => (text, 0),
    };
    let policy = match name {
        "no" | "" if most == 0 => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure(most),
        "no" => return Err(invalid("maximum retry count can only be used with 'on-failure'")),
        _ => return Err(invalid(&format!("unknown policy '{name}'"))),
    };
    if most != 0 && !matches!(policy, RestartPolicy::OnFailure(_)) {
        return Err(invalid("maximum retry count can only be used with 'on-failure'"));
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
        let cases = [
            ("no", Some(No)),
            ("", Some(No)),
            ("always", Some(Always)),
            ("unless-stopped", Some(UnlessStopped)),
            ("on-failure", Some(OnFailure(0))),
            ("on-failure:3", Some(OnFailure(3))),
            ("on-failure:", None),
            ("on-failure:x", None),
            ("on-failure:-1", None),
            ("on-failure:4294967296", None),
            ("always:3", None),
            ("no:3", None),
            ("sometimes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_restart(text).ok(), expected, "{text}");
        }
    }
}
