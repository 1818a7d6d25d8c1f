//! What is true or false, as Go's `strconv.ParseBool` reads it: that is what docker's flags, labels and options go by.

/// Whether it is true; None for what is neither.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::truth;

    #[test]
    fn words() {
        assert_eq!(["1", "T", "true", "True"].map(truth), [Some(true); 4]);
        assert_eq!(["0", "f", "FALSE", "False"].map(truth), [Some(false); 4]);
        assert_eq!(["", "yes", "tRUE", " true", "2"].map(truth), [None; 5]);
    }
}
