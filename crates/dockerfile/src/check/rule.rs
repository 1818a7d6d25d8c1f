//! All rules, in the order in which the reference lists them.

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says what it is for in words")]
pub enum Rule {
    StageNameCasing,
    FromAsCasing,
    NoEmptyContinuation,
    ConsistentInstructionCasing,
    DuplicateStageName,
    ReservedStageName,
    JsonArgsRecommended,
    MaintainerDeprecated,
    UndefinedArgInFrom,
    WorkdirRelativePath,
    UndefinedVar,
    MultipleInstructionsDisallowed,
    LegacyKeyValueFormat,
    InvalidBaseImagePlatform,
    RedundantTargetPlatform,
    SecretsUsedInArgOrEnv,
    InvalidDefaultArgInFrom,
    FromPlatformFlagConstDisallowed,
    CopyIgnoredFile,
    InvalidDefinitionDescription,
    ExposeProtoCasing,
    ExposeInvalidFormat,
}

impl Rule {
    /// Every one.
    pub const ALL: [Rule; 22] = [
        Rule::StageNameCasing,
        Rule::FromAsCasing,
        Rule::NoEmptyContinuation,
        Rule::ConsistentInstructionCasing,
        Rule::DuplicateStageName,
        Rule::ReservedStageName,
        Rule::JsonArgsRecommended,
        Rule::MaintainerDeprecated,
        Rule::UndefinedArgInFrom,
        Rule::WorkdirRelativePath,
        Rule::UndefinedVar,
        Rule::MultipleInstructionsDisallowed,
        Rule::LegacyKeyValueFormat,
        Rule::InvalidBaseImagePlatform,
        Rule::RedundantTargetPlatform,
        Rule::SecretsUsedInArgOrEnv,
        Rule::InvalidDefaultArgInFrom,
        Rule::FromPlatformFlagConstDisallowed,
        Rule::CopyIgnoredFile,
        Rule::InvalidDefinitionDescription,
        Rule::ExposeProtoCasing,
        Rule::ExposeInvalidFormat,
    ];

    /// What it is called, as in `# check=skip=…`.
    pub fn name(self) -> &'static str {
        self.text().0
    }

    /// What it asks for.
    pub fn description(self) -> &'static str {
        self.text().1
    }

    /// Where more is said of it.
    pub fn url(self) -> String {
        let mut words = String::from("https://docs.docker.com/go/dockerfile/rule/");
        let name = if self == Rule::JsonArgsRecommended { "JsonArgsRecommended" } else { self.name() };
        for (number, letter) in name.char_indices() {
            if letter.is_ascii_uppercase() && number > 0 {
                words.push('-');
            }
            words.push(letter.to_ascii_lowercase());
        }
        words + "/"
    }

    /// Whether it is looked at only if that is asked for.
    pub fn is_experimental(self) -> bool {
        self == Rule::InvalidDefinitionDescription
    }

    fn text(self) -> (&'static str, &'static str) {
        match self {
            Rule::StageNameCasing => ("StageNameCasing", "names of stages are in lower case"),
            Rule::FromAsCasing => ("FromAsCasing", "AS is in the case of its FROM"),
            Rule::NoEmptyContinuation => {
                ("NoEmptyContinuation", "a line that is continued is not followed by an empty one")
            }
            Rule::ConsistentInstructionCasing => {
                ("ConsistentInstructionCasing", "all instructions are in one case, upper or lower")
            }
            Rule::DuplicateStageName => ("DuplicateStageName", "every stage has a name of its own"),
            Rule::ReservedStageName => ("ReservedStageName", "no stage is called as something else is"),
            Rule::JsonArgsRecommended => {
                ("JSONArgsRecommended", "CMD and ENTRYPOINT are lists in JSON, so that signals reach the program")
            }
            Rule::MaintainerDeprecated => {
                ("MaintainerDeprecated", "a label says who the author is, and not MAINTAINER")
            }
            Rule::UndefinedArgInFrom => ("UndefinedArgInFrom", "FROM uses arguments that are declared before it"),
            Rule::WorkdirRelativePath => (
                "WorkdirRelativePath",
                "the first WORKDIR is absolute, so that the base image does not decide where it is",
            ),
            Rule::UndefinedVar => ("UndefinedVar", "variables are set before they are used"),
            Rule::MultipleInstructionsDisallowed => {
                ("MultipleInstructionsDisallowed", "of instructions that replace each other there is one in a stage")
            }
            Rule::LegacyKeyValueFormat => ("LegacyKeyValueFormat", "names and values are separated by '='"),
            Rule::InvalidBaseImagePlatform => {
                ("InvalidBaseImagePlatform", "a base image is one for the platform that is built for")
            }
            Rule::RedundantTargetPlatform => {
                ("RedundantTargetPlatform", "FROM does not ask for the platform that it would take anyway")
            }
            Rule::SecretsUsedInArgOrEnv => ("SecretsUsedInArgOrEnv", "secrets are mounted, and are no ARG or ENV"),
            Rule::InvalidDefaultArgInFrom => {
                ("InvalidDefaultArgInFrom", "FROM names an image also if no argument is given")
            }
            Rule::FromPlatformFlagConstDisallowed => {
                ("FromPlatformFlagConstDisallowed", "whoever builds says for which platform, and not FROM")
            }
            Rule::CopyIgnoredFile => ("CopyIgnoredFile", "what is copied is not left out by .dockerignore"),
            Rule::InvalidDefinitionDescription => {
                ("InvalidDefinitionDescription", "a comment before a stage or argument describes it: # NAME TEXT")
            }
            Rule::ExposeProtoCasing => ("ExposeProtoCasing", "protocols in EXPOSE are in lower case"),
            Rule::ExposeInvalidFormat => {
                ("ExposeInvalidFormat", "EXPOSE names ports, and neither addresses nor ports of the host")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn where_more_is_said() {
        let of = |rule: Rule| rule.url().rsplit_once("/rule/").map(|(_, rest)| rest.to_owned());
        assert_eq!(of(Rule::StageNameCasing).as_deref(), Some("stage-name-casing/"));
        assert_eq!(of(Rule::JsonArgsRecommended).as_deref(), Some("json-args-recommended/"));
        let mut names = Rule::ALL.map(Rule::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}
