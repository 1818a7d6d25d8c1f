//! Names for containers that were given none: an adjective and a noun from the world of glass, chemistry and harbours.

use crate::id::random_bytes;
use crate::{Error, ErrorKind, Result};

/// A random name such as `amber_retort`, and with a number behind it if `number` is not 0: a name that many containers
/// have tried is taken, so those who try again count.
///
/// # Errors
/// Those of `getrandom(2)`.
pub fn random(number: u32) -> Result<String> {
    let [first, second, third, fourth] = random_bytes()?;
    let adjective = ADJECTIVES[usize::from(u16::from_le_bytes([first, second])) % ADJECTIVES.len()];
    let noun = NOUNS[usize::from(u16::from_le_bytes([third, fourth])) % NOUNS.len()];
    Ok(if number == 0 { format!("{adjective}_{noun}") } else { format!("{adjective}_{noun}{number}") })
}

/// Refuses what cannot be a container's name. The rule is docker's: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
///
/// # Errors
/// [`ErrorKind::Invalid`].
pub fn validate(name: &str) -> Result<()> {
    check("container", name)
}

/// Refuses what cannot be a volume's name: the rule is that of containers, and it must be able to name a directory.
///
/// # Errors
/// [`ErrorKind::Invalid`].
pub fn validate_volume(name: &str) -> Result<()> {
    /// `NAME_MAX`.
    const LONGEST: usize = 255;
    check("volume", name)?;
    if name.len() > LONGEST {
        let message = format!("volume name {name:?}: it has {} characters, and {LONGEST} are the most", name.len());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(())
}

/// Refuses what cannot be a network's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, at most 255 characters.
///
/// # Errors
/// [`ErrorKind::Invalid`].
pub fn validate_network(name: &str) -> Result<()> {
    const LONGEST: usize = 255;
    if name.len() > LONGEST {
        let message = format!("network name {name:?}: it has {} characters, and {LONGEST} are the most", name.len());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    if name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    check("network", name)
}

fn check(what: &str, name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if first && rest && name.len() > 1 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        format!(
            "{what} name {name:?}: it takes two characters or more of a-z, A-Z, 0-9, '_', '.' and '-', \
             and a letter or digit comes first"
        ),
    ))
}

#[rustfmt::skip] // One word a line is no table.
const ADJECTIVES: &[&str] = &[
    "acidic", "aerated", "alloyed", "amber", "anchored", "annealed", "aqueous", "azure", "basaltic", "becalmed",
    "bevelled", "blown", "bonded", "brackish", "brazen", "brindled", "bubbling", "buffered", "buoyant", "calibrated",
    "candlelit", "capped", "carbonic", "cast", "catalytic", "cerulean", "chilled", "chromatic", "clear", "cloudy",
    "cobalt", "colloidal", "cooled", "coppered", "corked", "covalent", "crackled", "crystalline", "cupric", "cut",
    "decanted", "diluted", "dispersed", "distilled", "drifting", "ductile", "ebbing", "effervescent", "emerald",
    "enamelled", "engraved", "etched", "faceted", "ferric", "filtered", "fluted", "flowing", "foaming", "foggy",
    "fluorescent", "frosted", "fused", "galvanic", "gaseous", "gilded", "glazed", "gleaming", "glossy", "glowing",
    "granular", "harboured", "hazy", "helical", "hollow", "humid", "indigo", "inert", "infused", "ionic", "iridescent",
    "isotopic", "ivory", "jade", "kindled", "labelled", "lacquered", "latent", "leaden", "leeward", "limpid", "liquid",
    "lucent", "luminous", "lustrous", "magnetic", "measured", "mellow", "mercurial", "milky", "mineral", "mingled",
    "mirrored", "misty", "molten", "moored", "nacreous", "neutral", "noble", "opal", "opaline", "oxidised", "pearly",
    "pelagic", "pewter", "placid", "poised", "polar", "polished", "porous", "potent", "pressed", "prismatic", "pure",
    "quenched", "quicksilver", "radiant", "reactive", "refined", "reflected", "rippled", "roseate", "ruby", "saline",
    "sapphire", "saturated", "sealed", "seaworthy", "shimmering", "silvered", "sintered", "smoky", "soluble",
    "sparkling", "spectral", "stable", "stained", "steaming", "stoppered", "sunlit", "suspended", "tawny", "tempered",
    "tidal", "tinted", "titrated", "topaz", "tranquil", "translucent", "turquoise", "twinkling", "vaporous", "veined",
    "violet", "viscous", "vitreous", "volatile", "warm", "weathered", "windward", "woven", "yielding", "zesty",
];

#[rustfmt::skip] // One word a line is no table.
const NOUNS: &[&str] = &[
    "alembic", "alloy", "ampoule", "anchor", "argon", "ballast", "barge", "barnacle", "basin", "beacon", "beaker",
    "bead", "bellows", "berth", "bilge", "binnacle", "bitt", "boatswain", "bollard", "bottle", "bowline", "bowl",
    "brazier", "breakwater", "brine", "buoy", "burette", "burner", "cable", "canal", "capstan", "carafe", "carboy",
    "catalyst", "causeway", "chalice", "channel", "chart", "cistern", "cleat", "cobble", "compass", "condenser",
    "coracle", "cork", "coxswain", "crane", "crucible", "cruet", "crystal", "current", "cutter", "cylinder",
    "decanter", "derrick", "dinghy", "distillate", "dock", "droplet", "drydock", "electrode", "elixir", "enamel",
    "estuary", "ether", "fathom", "ferry", "filter", "flagon", "flask", "float", "flotilla", "flume", "flux",
    "foghorn", "freighter", "frigate", "funnel", "furnace", "galleon", "gangway", "gasket", "gauge", "globe", "goblet",
    "grapnel", "halyard", "harbour", "hawser", "helium", "helm", "hull", "hydrometer", "inlet", "ion", "isotope",
    "jar", "jetty", "keel", "ketch", "kiln", "krypton", "lagoon", "lamp", "landing", "lantern", "lens", "lighter",
    "lighthouse", "lock", "longboat", "mainsail", "manometer", "mariner", "marina", "mast", "mirror", "molecule",
    "mooring", "mortar", "neon", "oar", "outrigger", "paddle", "pane", "pestle", "petri", "phosphor", "pier", "pilot",
    "pipette", "pitcher", "plimsoll", "pontoon", "porthole", "prism", "prow", "quay", "quill", "raft", "reagent",
    "reef", "resin", "retort", "rigging", "rowlock", "rudder", "salt", "schooner", "seawall", "sextant", "shoal",
    "signal", "siphon", "skiff", "slipway", "sloop", "solute", "solvent", "sounding", "spar", "spindle", "spyglass",
    "steamer", "stevedore", "still", "stopper", "strait", "strand", "tanker", "teapot", "thermometer", "tide",
    "tiller", "tincture", "topsail", "trawler", "tube", "tugboat", "tumbler", "urn", "valve", "vane", "vat", "vessel",
    "vial", "wake", "watchglass", "waterline", "weir", "wharf", "winch", "windlass", "xenon", "yacht", "yawl",
    "zephyr", "zircon",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_makes_a_valid_name_and_occurs_once() {
        for words in [ADJECTIVES, NOUNS] {
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
            for word in words {
                assert!(word.bytes().all(|letter| letter.is_ascii_lowercase()), "{word}");
            }
        }
    }

    #[test]
    fn random_names_are_valid() {
        for number in [0, 1, 42] {
            let name = random(number).expect("the kernel has random bytes");
            validate(&name).expect("is valid");
            assert_eq!(name.ends_with(&number.to_string()), number > 0, "{name}");
        }
    }

    #[test]
    fn names_are_checked_as_docker_does() {
        for name in ["ab", "A.b-c_9", "0x"] {
            validate(name).expect(name);
        }
        for name in ["", "a", "-ab", ".ab", "_ab", "a/b", "a b", "aé", "a\n"] {
            assert_eq!(validate(name).expect_err(name).kind(), ErrorKind::Invalid);
        }
    }
}
