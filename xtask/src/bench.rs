pub(crate) const HELP: &str = "";
pub(crate) fn main(_: &[String]) -> end_to_end::Result {
    Ok(())
}
